//! The world in virtual time: a queue of events, and the state that they change.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidegate::routing::Policy;

use crate::client::Session;
use crate::monitor::Monitor;
use crate::mutation::Mutation;
use crate::publisher::Publisher;
use crate::report::Report;
use crate::scope::{Scope, Write};
use crate::truth::{Micros, Server};

/// How long a schedule is.
const LENGTH: Micros = 100_000;

const SESSIONS: usize = 4;

/// Whether things go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Calm,
    Storm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A session takes up its next statement.
    Think(usize),
    /// Something was published, or time is up: for this session, statement and round.
    Wake(usize, u64, u32),
    Timeout(usize, u64, u32),
    /// The statement reaches its backend, shows its first rows, and ends.
    Execute(usize, u64),
    Show(usize, u64),
    End(usize, u64),
    /// A write gets its number, is answered, or loses its client.
    Sync(usize),
    Answer(usize),
    Lose(usize),
    /// The writer is asked whether the thread of a lost write is gone.
    CheckThread(usize),
    /// The steps of a monitor's question: owned is read, then executed, then the answer arrives.
    Owned(usize),
    Executed(usize),
    Arrive(usize),
    PauseOver(usize, u64),
    /// The session asks for the token of a scope, since then, with what was shown there by then.
    Bring(usize, usize, Micros, u64),
    /// A server makes progress, gets what the writer has sent, or comes back.
    Step(usize),
    Deliver(usize, u64),
    Back(usize, u64),
    /// What a reader has forgotten of its GTIDs is put into gtid_purged.
    Purge(usize),
    Nemesis,
}

pub(crate) struct Simulation {
    pub(crate) now: Micros,
    pub(crate) random: StdRng,
    pub(crate) mutation: Mutation,
    pub(crate) weather: Weather,
    pub(crate) policy: Policy,
    /// Accounts whose sessions share a scope; none if each connection has its own.
    pub(crate) users: usize,
    /// Readers tell their executed set with each answer.
    pub(crate) free_watermarks: bool,
    pub(crate) servers: Vec<Server>,
    pub(crate) monitors: Vec<Monitor>,
    pub(crate) publisher: Publisher,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) writes: Vec<Write>,
    /// Up to which transaction the writer had executed all, and since when.
    pub(crate) committed: Vec<(Micros, u64)>,
    /// The newest transaction that any client wrote or was shown.
    pub(crate) known: u64,
    pub(crate) report: Report,
    /// The server_uuid, in short, that was given out last.
    pub(crate) next_letter: u8,
    queue: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    scheduled: u64,
}

/// Plays the schedule of this seed.
pub(crate) fn run(seed: u64, mutation: Mutation, weather: Weather) -> Report {
    let mut simulation = Simulation::new(seed, mutation, weather);
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
    fn new(seed: u64, mutation: Mutation, weather: Weather) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let readers = random.random_range(2..=3);
        let users = random.random_range(0..=2);
        let scopes = match mutation {
            Mutation::ScopePerConnection => SESSIONS,
            _ if users == 0 => SESSIONS,
            _ => users,
        };
        let keys = if users == 0 { SESSIONS } else { users };
        let policy = match weather {
            Weather::Calm => crate::chance::calm_policy(),
            Weather::Storm => crate::chance::policy(&mut random),
        };
        let servers = std::iter::once(b'w').chain((b'a'..=b'c').take(readers));
        let mut simulation = Self {
            now: 0,
            mutation,
            weather,
            policy,
            users,
            free_watermarks: random.random_ratio(3, 4),
            servers: servers.map(|letter| Server::new(letter, 40)).collect(),
            monitors: (0..=readers).map(|_| Monitor::default()).collect(),
            publisher: Publisher::new(readers + 1),
            scopes: (0..scopes).map(|it| Scope::new(it % keys, 0)).collect(),
            sessions: (0..SESSIONS)
                .map(|it| Session::new(it % scopes, readers + 1))
                .collect(),
            writes: Vec::new(),
            committed: Vec::new(),
            known: 0,
            report: Report::default(),
            next_letter: b'c',
            queue: BinaryHeap::new(),
            scheduled: 0,
            random,
        };
        simulation.begin();
        simulation
    }

    fn begin(&mut self) {
        for session in 0..self.sessions.len() {
            self.soon(Event::Think(session), 2_000);
        }
        for server in 0..self.servers.len() {
            if server > 0 {
                self.servers[server].step = if self.is_calm() { 100 } else { self.pace() };
            }
            self.soon(Event::Step(server), 100);
            self.kick(server);
        }
        if !self.is_calm() {
            self.soon(Event::Nemesis, 5_000);
        }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.weather == Weather::Calm
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
            Event::Wake(session, number, round) => self.wake(session, number, round, false),
            Event::Timeout(session, number, round) => self.wake(session, number, round, true),
            Event::Execute(session, number) if self.runs(session, number) => self.execute(session),
            Event::Show(session, number) if self.runs(session, number) => self.show(session),
            Event::End(session, number) if self.runs(session, number) => self.end(session),
            // The statement was lost meanwhile.
            Event::Execute(..) | Event::Show(..) | Event::End(..) => {}
            Event::Sync(write) => self.sync(write),
            Event::Answer(write) => self.answer(write),
            Event::Lose(write) => self.lose(write),
            Event::CheckThread(write) => self.check_thread(write),
            Event::Owned(backend) => self.read_owned(backend),
            Event::Executed(backend) => self.read_executed(backend),
            Event::Arrive(backend) => self.arrive(backend),
            Event::PauseOver(backend, pause) => self.pause_over(backend, pause),
            Event::Bring(session, from, asked, shown) => self.bring(session, from, asked, shown),
            Event::Step(server) => self.step(server),
            Event::Deliver(server, number) => self.deliver(server, number),
            Event::Back(server, age) => self.back(server, age),
            Event::Purge(server) => self.servers[server].forgotten = 0,
            Event::Nemesis => self.nemesis(),
        }
    }

    fn runs(&self, session: usize, number: u64) -> bool {
        let client = &self.sessions[session];
        client.number == number && client.statement.is_some()
    }
}
