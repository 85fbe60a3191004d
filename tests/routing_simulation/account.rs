//! How a session goes on after a statement, and begins anew: reset, as another user, or lost.

use rand::Rng;
use tidegate::routing::Causality;

use crate::client::{Outcome, What};
use crate::mutation::Mutation;
use crate::scope::Scope;
use crate::simulation::{Event, Simulation};

impl Simulation {
    pub(crate) fn reset(&mut self, session: usize) {
        let client = &mut self.sessions[session];
        client.forget();
        if self.mutation == Mutation::DropTokenOnReset {
            let fresh = Scope::new(self.now).causality;
            self.scopes[client.scope].causality = fresh;
        }
        self.finish(session);
    }

    /// The session goes on as another user, and must see what it saw before.
    pub(crate) fn change_user(&mut self, session: usize) {
        let old = self.sessions[session].scope;
        let new = if self.users == 0 {
            self.scopes.push(Scope::new(self.now));
            self.scopes.len() - 1
        } else {
            self.random.random_range(0..self.users)
        };
        if old != new {
            let [from, to] = self
                .scopes
                .get_disjoint_mut([old, new])
                .expect("two scopes");
            to.is_promised_too(from);
            if self.mutation != Mutation::ForgetOldUser {
                Causality::merge_from(
                    &mut to.causality,
                    &from.causality,
                    crate::publisher::at(self.now),
                );
            }
        }
        self.sessions[session].scope = new;
        self.sessions[session].forget();
        self.finish(session);
    }

    /// The session has ended, and its client connects again.
    pub(crate) fn reconnect(&mut self, session: usize) {
        if self.users == 0 {
            self.scopes.push(Scope::new(self.now));
            self.sessions[session].scope = self.scopes.len() - 1;
        }
        self.report.reconnects += 1;
        self.sessions[session].forget();
        self.sessions[session].home = None;
        self.finish(session);
    }

    /// The client gets an error, and the session goes on.
    pub(crate) fn fail(&mut self, session: usize) {
        if let Some(open) = self.sessions[session].transaction
            && !self.stands(session, open.place)
        {
            self.sessions[session].transaction = None;
        } else if let What::Commit(_) = self.statement(session).what {
            self.sessions[session].transaction = None;
        } else if let Some(open) = &mut self.sessions[session].transaction {
            open.left = open.left.saturating_sub(1);
        }
        self.finish(session);
    }

    pub(crate) fn finish(&mut self, session: usize) {
        let client = &mut self.sessions[session];
        let rounds = client.statement.take().map_or(0, |it| it.rounds);
        self.report.statements += 1;
        self.report.most_rounds = self.report.most_rounds.max(rounds);
        self.soon(Event::Think(session), 600);
    }

    pub(crate) fn commit_is_over(&mut self, session: usize, outcome: Outcome) {
        let client = &mut self.sessions[session];
        if client.transaction.take().is_some() && outcome == Outcome::Good {
            client.read_only_at_writer = false;
        }
    }
}
