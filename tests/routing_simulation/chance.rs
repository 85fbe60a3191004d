//! What goes wrong, and the policies that it goes wrong under.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tidegate::routing::{OnTimeout, Policy};

use crate::simulation::{Event, Simulation};

pub(crate) fn policy(random: &mut StdRng) -> Policy {
    Policy {
        wait: Duration::from_micros([0, 500, 5_000][random.random_range(0..3)]),
        on_timeout: if random.random() {
            OnTimeout::Writer
        } else {
            OnTimeout::Error
        },
        max_lag: Duration::from_micros([5_000, 20_000, 1_000_000][random.random_range(0..3)]),
        ..Policy::default()
    }
}

impl Simulation {
    pub(crate) fn nemesis(&mut self) {
        let reader = self.random.random_range(1..self.servers.len());
        match self.random.random_range(0..20) {
            0..6 => self.servers[reader].held ^= true,
            6..9 => self.servers[0].held ^= true,
            9 => self.crash(reader, 0),
            // It comes back from a copy that lacks some transactions.
            10..12 => self.crash(reader, 15),
            12 => self.crash(0, 0),
            13 => {
                let any = self.random.random_range(0..self.servers.len());
                self.servers[any].generation += 1;
                if any == 0 {
                    self.lose_running_writes();
                }
            }
            14 => self.servers[reader].errant += 1,
            _ => self.servers[reader].step = [100, 400, 2000][self.random.random_range(0..3)],
        }
        self.soon(Event::Nemesis, 5_000);
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
        self.soon(Event::Back(server, age), 4_000);
    }

    pub(crate) fn back(&mut self, server: usize, age: u64) {
        if age > 0 {
            let age = self.random.random_range(0..age);
            self.servers[server].restore(age);
        } else {
            self.servers[server].recover(server == 0);
        }
        if server != 0 {
            let sent = self.servers[0].received;
            self.soon(Event::Deliver(server, sent), 1_000);
        }
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
            self.finish_writes();
        }
        let pause = self.servers[server].step * 2;
        self.soon(Event::Step(server), pause);
    }
}
