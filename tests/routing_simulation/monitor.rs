//! What the proxy learns of the servers, and when: polls, probes and free watermarks, published as
//! snapshots.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tidegate::gtid::{Incarnation, Set, Watermark};
use tidegate::routing::{BackendId, BackendView, Lag, LagClock, Place, Probe, Role, Snapshot};

use crate::mutation::Mutation;
use crate::truth::{Micros, Server};

/// Old snapshots that a session may still decide by.
const KEPT: usize = 4;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn at(time: Micros) -> Instant {
    *START + Duration::from_micros(time)
}

pub(crate) struct Monitor {
    views: Vec<BackendView>,
    clock: LagClock,
    published: VecDeque<Arc<Snapshot>>,
    mutation: Mutation,
}

impl Monitor {
    pub(crate) fn new(servers: &[Server], mutation: Mutation) -> Self {
        let views = servers
            .iter()
            .enumerate()
            .map(|(index, server)| BackendView {
                id: BackendId(u16::try_from(index).unwrap()),
                role: if index == 0 {
                    Role::Writer
                } else {
                    Role::Reader
                },
                weight: 100,
                up: true,
                writable: index == 0,
                incarnation: Some(incarnation(server)),
                watermark: None,
                lag: None,
                probe: None,
                shunned_until: None,
                draining: false,
            });
        let mut monitor = Self {
            views: views.collect(),
            clock: LagClock::default(),
            published: VecDeque::new(),
            mutation,
        };
        monitor.publish();
        monitor
    }

    /// The newest snapshot, or one from before it.
    pub(crate) fn snapshot(&self, back: usize) -> Arc<Snapshot> {
        let index = self.published.len().saturating_sub(1 + back);
        Arc::clone(&self.published[index])
    }

    pub(crate) fn finds_down(&mut self, backend: usize) {
        let view = &mut self.views[backend];
        if view.up {
            (view.up, view.incarnation) = (false, None);
            (view.watermark, view.lag, view.probe) = (None, None, None);
            self.publish();
        }
    }

    /// An answer to a probe, or to the monitor's own poll, which asks the same.
    pub(crate) fn learns(&mut self, backend: usize, server: &Server, answer: Answer, now: Micros) {
        let incarnation = answer.incarnation;
        if self.views[backend].incarnation != Some(incarnation) {
            if self.views[backend]
                .incarnation
                .is_some_and(|it| it.epoch > incarnation.epoch)
            {
                return;
            }
            let view = &mut self.views[backend];
            (view.up, view.incarnation) = (true, Some(incarnation));
            (view.watermark, view.lag, view.probe) = (None, None, None);
        }
        let started = at(answer.started);
        let executed = Arc::new(answer.executed);
        let mut seen = (*executed).clone();
        if self.mutation != Mutation::ExecutedAsSeen {
            seen.union(&answer.owned);
        }
        if backend == 0 {
            self.clock
                .observe(started, Arc::clone(&executed), incarnation.server_uuid);
        }
        let newest = self.views[backend]
            .probe
            .as_ref()
            .map(|probe| probe.started);
        if newest <= Some(started) {
            let executed = Arc::clone(&executed);
            let probe = Probe {
                started,
                seen: Arc::new(seen),
                executed,
                incarnation,
            };
            self.views[backend].probe = Some(Arc::new(probe));
        }
        self.sees(backend, incarnation, server, (*executed).clone(), now);
    }

    /// A lower bound of what a server has executed, on whatever way it came.
    pub(crate) fn sees(
        &mut self,
        backend: usize,
        incarnation: Incarnation,
        server: &Server,
        mut executed: Set,
        now: Micros,
    ) {
        let view = &mut self.views[backend];
        if view.incarnation != Some(incarnation) {
            return;
        }
        if self.mutation == Mutation::BelieveTheBinlog && backend != 0 {
            executed = server.received_set();
        }
        let known = view.watermark.as_ref();
        if known.is_none_or(|known| executed.contains(&known.executed)) {
            let behind = Duration::from_micros(server.step * 3);
            view.lag = self
                .clock
                .covered(&executed)
                .map(|covered| Lag { covered, behind });
            let executed = Arc::new(executed);
            view.watermark = Some(Watermark {
                executed,
                learned: at(now),
                incarnation,
            });
        }
        self.publish();
    }

    fn publish(&mut self) {
        let (backends, samples) = (self.views.clone(), Arc::new(self.clock.clone()));
        let routines = Arc::default();
        self.published.push_back(Arc::new(Snapshot {
            backends,
            routines,
            samples,
        }));
        if self.published.len() > KEPT {
            self.published.pop_front();
        }
    }
}

/// What a server said to `SELECT @@gtid_owned, @@gtid_executed`.
pub(crate) struct Answer {
    pub(crate) started: Micros,
    pub(crate) owned: Set,
    pub(crate) executed: Set,
    pub(crate) incarnation: Incarnation,
}

pub(crate) fn incarnation(server: &Server) -> Incarnation {
    Incarnation {
        server_uuid: server.uuid(),
        epoch: server.generation,
    }
}

/// Whether a connection that proved itself as this place still stands.
pub(crate) fn stands(place: Place, server: &Server) -> bool {
    server.up && place.incarnation == incarnation(server)
}
