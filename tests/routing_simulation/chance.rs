//! What goes wrong, and the policies that it goes wrong under.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tidegate::routing::{Asks, Level, OnTimeout, Policy, ReadFrom};

use crate::simulation::{Event, Simulation};

pub(crate) fn policy(random: &mut StdRng) -> Policy {
    let asks = asks(random);
    Policy {
        level: asks.level.unwrap_or(Level::Session),
        max_staleness: asks.max_staleness,
        wait: Duration::from_micros([0, 500, 5_000][random.random_range(0..3)]),
        on_timeout: if random.random_ratio(3, 4) {
            OnTimeout::Writer
        } else {
            OnTimeout::Error
        },
        read_from: if random.random_ratio(7, 8) {
            ReadFrom::Readers
        } else {
            ReadFrom::Writer
        },
        max_lag: Duration::from_micros([5_000, 20_000, 1_000_000][random.random_range(0..3)]),
        ..Policy::default()
    }
}

/// What a session or a statement asks for.
pub(crate) fn asks(random: &mut StdRng) -> Asks {
    let level = match random.random_range(0..10) {
        0..2 => Some(Level::Strong),
        2..4 => Some(Level::Bounded),
        4 => Some(Level::Eventual),
        _ => None,
    };
    let bound = [0, 2_000, 10_000][random.random_range(0..3)];
    let bounded = level == Some(Level::Bounded) || level.is_none() && random.random_ratio(1, 4);
    Asks {
        level,
        max_staleness: bounded.then(|| Duration::from_micros(bound)),
    }
}

/// In calm weather a read may wait for a reader as long as by default.
pub(crate) fn calm_policy() -> Policy {
    Policy::default()
}

impl Simulation {
    pub(crate) fn nemesis(&mut self) {
        let reader = self.random.random_range(1..self.servers.len());
        match self.random.random_range(0..24) {
            0..6 => self.servers[reader].held ^= true,
            6..9 => self.servers[0].held ^= true,
            9 => self.crash(reader, 0),
            10..12 => self.crash(reader, 15),
            12 => self.crash(0, 0),
            13 => self.break_connections(),
            14 => self.servers[reader].errant += 1,
            15 => {
                self.servers[reader].forgotten = self.servers[reader].executed;
                self.soon(Event::Purge(reader), 10_000);
            }
            16 => self.replace(reader),
            _ => self.servers[reader].step = self.pace(),
        }
        self.soon(Event::Nemesis, 5_000);
    }

    pub(crate) fn pace(&mut self) -> u64 {
        [100, 400, 2000][self.random.random_range(0..3)]
    }

    /// The server goes on, and all connections to it break.
    fn break_connections(&mut self) {
        let any = self.random.random_range(0..self.servers.len());
        self.servers[any].generation += 1;
        if any == 0 {
            self.lose_running_writes();
        }
    }

    /// Its address leads to another server from now on, which has less or as much.
    fn replace(&mut self, reader: usize) {
        self.next_letter += 1;
        let age = self.random.random_range(0..15);
        let letter = self.next_letter;
        let server = &mut self.servers[reader];
        if server.up {
            server.letter = letter;
            server.restore(age);
            self.catch_up(reader);
        }
    }

    fn crash(&mut self, server: usize, age: u64) {
        if !self.servers[server].up {
            return;
        }
        self.servers[server].crash();
        if server == 0 {
            self.lose_running_writes();
            self.writes.iter_mut().for_each(|write| write.over = true);
        }
        // To bring back an old copy takes longer than to see that a server is down.
        let least = if age > 0 { 6_000 } else { 0 };
        let delay = least + self.random.random_range(1..4_000);
        self.after(Event::Back(server, age), delay);
    }

    pub(crate) fn back(&mut self, server: usize, age: u64) {
        if age > 0 {
            let age = self.random.random_range(0..age);
            self.servers[server].restore(age);
        } else {
            self.servers[server].recover(server == 0);
        }
        if server != 0 {
            self.catch_up(server);
        }
    }

    fn catch_up(&mut self, reader: usize) {
        let sent = self.servers[0].received;
        self.soon(Event::Deliver(reader, sent), 1_000);
    }

    pub(crate) fn deliver(&mut self, server: usize, number: u64) {
        if self.servers[server].up {
            let received = &mut self.servers[server].received;
            *received = (*received).max(number);
        }
    }

    pub(crate) fn step(&mut self, server: usize) {
        let batch = self.random.random_range(1..4);
        self.servers[server].advance(batch);
        if server == 0 {
            self.note_committed();
            self.finish_writes();
        }
        let pause = self.servers[server].step * 2;
        self.soon(Event::Step(server), pause);
    }
}
