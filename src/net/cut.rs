//! Cutting a peer off from elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Cuts off the peer of the one wire that listens to it, for good.
#[derive(Debug, Default)]
pub struct Cut {
    done: AtomicBool,
    /// The task that waits for it. It stays when that waits no longer: it will again, with each
    /// statement.
    listener: Mutex<Option<Waker>>,
}

impl Cut {
    /// Cuts it off.
    pub fn cut(&self) {
        self.done.store(true, Ordering::SeqCst);
        let listener = self.lock().take();
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// Is it cut off? If not, the task is woken when it is.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut listener = self.lock();
        // Looked at under the lock: whoever cuts it off afterwards finds the listener.
        if self.done.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let known = listener.as_ref();
        if !known.is_some_and(|known| known.will_wake(cx.waker())) {
            *listener = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
