//! What the proxy knows of the servers, as `backend::watch` publishes it.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tidegate::gtid::{Incarnation, Set, Uuid, Watermark};
use tidegate::routing::{BackendId, BackendView, Lag, Place, Probe, Role, Snapshot};

use crate::truth::Micros;

/// Old snapshots that a session may still decide by.
const KEPT: usize = 4;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn at(time: Micros) -> Instant {
    *START + Duration::from_micros(time)
}

/// What a server says of itself when it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) started: Micros,
    pub(crate) server_uuid: Uuid,
    /// All that a read which ended before may have seen.
    pub(crate) seen: Set,
    pub(crate) executed: Set,
}

pub(crate) struct Publisher {
    current: Snapshot,
    epochs: Vec<u64>,
    published: VecDeque<Arc<Snapshot>>,
}

impl Publisher {
    /// Nothing is known of any backend yet.
    pub(crate) fn new(servers: usize) -> Self {
        let view = |index| BackendView {
            id: id(index),
            role: if index == 0 {
                Role::Writer
            } else {
                Role::Reader
            },
            weight: 100,
            near: true,
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
        };
        let mut publisher = Self {
            current: Snapshot {
                backends: (0..servers).map(view).collect(),
                ..Snapshot::default()
            },
            epochs: vec![0; servers],
            published: VecDeque::new(),
        };
        publisher.publish();
        publisher
    }

    /// The newest snapshot, or one from before it.
    pub(crate) fn snapshot(&self, back: usize) -> Arc<Snapshot> {
        let index = self.published.len().saturating_sub(1 + back);
        Arc::clone(&self.published[index])
    }

    /// The monitor's connection is gone: nothing is proven any more.
    pub(crate) fn lost(&mut self, backend: usize) {
        let view = &mut self.current.backends[backend];
        (view.up, view.writable, view.incarnation) = (false, false, None);
        (view.watermark, view.lag, view.probe) = (None, None, None);
        self.publish();
    }

    /// A backend has answered. `fresh`: on a connection that has not proven anything before.
    pub(crate) fn learn(&mut self, backend: usize, answer: Answer, fresh: bool, now: Micros) {
        let view = &mut self.current.backends[backend];
        let known = view
            .incarnation
            .filter(|it| it.server_uuid == answer.server_uuid);
        let had = view.watermark.as_ref();
        let grown = had.is_none_or(|mark| answer.executed.contains(&mark.executed));
        let incarnation = known.filter(|_| !fresh && grown).unwrap_or_else(|| {
            self.epochs[backend] += 1;
            Incarnation {
                server_uuid: answer.server_uuid,
                epoch: self.epochs[backend],
            }
        });
        let (executed, started) = (Arc::new(answer.executed), at(answer.started));
        (view.up, view.writable) = (true, backend == 0);
        view.incarnation = Some(incarnation);
        view.watermark = Some(Watermark {
            executed: Arc::clone(&executed),
            learned: at(now),
            incarnation,
        });
        view.probe = Some(Arc::new(Probe {
            started,
            seen: Arc::new(answer.seen),
            executed: Arc::clone(&executed),
            incarnation,
        }));
        if backend == 0 {
            let clock = Arc::make_mut(&mut self.current.samples);
            clock.observe(started, executed, answer.server_uuid);
        }
        self.publish();
    }

    /// The answer to a read said that its backend has executed this.
    pub(crate) fn executed(&mut self, place: Place, executed: Set, now: Micros) {
        let view = &mut self.current.backends[place.backend.index()];
        if view.place() == Some(place) && !view.has_executed(&executed) {
            view.watermark = Some(Watermark {
                executed: Arc::new(executed),
                learned: at(now),
                incarnation: place.incarnation,
            });
            self.publish();
        }
    }

    /// What was known of this life of a backend was wrong.
    pub(crate) fn shun(&mut self, place: Place, until: Micros) {
        let view = &mut self.current.backends[place.backend.index()];
        if view.incarnation == Some(place.incarnation) {
            view.incarnation = None;
            (view.watermark, view.lag, view.probe) = (None, None, None);
        }
        view.shunned_until = Some(at(until));
        self.publish();
    }

    fn publish(&mut self) {
        let clock = Arc::clone(&self.current.samples);
        for view in &mut self.current.backends {
            let Some(mark) = &view.watermark else {
                continue;
            };
            view.lag = clock.covered(&mark.executed).map(|covered| {
                let behind = match clock.newest() {
                    Some(newest) if newest.last <= covered => Duration::ZERO,
                    _ => mark.learned.saturating_duration_since(covered),
                };
                Lag { covered, behind }
            });
        }
        self.published.push_back(Arc::new(self.current.clone()));
        if self.published.len() > KEPT {
            self.published.pop_front();
        }
    }
}

pub(crate) fn id(backend: usize) -> BackendId {
    BackendId(u16::try_from(backend).unwrap())
}
