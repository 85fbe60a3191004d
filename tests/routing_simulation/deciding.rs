//! How a statement is decided about, again and again until it runs or is refused: `session`'s
//! `statement` in small.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use tidegate::gtid::Set;
use tidegate::routing::{
    Asks, BackendId, Decision, Exclusion, Isolation, Level, Need, Place, Reason, SessionFacts,
    Snapshot, Transaction, Waiting, decide,
};

use crate::client::{Open, Phase, Pin, Run, Session, Statement, What};
use crate::mutation::Mutation;
use crate::publisher::at;
use crate::simulation::{Event, Simulation};
use crate::trail::{Trail, is_plain};
use crate::truth::Micros;

/// More rounds than any one statement may take.
const MAX_ROUNDS: u32 = 100;

/// How much staler a read may be than it asks for, with one mutation.
const SLACK: Duration = Duration::from_millis(20);

/// A backend that does not answer a probe for so long counts as silent.
const PROBE_LIMIT: Micros = 20_000;

impl Simulation {
    pub(crate) fn think(&mut self, session: usize) {
        let what = self.sessions[session].next(self.is_calm(), &mut self.random);
        let hinted = what == What::Read && self.sessions[session].transaction.is_none();
        let asks = match hinted && !self.is_calm() && self.random.random_ratio(1, 3) {
            true => crate::chance::asks(&mut self.random),
            false => Asks::default(),
        };
        let statement = Statement::new(what, asks, self.now, self.required(session, asks));
        let client = &mut self.sessions[session];
        client.number += 1;
        client.statement = Some(statement);
        match what {
            What::Reset => self.reset(session),
            What::ChangeUser => self.change_user(session),
            What::Carry => self.carry(session),
            _ => self.decide(session),
        }
    }

    pub(crate) fn decide(&mut self, session: usize) {
        let stale = if self.random.random_ratio(1, 5) { 2 } else { 0 };
        // Whoever follows the trail again and again is not told by decisions what they would tell.
        let blindly = self.random.random_ratio(3, 4);
        let statement = self.statement(session);
        statement.rounds += 1;
        assert!(statement.rounds < MAX_ROUNDS, "no end of it: {statement:?}");
        // Another snapshot may come between taking one and taking the scope's lock.
        let stale = if statement.rounds == 1 { stale } else { 0 };
        let snapshot = self.publisher.snapshot(stale);
        let client = &self.sessions[session];
        let statement = client.statement.as_ref().expect("a statement");
        let need = Need {
            kind: statement.what.kind(),
            asks: self.asks(client, statement),
        };
        let facts = facts(self, client, statement, session);
        let causality = &mut self.scopes[client.scope].causality;
        let now = at(self.now);
        let plain = is_plain(statement, &facts) && self.mutation == Mutation::None;
        let before = client.trail.as_ref().filter(|_| plain);
        let led = before.and_then(|trail| trail.leads(&snapshot, &facts, causality, now));
        if let Some(led) = led.clone().filter(|_| blindly) {
            self.report.followed += 1;
            return self.follow(session, led, snapshot);
        }
        let decision = decide(&need, &facts, causality, &snapshot, now);
        if let Some(led) = led {
            assert_eq!(decision, led, "the trail leads elsewhere: {statement:?}");
            self.report.followed += 1;
        }
        let trail = plain.then(|| Trail::of(&decision, &snapshot, &facts, causality));
        self.sessions[session].trail = trail.flatten();
        let causality = &mut self.scopes[self.sessions[session].scope].causality;
        self.report.errant += u64::from(causality.take_errant().is_some());
        self.follow(session, decision, snapshot);
    }

    fn asks(&self, client: &Session, statement: &Statement) -> Asks {
        let begins = matches!(statement.what, What::BeginReadOnly(_));
        let back_at_writer = client.read_only_at_writer && begins;
        let always = self.mutation == Mutation::WriterAlways;
        let mut asks = statement.asks;
        if back_at_writer || always {
            asks.level = Some(Level::Writer);
        }
        if self.mutation == Mutation::SlackBound {
            asks.max_staleness = asks.max_staleness.map(|bound| bound + SLACK);
        }
        asks
    }

