//! Putting what the monitors learn into snapshots.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::OnPublish;
use crate::backend::Config;
use crate::gtid::{Incarnation, Set, Uuid, Watermark};
use crate::routing::{BackendId, BackendView, Lag, Place, Probe, Role, Snapshot};

/// What a backend says of itself when it is asked.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Before the question was sent.
    pub(super) started: Instant,
    /// After the answer came.
    pub(super) learned: Instant,
    pub(super) server_uuid: Uuid,
    pub(super) owned: Set,
    pub(super) executed: Set,
    pub(super) read_only: bool,
}

/// The one place where snapshots are made.
pub(super) struct Publisher {
    current: ArcSwap<Snapshot>,
    /// Serialises the makers; readers never wait for it.
    making: Mutex<Epochs>,
    count: watch::Sender<u64>,
    on_publish: OnPublish,
}

/// The last epoch given out for each backend.
type Epochs = Vec<u64>;

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({:?})", self.current)
    }
}

impl Publisher {
    /// Nothing is known of any backend yet.
    pub(super) fn new(config: &Config, on_publish: OnPublish) -> Self {
        let unknown = |(index, backend): (usize, &crate::backend::BackendConfig)| BackendView {
            id: BackendId(u16::try_from(index).unwrap_or(u16::MAX)),
            role: backend.role,
            weight: backend.weight,
            up: false,
            writable: false,
            incarnation: None,
            watermark: None,
            lag: None,
            probe: None,
            shunned_until: None,
            draining: false,
        };
        let backends: Vec<_> = config.backends.iter().enumerate().map(unknown).collect();
        let epochs = vec![0; backends.len()];
        let snapshot = Snapshot {
            backends,
            ..Snapshot::default()
        };
        on_publish(&snapshot);
        Self {
            current: ArcSwap::from_pointee(snapshot),
            making: Mutex::new(epochs),
            count: watch::Sender::new(0),
            on_publish,
        }
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// The monitor's connection is gone: nothing is proven any more.
    pub(super) fn lost(&self, id: BackendId) {
        let guard = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        if let Some(view) = snapshot.backends.get_mut(id.index()) {
            view.up = false;
            view.writable = false;
            view.incarnation = None;
            view.watermark = None;
            view.lag = None;
            view.probe = None;
        }
        self.publish(snapshot, guard);
    }

    /// A backend has answered. `fresh`: on a connection that has not proven anything before.
    pub(super) fn learn(&self, id: BackendId, answer: Answer, fresh: bool) {
        let mut guard = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        let Some(view) = snapshot.backends.get_mut(id.index()) else {
            return;
        };
        let same = !fresh && continues(view, &answer);
        let incarnation = match view.incarnation {
            Some(incarnation) if same => incarnation,
            _ => {
                let epoch = guard.get_mut(id.index()).map_or(0, |epoch| {
                    *epoch += 1;
                    *epoch
                });
                Incarnation {
                    server_uuid: answer.server_uuid,
                    epoch,
                }
            }
        };
        let executed = Arc::new(answer.executed);
        let mut seen = answer.owned;
        seen.union(&executed);
        view.up = true;
        view.writable = !answer.read_only;
        view.incarnation = Some(incarnation);
        view.watermark = Some(Watermark {
            executed: Arc::clone(&executed),
            learned: answer.learned,
            incarnation,
        });
        view.probe = Some(Arc::new(Probe {
            started: answer.started,
            seen: Arc::new(seen),
            executed: Arc::clone(&executed),
            incarnation,
        }));
        if view.role == Role::Writer {
            let clock = Arc::make_mut(&mut snapshot.samples);
            clock.observe(answer.started, executed, answer.server_uuid);
        }
        measure(&mut snapshot);
        self.publish(snapshot, guard);
    }

    /// An answer of a data connection says that a backend has executed this.
    pub(super) fn executed(&self, place: Place, executed: Arc<Set>, learned: Instant) {
        let guard = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        let Some(view) = snapshot.backends.get_mut(place.backend.index()) else {
            return;
        };
        if view.place() != Some(place) || view.has_executed(&executed) {
            return;
        }
        view.watermark = Some(Watermark {
            executed,
            learned,
            incarnation: place.incarnation,
        });
        measure(&mut snapshot);
        self.publish(snapshot, guard);
    }

    /// What was known of this life of a backend was wrong.
    pub(super) fn shun(&self, place: Place, until: Instant) {
        let guard = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        let Some(view) = snapshot.backends.get_mut(place.backend.index()) else {
            return;
        };
        if view.incarnation == Some(place.incarnation) {
            view.incarnation = None;
            view.watermark = None;
            view.lag = None;
            view.probe = None;
        }
        view.shunned_until = Some(until);
        self.publish(snapshot, guard);
    }

    fn publish(&self, snapshot: Snapshot, guard: MutexGuard<'_, Epochs>) {
        (self.on_publish)(&snapshot);
        self.current.store(Arc::new(snapshot));
        drop(guard);
        self.count.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Epochs> {
        // Epochs only ever grow, also if a maker panicked in the middle.
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is the answer one of the same life? Executed sets only grow within one; a restored or reset
/// backend keeps its uuid, but not its history.
fn continues(view: &BackendView, answer: &Answer) -> bool {
    let same_uuid = view
        .incarnation
        .is_some_and(|known| known.server_uuid == answer.server_uuid);
    let had = view.watermark.as_ref();
    same_uuid && had.is_none_or(|mark| answer.executed.contains(&mark.executed))
}

/// Reads the lag clock for every backend.
fn measure(snapshot: &mut Snapshot) {
    let clock = Arc::clone(&snapshot.samples);
    for view in &mut snapshot.backends {
        let Some(mark) = &view.watermark else {
            continue;
        };
        view.lag = clock.covered(&mark.executed).map(|covered| {
            let behind = match clock.newest() {
                // It has all that the writer was known to have when it answered.
                Some(newest) if newest.last <= covered => std::time::Duration::ZERO,
                _ => mark.learned.saturating_duration_since(covered),
            };
            Lag { covered, behind }
        });
    }
}
