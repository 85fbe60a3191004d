//! One single-threaded runtime per core: a session never moves between threads, and its wake-ups
//! never cross one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::pace::Pace;
use crate::net::Timers;
use crate::session::met_since_last_look;

/// The threads that serve sessions. They have ended when this has been dropped, which waits for them.
#[derive(Debug)]
pub(super) struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    handle: WorkerHandle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// How often a thread looks at its pace. It is also the timer among all threads' limits that always ends
/// before what a statement or a login sets ([`Timers`]).
const BEAT: Duration = Duration::from_millis(250);

async fn beat(timers: Timers) {
    let mut pace = Pace::of_this_thread();
    loop {
        timers.sleep(BEAT).await;
        pace.follow(met_since_last_look());
    }
}

impl Workers {
    /// One for each core that this process may use. The timers' runtime has to outlive this.
    ///
    /// # Errors
    /// As the system gives them.
    pub(super) fn start(timers: &Timers) -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let mut workers = Self(Vec::with_capacity(count));
        for index in 0..count {
            workers.0.push(Worker::start(index, timers.clone())?);
        }
        Ok(workers)
    }

    /// Where sessions can be spawned.
    pub(super) fn handles(&self) -> Vec<WorkerHandle> {
        self.0.iter().map(|worker| worker.handle.clone()).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let (stops, threads): (Vec<_>, Vec<_>) = self
            .0
            .drain(..)
            .map(|worker| (worker.stop, worker.thread))
            .unzip();
        drop(stops);
        for thread in threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// A worker, as those see it who give it sessions.
#[derive(Clone, Debug)]
pub(super) struct WorkerHandle {
    /// Its runtime.
    pub(super) runtime: Handle,
    sessions: Arc<AtomicUsize>,
}

impl WorkerHandle {
    fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            sessions: Arc::default(),
        }
    }

    /// Has it serve a session, which is made where it runs: it is large, and a session that waits
    /// takes its room only once.
    pub(super) fn serve<S: Future<Output = ()> + Send>(
        &self,
        session: impl FnOnce() -> S + Send + 'static,
    ) {
        let counted = Counted::new(Arc::clone(&self.sessions));
        self.runtime.spawn(async move {
            let _counted = counted;
            session().await;
        });
    }

    /// The one that serves the fewest sessions; of several, the first.
    pub(super) fn idlest(all: &[Self]) -> Option<(usize, &Self)> {
        let sessions = |(_, worker): &(usize, &Self)| worker.sessions.load(Ordering::Relaxed);
        all.iter().enumerate().min_by_key(sessions)
    }
}

/// Counts one session, until this is dropped.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(sessions: Arc<AtomicUsize>) -> Self {
        sessions.fetch_add(1, Ordering::Relaxed);
        Self(sessions)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    fn start(index: usize, timers: Timers) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = WorkerHandle::new(runtime.handle().clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // Ends when the sender is dropped, and the sessions with it.
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = beat(timers) => {}
                    }
                });
                // Without waiting for a name that is looked up.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            handle,
            stop,
            thread,
        })
    }
}
