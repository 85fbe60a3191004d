//! How a statement is decided about, again and again until it runs or is refused.

use std::time::Duration;

use rand::Rng;
use tidegate::gtid::Token;
use tidegate::routing::{
    BackendId, Causality, Decision, Isolation, Need, Place, Reason, SessionFacts, Transaction,
    Waiting, decide,
};

use crate::client::{Phase, Statement, What};
use crate::monitor::at;
use crate::mutation::Mutation;
use crate::simulation::{Event, Simulation};

/// More rounds than any one statement may take.
const MAX_ROUNDS: u32 = 200;

impl Simulation {
    pub(crate) fn think(&mut self, session: usize) {
        let what = self.sessions[session].next(&mut self.random);
        let scope = &self.scopes[self.sessions[session].scope];
        // Writes that nobody was told of count from when they are there to be read.
        let untold = scope
            .untold
            .iter()
            .filter_map(|write| self.writes[*write].number);
        let untold = untold
            .filter(|number| *number <= self.servers[0].executed)
            .max();
        let required = scope.required.max(untold.unwrap_or(0));
        self.sessions[session].number += 1;
        self.sessions[session].statement = Some(Statement::new(what, self.now, required));
        if what == What::Reset {
            self.reset(session);
        } else {
            self.decide(session);
        }
    }

    fn reset(&mut self, session: usize) {
        self.sessions[session].pinned = false;
        if self.mutation == Mutation::DropTokenOnReset {
            let fresh = Causality::starting_from(Token::default(), at(self.now));
            self.scopes[self.sessions[session].scope].causality = fresh;
        }
        self.finish(session);
    }

    pub(crate) fn decide(&mut self, session: usize) {
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        statement.rounds += 1;
        assert!(statement.rounds < MAX_ROUNDS, "no end of it: {statement:?}");
        let first = statement.rounds == 1;
        let old = if first && self.random.random_ratio(1, 5) {
            2
        } else {
            0
        };
        let snapshot = self.monitor.snapshot(old);
        let transaction = client
            .transaction
            .map_or(Transaction::None, |open| match open.place {
                place @ Place {
                    backend: BackendId(0),
                    ..
                } => Transaction::OnWriter {
                    place,
                    snapshot_taken: open.snapshot.is_some(),
                },
                place => Transaction::ReadOnlyOn {
                    place,
                    snapshot_taken: open.snapshot.is_some(),
                    isolation: open.isolation,
                },
            });
        let pinned = client.pinned && self.mutation != Mutation::ForgetPin;
        let facts = SessionFacts {
            policy: self.policy,
            session: session as u64,
            home: client.home,
            pin: pinned.then_some(Reason::PinTemporaryTable),
            transaction,
            autocommit: true,
            isolation: client
                .transaction
                .map_or(Isolation::RepeatableRead, |it| it.isolation),
            schema: None,
            last_statement: None,
            arrived: at(statement.arrived),
            excluded: &statement.excluded,
            waiting: statement.waiting.as_ref(),
        };
        let need = Need {
            kind: statement.what.kind(),
            level: None,
        };
        let causality = &mut self.scopes[client.scope].causality;
        let decision = decide(&need, &facts, causality, &snapshot, at(self.now));
        self.report.errant += u64::from(causality.take_errant().is_some());
        self.follow(session, decision);
    }

    fn follow(&mut self, session: usize, decision: Decision) {
        let number = self.sessions[session].number;
        let statement = self.sessions[session]
            .statement
            .as_mut()
            .expect("a statement");
        match decision {
            Decision::Run { place, .. } => {
                statement.phase = Phase::Running;
                statement.place = Some(place);
                self.dispatch(session, place);
            }
            Decision::Probe { backends, reason } => {
                statement.phase = Phase::Probing(backends.len());
                self.report.probes += 1;
                self.report.gates += u64::from(reason == Reason::WriterBehind);
                for backend in backends {
                    self.ask(backend.index(), Some((session, number)));
                }
            }
            Decision::Wait {
                place,
                token,
                until,
                reason,
            } => {
                statement.phase = Phase::Waiting;
                statement.waiting = Some(Waiting { place, token });
                self.report.waits += 1;
                self.report.gates += u64::from(reason == Reason::WriterBehind);
                let left = until
                    .saturating_duration_since(at(self.now))
                    .max(Duration::from_micros(1));
                self.after(
                    Event::Timeout(session, number),
                    u64::try_from(left.as_micros()).unwrap(),
                );
                self.soon(Event::Watch(place.backend.index()), 100);
            }
            Decision::Refuse { .. } => {
                self.report.refused += 1;
                self.fail(session);
            }
        }
    }

    pub(crate) fn time_out(&mut self, session: usize, number: u64) {
        let client = &self.sessions[session];
        let waits = client
            .statement
            .as_ref()
            .is_some_and(|it| it.phase == Phase::Waiting);
        if client.number == number && waits {
            self.decide(session);
        }
    }
}
