//! Watching the backends: one monitor for each, and a [`Snapshot`] of them all, published whole.
//!
//! A watch never decides anything. What it can't prove it leaves out: a backend that does not
//! answer has no incarnation and no watermark.

mod ask;
mod election;
mod history;
mod lives;
mod mariadb;
mod measure;
mod monitor;
mod probe;
mod progress;
mod publish;
mod replication;
mod roster;
mod routines;
mod seat;
mod silence;
mod slow_start;
#[cfg(test)]
mod testing;
mod threads;
mod waiters;
mod watcher;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::Guard;
use smallvec::SmallVec;
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};

use self::publish::Publisher;
use self::roster::Tasks;
use self::threads::Threads;
use self::waiters::Want;
use super::Config;
use super::client::{Access, Client};
use crate::gtid::Set;
use crate::routing::{BackendId, Place, Snapshot};
use crate::slots::{SLOTS, Slots};

pub use self::threads::ThreadEnd;

/// A backend whose answers were wrong gets no new reads for so long.
const SHUN: Duration = Duration::from_secs(10);

/// A backend that has not answered a probe by then counts as not reached for the asker.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Is told of each new snapshot, to feed gauges.
pub type OnPublish = Box<dyn Fn(&Snapshot) + Send + Sync>;

/// The monitors and watchers; they end when this is dropped.
///
/// Its methods may be called from any runtime, as long as the one that it was started on runs.
#[derive(Debug)]
pub struct Watch {
    publisher: Arc<Publisher>,
    threads: Slots<Arc<Threads>>,
    access: Access,
    tasks: Tasks,
}

impl Watch {
    /// Starts a monitor and a watcher for each backend on the runtime that this is called on.
    pub fn start(config: &Config, on_publish: OnPublish) -> Self {
        let watch = Self {
            publisher: Arc::new(Publisher::new(config, on_publish)),
            threads: (0..SLOTS).map(|_| Arc::default()).collect(),
            access: Client::access(config),
            tasks: Tasks::default(),
        };
        for (index, client) in (0..).zip(Client::with(config, &watch.access)) {
            watch.watch_over(BackendId(index), client);
        }
        watch
    }

    /// What is known now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.publisher.snapshot()
    }

    /// The same for a moment only: it costs less, and holds up nobody else.
    pub fn look(&self) -> Guard<Arc<Snapshot>> {
        self.publisher.look()
    }

    /// How many snapshots there have been. Whoever asks before it looks, and finds the same later, would
    /// see the same.
    pub fn published(&self) -> u64 {
        self.publisher.published()
    }

    /// Tells of each new snapshot; the number is that of those before it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.publisher.changes()
    }

    /// Waits until the monitor has reached this backend, for a little while at most.
    ///
    /// Cancel safe.
    pub async fn reached(&self, id: BackendId) {
        let mut changes = self.changes();
        let is_up = || self.snapshot().backend(id).is_some_and(|view| view.up);
        let up = async { while !is_up() && changes.changed().await.is_ok() {} };
        // Whoever goes on without it finds out that it is down.
        let _ = timeout(PROBE_LIMIT, up).await;
    }

    /// Tells of each change of who is proven to be the writer.
    pub fn writers(&self) -> watch::Receiver<Option<BackendId>> {
        self.publisher.writer.subscribe()
    }

    /// Waits until some backend is found to be the writer, for a little while at most; else it is
    /// the first that there is.
    ///
    /// Cancel safe.
    pub async fn first_writer(&self) -> BackendId {
        let mut changes = self.changes();
        let seat = || self.snapshot().seat.backend;
        let found = async { while seat().is_none() && changes.changed().await.is_ok() {} };
        let _ = timeout(PROBE_LIMIT, found).await;
        seat().unwrap_or(BackendId(0))
    }

    /// Asks these backends what has been seen on them, with a question that is sent after this
    /// call, shared with others that ask meanwhile. Returns those that did not answer.
    ///
    /// Cancel safe.
    pub async fn probe(&self, backends: &[BackendId]) -> SmallVec<[BackendId; 2]> {
        self.publisher.probe(backends, PROBE_LIMIT).await
    }

    /// Waits until this life of a backend is known to have executed `token`, until it has ended,
    /// or until `until`. All that wait on a backend share one connection to it. While it is a new writer
    /// that is `draining`, the wait is also over once it has executed all that it has received.
    ///
    /// Cancel safe: a waiter that is dropped is forgotten.
    pub async fn wait(&self, place: Place, token: &Set, draining: bool, until: Instant) {
        let Some(waiters) = self.publisher.waiters(place.backend) else {
            return;
        };
        let over = || {
            let snapshot = self.snapshot();
            let view = snapshot.backend(place.backend);
            let drained = draining && !snapshot.seat.is_draining();
            drained || view.is_none_or(|it| it.place() != Some(place) || it.has_executed(token))
        };
        if over() {
            return;
        }
        let mut ticket = waiters.register(Want::Executed {
            place,
            token: token.clone(),
            draining,
        });
        if !over() {
            let until = tokio::time::Instant::from_std(until);
            let _ = timeout_at(until, ticket.settled()).await;
        }
    }

    /// How many wait now until this backend has executed something.
    pub fn waiting(&self, id: BackendId) -> usize {
        self.publisher.waiters(id).map_or(0, |it| it.count())
    }

    /// Waits until a backend no longer has this connection, whose client side is gone: then what
    /// it did last is committed or rolled back. `thread` is the connection's number in the
    /// backend's handshake, `connected` any time at which it was logged in; the later it is, the
    /// less can be proven of a restart.
    ///
    /// While the backend can't be reached there is nothing to tell: set a limit. A restart is
    /// proven by the time of start that the process itself reports; that the monitor's connection
    /// broke proves nothing. The monitor's account needs the PROCESS privilege.
    ///
    /// Cancel safe.
    pub async fn thread_gone(&self, id: BackendId, thread: u64, connected: Instant) -> ThreadEnd {
        let threads = self.threads.get(id.index());
        let member = self.publisher.life_of(id, connected);
        let (Some(threads), Some(member)) = (threads, member) else {
            return ThreadEnd::Unproven;
        };
        let mut ticket = threads.register(thread, member);
        if let Some(waiters) = self.publisher.waiters(id) {
            waiters.work.notify_one();
        }
        ticket.end().await
    }

    /// Takes in what an answer of a backend said that it has executed.
    pub fn learn(&self, place: Place, executed: Arc<Set>) {
        self.publisher.executed(place, executed, Instant::now());
    }

    /// An answer proved that a backend is behind what was known of it: nothing that was known
    /// counts any more, and it gets no new reads for a while.
    pub fn alarm(&self, place: Place) {
        self.publisher.shun(place, Instant::now() + SHUN);
        self.kick(place.backend);
    }

    /// A data connection to this backend failed: look after it now.
    pub fn report_failure(&self, id: BackendId) {
        self.kick(id);
    }

    /// For how long this backend has left the monitor without any answer, be it an error.
    pub fn silent_for(&self, id: BackendId) -> Option<Duration> {
        self.publisher.waiters(id)?.silence.length(Instant::now())
    }

    fn kick(&self, id: BackendId) {
        if let Some(waiters) = self.publisher.waiters(id) {
            waiters.kick.notify_one();
        }
    }
}
