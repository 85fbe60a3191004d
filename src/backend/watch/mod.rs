//! Watching the backends: one monitor for each, and a [`Snapshot`] of them all, published whole.
//!
//! A watch never decides anything. What it can't prove it leaves out: a backend that does not
//! answer has no incarnation and no watermark.

mod monitor;
mod publish;

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use self::publish::Publisher;
use super::Config;
use crate::gtid::Set;
use crate::routing::{BackendId, Place, Snapshot};

/// A backend whose answers were wrong gets no new reads for so long.
const SHUN: Duration = Duration::from_secs(10);

/// A backend that has not answered a probe by then counts as not reached for the asker.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Is told of each new snapshot, to feed gauges.
pub type OnPublish = Box<dyn Fn(&Snapshot) + Send + Sync>;

/// The monitors; they end when this is dropped.
#[derive(Debug)]
pub struct Watch {
    publisher: Arc<Publisher>,
    /// Wakes the monitors before their interval is over.
    kicks: Vec<Arc<Notify>>,
    _monitors: JoinSet<()>,
}

impl Watch {
    /// Starts a monitor for each backend on the runtime that this is called on.
    pub fn start(config: &Config, on_publish: OnPublish) -> Self {
        let publisher = Arc::new(Publisher::new(config, on_publish));
        let mut monitors = JoinSet::new();
        let mut kicks = Vec::new();
        for (index, backend) in config.backends.iter().enumerate() {
            let Ok(index) = u16::try_from(index) else {
                // The configuration allows far fewer.
                break;
            };
            let plan = monitor::Plan {
                id: BackendId(index),
                backend: backend.clone(),
                account: config.monitor.clone(),
                connect_timeout: config.connect_timeout,
            };
            let kick = Arc::new(Notify::new());
            kicks.push(Arc::clone(&kick));
            monitors.spawn(monitor::run(plan, Arc::clone(&publisher), kick));
        }
        Self {
            publisher,
            kicks,
            _monitors: monitors,
        }
    }

    /// What is known now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.publisher.snapshot()
    }

    /// Tells of each new snapshot; the number is that of those before it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.publisher.changes()
    }

    /// Asks these backends what has been seen on them, with a question that is sent after this
    /// call, shared with others that ask meanwhile. Returns those that did not answer.
    ///
    /// Cancel safe.
    pub async fn probe(&self, backends: &[BackendId]) -> SmallVec<[BackendId; 2]> {
        let asked = Instant::now();
        for backend in backends {
            self.kick(*backend);
        }
        let unanswered = |snapshot: &Snapshot| -> SmallVec<[BackendId; 2]> {
            let answered = |id: BackendId| {
                let view = snapshot.backend(id);
                let probe = view.and_then(|view| view.current_probe());
                probe.is_some_and(|probe| probe.started >= asked)
            };
            let missing = backends.iter().copied().filter(|id| !answered(*id));
            missing.collect()
        };
        let down =
            |snapshot: &Snapshot, id: BackendId| snapshot.backend(id).is_none_or(|view| !view.up);
        let mut changes = self.changes();
        let deadline = tokio::time::Instant::from_std(asked + PROBE_LIMIT);
        loop {
            changes.mark_unchanged();
            let snapshot = self.snapshot();
            let missing = unanswered(&snapshot);
            if missing.iter().all(|id| down(&snapshot, *id)) {
                return missing;
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                _ => return unanswered(&self.snapshot()),
            }
        }
    }

    /// Waits until this life of a backend is known to have executed `token`, until it has ended,
    /// or until `until`.
    ///
    /// Cancel safe.
    pub async fn wait(&self, place: Place, token: &Set, until: Instant) {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let snapshot = self.snapshot();
            let view = snapshot.backend(place.backend);
            let Some(view) = view.filter(|view| view.place() == Some(place)) else {
                return;
            };
            if view.has_executed(token) {
                return;
            }
            self.kick(place.backend);
            let deadline = tokio::time::Instant::from_std(until);
            if timeout_at(deadline, changes.changed()).await.is_err() {
                return;
            }
        }
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

    fn kick(&self, id: BackendId) {
        if let Some(kick) = self.kicks.get(id.index()) {
            kick.notify_one();
        }
    }
}
