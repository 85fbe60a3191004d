//! A session takes up another configuration: between two commands, and outside of a transaction.

use std::sync::Arc;
use std::time::Instant;

use super::session::Session;
use crate::routing::Transaction;

impl Session {
    /// Goes by the configuration of now. What it must see stays, also where that is shared with
    /// others than before.
    pub(super) fn take_up_config(&mut self) {
        let now = self.shared.config.load();
        if Arc::ptr_eq(&now, &self.config) || self.transaction != Transaction::None {
            return;
        }
        self.config = Arc::clone(&now);
        self.trail = None;
        let limits = &now.limits;
        self.client
            .limit_stalls(limits.read_timeout, limits.write_timeout);
        let user = &self.request.credentials.user;
        let before = std::mem::replace(&mut self.policy, self.shared.policy_of(user));
        if before.scope == self.policy.scope {
            return;
        }
        let snapshot = self.shared.watch.snapshot();
        let own = self.shared.scopes.open(self.policy.scope, user, &snapshot);
        let lost = self.scope.lock().lost_threads().to_vec();
        self.share_with(own);
        for thread in lost {
            // Whatever still commits is waited for by those that share the scope now, too.
            self.await_thread(self.writer, thread, Instant::now());
        }
    }
}
