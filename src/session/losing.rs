//! What of a session nobody but the writer's connection has, and what is done when that is gone or
//! has told nothing.

use std::sync::Arc;
use std::time::Instant;

use super::connections::Held;
use super::job::Job;
use super::scopes::ScopeHandle;
use super::session::Session;
use crate::routing::{BackendId, Transaction, UnknownCause};

impl Session {
    /// From now on nobody knows what the scope's reads must see, until the writer was asked after
    /// the statement's end: with `held`, after its thread there is gone.
    pub(super) fn lose(&self, cause: UnknownCause, held: Option<&Held>) {
        self.shared.metrics.unknown_tokens(cause.index()).inc();
        let thread = held.map(|held| held.thread_id);
        for scope in self.scopes_of_write() {
            scope.lock().lose(cause, Instant::now(), thread);
            if let Some(held) = held {
                self.await_thread_for(scope, held.backend, held.thread_id, held.opened);
            }
        }
    }

    /// Tells the scope when this thread of the writer is gone, whatever becomes of the session.
    pub(super) fn await_thread(&self, writer: BackendId, thread: u64, connected: Instant) {
        self.await_thread_for(self.scope.clone(), writer, thread, connected);
    }

    fn await_thread_for(
        &self,
        scope: ScopeHandle,
        writer: BackendId,
        thread: u64,
        connected: Instant,
    ) {
        let shared = Arc::clone(&self.shared);
        let waiting = async move {
            shared.await_thread(writer, thread, connected, &scope).await;
        };
        tokio::spawn(waiting);
    }

    pub(super) fn lose_unless_pure(&self, job: &Job, cause: UnknownCause, held: Option<&Held>) {
        if !job.is_pure() {
            self.lose(cause, held);
        }
    }

    /// Does the session's connection to the writer hold what no other one would?
    pub(super) fn holds_state(&self) -> bool {
        let transaction = matches!(self.transaction, Transaction::OnWriter { .. });
        transaction || !self.marks.is_empty() || self.holds_more() || self.tracks_as_wished
    }

    /// The same besides transactions, marks and the client's tracking.
    pub(super) fn holds_more(&self) -> bool {
        self.holds_objects() || self.collation_due || self.role_due
    }

    /// The same besides what it could be asked for.
    pub(super) fn holds_objects(&self) -> bool {
        self.pins.hold_state() || self.holds_prepared()
    }

    /// Does it hold a cursor, or values for an execution to come?
    fn holds_prepared(&self) -> bool {
        self.prepared.are_held_by(self.writer, true)
    }
}
