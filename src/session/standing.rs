//! Whose writes count for a statement: the session's own scope, or that of a key which the session
//! or the statement gives.
//!
//! What a session does under a key belongs to the key. It counts for the session too, where it goes
//! on without one; what it did without a key counts under the next. So an app that gives a key for
//! all that it does on a pooled connection keeps its users apart, and one that does not still reads
//! its own writes.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::job::Job;
use super::own::Values;
use super::scopes::ScopeHandle;
use super::session::Session;
use super::wishes::{Key, Wishes};
use crate::error::ClientError;
use crate::gtid::{Set, Token};
use crate::protocol::connection_attributes;
use crate::routing::{Causality, Policy, Scope, Transaction};
use crate::sql::{Class, Setting};

/// So many keys are told apart that a session has left; beyond it the oldest counts as its own at
/// once.
const LEFT_LIMIT: usize = 8;

/// What a session has asked for, and which scopes it has been in.
#[derive(Debug)]
pub(super) struct Standing {
    /// What it began with, by its connection attributes.
    pub initial: Wishes,
    /// What Tidegate's own variables are on the writer's connection.
    pub values: Values,
    /// What it asks for now.
    pub wishes: Wishes,
    /// Its scope without a key.
    pub own: ScopeHandle,
    /// It has done something there that counts under the next key.
    own_counts: bool,
    /// The scope of the key that it gave last.
    keyed: Option<(Key, ScopeHandle)>,
    /// Scopes in which it has done something that it does not count as its own yet.
    left: SmallVec<[ScopeHandle; 1]>,
    /// Scopes of keys that statements of the open transaction gave: they too must see what it
    /// writes.
    pub within: Vec<ScopeHandle>,
    /// A token that the app has carried here.
    pub token: Option<Arc<Set>>,
    /// The values of Tidegate's own variables may change with each EXECUTE.
    pub by_execute: bool,
}

impl Standing {
    /// A session that begins in this scope.
    pub(super) fn new(own: ScopeHandle) -> Self {
        Self {
            initial: Wishes::default(),
            values: Values::default(),
            wishes: Wishes::default(),
            own,
            own_counts: false,
            keyed: None,
            left: SmallVec::new(),
            within: Vec::new(),
            token: None,
            by_execute: false,
        }
    }

    /// Is this the session's scope without a key, with nothing to take over there from others?
    pub(super) fn is_in_own_scope(&self, scope: &ScopeHandle) -> bool {
        scope.is(&self.own) && self.own_counts && self.left.is_empty() && self.within.is_empty()
    }

    /// COM_RESET_CONNECTION: variables are gone, and with them what they asked for. What the
    /// session must see stays, but what it did for whoever had the connection before does not
    /// count under the key of the next one.
    pub(super) fn reset(&mut self) {
        self.wishes.clone_from(&self.initial);
        self.values = Values::default();
        self.own_counts = false;
        self.within.clear();
        self.by_execute = false;
    }
}

impl Session {
    /// Takes over what the connection attributes ask for.
    ///
    /// # Errors
    /// As [`Wishes::take`] and [`Wishes::applied_to`].
    pub(super) fn take_attributes(&mut self) -> Result<(), ClientError> {
        let mut wishes = Wishes::default();
        let attributes = self.request.attributes.as_deref().unwrap_or_default();
        for (name, value) in connection_attributes(attributes) {
            let setting = Setting::of_variable(name)
                .map_err(|unknown| ClientError::unknown_setting(&unknown.to_string()))?;
            if let Some(setting) = setting {
                wishes.take(setting, value)?;
            }
        }
        wishes.applied_to(self.policy)?;
        self.standing.initial.clone_from(&wishes);
        self.standing.wishes = wishes;
        Ok(())
    }

    /// How the session's reads are treated, as far as no statement asks for something else.
    pub(super) fn standing_policy(&self) -> Policy {
        self.policy.narrowed(self.standing.wishes.asks)
    }

    /// Goes to the scope that counts for a statement.
    pub(super) fn enter_scope(&mut self, job: &Job) {
        let counts = job.shows_rows() || may_write(job);
        let key = job.wishes.key.as_ref();
        let Some(key) = key.or(self.standing.wishes.key.as_ref()).cloned() else {
            if counts {
                for left in std::mem::take(&mut self.standing.left) {
                    self.standing.own.take_in(&left);
                }
                self.standing.own_counts = true;
            }
            if !self.scope.is(&self.standing.own) {
                self.scope = self.standing.own.clone();
            }
            return;
        };
        let known = self.standing.keyed.take().filter(|(of, _)| *of == key);
        let scope = known.map_or_else(
            || {
                let snapshot = self.shared.watch.snapshot();
                let user = &self.request.credentials.user;
                self.shared.scopes.keyed(user, &key, &snapshot)
            },
            |(_, scope)| scope,
        );
        // An account's scope, or the proxy's, is what a key is there to narrow.
        let apart = matches!(self.policy.scope, Scope::Connection | Scope::Key);
        if self.standing.own_counts && apart {
            scope.take_in(&self.standing.own);
        }
        if counts && !self.standing.left.iter().any(|left| left.is(&scope)) {
            if self.standing.left.len() >= LEFT_LIMIT {
                let oldest = self.standing.left.remove(0);
                self.standing.own.take_in(&oldest);
            }
            self.standing.left.push(scope.clone());
        }
        self.standing.keyed = Some((key, scope.clone()));
        self.scope = scope;
    }

    /// While another process serves clients of the same accounts, too, what they have written by now
    /// is to be found out before a read.
    pub(super) fn doubt_scope(&self, job: &Job) {
        if !self.shared.scopes.is_beside() || !job.shows_rows() {
            return;
        }
        let alone = matches!(self.policy.scope, Scope::Connection | Scope::Key);
        if alone && self.scope.is(&self.standing.own) {
            return;
        }
        let now = Instant::now();
        let unknown = Causality::starting_from(Token::Unknown, now);
        self.scope.lock().merge_from(&unknown, now);
    }

    /// A statement has ended: the scope of its key must see what its transaction writes, also if
    /// the COMMIT gives another key or none.
    pub(super) fn note_scope(&mut self) {
        let within = &mut self.standing.within;
        match self.transaction {
            Transaction::OnWriter { .. } => {
                if !within.iter().any(|scope| scope.is(&self.scope)) {
                    within.push(self.scope.clone());
                }
            }
            _ => within.clear(),
        }
    }

    /// Its scope without a key is another one from now on, which has to see what this session must.
    pub(super) fn share_with(&mut self, own: ScopeHandle) {
        for left in std::mem::take(&mut self.standing.left) {
            own.take_in(&left);
        }
        own.take_in(&self.standing.own);
        self.standing.own = own.clone();
        // The next statement finds the scope of its key, if it has one.
        self.standing.keyed = None;
        self.scope = own;
    }

    /// All that this session must see counts for another account, too.
    pub(super) fn move_to(&mut self, own: ScopeHandle) {
        for left in std::mem::take(&mut self.standing.left) {
            own.take_in(&left);
        }
        own.take_in(&self.standing.own);
        let token = self.standing.token.take();
        self.standing = Standing::new(own.clone());
        self.standing.token = token;
        self.scope = own;
    }
}

/// May it write something that others see? What only changes the session's state does not count.
fn may_write(job: &Job) -> bool {
    let state = matches!(
        job.class(),
        Some(
            Class::Set
                | Class::Use
                | Class::Begin { .. }
                | Class::BeginReadOnly { .. }
                | Class::Control
                | Class::Admin
                | Class::Kill(_)
        )
    );
    !state && !job.is_pure()
}
