//! What a statement does that can't run at once, or could not run where it was to.

use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::deciding::Tried;
use super::job::Job;
use super::session::Session;
use super::statement::Attempt;
use crate::error::ClientError;
use crate::gtid::Set;
use crate::routing::{
    BackendId, Decision, Exclusion, Place, Reason, RefuseKind, Transaction, Waiting,
};

impl Session {
    /// Does what comes before a statement may run: waits, asks, or refuses it. True if the client has
    /// its answer by then; else it is to be decided anew.
    pub(super) async fn before_running(
        &mut self,
        decision: Decision,
        waits: bool,
        job: &mut Job,
        tried: &mut Tried,
        arrived: Instant,
    ) -> Result<bool, Ended> {
        if waits && let Err(full) = self.queue_up(tried) {
            return self.turn_away(Reason::RefusedQueueFull, &full, job).await;
        }
        match decision {
            Decision::Run { reason, .. } if tried.needs_room(reason) => {
                if tried.no_room {
                    self.observe_wait(tried, Reason::RefusedShed);
                    let shed = ClientError::shed();
                    return self.turn_away(Reason::RefusedShed, &shed, job).await;
                }
                let until = self.may_wait_until(job, tried, arrived);
                let free = self.shared.fallback.load_full();
                self.unless_gone(tried.find_room(&free, until)).await?;
            }
            Decision::Run { place, .. } => {
                let until = self.may_wait_until(job, tried, arrived);
                let shared = Arc::clone(&self.shared);
                let _counted = shared.counts_waiting(place.backend);
                let turn = tried.take_turn(place, &shared.loads, until);
                self.unless_gone(turn).await?;
            }
            Decision::Probe { backends, .. } => {
                for id in self.shared.watch.probe(&backends).await {
                    tried.exclude(id, Exclusion::Unreachable);
                }
            }
            Decision::Wait {
                place,
                token,
                until,
                draining,
                ..
            } => {
                self.wait_for((place, token, until), draining, tried)
                    .await?;
            }
            Decision::Refuse { kind, reason } => {
                return self
                    .before_refusing(kind, reason, job, tried, arrived)
                    .await;
            }
        }
        Ok(false)
    }

    async fn wait_for(
        &mut self,
        (place, token, until): (Place, Arc<Set>, Instant),
        draining: bool,
        tried: &mut Tried,
    ) -> Result<(), Ended> {
        tried.waited_since.get_or_insert_with(Instant::now);
        let shared = Arc::clone(&self.shared);
        let _counted = shared.counts_waiting(place.backend);
        self.unless_gone(shared.watch.wait(place, &token, draining, until))
            .await?;
        tried.waiting = Some(Waiting {
            place,
            token,
            until,
        });
        Ok(())
    }

    /// Refuses a statement, unless there is something left to do for it.
    async fn before_refusing(
        &mut self,
        kind: RefuseKind,
        reason: Reason,
        job: &mut Job,
        tried: &mut Tried,
        arrived: Instant,
    ) -> Result<bool, Ended> {
        match kind {
            RefuseKind::Timeout if self.may_leave_reader() => {
                if !self.leave_reader(job).await? {
                    return Ok(true);
                }
                *tried = Tried::default();
            }
            RefuseKind::AmbiguousWriter if !std::mem::replace(&mut tried.rivals_asked, true) => {
                self.ask_rivals().await;
            }
            kind if self.may_hold(kind, arrived) => {
                self.hold(arrived).await?;
                *tried = Tried::default();
            }
            kind => {
                self.observe_wait(tried, reason);
                self.shared.metrics.refused(reason.index());
                self.skip_rest(&mut job.request).await?;
                match kind {
                    RefuseKind::StateLost => self.refuse_lost(job).await?,
                    kind => self.refuse(&refusal(kind)).await?,
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells the client that nobody has time for its statement.
    async fn turn_away(
        &mut self,
        reason: Reason,
        error: &ClientError,
        job: &mut Job,
    ) -> Result<bool, Ended> {
        self.shared.metrics.refused(reason.index());
        self.skip_rest(&mut job.request).await?;
        self.refuse(error).await?;
        Ok(true)
    }

    /// A statement did not get its answer there. True if the client has one all the same; else it is
    /// to be decided anew.
    pub(super) async fn after_failing(
        &mut self,
        failed: Attempt,
        at: BackendId,
        job: &mut Job,
        tried: &mut Tried,
        arrived: Instant,
    ) -> Result<bool, Ended> {
        match failed {
            Attempt::Done => return Ok(true),
            Attempt::Anew { ran } => {
                job.may_have_run = ran.or(job.may_have_run);
                if std::mem::replace(&mut tried.anew, true) {
                    tried.exclude(at, Exclusion::Unreachable);
                }
            }
            Attempt::Held(why) => {
                let goes_on = self.hold_not_run(why, at, job, tried, arrived).await?;
                return Ok(!goes_on);
            }
            Attempt::Again(how) => tried.exclude(at, how),
        }
        Ok(false)
    }

    /// A transaction is where it can't go on: it is rolled back there, as the client is told.
    async fn refuse_lost(&mut self, job: &Job) -> Result<(), Ended> {
        let on_writer = matches!(self.transaction, Transaction::OnWriter { .. });
        let held = match on_writer {
            true => self.connections.take(self.writer),
            false => None,
        };
        let Some(mut held) = held else {
            return match on_writer {
                true => self
                    .tell_loss(&ClientError::transaction_lost())
                    .await
                    .map(|_| ()),
                false => self.refuse(&refusal(RefuseKind::StateLost)).await,
            };
        };
        self.give_up_transaction(&mut held, job).await?;
        self.connections.put(held);
        Ok(())
    }
}

/// What the client reads of a refusal.
fn refusal(kind: RefuseKind) -> ClientError {
    match kind {
        RefuseKind::NoWriter => ClientError::no_writer(),
        RefuseKind::AmbiguousWriter => ClientError::ambiguous_writer(),
        RefuseKind::Timeout => ClientError::wait_timed_out(),
        RefuseKind::AllGone => ClientError::all_gone(),
        RefuseKind::WriterBehind | RefuseKind::TooStale | RefuseKind::TokenUnknown => {
            ClientError::not_proven()
        }
        RefuseKind::ReadOnlyTransaction => ClientError::read_only_transaction(),
        RefuseKind::StateLost => ClientError::transaction_lost(),
        RefuseKind::LostWrites => ClientError::lost_writes(),
    }
}