    fn follow(&mut self, session: usize, decision: Decision, before: Arc<Snapshot>) {
        match decision {
            Decision::Run { place, .. } => self.run(session, place, before),
            Decision::Probe { backends, reason } => {
                let now = self.now;
                self.statement(session).phase = Phase::Probing(backends.to_vec(), now);
                self.report.probes += 1;
                self.report.gates += u64::from(reason == Reason::WriterBehind);
                backends.iter().for_each(|it| self.kick(it.index()));
                self.sleep(session, PROBE_LIMIT);
            }
            Decision::Wait {
                place,
                token,
                until,
                reason,
                ..
            } => {
                let statement = self.statement(session);
                statement.phase = Phase::Waiting;
                statement.waiting = Some(Waiting {
                    place,
                    token,
                    until,
                });
                self.report.waits += 1;
                self.report.gates += u64::from(reason == Reason::WriterBehind);
                let left = until.saturating_duration_since(at(self.now));
                let left = left.max(Duration::from_micros(1)).as_micros();
                self.sleep(session, Micros::try_from(left).unwrap());
            }
            Decision::Refuse { kind, .. } => {
                self.report.refuses(kind);
                self.fail(session);
            }
        }
    }

    fn run(&mut self, session: usize, place: Place, before: Arc<Snapshot>) {
        let promised = self.promised(session, place);
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        let causality = &mut self.scopes[client.scope].causality;
        let forgotten = match place.backend.0 {
            0 => Mutation::ForgetSawWriter,
            _ => Mutation::ForgetSawReader,
        };
        let marks = statement.what.shows_rows() && self.mutation != forgotten;
        let mut mark = marks.then(|| causality.begin_read(place));
        if self.mutation == Mutation::EndTooEarly
            && let Some(mark) = mark.take()
        {
            causality.end_read(mark, at(self.now));
        }
        statement.phase = Phase::Running;
        statement.run = Some(Run {
            place,
            mark,
            token: promised,
            before,
        });
        let number = client.number;
        // Some statements wait for a lock or for their turn.
        let slow = self.random.random_ratio(1, 5);
        let within = if slow { 3_000 } else { 100 };
        self.soon(Event::Execute(session, number), within);
    }

    /// What an answer from `place` has to cover.
    fn promised(&self, session: usize, place: Place) -> Option<Arc<Set>> {
        let client = &self.sessions[session];
        let statement = client.statement.as_ref().expect("a statement");
        let taken = client.transaction.is_some_and(|it| it.snapshot.is_some());
        if place.backend.0 == 0 || !statement.what.shows_rows() || taken {
            return None;
        }
        let waited = statement.waiting.as_ref().filter(|it| it.place == place);
        let causality = &self.scopes[client.scope].causality;
        let level = self.policy.narrowed(statement.asks).level;
        let known = match level {
            Level::Eventual => return None,
            Level::Bounded => causality.seen(),
            _ => causality.known(),
        };
        Some(Arc::clone(
            waited.map_or_else(|| known, |waiting| &waiting.token),
        ))
    }

    /// The statement sleeps until something is published, or for so long.
    fn sleep(&mut self, session: usize, limit: Micros) {
        let number = self.sessions[session].number;
        let round = self.statement(session).rounds;
        self.after(Event::Timeout(session, number, round), limit);
        self.soon(Event::Wake(session, number, round), 20);
    }

    /// Something was published.
    pub(crate) fn wake_all(&mut self) {
        for session in 0..self.sessions.len() {
            let client = &self.sessions[session];
            let Some(statement) = &client.statement else {
                continue;
            };
            if matches!(statement.phase, Phase::Probing(..) | Phase::Waiting) {
                let event = Event::Wake(session, client.number, statement.rounds);
                self.soon(event, 20);
            }
        }
    }

