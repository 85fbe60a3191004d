//! What the metrics show of the backends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::routing::{BackendView, Role, Snapshot};
use crate::telemetry::Metrics;

/// Feeds the gauges of the backends from each new snapshot.
pub(super) struct Gauges {
    metrics: Arc<Metrics>,
    /// When the probes were sent whose errant transactions are shown, by backend.
    probed: Mutex<Vec<Option<Instant>>>,
    writer: Mutex<Shown>,
}

/// What is shown of who the writer is.
#[derive(Default)]
struct Shown {
    writable: Vec<bool>,
    recovering: Vec<bool>,
    generation: u64,
}

impl Gauges {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            probed: Mutex::default(),
            writer: Mutex::default(),
        }
    }

    fn show_writer(&self, snapshot: &Snapshot) {
        let mut shown = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let rivals = self.metrics.rival_writers();
        rivals.set(i64::from(snapshot.rivals || snapshot.contested));
        let changes = snapshot.seat.generation.saturating_sub(shown.generation);
        self.metrics.writer_changes().inc_by(changes);
        shown.generation = snapshot.seat.generation;
        let writable: Vec<bool> = snapshot.backends.iter().map(|view| view.writable).collect();
        if writable != shown.writable {
            for (index, is_writer) in writable.iter().enumerate() {
                self.metrics.set_writer(index, *is_writer);
            }
            shown.writable = writable;
        }
        let views = snapshot.backends.iter();
        let recovering: Vec<bool> = views.map(|view| view.up && view.recovering).collect();
        if recovering != shown.recovering {
            for (index, recovers) in recovering.iter().enumerate() {
                self.metrics.set_recovering(index, *recovers);
            }
            shown.recovering = recovering;
        }
    }

    /// Shows a snapshot.
    pub(super) fn show(&self, snapshot: &Snapshot) {
        self.show_writer(snapshot);
        let now = Instant::now();
        // Gauges can't be left half set.
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        probed.resize(snapshot.backends.len(), None);
        for (view, probed) in snapshot.backends.iter().zip(probed.iter_mut()) {
            let index = view.id.index();
            self.metrics.backend_up(index).set(i64::from(view.up));
            let lag = view
                .lag
                .map(|lag| now.saturating_duration_since(lag.covered));
            self.metrics.set_backend_lag(index, lag);
            if view.role == Role::Reader {
                let known = view.replication;
                self.metrics.set_replication(
                    index,
                    known.is_some_and(|it| it.applies),
                    known.is_some_and(|it| it.receives),
                    known.map(|it| it.delay).unwrap_or_default(),
                );
            }
            // Snapshots come with every answer, probes only now and then.
            let started = view.current_probe().map(|probe| probe.started);
            if started.is_some() && std::mem::replace(probed, started) != started {
                let count = errant(view, snapshot).unwrap_or_default();
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                self.metrics.errant_gtids(index).set(count);
            }
        }
    }
}

/// How many transactions a reader has that the writer has not and does not number itself; none
/// while the writer is not known.
fn errant(view: &BackendView, snapshot: &Snapshot) -> Option<u64> {
    if view.role == Role::Writer {
        return None;
    }
    let mut backends = snapshot.backends.iter();
    let writer = backends.find(|other| other.role == Role::Writer)?;
    let (uuid, known) = (writer.incarnation?.server_uuid, writer.current_probe()?);
    let executed = &view.current_probe()?.executed;
    if executed.uuids().all(|source| uuid.numbers(source)) {
        return Some(0);
    }
    let mut errant = (**executed).clone();
    errant.retain_uuids(|source| !uuid.numbers(source));
    errant.subtract(&known.seen);
    // MariaDB does not tell where a server began to count: one for each that has counted.
    Some(match errant.position() {
        Some(_) => u64::try_from(errant.interval_count()).unwrap_or(u64::MAX),
        None => errant.gtid_count(),
    })
}
