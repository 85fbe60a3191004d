//! One monitor for each backend: it connects, asks, and connects again. Its question takes time, so
//! that everything can happen in between.

use rand::Rng;
use tidegate::gtid::Set;

use crate::mutation::Mutation;
use crate::publisher::Answer;
use crate::simulation::{Event, Simulation};
use crate::truth::Micros;

/// The pause between two questions that nobody hurries.
const INTERVAL: Micros = 1_500;

/// The pause after a connection that failed.
const RETRY_PAUSE: Micros = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Monitor {
    /// The generation of the server that its connection leads to.
    connected: Option<u64>,
    /// Nothing was proven yet on this connection.
    fresh: bool,
    asking: Option<Question>,
    /// Somebody wants a question that is sent from now on.
    kicked: bool,
    /// Counts its pauses, so that the end of one that was cut short means nothing.
    pause: u64,
}

/// A question under way.
#[derive(Debug)]
struct Question {
    started: Micros,
    owned: Set,
    executed: Set,
}

impl Simulation {
    /// Whoever asks while a question is under way gets the next one.
    pub(crate) fn kick(&mut self, backend: usize) {
        if self.monitors[backend].asking.is_some() {
            self.monitors[backend].kicked = true;
        } else {
            self.ask(backend);
        }
    }

    pub(crate) fn pause_over(&mut self, backend: usize, pause: u64) {
        let monitor = &self.monitors[backend];
        if monitor.pause == pause && monitor.asking.is_none() {
            self.ask(backend);
        }
    }

    fn ask(&mut self, backend: usize) {
        let server = &self.servers[backend];
        let monitor = &mut self.monitors[backend];
        if monitor.connected.is_none() {
            if !server.up {
                return self.rest(backend, RETRY_PAUSE);
            }
            (monitor.connected, monitor.fresh) = (Some(server.generation), true);
        }
        monitor.asking = Some(Question {
            started: self.now,
            owned: Set::default(),
            executed: Set::default(),
        });
        self.soon(Event::Owned(backend), 80);
    }

    pub(crate) fn read_owned(&mut self, backend: usize) {
        let owned = self.servers[backend].owned_set();
        self.question(backend).owned = owned;
        self.soon(Event::Executed(backend), 60);
    }

    pub(crate) fn read_executed(&mut self, backend: usize) {
        let executed = self.told(backend);
        self.question(backend).executed = executed;
        // Some answers are slow, so that they are old when they come.
        let slow = self.random.random_ratio(1, 10);
        self.soon(Event::Arrive(backend), if slow { 2_000 } else { 80 });
    }

    pub(crate) fn arrive(&mut self, backend: usize) {
        let monitor = &mut self.monitors[backend];
        let question = monitor.asking.take().expect("a question");
        let server = &self.servers[backend];
        if !server.up || monitor.connected != Some(server.generation) {
            monitor.connected = None;
            self.publisher.lost(backend);
            self.wake_all();
            return self.rest(backend, RETRY_PAUSE);
        }
        let mut seen = question.executed.clone();
        if self.mutation != Mutation::ProbeWithoutOwned {
            seen.union(&question.owned);
        }
        let answer = Answer {
            started: question.started,
            server_uuid: server.uuid(),
            seen,
            executed: question.executed,
        };
        let fresh = std::mem::take(&mut monitor.fresh);
        self.publisher.learn(backend, answer, fresh, self.now);
        self.wake_all();
        self.rest(backend, INTERVAL);
    }

    /// What this backend is believed to have executed, by its own word.
    pub(crate) fn told(&self, backend: usize) -> Set {
        match self.mutation {
            Mutation::BelieveTheBinlog if backend != 0 => self.servers[backend].received_set(),
            _ => self.servers[backend].executed_set(),
        }
    }

    fn rest(&mut self, backend: usize, pause: Micros) {
        let monitor = &mut self.monitors[backend];
        monitor.pause += 1;
        let number = monitor.pause;
        let pause = if std::mem::take(&mut monitor.kicked) {
            1
        } else {
            pause
        };
        self.after(Event::PauseOver(backend, number), pause);
    }

    fn question(&mut self, backend: usize) -> &mut Question {
        let asking = &mut self.monitors[backend].asking;
        asking.as_mut().expect("a question")
    }
}
