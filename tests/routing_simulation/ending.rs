//! What causality is told of a read that has ended, and what becomes of one that broke off.

use tidegate::gtid::Set;
use tidegate::routing::{Exclusion, Place};

use crate::client::What;
use crate::connection::NoConnection;
use crate::mutation::Mutation;
use crate::publisher::at;
use crate::simulation::Simulation;

impl Simulation {
    /// The read is over, and has shown something or not.
    pub(crate) fn end_read(&mut self, session: usize, shown: bool) {
        let now = at(self.now);
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        let run = statement.run.as_mut().expect("a run");
        let Some(mark) = run.mark.take() else {
            return;
        };
        let causality = &mut self.scopes[client.scope].causality;
        if !shown {
            return causality.cancel_read(mark);
        }
        if self.mutation == Mutation::ExecutedAsSeen {
            causality.cancel_read(mark);
            let server = &self.servers[run.place.backend.index()];
            return causality.acknowledge(&server.executed_set());
        }
        causality.end_read(mark, now);
    }

    /// A write that ended with GTIDs needs no mark: what it saw was committed before it.
    pub(crate) fn end_write(&mut self, session: usize, gtids: Option<&Set>) {
        self.end_read(session, gtids.is_none());
        if let Some(gtids) = gtids {
            let scope = self.sessions[session].scope;
            self.scopes[scope].causality.acknowledge(gtids);
        }
    }

    pub(crate) fn without_connection(&mut self, session: usize, how: NoConnection) {
        let place = self.place(session);
        self.kick(place.backend.index());
        self.end_read(session, how == NoConnection::Broken);
        match how {
            NoConnection::StateLost => self.reconnect(session),
            _ => self.again(session, place, Exclusion::Unreachable),
        }
    }

    /// The connection broke before the answer was whole.
    pub(crate) fn broken(&mut self, session: usize, place: Place) {
        self.kick(place.backend.index());
        self.end_read(session, true);
        self.sessions[session].held[place.backend.index()] = None;
        if self.sessions[session].holds_state() && place.backend.0 == 0 {
            return self.reconnect(session);
        }
        match self.statement(session).shown {
            true => self.fail(session),
            false => self.again(session, place, Exclusion::Unreachable),
        }
    }

    /// Nothing has reached the client: a read outside of a transaction runs again elsewhere.
    pub(crate) fn again(&mut self, session: usize, place: Place, how: Exclusion) {
        let client = &mut self.sessions[session];
        if let Some(open) = client.transaction.take() {
            client.read_only_at_writer |= open.place.backend.0 != 0;
            return self.fail(session);
        }
        let statement = client.statement.as_mut().expect("a statement");
        let is_read = statement.what == What::Read;
        if !is_read && !matches!(statement.what, What::BeginReadOnly(_)) {
            return self.fail(session);
        }
        statement.run = None;
        statement.excluded.push((place.backend, how));
        statement.failed = Some(self.now);
        self.report.retries += 1;
        self.decide(session);
    }
}
