//! Putting what the monitors learn into snapshots.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::OnPublish;
use super::election::Sources;
use super::history::History;
use super::lives::{Lives, Membership};
use super::measure::{measure, note_lagging};
use super::progress::{Continuity, Doubt, Learned, continuity, grows, overtook};
use super::seat;
use super::slow_start::weight;
use super::waiters::Waiters;
use crate::backend::client::Life;
use crate::backend::{BackendConfig, Config};
use crate::gtid::{Incarnation, Set, Watermark};
use crate::routing::{
    BackendId, BackendView, Place, Probe, Replication, Role, Routines, Seat, Snapshot,
};
use crate::slots::Slots;
use crate::sql::Flavour;

/// What a backend says of itself when it is asked.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Before the question was sent.
    pub(super) started: Instant,
    /// After the answer came.
    pub(super) learned: Instant,
    pub(super) life: Life,
    /// What a read there may have seen before `started`, and more.
    pub(super) seen: Set,
    /// What every read there sees since `learned`; of a reader in MariaDB its position.
    pub(super) executed: Set,
    pub(super) read_only: bool,
    /// It belongs to a group, and is not online there.
    pub(super) recovering: bool,
    /// Whether the numbers that this server gives ascend, so that a position proves what is below.
    pub(super) ordered: bool,
    /// As what it was asked.
    pub(super) role: Role,
}

/// The one place where snapshots are made.
pub(super) struct Publisher {
    pub(super) current: ArcSwap<Snapshot>,
    /// Serialises the makers; readers never wait for it.
    making: Mutex<Vec<Known>>,
    /// For each backend, those who wait for news of it.
    pub(super) waiters: Slots<Arc<Waiters>>,
    history: History,
    pub(super) slow_start: ArcSwap<Duration>,
    pub(super) count: watch::Sender<u64>,
    /// The same, for whoever only compares: it counts a snapshot after that is there.
    pub(super) published: AtomicU64,
    /// Who is proven to be the writer.
    pub(super) writer: watch::Sender<Option<BackendId>>,
    pub(super) on_publish: OnPublish,
}

/// What is remembered of a backend beyond a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The last epoch given out.
    epoch: u64,
    pub(super) lives: Lives,
    /// What the configuration says of it.
    pub(super) config: Option<BackendConfig>,
    /// It answers, and says that it takes writes.
    pub(super) claims: bool,
    /// From whom it replicates, by its own word since it was reached.
    pub(super) sources: Option<Sources>,
    /// All that it has received from them; none if that is not known.
    pub(super) received: Option<Set>,
    /// Its own limit; none on a fixed writer.
    pub(super) max_lag: Option<Duration>,
    /// Its configured share of the reads.
    pub(super) weight: u32,
    /// It has been reached before.
    was_up: bool,
    /// What it had, while it is in doubt whether it has it still.
    doubt: Option<Doubt>,
    /// When it came back after it had been down.
    back: Option<Instant>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({:?})", self.current)
    }
}

