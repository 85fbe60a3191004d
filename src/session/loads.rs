//! How busy each backend is with what this proxy has sent to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::sync::Semaphore;

use super::crowd;
use crate::routing::{BUSY, BackendId, Load};
use crate::slots::Slots;

/// The newest answer counts for one part in so many.
const MEMORY: u64 = 8;

/// One of each backend.
#[derive(Debug)]
pub struct Loads(Slots<Cell>);

/// So many of the reads that waited for one reader run there at once. More would hardly be done any
/// sooner, and all others would be done later.
const TURNS: usize = 64;

#[derive(Debug)]
struct Cell {
    running: AtomicU32,
    /// Sessions that read from it.
    sessions: AtomicU32,
    /// Sessions' connections to it.
    connections: AtomicU32,
    /// A moving mean, in microseconds.
    latency: AtomicU64,
    /// For reads that have waited for this reader.
    turns: Arc<Semaphore>,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            running: AtomicU32::default(),
            sessions: AtomicU32::default(),
            connections: AtomicU32::default(),
            latency: AtomicU64::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
        }
    }
}

/// A statement that runs on a backend, until this is dropped.
#[derive(Debug)]
pub(super) struct Running<'a> {
    cell: Option<&'a Cell>,
    since: Instant,
    _one_of_many: crowd::Member,
}

/// The reader that a session reads from, until this is dropped.
#[derive(Debug)]
pub(super) struct Home {
    loads: Arc<Loads>,
    pub(super) backend: BackendId,
}

impl Home {
    /// One more session reads there.
    pub(super) fn at(loads: &Arc<Loads>, backend: BackendId) -> Self {
        if let Some(cell) = loads.0.get(backend.index()) {
            cell.sessions.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            loads: Arc::clone(loads),
            backend,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(cell) = self.loads.0.get(self.backend.index()) {
            cell.sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Loads {
    /// Of so many idle backends.
    pub fn new(backends: usize) -> Self {
        Self((0..backends).map(|_| Cell::default()).collect())
    }

    /// One more backend, which has the next id.
    pub fn add(&self) {
        // Ids end where the table does.
        let _ = self.0.push(Cell::default());
    }

    /// How many connections sessions have to a backend.
    pub fn connections(&self, id: BackendId) -> u32 {
        let cell = self.0.get(id.index());
        cell.map_or(0, |cell| cell.connections.load(Ordering::Relaxed))
    }

    /// A session has one more connection to a backend.
    pub(super) fn connected(&self, id: BackendId) {
        if let Some(cell) = self.0.get(id.index()) {
            cell.connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// And one less.
    pub(super) fn disconnected(&self, id: BackendId) {
        if let Some(cell) = self.0.get(id.index()) {
            cell.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Does a backend have so much to do that another one may be quicker?
    pub(super) fn is_busy(&self, id: BackendId) -> bool {
        let cell = self.0.get(id.index());
        cell.is_some_and(|cell| cell.running.load(Ordering::Relaxed) >= BUSY)
    }

    /// What they are now, by id.
    pub fn now(&self) -> SmallVec<[Load; 8]> {
        let load = |cell: &Cell| Load {
            running: cell.running.load(Ordering::Relaxed),
            sessions: cell.sessions.load(Ordering::Relaxed),
            latency: Duration::from_micros(cell.latency.load(Ordering::Relaxed)),
        };
        self.0.iter().map(load).collect()
    }

    /// The turns of reads that have waited for a reader: it catches up with all of them at once,
    /// and they must not fall upon it like a herd. Who came first is first.
    pub(super) fn turns(&self, id: BackendId) -> Option<Arc<Semaphore>> {
        self.0.get(id.index()).map(|cell| Arc::clone(&cell.turns))
    }

    /// A statement was sent to a backend then.
    pub(super) fn begin(&self, id: BackendId, since: Instant) -> Running<'_> {
        self.running(id, since, crowd::enter())
    }

    /// One that was, and of which nobody has kept count since, runs on.
    pub(super) fn go_on(&self, id: BackendId, since: Instant) -> Running<'_> {
        self.running(id, since, crowd::come_back())
    }

    fn running(&self, id: BackendId, since: Instant, member: crowd::Member) -> Running<'_> {
        let cell = self.0.get(id.index());
        if let Some(cell) = cell {
            cell.running.fetch_add(1, Ordering::Relaxed);
        }
        Running {
            cell,
            since,
            _one_of_many: member,
        }
    }
}

impl Running<'_> {
    /// Its answer was short and is here: how long it took tells of the backend, not of the answer.
    pub(super) fn answered(&self, now: Instant) {
        let Some(cell) = self.cell else {
            return;
        };
        let took = u64::try_from(now.saturating_duration_since(self.since).as_micros())
            .unwrap_or(u64::MAX);
        // Two at once may lose one of their answers, which a mean gets over.
        let before = cell.latency.load(Ordering::Relaxed);
        let after = match before {
            0 => took,
            _ => before - before / MEMORY + took / MEMORY,
        };
        cell.latency.store(after, Ordering::Relaxed);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            cell.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_counted_until_it_has_ended() {
        let loads = Loads::new(2);
        let one = loads.begin(BackendId(1), Instant::now());
        let two = loads.begin(BackendId(1), Instant::now());
        let running = || {
            loads
                .now()
                .iter()
                .map(|load| load.running)
                .collect::<Vec<_>>()
        };
        assert_eq!(running(), [0, 2]);
        assert_eq!(loads.now()[1].latency, Duration::ZERO);
        two.answered(Instant::now());
        drop((one, two));
        assert_eq!(running(), [0, 0]);
        drop(loads.begin(BackendId(7), Instant::now()));
    }

    #[test]
    fn who_reads_from_a_backend_is_counted_until_it_leaves() {
        let loads = Arc::new(Loads::new(2));
        let homes = [1, 1, 7].map(|id| Home::at(&loads, BackendId(id)));
        let sessions = || loads.now().iter().map(|it| it.sessions).collect::<Vec<_>>();
        assert_eq!(sessions(), [0, 2]);
        drop(homes);
        assert_eq!(sessions(), [0, 0]);
    }
}
