//! Read-only transactions on a reader. One can't move: what the reader can't run either takes the
//! whole transaction to the writer, before its snapshot is taken, or ends it.
//!
//! ```text
//!        START TRANSACTION READ ONLY             COMMIT, ROLLBACK
//! None ------------------------------> OnReader ------------------> None
//!                                      |      |
//!   nothing read yet, and a statement  |      | the same, but it has read: error 1213,
//!   that only the writer runs          v      v and the next one runs on the writer
//!                                 OnWriter   None
//! ```

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::session::Session;
use super::statement::Attempt;
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::protocol::{Command, Status};
use crate::routing::{BackendId, Place, Reason, Role, Transaction};
use crate::sql::{Class, Marks, WriterRead};

/// Ends a transaction and begins none, whatever `completion_type` says.
pub(super) const COMMIT: &str = "COMMIT AND NO CHAIN NO RELEASE";

/// The same.
pub(super) const ROLLBACK: &str = "ROLLBACK AND NO CHAIN NO RELEASE";

impl Job {
    /// Does it begin a transaction, which ends the one before?
    pub(super) fn begins(&self) -> bool {
        matches!(
            self.class(),
            Some(Class::Begin { .. } | Class::BeginReadOnly { .. })
        )
    }
}

impl Session {
    /// Is it a statement that the reader of the open transaction can't run, since what it needs
    /// lives on the writer's connection, or since nobody knows what it does?
    pub(super) fn must_leave_reader(&self, job: &Job) -> bool {
        if !self.transaction.is_on_reader() {
            return false;
        }
        // Temporary tables may be made and used in a read-only transaction.
        let temporary = job.statement.as_ref().is_some_and(|statement| {
            !statement.makes.is_empty() || statement.leaves.intersects(Marks::TEMPORARY_TABLE)
        });
        if temporary || self.may_use_temporary(job) || self.has_data_on_writer(job) {
            return true;
        }
        match job.class().filter(|_| !job.request.more) {
            Some(Class::WriterRead(read)) => {
                !matches!(read, WriterRead::Instance | WriterRead::Locking)
            }
            Some(Class::Other(_)) => true,
            Some(_) => false,
            None => !matches!(
                job.command,
                Command::InitDb | Command::Statistics | Command::StmtPrepare
            ),
        }
    }

    /// Is a transaction open on a reader that has shown nothing yet, so that it may begin anew
    /// somewhere else?
    pub(super) fn may_leave_reader(&self) -> bool {
        matches!(
            self.transaction,
            Transaction::ReadOnlyOn {
                snapshot_taken: false,
                ..
            }
        )
    }

    /// Takes the open transaction to the writer, if it has read nothing yet; else ends it and
    /// tells the client to run it again. False if the client has its answer.
    pub(super) async fn leave_reader(&mut self, job: &Job) -> Result<bool, Ended> {
        let untouched = self.may_leave_reader();
        self.end_on_reader(ROLLBACK).await;
        if untouched && self.begin_on_writer().await {
            return Ok(true);
        }
        self.read_only_at_writer = true;
        self.client.set_sequence(job.request.sequence);
        self.refuse(&ClientError::transaction_on_reader()).await?;
        Ok(false)
    }

    /// Begins the same transaction on the writer; nothing has been read in it.
    async fn begin_on_writer(&mut self) -> bool {
        let snapshot = self.shared.watch.snapshot();
        let views = snapshot.backends.iter();
        let mut writers = views.filter(|view| view.role == Role::Writer && view.writable);
        let Some(place) = writers.next().and_then(|view| view.place()) else {
            return false;
        };
        let Ok(mut held) = self.writer_connection(place).await else {
            return false;
        };
        if held.ask("START TRANSACTION READ ONLY").await.is_err() {
            return false;
        }
        self.connections.put(held);
        self.transaction = Transaction::OnWriter {
            place,
            snapshot_taken: false,
        };
        let reason = Reason::ReadOnlyTransaction.index();
        self.shared.metrics.statement(place.backend.index(), reason);
        true
    }

    /// Ends the transaction on the reader before a statement that begins another one on the writer.
    /// True if that one has to be READ ONLY too: MySQL's BEGIN keeps the access mode of the
    /// transaction that it ends, unless it names one.
    pub(super) async fn end_before_beginning(&mut self, job: &Job) -> bool {
        if !self.transaction.is_on_reader() || !job.begins() {
            return false;
        }
        self.end_on_reader(COMMIT).await;
        matches!(
            job.class(),
            Some(Class::Begin {
                read_write: false,
                ..
            })
        )
    }

    /// Ends the transaction on the reader. It has written nothing, so that how does not matter; if
    /// the reader can't be told, its connection is closed.
    pub(super) async fn end_on_reader(&mut self, how: &str) {
        let Transaction::ReadOnlyOn { place, .. } = self.transaction else {
            return;
        };
        self.transaction = Transaction::None;
        self.status
            .remove(Status::IN_TRANS | Status::IN_TRANS_READONLY);
        if let Some(mut held) = self.connections.take(place.backend)
            && held.ask(how).await.is_ok()
        {
            self.connections.put(held);
        }
    }

    /// Is the transaction open on a reader that is the writer now? What runs there as on the writer
    /// takes another connection, and this one is closed.
    pub(super) fn loses_transaction_to(&self, writer: BackendId) -> bool {
        matches!(self.transaction, Transaction::ReadOnlyOn { place, .. } if place.backend == writer)
    }

    /// The reader can't go on with the transaction: the client has to run it again.
    pub(super) async fn abandon_on_reader(&mut self, job: &Job) -> Result<Attempt, Ended> {
        self.end_on_reader(ROLLBACK).await;
        self.read_only_at_writer = true;
        self.client.set_sequence(job.request.sequence);
        self.refuse(&ClientError::transaction_on_reader()).await?;
        Ok(Attempt::Done)
    }

    /// Follows the transaction by the reader's flags.
    pub(super) fn follow_on_reader(
        &mut self,
        place: Place,
        job: &Job,
        status: Status,
        failed: bool,
    ) {
        if failed {
            // An ERR carries no flags, and a read ends no transaction.
            return;
        }
        self.status = status;
        if !status.contains(Status::IN_TRANS) {
            self.transaction = Transaction::None;
            if matches!(job.class(), Some(Class::Commit)) {
                self.read_only_at_writer = false;
            }
            return;
        }
        // AND CHAIN, or `completion_type`: one has ended and the next one begun.
        let chained = self.end_of_transaction(job).is_some();
        let (had_snapshot, isolation) = match self.transaction {
            Transaction::ReadOnlyOn { isolation, .. } if chained || job.begins() => {
                // It keeps that of the one before, unless the session was told otherwise: of the
                // two, the one that reads anew each time is gated more often.
                let next = self.isolation();
                let keeps = isolation.keeps_its_snapshot();
                (false, if keeps { next } else { isolation })
            }
            Transaction::ReadOnlyOn {
                snapshot_taken,
                isolation,
                ..
            } => (snapshot_taken, isolation),
            _ => (false, self.isolation()),
        };
        self.transaction = Transaction::ReadOnlyOn {
            place,
            snapshot_taken: had_snapshot || job.takes_snapshot(),
            isolation,
        };
    }
}

/// Makes the transaction that begins next on a connection READ ONLY.
///
/// # Errors
/// As [`Held::ask`].
pub(super) async fn begin_read_only(held: &mut Held, wanted: bool) -> Result<(), ConnectError> {
    if wanted {
        held.ask("SET TRANSACTION READ ONLY").await?;
    }
    Ok(())
}
