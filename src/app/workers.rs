//! One single-threaded runtime per core: a session never moves between threads, and its wake-ups
//! never cross one.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::pace::Pace;
use crate::session::met_since_last_look;

/// The threads that serve sessions; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

/// Whoever sets a timer that ends before all others makes the runtime wake up once more, by two
/// system calls. A timer that always ends soon is before all that a statement or a login sets.
const BEAT: Duration = Duration::from_millis(250);

async fn beat() {
    let mut pace = Pace::of_this_thread();
    loop {
        sleep(BEAT).await;
        pace.follow(met_since_last_look());
    }
}

impl Workers {
    /// One for each core that this process may use.
    ///
    /// # Errors
    /// As the system gives them.
    pub(super) fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        (0..count)
            .map(Worker::start)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Where sessions can be spawned.
    pub(super) fn handles(&self) -> Vec<Handle> {
        self.0.iter().map(|worker| worker.handle.clone()).collect()
    }
}

impl Worker {
    fn start(index: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // Ends when the sender is dropped, and the sessions with it.
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = beat() => {}
                    }
                });
            })?;
        Ok(Self {
            handle,
            _stop: stop,
        })
    }
}
