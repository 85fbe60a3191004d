//! The session layer in small: it dispatches, and tells causality what came of it.

use rand::Rng;
use tidegate::routing::{Exclusion, Isolation, Place};

use crate::client::{Open, What};
use crate::monitor::{at, stands};
use crate::mutation::Mutation;
use crate::simulation::{Event, Simulation};

impl Simulation {
    pub(crate) fn dispatch(&mut self, session: usize, place: Place) {
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        let forgotten = match place.backend.0 {
            0 => Mutation::ForgetSawWriter,
            _ => Mutation::ForgetSawReader,
        };
        if statement.what.reads() && self.mutation != forgotten {
            let causality = &mut self.scopes[client.scope].causality;
            statement.mark = Some(causality.begin_read(place));
            if self.mutation == Mutation::EndTooEarly {
                causality.end_read(statement.mark.take().unwrap(), at(self.now));
            }
        }
        let number = client.number;
        // Some statements wait for a lock or for their turn.
        let within = if self.random.random_ratio(1, 5) {
            3_000
        } else {
            100
        };
        self.soon(Event::Execute(session, number), within);
    }

    /// The connection proves itself before it is used.
    pub(crate) fn reaches(&self, place: Place) -> bool {
        let server = &self.servers[place.backend.index()];
        match self.mutation {
            Mutation::TrustTheAddress => server.up,
            _ => stands(place, server),
        }
    }

    pub(crate) fn execute(&mut self, session: usize, number: u64) {
        let place = self.sessions[session]
            .statement
            .as_ref()
            .and_then(|it| it.place);
        let place = place.expect("a place");
        if !self.reaches(place) {
            return self.retry(session, place);
        }
        let server = &self.servers[place.backend.index()];
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        let what = statement.what;
        if what.writes() {
            return self.write(session);
        }
        if what.reads() {
            let snapshot = client
                .transaction
                .filter(|it| it.isolation == Isolation::RepeatableRead);
            let snapshot = snapshot.and_then(|open| open.snapshot);
            statement.value = snapshot.unwrap_or(server.visible);
            if let Some(open) = &mut client.transaction {
                open.snapshot.get_or_insert(statement.value);
                open.reads_left -= 1;
            }
            if snapshot.is_some() {
                // It keeps what it has: nothing newer was promised to this read.
                statement.required = 0;
            }
            return self.soon(Event::Show(session, number), 300);
        }
        self.change_state(session, place, what);
        self.soon(Event::End(session, number), 100);
    }

    fn change_state(&mut self, session: usize, place: Place, what: What) {
        let reads_left = self.random.random_range(1..4);
        let client = &mut self.sessions[session];
        match what {
            What::MakeState => client.pinned = true,
            What::BeginReadOnly(isolation) | What::Begin(isolation) => {
                client.transaction = Some(Open {
                    place,
                    isolation,
                    snapshot: None,
                    reads_left,
                });
            }
            _ => client.transaction = None,
        }
    }

    /// Nothing was shown yet: a read outside of a transaction runs again elsewhere.
    fn retry(&mut self, session: usize, place: Place) {
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        if let Some(mark) = statement.mark.take() {
            self.scopes[client.scope].causality.cancel_read(mark);
        }
        if !statement.what.reads() || client.transaction.is_some() {
            return self.fail(session);
        }
        self.report.retries += 1;
        statement
            .excluded
            .push((place.backend, Exclusion::Unreachable));
        self.decide(session);
    }

    pub(crate) fn show(&mut self, session: usize, number: u64) {
        let scope = self.sessions[session].scope;
        let statement = self.sessions[session]
            .statement
            .as_ref()
            .expect("a statement");
        let place = statement.place.expect("a place");
        let (what, value, required) = (statement.what, statement.value, statement.required);
        if !self.reaches(place) && self.random.random() {
            return self.retry(session, place);
        }
        if what == What::ReadState && place.backend.0 != 0 {
            self.violation(format!("{session} reads its state on {place:?}"));
        }
        if value < required {
            self.violation(format!(
                "{session} reads {value} on {place:?}, promised {required}"
            ));
        }
        self.scopes[scope].requires(value);
        match place.backend.0 {
            0 => self.report.reads_on_writer += 1,
            _ => self.report.reads_on_readers += 1,
        }
        // Some results are long.
        let within = if self.random.random_ratio(1, 5) {
            5_000
        } else {
            100
        };
        self.soon(Event::End(session, number), within);
    }

    pub(crate) fn end(&mut self, session: usize, _number: u64) {
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        let place = statement.place.expect("a place");
        if let Some(mark) = statement.mark.take() {
            self.scopes[client.scope]
                .causality
                .end_read(mark, at(self.now));
        }
        if place.backend.0 != 0 && statement.what.reads() {
            client.home = Some(place.backend);
        }
        if !stands(place, &self.servers[place.backend.index()]) {
            return self.fail(session);
        }
        self.sees(place.backend.index());
        self.finish(session);
    }

    /// The client gets an error, and a transaction of a lost connection is over.
    pub(crate) fn fail(&mut self, session: usize) {
        self.sessions[session].transaction = None;
        self.finish(session);
    }

    pub(crate) fn finish(&mut self, session: usize) {
        let client = &mut self.sessions[session];
        let rounds = client.statement.take().map_or(0, |it| it.rounds);
        self.report.most_rounds = self.report.most_rounds.max(rounds);
        self.soon(Event::Think(session), 600);
    }
}