impl Publisher {
    /// Nothing is known of any backend yet.
    pub(super) fn new(config: &Config, on_publish: OnPublish) -> Self {
        let unknown = |(index, backend): (usize, &BackendConfig)| {
            unknown(index, backend, config.zone.as_deref())
        };
        let backends: Vec<_> = config.backends.iter().enumerate().map(unknown).collect();
        let known = config.backends.iter().map(Known::of).collect();
        let waiters = backends.iter().map(|_| Arc::default()).collect();
        let fixed = config
            .backends
            .iter()
            .position(|backend| backend.role == Some(Role::Writer));
        let seat = Seat {
            backend: fixed.and_then(|index| u16::try_from(index).ok().map(BackendId)),
            ..Seat::default()
        };
        let snapshot = Snapshot {
            backends,
            seat,
            ..Snapshot::default()
        };
        on_publish(&snapshot);
        Self {
            current: ArcSwap::from_pointee(snapshot),
            making: Mutex::new(known),
            waiters,
            history: History::default(),
            slow_start: ArcSwap::from_pointee(config.slow_start),
            count: watch::Sender::new(0),
            published: AtomicU64::new(0),
            writer: watch::Sender::new(None),
            on_publish,
        }
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    pub(super) fn look(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// Those who wait for news of a backend.
    pub(super) fn waiters(&self, id: BackendId) -> Option<&Arc<Waiters>> {
        self.waiters.get(id.index())
    }

    /// The life that the monitor is connected to; the newest one while it is not.
    pub(super) fn life(&self, id: BackendId) -> Option<Life> {
        self.lock().get(id.index())?.lives.newest()
    }

    /// The life of a connection that was there at `connected`.
    pub(super) fn life_of(&self, id: BackendId, connected: Instant) -> Option<Membership> {
        self.lock().get(id.index())?.lives.of(connected)
    }

    /// The monitor's connection is gone: nothing is proven any more.
    pub(super) fn lost(&self, id: BackendId) {
        self.change(id, |known, snapshot| {
            let Some(view) = snapshot.backends.get_mut(id.index()) else {
                return false;
            };
            known.claims = false;
            known.sources = None;
            known.received = None;
            view.up = false;
            view.replication = None;
            forget(view);
            true
        });
    }

    /// All that a reader has executed that tells this, if not now, then as far as is known.
    pub(super) fn complete(&self, flavour: Flavour, told: Set) -> Set {
        self.history.complete(flavour, told)
    }

    /// The writer has said what it has executed or begun to commit.
    pub(super) fn told_by_writer(&self, id: BackendId, name: &str, answer: &Answer) {
        // Another one may have become it while it was asked.
        if self.role(id) != answer.role {
            return;
        }
        if self.history.told_by_writer(name, answer) {
            // What the others have told can be read now.
            let all = self.waiters.iter();
            all.for_each(|waiters| waiters.kick.notify_one());
        }
    }

    /// A backend has answered. `fresh`: on a connection that has not proven anything before.
    pub(super) fn learn(&self, id: BackendId, answer: Answer, fresh: bool) -> Learned {
        let mut learned = Learned::All;
        self.change(id, |known, snapshot| {
            known.lives.proven(answer.life, answer.started);
            known.claims = !answer.read_only;
            let Some(view) = snapshot.backends.get_mut(id.index()) else {
                return false;
            };
            if view.role != answer.role && answer.life.flavour == Flavour::MariaDb {
                // What it was asked as is told in another way than what it is now.
                return true;
            }
            let incarnation = match continuity(view, &answer, known.doubt.as_ref()) {
                Continuity::Same(same) if !fresh => same,
                Continuity::InDoubt if !fresh => {
                    known.doubt.get_or_insert_with(|| Doubt::of(view, &answer));
                    forget_progress(view);
                    learned = Learned::InDoubt;
                    return true;
                }
                Continuity::Same(_) | Continuity::InDoubt | Continuity::Another => {
                    known.epoch += 1;
                    forget(view);
                    Incarnation {
                        server_uuid: answer.life.server_uuid,
                        epoch: known.epoch,
                    }
                }
            };
            known.doubt = None;
            let executed = Arc::new(answer.executed);
            if !view.up && std::mem::replace(&mut known.was_up, true) {
                known.back = Some(answer.learned);
            }
            view.up = true;
            view.recovering = answer.recovering;
            view.weight = weight(
                known.weight,
                known.back,
                **self.slow_start.load(),
                answer.learned,
            );
            view.incarnation = Some(incarnation);
            let newer = view
                .watermark
                .take_if(|mark| !overtook(mark, &executed, answer.learned));
            if newer.is_some() || view.watermark.is_none() {
                view.watermark = Some(Watermark {
                    executed: Arc::clone(&executed),
                    learned: answer.learned,
                    incarnation,
                });
            }
            view.probe = Some(Arc::new(Probe {
                started: answer.started,
                seen: Arc::new(answer.seen),
                executed: Arc::clone(&executed),
                incarnation,
            }));
            // Who takes no writes any more does not know what another one has committed since.
            if view.role == Role::Writer && !answer.read_only {
                let clock = Arc::make_mut(&mut snapshot.samples);
                clock.observe(answer.started, executed, answer.life.server_uuid);
                let clock = &snapshot.samples;
                snapshot
                    .backends
                    .iter_mut()
                    .for_each(|view| measure(clock, view));
            } else {
                measure(&snapshot.samples, view);
            }
            true
        });
        learned
    }

    /// An answer of a data connection or of the watcher says that a backend has executed this.
    pub(super) fn executed(&self, place: Place, executed: Arc<Set>, learned: Instant) {
        self.change(place.backend, |_, snapshot| {
            let Some(view) = snapshot.backends.get_mut(place.backend.index()) else {
                return false;
            };
            let mark = view.current_watermark().map(|mark| &*mark.executed);
            // Of two answers under way the older may come last. One that fits neither way is not
            // of this history; the monitor will find out.
            if view.place() != Some(place) || mark.is_some_and(|mark| !grows(mark, &executed)) {
                return false;
            }
            view.watermark = Some(Watermark {
                executed,
                learned,
                incarnation: place.incarnation,
            });
            measure(&snapshot.samples, view);
            true
        });
    }

    /// What was known of this life of a backend was wrong.
    pub(super) fn shun(&self, place: Place, until: Instant) {
        self.change(place.backend, |_, snapshot| {
            let Some(view) = snapshot.backends.get_mut(place.backend.index()) else {
                return false;
            };
            if view.incarnation == Some(place.incarnation) {
                forget(view);
            }
            view.shunned_until = Some(until);
            true
        });
    }

    /// What a backend says of its replication, and from whom; none if the account may not know.
    pub(super) fn replication(
        &self,
        id: BackendId,
        replication: Option<Replication>,
        (sources, received): (Option<Sources>, Option<Set>),
    ) {
        self.change(id, |known, snapshot| {
            let Some(view) = snapshot.backends.get_mut(id.index()) else {
                return false;
            };
            let changed = view.replication != replication
                || known.sources != sources
                || known.received != received;
            known.received = received;
            view.replication = replication;
            known.sources = sources;
            changed
        });
    }

    /// What a backend is now, as far as is known.
    pub(super) fn role(&self, id: BackendId) -> Role {
        let snapshot = self.current.load();
        let view = snapshot.backend(id);
        view.map_or(Role::Reader, |view| view.role)
    }

    /// The stored functions that only read, as the writer has them.
    pub(super) fn routines(&self, id: BackendId, routines: Routines) {
        self.change(id, |_, snapshot| {
            let changed = *snapshot.routines != routines;
            if changed {
                snapshot.routines = Arc::new(routines);
            }
            changed
        });
    }

    /// Publishes what `make` makes of the last snapshot, if it says that it has changed, and tells
    /// those who wait for news of the backend.
    pub(super) fn change(
        &self,
        id: BackendId,
        make: impl FnOnce(&mut Known, &mut Snapshot) -> bool,
    ) {
        let mut guard = self.lock();
        let Some(known) = guard.get_mut(id.index()) else {
            return;
        };
        let mut snapshot = Snapshot::clone(&self.current.load());
        if !make(known, &mut snapshot) {
            return;
        }
        self.publish(guard, snapshot, &[id]);
    }

    /// The same for all backends at once.
    pub(super) fn change_all(&self, make: impl FnOnce(&mut [Known], &mut Snapshot)) {
        let mut guard = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        make(&mut guard, &mut snapshot);
        let all: Vec<_> = snapshot.backends.iter().map(|view| view.id).collect();
        self.publish(guard, snapshot, &all);
    }

    /// Finds the writer anew, and tells those who wait for news of `changed`.
    fn publish(
        &self,
        guard: MutexGuard<'_, Vec<Known>>,
        mut snapshot: Snapshot,
        changed: &[BackendId],
    ) {
        let now = Instant::now();
        for (view, known) in snapshot.backends.iter_mut().zip(guard.iter()) {
            note_lagging(view, known.max_lag, now);
        }
        let seated = seat::settle(&mut snapshot, &guard);
        (self.on_publish)(&snapshot);
        let snapshot = Arc::new(snapshot);
        self.current.store(Arc::clone(&snapshot));
        let proven = snapshot.backends.iter().find(|view| view.writable);
        let proven = proven.map(|view| view.id);
        self.writer
            .send_if_modified(|writer| std::mem::replace(writer, proven) != proven);
        self.published.fetch_add(1, Ordering::Release);
        drop(guard);
        for id in changed {
            if let (Some(view), Some(waiters)) = (snapshot.backend(*id), self.waiters(*id)) {
                waiters.settle(view, !snapshot.seat.is_draining());
            }
        }
        if let Some(waiters) = seated.and_then(|id| self.waiters(id)) {
            // It is asked as a writer from now on.
            waiters.kick.notify_one();
        }
        self.count.send_modify(|count| *count += 1);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        // Epochs only ever grow, also if a maker panicked in the middle.
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A backend of which nothing is known yet.
pub(super) fn unknown(index: usize, backend: &BackendConfig, zone: Option<&str>) -> BackendView {
    BackendView {
        id: BackendId(u16::try_from(index).unwrap_or(u16::MAX)),
        role: backend.role.unwrap_or(Role::Reader),
        weight: backend.weight,
        near: is_near(backend, zone),
        up: false,
        writable: false,
        incarnation: None,
        watermark: None,
        lag: None,
        lagging: false,
        replication: None,
        probe: None,
        shunned_until: None,
        draining: false,
        recovering: false,
    }
}

/// Is a backend in this proxy's zone, or are zones not told apart?
pub(super) fn is_near(backend: &BackendConfig, zone: Option<&str>) -> bool {
    zone.is_none() || backend.zone.as_deref() == zone
}

impl Known {
    /// Of this backend.
    pub(super) fn of(backend: &BackendConfig) -> Self {
        Self {
            max_lag: backend.max_lag,
            weight: backend.weight,
            config: Some(backend.clone()),
            ..Self::default()
        }
    }
}

fn forget(view: &mut BackendView) {
    view.incarnation = None;
    forget_progress(view);
}

fn forget_progress(view: &mut BackendView) {
    view.watermark = None;
    view.lag = None;
    view.probe = None;
}
