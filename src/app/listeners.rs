//! The listeners that are open, each with the task that accepts there.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StartError;
use super::workers::WorkerHandle;
use crate::net::{Detached, Endpoint, Heritage, Inherited, Listener, Origin};
use crate::session::{Shared, serve};

/// How long to wait when the system gives no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What is behind a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Clients of the database.
    Clients,
    /// Metrics and health.
    Http,
    /// The operator's console.
    Console,
}

#[derive(Debug)]
struct Open {
    door: Door,
    /// As the configuration says; the system may have chosen the port.
    wanted: Endpoint,
    listener: Arc<Listener>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        // The task has it, too, until it is dropped.
        self.listener.remove_file();
    }
}

/// Every listener.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: Mutex<Vec<Open>>,
    /// What was handed over to this process at its start.
    inherited: Inherited,
}

/// A listener that is bound and accepts nobody yet.
#[derive(Debug)]
pub(super) struct Bound(Open);

impl Bound {
    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// As the system gives them.
    pub(super) fn endpoint(&self) -> io::Result<Endpoint> {
        self.0.listener.endpoint()
    }

    pub(super) fn listener(&self) -> Arc<Listener> {
        Arc::clone(&self.0.listener)
    }
}

impl Listeners {
    /// None yet; these were handed over.
    pub(super) fn with(inherited: Inherited) -> Self {
        Self {
            open: Mutex::default(),
            inherited,
        }
    }

    /// Copies of all, for a process that takes over.
    ///
    /// # Errors
    /// As the system gives them.
    pub(super) fn heritage(&self) -> io::Result<Heritage> {
        let mut heritage = Heritage::default();
        for open in &*self.lock() {
            heritage.add(&label(open.door, &open.wanted), &open.listener)?;
        }
        Ok(heritage)
    }

    /// Another process has them, too: their files stay when they are closed here.
    pub(super) fn leave_files(&self) {
        self.lock()
            .iter()
            .for_each(|open| open.listener.leave_file());
    }

    /// Closes what was handed over and nothing has asked for.
    pub(super) fn close_rest(&self) {
        self.inherited.close_rest();
    }

    /// Binds those addresses that are not listened on yet; the runtime that is their `home` wakes up
    /// for who comes.
    ///
    /// # Errors
    /// [`StartError::Listen`] names the first that can't be listened on; none is then.
    pub(super) async fn bind(
        &self,
        door: Door,
        wanted: &[Endpoint],
        home: &Handle,
    ) -> Result<Vec<Bound>, StartError> {
        let mut bound = Vec::new();
        for endpoint in wanted {
            if self.has(door, endpoint) {
                continue;
            }
            let failed = |error| StartError::Listen {
                endpoint: endpoint.clone(),
                error,
            };
            let label = label(door, endpoint);
            let inherited = self.inherited.take(&label, endpoint);
            let by_manager = !self.inherited.has_predecessor();
            let address = endpoint.clone();
            let opening = home.spawn(async move {
                match inherited {
                    Some(socket) => Listener::adopt(socket, by_manager),
                    None => Listener::bind(&address).await,
                }
            });
            let opened = opening.await.map_err(io::Error::other);
            let listener = opened.and_then(|it| it).map_err(failed)?;
            bound.push(Bound(Open {
                door,
                wanted: endpoint.clone(),
                listener: Arc::new(listener),
                task: None,
            }));
        }
        Ok(bound)
    }

    /// Takes over a bound listener, at which this task accepts.
    pub(super) fn add(&self, mut bound: Bound, task: JoinHandle<()>) {
        bound.0.task = Some(task);
        self.lock().push(bound.0);
    }

    /// Closes the listeners of this kind that are not among these. Nobody reaches them any more when
    /// it returns: until the task has ended that accepts there, the system takes clients for it.
    pub(super) async fn keep(&self, door: Door, wanted: &[Endpoint]) {
        let stays = |open: &Open| open.door != door || wanted.contains(&open.wanted);
        let closed: Vec<Open> = self.lock().extract_if(.., |open| !stays(open)).collect();
        for mut open in closed {
            if let Some(task) = open.task.take() {
                task.abort();
                // Whether it has panicked before is nobody's concern any more.
                let _ = task.await;
            }
        }
    }

    /// Closes all of them.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn has(&self, door: Door, endpoint: &Endpoint) -> bool {
        let open = self.lock();
        let mut open = open.iter();
        open.any(|open| open.door == door && open.wanted == *endpoint)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        // A list is whole between two statements that hold it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a listener is called when it is handed over.
fn label(door: Door, endpoint: &Endpoint) -> String {
    format!("{door:?} {endpoint}")
}

/// Accepts clients and gives each to the worker that has the fewest. It runs on the first of them:
/// who stays there is served without a word to another thread.
pub(super) async fn accept(
    listener: Arc<Listener>,
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    mut draining: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match accepted {
            Ok((plain, origin)) => {
                let shared = Arc::clone(&shared);
                match WorkerHandle::idlest(&workers) {
                    Some((0, here)) => here.serve(move || serve(shared, plain, origin)),
                    Some((_, worker)) => {
                        let detached = plain.detach();
                        worker.serve(move || attach_and_serve(shared, detached, origin));
                    }
                    None => return,
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: give the others time to leave.
                tracing::warn!(%error, "can't accept a client");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a client that was accepted on another runtime.
async fn attach_and_serve(shared: Arc<Shared>, detached: io::Result<Detached>, origin: Origin) {
    match detached.and_then(Detached::attach) {
        Ok(plain) => serve(shared, plain, origin).await,
        Err(error) => tracing::warn!(%error, "client lost at once"),
    }
}
