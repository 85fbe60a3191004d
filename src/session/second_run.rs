//! A read runs once more after its connection to the writer broke. What it names may be a view that
//! calls a function that writes, which nobody sees in the statement: so the second time the server
//! itself refuses to write.

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::relay::Progress;
use super::session::Session;
use super::statement::Attempt;
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::routing::UnknownCause;

/// ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION.
const READ_ONLY_TRANSACTION: u16 = 1792;

impl Session {
    /// Is it a read that may have run, and have written? Without autocommit what it wrote went with
    /// its connection.
    fn is_second_run(&self, job: &Job) -> bool {
        let names = ["transaction_read_only", "tx_read_only"];
        let mut values = names.iter().map(|it| self.state.variables.get(*it));
        let read_only = values.any(|value| value.is_some_and(|it| it != b"OFF" && it != b"0"));
        job.may_have_run.is_some() && self.autocommit && !read_only
    }

    /// Before it is sent to the writer: lets the server refuse to write.
    ///
    /// # Errors
    /// As [`Held::ask`].
    pub(super) async fn guard_second_run(
        &self,
        held: &mut Held,
        job: &Job,
    ) -> Result<(), ConnectError> {
        // SET TRANSACTION alone would be left to the next statement where this one reads no table.
        if self.is_second_run(job) {
            held.ask("SET SESSION TRANSACTION READ ONLY").await?;
        }
        Ok(())
    }

    /// After its answer: the connection may write again. Tells the client what it would have been
    /// told at first, if the read was refused as a write; `None` if it was not.
    ///
    /// # Errors
    /// If the client can't be told.
    pub(super) async fn end_second_run(
        &mut self,
        held: &mut Held,
        job: &Job,
        progress: &Progress,
    ) -> Result<Option<Attempt>, Ended> {
        if !self.is_second_run(job) {
            return Ok(None);
        }
        let ended = held.ask("SET SESSION TRANSACTION READ WRITE").await;
        // One that broke is found broken by who needs it next; one that may not write is of no use.
        if matches!(ended, Err(ConnectError::Refused(_))) {
            return Err(Ended::StateLost);
        }
        if progress.error() != Some(READ_ONLY_TRANSACTION) || progress.flushed() {
            return Ok(None);
        }
        self.refuse_second_run(job).await.map(Some)
    }

    /// Its connection was asked something after the statement: what that left is not known.
    pub(super) fn note_second_run(&mut self, job: &Job, progress: &Progress) {
        if self.is_second_run(job) {
            self.left_behind.overwritten(progress.left_words());
        }
    }

    /// It writes, so that it does not run once more: the client is told of the lost connection.
    ///
    /// # Errors
    /// If the client can't be told.
    pub(super) async fn refuse_second_run(&mut self, job: &Job) -> Result<Attempt, Ended> {
        // What it has written the first time has to be seen.
        self.lose_thread(UnknownCause::ConnectionLost, job.may_have_run);
        self.client.output().clear();
        self.client.set_sequence(job.request.sequence);
        self.refuse(&ClientError::connection_lost("the writer"))
            .await?;
        Ok(Attempt::Done)
    }
}
