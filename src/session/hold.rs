//! Statements that wait for a writer while others switch over.
//!
//! Either nothing was sent, as there is no writer or no connection to it, or one single statement outside of a transaction was refused before it
//! was executed: then it may be sent again, to whoever takes writes now.

use std::time::{Duration, Instant};

use prometheus::IntGauge;
use smallvec::SmallVec;
use tokio::time::{timeout, timeout_at};

use super::Ended;
use super::connections::Held;
use super::deciding::Tried;
use super::job::Job;
use super::read_only::ROLLBACK;
use super::relay::Progress;
use super::session::Session;
use super::statement::{Attempt, Run};
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::protocol::Command;
use crate::routing::{
    BackendId, Causality, Decision, OnLostWrites, RefuseKind, Transaction, UnknownCause,
};
use crate::sql::Class;

/// "The MySQL server is running with the --read-only option so it cannot execute this statement",
/// and "Running in read-only mode".
const READ_ONLY: [u16; 2] = [1290, 1836];

/// How long a statement is held at most before it is decided anew, while there is a writer.
const PAUSE: Duration = Duration::from_millis(20);

/// Other options are refused with the same number.
const OPTIONS: [&[u8]; 2] = [b"read-only", b"read_only"];

/// How statements wait for a writer.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// How long; zero: not at all.
    pub time: Duration,
    /// How many at once.
    pub statements: usize,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            statements: 1000,
        }
    }
}

/// Why a write was not run, and may run elsewhere.
pub(super) enum NotRun {
    /// The writer takes no writes any more. This is what it said.
    ReadOnly(Vec<u8>),
    /// There was no connection to send it on.
    Unsent(ConnectError),
}

