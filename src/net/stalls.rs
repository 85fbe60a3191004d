//! A peer that stops in the middle of something.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// How long a peer may stop in the middle of something; for ever, if nothing else is said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stalls {
    /// While a packet comes.
    pub reading: Option<Duration>,
    /// While something is written.
    pub writing: Option<Duration>,
    /// It has.
    pub stalled: bool,
}

impl Stalls {
    /// Waits for the peer to take something, as long as it may take nothing.
    pub(super) async fn limit<T>(
        &mut self,
        writing: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let Some(limit) = self.writing else {
            return writing.await;
        };
        // There is nearly always room at once, and then nobody has to look at the clock.
        let mut writing = pin!(writing);
        if let Poll::Ready(written) = at_once(writing.as_mut()).await {
            return written;
        }
        match timeout(limit, writing).await {
            Ok(written) => written,
            Err(_) => {
                self.stalled = true;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

/// What a future has to say now.
async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
