//! What of a session nobody but the writer's connection has, and what is done when that is gone or
//! has told nothing.

use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::read_only::ROLLBACK;
use super::relay::Progress;
use super::scopes::ScopeHandle;
use super::session::Session;
use super::statement::Attempt;
use crate::error::ClientError;
use crate::protocol::{Command, Status};
use crate::routing::{BackendId, Transaction, UnknownCause};
use crate::sql::{Class, Marks, mentions_any};

impl Job {
    /// May it have committed the open transaction, if it has no answer?
    fn may_commit(&self) -> bool {
        match self.class() {
            Some(Class::Commit | Class::Other(_) | Class::Admin) => true,
            // To switch it on commits.
            Some(Class::Set) => mentions_any(self.text(), ["autocommit"].into_iter()),
            Some(_) => self.begins() || self.statement.as_ref().is_some_and(|it| it.commits),
            None => matches!(self.command, Command::Query | Command::StmtExecute),
        }
    }
}

/// A thread of the writer that ran something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ran {
    writer: BackendId,
    thread: u64,
    opened: Instant,
}

impl Ran {
    fn on(held: &Held) -> Self {
        Self {
            writer: held.backend,
            thread: held.thread_id,
            opened: held.opened,
        }
    }
}

impl Session {
    /// From now on nobody knows what the scope's reads must see, until the writer was asked after
    /// the statement's end: with `held`, after its thread there is gone.
    pub(super) fn lose(&self, cause: UnknownCause, held: Option<&Held>) {
        self.lose_thread(cause, held.map(Ran::on));
    }

    /// The same after the end of a thread.
    pub(super) fn lose_thread(&self, cause: UnknownCause, ran: Option<Ran>) {
        self.shared.metrics.unknown_tokens(cause.index()).inc();
        for scope in self.scopes_of_write() {
            scope
                .lock()
                .lose(cause, Instant::now(), ran.map(|ran| ran.thread));
            if let Some(ran) = ran {
                self.await_thread_for(scope, ran.writer, ran.thread, ran.opened);
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

    /// Is there nothing among that but what can be begun or generated again?
    fn outlives_connection(&self) -> bool {
        let mut marks = self.marks;
        marks.remove(Marks::LAST_INSERT_ID);
        let more = self.holds_more() || self.tracks_as_wished || self.left_behind.is_lost();
        marks.is_empty() && !more
    }

    /// Nothing is left of what the session had on its connection to the writer, nor of a transaction
    /// anywhere.
    async fn forget_connection(&mut self, told: bool) {
        // One on a reader would show its snapshot to reads that are in no transaction.
        self.end_on_reader(ROLLBACK).await;
        drop(self.connections.take(self.writer));
        self.prepared.lose_cursors(self.writer);
        self.transaction = Transaction::None;
        self.transaction_wrote = false;
        self.read_only_at_writer = false;
        self.status
            .remove(Status::IN_TRANS | Status::IN_TRANS_READONLY);
        if self.marks.intersects(Marks::LAST_INSERT_ID) {
            self.marks.remove(Marks::LAST_INSERT_ID);
            self.left_behind.insert_id_lost();
        }
        if told {
            self.left_behind.told();
        }
    }

    /// May a statement run once more, though a connection is gone that it might have read from?
    fn runs_again(&self, job: &Job) -> bool {
        let within = self.transaction != Transaction::None;
        // Without autocommit it would begin what a write goes on with.
        let opens = !self.autocommit && !self.marks.is_empty();
        job.may_run_twice() && !within && !opens && self.outlives_connection()
    }

    /// The writer connection broke while it ran something.
    pub(super) async fn writer_lost(
        &mut self,
        held: Box<Held>,
        job: &Job,
        progress: &Progress,
    ) -> Result<Attempt, Ended> {
        self.shared.watch.report_failure(held.backend);
        let cause = match job.class() {
            Some(Class::Commit) => UnknownCause::CommitUnanswered,
            _ => UnknownCause::ConnectionLost,
        };
        self.lose_unless_pure(job, cause, Some(&held));
        let ran = Ran::on(&held);
        drop(held);
        if self.entry.was_killed().await {
            return Err(Ended::Killed);
        }
        if self.runs_again(job) && !progress.flushed() {
            self.client.output().clear();
            self.forget_connection(false).await;
            // Somebody may have killed just this connection.
            return Ok(Attempt::Anew { ran: Some(ran) });
        }
        if !progress.flushed() {
            self.client.output().clear();
            self.client.set_sequence(job.request.sequence);
        } else if !progress.at_packet_boundary() {
            return Err(Ended::StateLost);
        }
        let may_commit = job.may_commit();
        let error = match (job.class(), self.transaction) {
            (Some(Class::Commit), _) => ClientError::unknown_outcome(),
            (_, Transaction::None) => ClientError::connection_lost("the writer"),
            (_, Transaction::OnWriter { .. }) if may_commit => ClientError::unknown_outcome(),
            _ => ClientError::transaction_lost(),
        };
        self.tell_loss(&error).await
    }

    /// The connection to the writer is gone, with what it held, and a statement was not sent.
    pub(super) async fn lost_before_sending(&mut self, job: &mut Job) -> Result<Attempt, Ended> {
        if self.runs_again(job) {
            self.forget_connection(false).await;
            return Ok(Attempt::Anew { ran: None });
        }
        self.skip_rest(&mut job.request).await?;
        let error = match self.transaction {
            Transaction::None => ClientError::state_lost(),
            _ => ClientError::transaction_lost(),
        };
        self.tell_loss(&error).await
    }

    /// What the client made on that connection can't be made again behind its back.
    pub(super) async fn tell_loss(&mut self, error: &ClientError) -> Result<Attempt, Ended> {
        self.refuse(error).await?;
        if !self.outlives_connection() {
            return Err(Ended::StateLost);
        }
        self.forget_connection(true).await;
        Ok(Attempt::Done)
    }

    /// Does it hold a cursor, or values for an execution to come?
    fn holds_prepared(&self) -> bool {
        self.prepared.are_held_by(self.writer, true)
    }
}