/// One that waits, until this is dropped.
struct Waits(IntGauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Session {
    /// A failover may have lost what the scope had written or seen: says so once, instead of the
    /// answer to its next read.
    pub(super) fn tell_lost_writes(&self, job: &Job, scope: &mut Causality) -> Option<Decision> {
        let continues = self.config.on_lost_writes == OnLostWrites::Continue;
        if !continues && !job.shows_rows() {
            return None;
        }
        let lost = scope.take_lost_writes()?;
        self.shared.metrics.lost_writes().inc();
        tracing::error!(
            client = self.entry.id,
            lost = %lost.known,
            perhaps_more = lost.doubted,
            "a failover has lost what a client had written or seen"
        );
        let kind = RefuseKind::LostWrites;
        let reason = kind.reason();
        (!continues).then_some(Decision::Refuse { kind, reason })
    }

    /// Is a statement held that no writer is there for? Nothing of it was sent.
    pub(super) fn may_hold(&self, kind: RefuseKind, arrived: Instant) -> bool {
        let for_a_writer = matches!(kind, RefuseKind::NoWriter | RefuseKind::TokenUnknown);
        for_a_writer && self.hold_until(arrived).is_some()
    }

    /// Waits until a writer is proven, and no longer than a statement that arrived then may.
    ///
    /// # Errors
    /// As [`Session::unless_gone`].
    pub(super) async fn hold(&mut self, arrived: Instant) -> Result<(), Ended> {
        let Some(until) = self.hold_until(arrived) else {
            return Ok(());
        };
        let held = self.shared.metrics.held_writes().clone();
        held.inc();
        let _waits = Waits(held);
        self.shared.metrics.held_writes_total().inc();
        let mut writer = self.shared.watch.writers();
        let mut news = self.shared.watch.changes();
        self.unless_gone(async {
            // The next decision finds out how it ended.
            if writer.borrow().is_some() {
                // There is one already, and it has not told yet what has to be known of it.
                let _ = timeout(PAUSE, news.changed()).await;
            } else {
                let proven = writer.wait_for(Option::is_some);
                let _ = timeout_at(until.into(), proven).await;
            }
        })
        .await
    }

    /// Asks once more who takes writes. In a switchover the next writer may be heard of sooner than
    /// that the last one takes none any more: that is no reason to refuse anything.
    pub(super) async fn ask_rivals(&self) {
        let snapshot = self.shared.watch.snapshot();
        let up = snapshot.backends.iter().filter(|view| view.up);
        let up: SmallVec<[BackendId; 4]> = up.map(|view| view.id).collect();
        self.shared.watch.probe(&up).await;
    }

    /// Until when a statement may be held, if it may be now.
    fn hold_until(&self, arrived: Instant) -> Option<Instant> {
        let hold = self.config.hold;
        let room = i64::try_from(hold.statements).unwrap_or(i64::MAX);
        let until = arrived.checked_add(hold.time)?;
        let waiting = self.shared.metrics.held_writes().get();
        (until > Instant::now() && waiting < room).then_some(until)
    }

    /// What becomes of a statement that the writer refused since it takes no writes any more; none
    /// if it did not. Nothing of its answer has reached the client.
    pub(super) async fn refused_read_only(
        &mut self,
        held: &mut Held,
        job: &Job,
        run: &mut Run,
        progress: &Progress,
    ) -> Result<Option<Attempt>, Ended> {
        let number = progress
            .error()
            .is_some_and(|code| READ_ONLY.contains(&code));
        if !number || progress.flushed() || !says_read_only(self.client.output()) {
            return Ok(None);
        }
        self.shared.watch.report_failure(held.backend);
        if matches!(self.transaction, Transaction::OnWriter { .. }) {
            self.give_up_transaction(held, job).await?;
            return Ok(Some(Attempt::Done));
        }
        if !self.may_send_again(job) {
            return Ok(None);
        }
        if let Some(mark) = run.mark.take() {
            self.scope.lock().cancel_read(mark);
        }
        let refusal = self.client.output().split().to_vec();
        Ok(Some(Attempt::Held(NotRun::ReadOnly(refusal))))
    }

    /// One single statement outside of a transaction, which a server refuses before it executes
    /// anything of it.
    fn may_send_again(&self, job: &Job) -> bool {
        let single = matches!(job.class(), Some(Class::Write)) && !job.request.more;
        let plain = matches!(job.command, Command::Query | Command::StmtExecute);
        single && plain && self.autocommit && !self.has_data_on_writer(job)
    }

    /// An open transaction can't be committed where it is: it is rolled back, and the client is told
    /// to run it again, with the error on which drivers do that.
    pub(super) async fn give_up_transaction(
        &mut self,
        held: &mut Held,
        job: &Job,
    ) -> Result<(), Ended> {
        self.client.output().clear();
        self.client.set_sequence(job.request.sequence);
        self.lose_unless_pure(job, UnknownCause::Error, None);
        if held.ask(ROLLBACK).await.is_err() {
            return Err(Ended::StateLost);
        }
        self.transaction = Transaction::None;
        self.transaction_wrote = false;
        self.status = held.status;
        self.refuse(&ClientError::transaction_lost()).await
    }

    /// No connection to the writer could be had for a statement, so nothing of it was sent: it waits
    /// if it is one that may be held, or gets its error.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) async fn not_sent(
        &mut self,
        at: BackendId,
        error: ConnectError,
        job: &mut Job,
    ) -> Result<Attempt, Ended> {
        let broken = !matches!(error, ConnectError::Refused(_) | ConnectError::Full);
        let free = self.transaction == Transaction::None && !self.holds_state();
        if broken && free && self.may_send_again(job) {
            return Ok(Attempt::Held(NotRun::Unsent(error)));
        }
        self.skip_rest(&mut job.request).await?;
        self.refuse_connection(at, &error).await?;
        Ok(Attempt::Done)
    }

    /// The writer has not run a statement: waits for another one, or for it to take writes again.
    /// False if the client has its answer.
    ///
    /// # Errors
    /// As [`Session::unless_gone`].
    pub(super) async fn hold_not_run(
        &mut self,
        why: NotRun,
        at: BackendId,
        job: &mut Job,
        tried: &mut Tried,
        arrived: Instant,
    ) -> Result<bool, Ended> {
        // What was known of it is not true any more. One that answers as the writer is at fault in
        // another way, for which nobody switches over.
        let silent = self.shared.watch.probe(&[at]).await;
        let switching = matches!(why, NotRun::ReadOnly(_)) || !silent.is_empty();
        if switching && self.hold_until(arrived).is_some() {
            self.hold(arrived).await?;
            if self.shared.watch.writers().borrow().is_some() {
                self.client.set_sequence(job.request.sequence);
                *tried = Tried::default();
                return Ok(true);
            }
        }
        match why {
            NotRun::ReadOnly(said) => {
                self.client.output().extend_from_slice(&said);
                self.flush().await?;
            }
            NotRun::Unsent(error) => {
                self.skip_rest(&mut job.request).await?;
                self.refuse_connection(at, &error).await?;
            }
        }
        Ok(false)
    }
}

fn says_read_only(output: &[u8]) -> bool {
    let says = |option: &[u8]| output.windows(option.len()).any(|part| part == option);
    OPTIONS.iter().any(|option| says(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_that_names_the_option_counts() {
        for (message, counts) in [
            (
                "The MySQL server is running with the --super-read-only option",
                true,
            ),
            (
                "The MariaDB server is running with the --read-only option",
                true,
            ),
            ("Running in read-only mode", true),
            (
                "The MySQL server is running with the --secure-file-priv option",
                false,
            ),
        ] {
            assert_eq!(says_read_only(message.as_bytes()), counts, "{message}");
        }
    }
}
