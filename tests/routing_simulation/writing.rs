//! Writes on the writer: numbered, committed, and then answered, refused or lost.

use rand::Rng;
use tidegate::routing::UnknownCause;

use crate::client::{Outcome, Pin, What};
use crate::mutation::Mutation;
use crate::publisher::at;
use crate::scope::{Promise, Write};
use crate::simulation::{Event, Simulation};
use crate::truth::numbers;

impl Simulation {
    pub(crate) fn write(&mut self, session: usize, server: usize, outcome: Outcome) {
        if server != 0 {
            self.violates(Promise::P5, format!("{session} writes on server {server}"));
        }
        let value = self.servers[0].visible;
        self.statement(session).value = value;
        if self.sessions[session].pin == Some(Pin::SqlLogBin) {
            return self.write_unlogged(session);
        }
        self.writes.push(Write {
            session,
            statement: self.sessions[session].number,
            generation: self.servers[0].generation,
            outcome,
            number: None,
            over: outcome == Outcome::Refused,
        });
        let write = self.writes.len() - 1;
        match outcome {
            Outcome::Refused => self.soon(Event::Answer(write), 400),
            Outcome::Good | Outcome::Error => self.soon(Event::Sync(write), 400),
            Outcome::Lost => {
                // The thread that nobody hears may wait for a lock.
                let slow = self.random.random_ratio(1, 3);
                self.soon(Event::Sync(write), if slow { 4_000 } else { 400 });
                self.soon(Event::Lose(write), 600);
            }
        }
    }

    /// With sql_log_bin=0: on the writer alone, and without a GTID.
    fn write_unlogged(&mut self, session: usize) {
        self.servers[0].unlogged += 1;
        self.sessions[session].unlogged = self.servers[0].unlogged;
        self.end_write(session, None);
        let scope = self.sessions[session].scope;
        let causality = &mut self.scopes[scope].causality;
        causality.lose(UnknownCause::NoGtid, at(self.now), None);
        self.finish(session);
    }

    /// It enters the binlog: from now on it is durable, and on its way to the readers.
    pub(crate) fn sync(&mut self, write: usize) {
        if self.writes[write].over {
            return;
        }
        let writer = &mut self.servers[0];
        writer.received += 1;
        writer.owned = writer.received;
        let number = writer.received;
        let Write {
            session, statement, ..
        } = self.writes[write];
        let mut others = self.writes.iter().filter(|it| it.number.is_some());
        if others.any(|it| (it.session, it.statement) == (session, statement)) {
            self.violates(Promise::P4, format!("{session} writes twice"));
        }
        self.writes[write].number = Some(number);
        for reader in 1..self.servers.len() {
            self.soon(Event::Deliver(reader, number), 300);
        }
    }

    /// After each step of the commit queue: who is through answers.
    pub(crate) fn finish_writes(&mut self) {
        let executed = self.servers[0].executed;
        for write in 0..self.writes.len() {
            let it = &mut self.writes[write];
            if !it.over && it.number.is_some_and(|number| number <= executed) {
                it.over = true;
                self.soon(Event::Answer(write), 100);
            }
        }
    }

    pub(crate) fn answer(&mut self, write: usize) {
        let it = self.writes[write];
        if !self.is_awaited(it) {
            return;
        }
        if it.generation != self.servers[0].generation || !self.servers[0].up {
            return self.lose(write);
        }
        let session = it.session;
        let gtids = it
            .number
            .filter(|_| it.outcome == Outcome::Good)
            .map(|number| numbers(b'w', number, number));
        self.end_write(session, gtids.as_ref());
        let value = self.statement(session).value;
        let scope = &mut self.scopes[self.sessions[session].scope];
        if gtids.is_none() && self.mutation != Mutation::IgnoreError {
            let causality = &mut scope.causality;
            causality.lose(UnknownCause::Error, at(self.now), None);
        }
        scope.wrote = scope.wrote.max(it.number.unwrap_or(0));
        self.known = self.known.max(it.number.unwrap_or(0));
        if let What::Commit(_) = self.statement(session).what {
            self.commit_is_over(session, it.outcome);
        } else {
            // Its count of rows tells something of what it found.
            let scope = &mut self.scopes[self.sessions[session].scope];
            scope.saw = scope.saw.max(value);
        }
        self.finish(session);
    }

    /// The client learns that its connection to the writer is lost. The thread may go on.
    pub(crate) fn lose(&mut self, write: usize) {
        let it = self.writes[write];
        if !self.is_awaited(it) {
            return;
        }
        let session = it.session;
        if self.mutation == Mutation::SendAgain && self.servers[0].up {
            return self.write(session, 0, Outcome::Good);
        }
        let cause = match self.statement(session).what {
            What::Commit(_) => UnknownCause::CommitUnanswered,
            _ => UnknownCause::ConnectionLost,
        };
        self.end_write(session, None);
        let client = &mut self.sessions[session];
        (client.held[0], client.transaction) = (None, None);
        let pinned = client.pin.is_some();
        let scope = &mut self.scopes[client.scope];
        let thread = (self.mutation != Mutation::IgnoreThread).then_some(write as u64);
        scope.causality.lose(cause, at(self.now), thread);
        scope.untold.push(write);
        self.soon(Event::CheckThread(write), 1_000);
        match pinned {
            true => self.reconnect(session),
            false => self.finish(session),
        }
    }

    /// The writer is asked whether the thread of a lost write is gone.
    pub(crate) fn check_thread(&mut self, write: usize) {
        if !self.writes[write].over || !self.servers[0].up {
            return self.soon(Event::CheckThread(write), 1_000);
        }
        // Also those that have taken in the scope which lost it.
        for scope in &mut self.scopes {
            scope.causality.thread_gone(write as u64, at(self.now));
        }
    }

    /// All connections to the writer break.
    pub(crate) fn lose_running_writes(&mut self) {
        for write in 0..self.writes.len() {
            if !self.writes[write].over {
                self.soon(Event::Lose(write), 200);
            }
        }
    }

    fn is_awaited(&self, write: Write) -> bool {
        let client = &self.sessions[write.session];
        client.number == write.statement && client.statement.is_some()
    }
}
