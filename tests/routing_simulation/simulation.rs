//! The world in virtual time: a queue of events, and the state that they change.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidegate::routing::Policy;

use crate::client::Session;
use crate::monitor::Monitor;
use crate::mutation::Mutation;
use crate::probing::Flight;
use crate::scope::{Scope, Write};
use crate::truth::{Micros, Server};

/// How long a schedule is.
const LENGTH: Micros = 60_000;

const SESSIONS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A session takes up its next statement.
    Think(usize),
    /// A wait is over: of this session, in this statement.
    Timeout(usize, u64),
    /// The statement reaches its backend, shows its first row, and ends.
    Execute(usize, u64),
    Show(usize, u64),
    End(usize, u64),
    /// A write gets its number, is answered, or loses its client.
    Sync(usize),
    Answer(usize),
    Lose(usize),
    /// The writer is asked whether the thread of a lost write is gone.
    CheckThread(usize, usize),
    /// The steps of a probe: owned is read, then executed, then the answer arrives.
    Owned(usize),
    Executed(usize),
    Arrive(usize),
    Poll(usize),
    Watch(usize),
    /// A server makes progress, gets what the writer has sent, or comes back.
    Step(usize),
    Deliver(usize, u64),
    Back(usize, u64),
    Nemesis,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) violations: Vec<String>,
    pub(crate) reads_on_readers: u64,
    pub(crate) reads_on_writer: u64,
    pub(crate) refused: u64,
    pub(crate) probes: u64,
    pub(crate) waits: u64,
    pub(crate) retries: u64,
    pub(crate) gates: u64,
    pub(crate) errant: u64,
    pub(crate) most_rounds: u32,
}

pub(crate) struct Simulation {
    pub(crate) now: Micros,
    pub(crate) random: StdRng,
    pub(crate) mutation: Mutation,
    pub(crate) policy: Policy,
    pub(crate) servers: Vec<Server>,
    pub(crate) monitor: Monitor,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) writes: Vec<Write>,
    pub(crate) flights: Vec<Flight>,
    pub(crate) report: Report,
    queue: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    scheduled: u64,
}

/// Plays the schedule of this seed.
pub(crate) fn run(seed: u64, mutation: Mutation) -> Report {
    let mut simulation = Simulation::new(seed, mutation);
    while let Some(Reverse((time, _, event))) = simulation.queue.pop() {
        if time > LENGTH {
            break;
        }
        simulation.now = time;
        simulation.handle(event);
    }
    simulation.report
}

impl Simulation {
    fn new(seed: u64, mutation: Mutation) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut servers = vec![Server::new(b'w', 40)];
        for letter in [b'a', b'b'] {
            servers.push(Server::new(
                letter,
                [100, 400, 2000][random.random_range(0..3)],
            ));
        }
        let shared = random.random();
        let scopes = if shared { 1 } else { SESSIONS };
        let mut simulation = Self {
            now: 0,
            mutation,
            policy: crate::chance::policy(&mut random),
            monitor: Monitor::new(&servers, mutation),
            servers,
            scopes: (0..scopes).map(|_| Scope::new()).collect(),
            sessions: (0..SESSIONS).map(|it| Session::new(it % scopes)).collect(),
            writes: Vec::new(),
            flights: Vec::new(),
            report: Report::default(),
            queue: BinaryHeap::new(),
            scheduled: 0,
            random,
        };
        for session in 0..SESSIONS {
            simulation.soon(Event::Think(session), 2_000);
        }
        for server in 0..simulation.servers.len() {
            simulation.soon(Event::Step(server), 100);
            simulation.soon(Event::Poll(server), 100);
        }
        simulation.soon(Event::Nemesis, 5_000);
        simulation
    }

    /// Schedules an event at a random time from now, no later than `within`.
    pub(crate) fn soon(&mut self, event: Event, within: Micros) {
        let delay = self.random.random_range(1..=within.max(1));
        self.after(event, delay);
    }

    pub(crate) fn after(&mut self, event: Event, delay: Micros) {
        self.scheduled += 1;
        self.queue
            .push(Reverse((self.now + delay, self.scheduled, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Think(session) => self.think(session),
            Event::Timeout(session, number) => self.time_out(session, number),
            Event::Execute(session, number) => self.execute(session, number),
            Event::Show(session, number) => self.show(session, number),
            Event::End(session, number) => self.end(session, number),
            Event::Sync(write) => self.sync(write),
            Event::Answer(write) => self.answer(write),
            Event::Lose(write) => self.lose(write),
            Event::CheckThread(scope, write) => self.check_thread(scope, write),
            Event::Owned(flight) => self.read_owned(flight),
            Event::Executed(flight) => self.read_executed(flight),
            Event::Arrive(flight) => self.arrive(flight),
            Event::Poll(server) => self.poll(server),
            Event::Watch(server) => self.watch(server),
            Event::Step(server) => self.step(server),
            Event::Deliver(server, number) => self.deliver(server, number),
            Event::Back(server, age) => self.back(server, age),
            Event::Nemesis => self.nemesis(),
        }
    }

    pub(crate) fn violation(&mut self, what: String) {
        let what = format!("{} us: {what}", self.now);
        self.report.violations.push(what);
    }
}
