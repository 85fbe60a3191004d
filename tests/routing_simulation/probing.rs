//! Probes, polls and watches: how the proxy asks, step by step, so that everything can happen in
//! between.

use rand::Rng;
use tidegate::gtid::{Incarnation, Set};
use tidegate::routing::{BackendId, Exclusion};

use crate::client::Phase;
use crate::monitor::{Answer, incarnation};
use crate::simulation::{Event, Simulation};
use crate::truth::Micros;

/// A question on its way.
pub(crate) struct Flight {
    server: usize,
    started: Micros,
    incarnation: Incarnation,
    owned: Set,
    executed: Set,
    /// The statement that waits for the answer; none for the monitor's own polls.
    asker: Option<(usize, u64)>,
}

impl Simulation {
    pub(crate) fn ask(&mut self, server: usize, asker: Option<(usize, u64)>) {
        self.flights.push(Flight {
            server,
            started: self.now,
            incarnation: incarnation(&self.servers[server]),
            owned: Set::default(),
            executed: Set::default(),
            asker,
        });
        self.soon(Event::Owned(self.flights.len() - 1), 80);
    }

    pub(crate) fn read_owned(&mut self, flight: usize) {
        let server = self.flights[flight].server;
        self.flights[flight].owned = self.servers[server].owned_set();
        self.soon(Event::Executed(flight), 60);
    }

    pub(crate) fn read_executed(&mut self, flight: usize) {
        let server = self.flights[flight].server;
        self.flights[flight].executed = self.servers[server].executed_set();
        // Some answers are slow, so that they are old when they come.
        let within = if self.random.random_ratio(1, 10) {
            2_000
        } else {
            80
        };
        self.soon(Event::Arrive(flight), within);
    }

    pub(crate) fn arrive(&mut self, flight: usize) {
        let Flight {
            server,
            started,
            incarnation: asked,
            asker,
            ..
        } = self.flights[flight];
        let broken = !self.servers[server].up || incarnation(&self.servers[server]) != asked;
        if broken {
            self.monitor.finds_down(server);
            if asker.is_none() && self.servers[server].up {
                self.ask(server, None);
            }
        } else {
            let owned = std::mem::take(&mut self.flights[flight].owned);
            let executed = std::mem::take(&mut self.flights[flight].executed);
            let answer = Answer {
                started,
                owned,
                executed,
                incarnation: asked,
            };
            self.monitor
                .learns(server, &self.servers[server], answer, self.now);
            self.wake(server);
        }
        if let Some((session, number)) = asker {
            self.answered(session, number, server, broken);
        }
    }

    fn answered(&mut self, session: usize, number: u64, server: usize, broken: bool) {
        if self.sessions[session].number != number {
            return;
        }
        let Some(statement) = &mut self.sessions[session].statement else {
            return;
        };
        if broken {
            let id = BackendId(u16::try_from(server).unwrap());
            statement.excluded.push((id, Exclusion::Unreachable));
        }
        let Phase::Probing(left) = &mut statement.phase else {
            return;
        };
        *left -= 1;
        if *left == 0 {
            self.decide(session);
        }
    }

    pub(crate) fn poll(&mut self, server: usize) {
        self.ask(server, None);
        self.soon(Event::Poll(server), 2_000);
    }

    /// One watcher looks at a backend for all who wait for it.
    pub(crate) fn watch(&mut self, server: usize) {
        let waits = |phase| phase == Phase::Waiting;
        let waited = self.sessions.iter().filter_map(|it| it.statement.as_ref());
        let mut waited = waited
            .filter(|it| waits(it.phase))
            .filter_map(|it| it.waiting.as_ref());
        if !waited.any(|waiting| waiting.place.backend.index() == server) {
            return;
        }
        if self.servers[server].up {
            self.sees(server);
        } else {
            self.monitor.finds_down(server);
            self.wake(server);
        }
        self.soon(Event::Watch(server), 200);
    }

    /// The watermark that comes with an answer of this server, just now.
    pub(crate) fn sees(&mut self, server: usize) {
        let it = &self.servers[server];
        self.monitor
            .sees(server, incarnation(it), it, it.executed_set(), self.now);
        self.wake(server);
    }

    /// Those who wait for this backend look whether it has come far enough, or is gone.
    fn wake(&mut self, server: usize) {
        let snapshot = self.monitor.snapshot(0);
        for session in 0..self.sessions.len() {
            let statement = self.sessions[session].statement.as_ref();
            let waiting = statement.filter(|it| it.phase == Phase::Waiting);
            let Some(waiting) = waiting.and_then(|it| it.waiting.as_ref()) else {
                continue;
            };
            let view = snapshot.backend(waiting.place.backend).expect("a backend");
            let changed = view.place() != Some(waiting.place);
            if waiting.place.backend.index() == server
                && (changed || view.has_executed(&waiting.token))
            {
                self.decide(session);
            }
        }
    }
}
