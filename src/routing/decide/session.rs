//! Reads that must see something: a reader that has everything, a short wait for one that will, or
//! the writer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gtid::Set;

use super::super::causality::Settlement;
use super::super::policy::OnTimeout;
use super::super::reason::Reason;
use super::super::snapshot::{BackendView, Place};
use super::readers::Readers;
use super::{Deciding, Decision, RefuseKind};

impl<'a> Deciding<'a> {
    pub(super) fn session(&mut self) -> Decision {
        let readers = match self.eligible_readers() {
            Ok(readers) => readers,
            Err(reason) => return self.gated(self.or_retry(reason)),
        };
        if let Err(first) = self.find_floor() {
            return first;
        }
        let waited = readers.iter().filter_map(|view| view.place());
        if let Some(place) = waited.into_iter().find(|place| self.has_waited_for(*place)) {
            return Decision::Run {
                place,
                reason: self.reads(Reason::ReadWaited),
            };
        }
        if let Some(decision) = self.covered(&readers) {
            return decision;
        }
        if let Some(decision) = self.wait(&readers) {
            return decision;
        }
        self.fall_back()
    }

    /// A reader that is known to have the token runs it at once, after a probe of the places that
    /// the scope has moved away from.
    fn covered(&mut self, readers: &Readers<'a>) -> Option<Decision> {
        let mut covering = readers.clone();
        loop {
            // What is known of the token may grow as it is settled, and rules out more readers.
            covering.retain(|view| self.covers(view));
            let chosen = self.choose(&covering)?;
            let place = chosen.place()?;
            match self.settle(place) {
                Settlement::Ask(backends) => return Some(self.probe(backends)),
                Settlement::Done if self.covers(chosen) => {
                    let reason = self.reads(Reason::ReadCovered);
                    return Some(Decision::Run { place, reason });
                }
                Settlement::Done | Settlement::Impossible => {}
            }
            covering.retain(|view| view.id != chosen.id);
        }
    }

    /// Waits for the reader that will have the token first, if that is soon enough, or if there is
    /// nowhere else to go. None if there is no time left or no use in it.
    fn wait(&mut self, readers: &Readers<'a>) -> Option<Decision> {
        let until = self.deadline(self.policy.wait)?;
        let is_open = |place| readers.iter().any(|view| view.place() == Some(place));
        if let Some(waiting) = self.facts.waiting.filter(|waiting| is_open(waiting.place)) {
            let (place, token) = (waiting.place, Arc::clone(&waiting.token));
            return Some(wait_for(place, token, until));
        }
        let left = until.saturating_duration_since(self.now);
        let mut readers = readers.clone();
        loop {
            // What is known of the token is enough to see that there is no use in asking for more.
            readers.retain(|view| self.is_worth_waiting_for(view, left));
            let soonest = self.soonest(&readers)?;
            let place = soonest.place()?;
            match self.settle(place) {
                Settlement::Ask(backends) => return Some(self.probe(backends)),
                Settlement::Done if self.is_worth_waiting_for(soonest, left) => {
                    return Some(wait_for(place, self.token(), until));
                }
                Settlement::Done | Settlement::Impossible => {}
            }
            readers.retain(|view| view.id != soonest.id);
        }
    }

    fn is_worth_waiting_for(&self, view: &BackendView, left: Duration) -> bool {
        let nowhere_else = self.world.writer.is_err() || self.policy.on_timeout == OnTimeout::Error;
        nowhere_else || self.ready_in(view) <= left
    }

    fn soonest(&self, readers: &Readers<'a>) -> Option<&'a BackendView> {
        let soonest = readers.iter().map(|view| self.ready_in(view)).min()?;
        let is_soonest = |view: &&BackendView| self.ready_in(view) == soonest;
        self.choose(&readers.iter().copied().filter(is_soonest).collect())
    }

    /// No reader has the token, and none is waited for any longer.
    fn fall_back(&mut self) -> Decision {
        let waited = self.facts.waiting.is_some();
        let out_of_time = self.deadline(self.policy.wait).is_none();
        if self.world.writer.is_err() {
            let kind = if self.unsettled {
                RefuseKind::TokenUnknown
            } else if self.floor.is_some() {
                RefuseKind::TooStale
            } else if waited {
                RefuseKind::Timeout
            } else {
                self.without_writer()
            };
            return Decision::refuse(kind);
        }
        if self.unsettled {
            return self.gated(Reason::TokenUnknown);
        }
        if out_of_time && self.policy.on_timeout == OnTimeout::Error {
            return Decision::refuse(RefuseKind::Timeout);
        }
        let reason = match (out_of_time, waited) {
            (true, true) => Reason::WaitTimedOut,
            (true, false) => Reason::WaitNotAllowed,
            (false, _) => Reason::PredictedTooLate,
        };
        self.gated(self.or_retry(reason))
    }
}

fn wait_for(place: Place, token: Arc<Set>, until: Instant) -> Decision {
    let reason = Reason::ReaderBehind;
    Decision::Wait {
        place,
        token,
        until,
        reason,
        draining: false,
    }
}
