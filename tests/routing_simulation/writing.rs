//! Writes on the writer: numbered, committed, and then answered, refused or lost.

use tidegate::routing::UnknownCause;

use crate::client::What;
use crate::monitor::at;
use crate::mutation::Mutation;
use crate::scope::Write;
use crate::simulation::{Event, Simulation};
use crate::truth::numbers;

impl Simulation {
    pub(crate) fn write(&mut self, session: usize) {
        let client = &self.sessions[session];
        let what = client.statement.as_ref().map(|it| it.what);
        self.writes.push(Write {
            session,
            statement: client.number,
            generation: self.servers[0].generation,
            number: None,
            over: false,
        });
        let write = self.writes.len() - 1;
        self.soon(Event::Sync(write), 400);
        if what == Some(What::WriteLost) {
            self.soon(Event::Lose(write), 600);
        }
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
        let Write {
            session,
            statement,
            generation,
            number,
            ..
        } = self.writes[write];
        if self.sessions[session].number != statement || self.sessions[session].statement.is_none()
        {
            return;
        }
        if generation != self.servers[0].generation {
            return self.lose(write);
        }
        let what = self.sessions[session].statement.as_ref().map(|it| it.what);
        let number = number.expect("a number");
        let scope = &mut self.scopes[self.sessions[session].scope];
        if what == Some(What::Write) {
            scope.causality.acknowledge(&numbers(b'w', number, number));
        } else if self.mutation != Mutation::IgnoreError {
            scope
                .causality
                .lose(UnknownCause::Error, at(self.now), None);
        }
        scope.requires(number);
        self.finish(session);
    }

    /// The client learns that its connection to the writer is lost. The thread may go on.
    pub(crate) fn lose(&mut self, write: usize) {
        let Write {
            session, statement, ..
        } = self.writes[write];
        if self.sessions[session].number != statement || self.sessions[session].statement.is_none()
        {
            return;
        }
        let scope = self.sessions[session].scope;
        let thread = (self.mutation != Mutation::IgnoreThread).then_some(write as u64);
        let causality = &mut self.scopes[scope].causality;
        causality.lose(UnknownCause::CommitUnanswered, at(self.now), thread);
        self.scopes[scope].untold.push(write);
        self.soon(Event::CheckThread(scope, write), 1_000);
        self.fail(session);
    }

    pub(crate) fn check_thread(&mut self, scope: usize, write: usize) {
        if self.writes[write].over && self.servers[0].up {
            self.scopes[scope]
                .causality
                .thread_gone(write as u64, at(self.now));
        } else {
            self.soon(Event::CheckThread(scope, write), 1_000);
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
}