    pub(crate) fn wake(&mut self, session: usize, number: u64, round: u32, is_late: bool) {
        let snapshot = self.publisher.snapshot(0);
        let client = &mut self.sessions[session];
        let Some(statement) = &mut client.statement else {
            return;
        };
        if client.number != number || statement.rounds != round {
            return;
        }
        match &statement.phase {
            Phase::Probing(backends, asked) => {
                let asked = at(*asked);
                let missing = unanswered(backends, asked, &snapshot);
                let is_down = |id: &BackendId| snapshot.backend(*id).is_none_or(|view| !view.up);
                if missing.iter().all(is_down) || is_late {
                    let silent = missing.into_iter().map(|id| (id, Exclusion::Unreachable));
                    statement.excluded.extend(silent);
                    statement.failed = Some(self.now);
                    self.decide(session);
                }
            }
            Phase::Waiting => {
                let waiting = statement.waiting.as_ref().expect("a wait");
                let view = snapshot.backend(waiting.place.backend).expect("a backend");
                let is_over =
                    view.place() != Some(waiting.place) || view.has_executed(&waiting.token);
                let backend = waiting.place.backend.index();
                match is_over || is_late {
                    true => self.decide(session),
                    false => self.kick(backend),
                }
            }
            Phase::Deciding | Phase::Running => {}
        }
    }

    pub(crate) fn statement(&mut self, session: usize) -> &mut Statement {
        let statement = &mut self.sessions[session].statement;
        statement.as_mut().expect("a statement")
    }
}

fn unanswered(backends: &[BackendId], asked: Instant, snapshot: &Snapshot) -> Vec<BackendId> {
    let answered = |id: &&BackendId| {
        let view = snapshot.backend(**id);
        let probe = view.and_then(|view| view.current_probe());
        probe.is_some_and(|probe| probe.started >= asked)
    };
    let missing = backends.iter().filter(|id| !answered(id));
    missing.copied().collect()
}

fn facts<'a>(
    simulation: &Simulation,
    client: &'a Session,
    statement: &'a Statement,
    session: usize,
) -> SessionFacts<'a> {
    let carried = client.carried.as_ref().map(|it| &it.token);
    let pin = client.pin.map(|pin| match pin {
        Pin::TemporaryTable => Reason::PinTemporaryTable,
        Pin::SqlLogBin => Reason::PinSqlLogBin,
    });
    SessionFacts {
        policy: simulation.policy,
        session: session as u64,
        home: client.home,
        loads: &[],
        pin: pin.filter(|_| simulation.mutation != Mutation::ForgetPin),
        transaction: client.transaction.map_or(Transaction::None, transaction),
        autocommit: true,
        isolation: client
            .transaction
            .map_or(Isolation::RepeatableRead, |it| it.isolation),
        schema: None,
        last_statement: None,
        arrived: arrived(simulation, statement),
        waits_from: statement
            .failed
            .map_or_else(|| arrived(simulation, statement), at),
        excluded: &statement.excluded,
        carried: carried.filter(|_| simulation.mutation != Mutation::IgnoreCarried),
        waiting: statement.waiting.as_ref(),
    }
}

/// When the statement arrived; with one mutation, longer ago.
fn arrived(simulation: &Simulation, statement: &Statement) -> Instant {
    let earlier = match simulation.mutation {
        Mutation::OldFetch => statement.arrived.saturating_sub(5_000),
        _ => statement.arrived,
    };
    at(earlier)
}

fn transaction(open: Open) -> Transaction {
    let snapshot_taken = open.snapshot.is_some();
    match open.place.backend.0 {
        0 => Transaction::OnWriter {
            place: open.place,
            snapshot_taken,
        },
        _ => Transaction::ReadOnlyOn {
            place: open.place,
            snapshot_taken,
            isolation: open.isolation,
        },
    }
}
