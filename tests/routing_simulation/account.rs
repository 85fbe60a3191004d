//! How a session goes on after a statement, and begins anew: reset, as another user, or lost.

use std::sync::Arc;

use rand::Rng;
use tidegate::gtid::Set;
use tidegate::routing::Causality;

use crate::client::{Outcome, What};
use crate::mutation::Mutation;
use crate::publisher::at;
use crate::scope::Scope;
use crate::simulation::{Event, Simulation};
use crate::truth::Micros;

/// So long a client waits for a token.
const PATIENCE: Micros = 20_000;

impl Simulation {
    pub(crate) fn reset(&mut self, session: usize) {
        let client = &mut self.sessions[session];
        client.forget();
        if self.mutation == Mutation::DropTokenOnReset {
            let fresh = Scope::new(0, self.now).causality;
            self.scopes[client.scope].causality = fresh;
        }
        self.finish(session);
    }

    /// The session goes on as another user, and must see what it saw before.
    pub(crate) fn change_user(&mut self, session: usize) {
        let old = self.sessions[session].scope;
        let new = if self.users == 0 {
            self.new_scope()
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
                Causality::merge_from(&mut to.causality, &from.causality, at(self.now));
            }
        }
        self.sessions[session].scope = new;
        self.sessions[session].forget();
        self.finish(session);
    }

    /// The session has ended, and its client connects again.
    pub(crate) fn reconnect(&mut self, session: usize) {
        if self.users == 0 {
            self.sessions[session].scope = self.new_scope();
        }
        self.report.reconnects += 1;
        self.sessions[session].forget();
        self.sessions[session].home = None;
        self.sessions[session].carried = None;
        self.finish(session);
    }

    fn new_scope(&mut self) -> usize {
        let new = self.scopes.len();
        self.scopes.push(Scope::new(new, self.now));
        new
    }

    /// The client takes the token of a scope along to this session.
    pub(crate) fn carry(&mut self, session: usize) {
        let from = self.random.random_range(0..self.sessions.len());
        let from = self.sessions[from].scope;
        let scope = &self.scopes[from];
        let shown = scope.wrote.max(scope.saw);
        self.bring(session, from, self.now, shown);
    }

    /// The token is there once all backends have told what was seen on them, and is taken once the
    /// writer has all of it.
    pub(crate) fn bring(&mut self, session: usize, from: usize, asked: Micros, shown: u64) {
        let snapshot = self.publisher.snapshot(0);
        let scope = &mut self.scopes[from];
        let whole = scope.causality.whole(&snapshot, at(asked));
        if self.now > asked + PATIENCE {
            return self.finish(session);
        }
        match whole {
            Ok(None) => return self.finish(session),
            Ok(Some(token)) if self.servers[0].executed_set().contains(&token) => {
                self.take_along(session, &token, shown);
                return self.finish(session);
            }
            Ok(Some(_)) => self.kick(0),
            Err(backends) => backends.iter().for_each(|it| self.kick(it.index())),
        }
        self.after(Event::Bring(session, from, asked, shown), 100);
    }

    fn take_along(&mut self, session: usize, token: &Set, shown: u64) {
        let carried = &mut self.sessions[session].carried;
        let mut all = carried.take().unwrap_or_default();
        Arc::make_mut(&mut all.token).union(token);
        all.shown = all.shown.max(shown);
        *carried = Some(all);
        self.report.carried += 1;
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
