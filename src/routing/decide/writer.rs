//! Statements that run on the writer, and the gate there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::smallvec;

use super::super::causality::Settlement;
use super::super::policy::Level;
use super::super::reason::Reason;
use super::super::snapshot::{BackendView, Place};
use super::super::world::WriterFault;
use super::{Deciding, Decision, Kind, RefuseKind, Transaction};

/// A read waits at least this long at the writer until that has finished what its scope has seen on
/// a reader: usually microseconds, and there is nowhere else to go.
pub const WRITER_GATE_PATIENCE: Duration = Duration::from_secs(1);

impl Deciding<'_> {
    /// A statement that shows no rows needs to see nothing.
    ///
    /// It can't undo what the scope has seen either: of a transaction that a reader showed before
    /// the writer finished it, the writer holds the rows locked.
    pub(super) fn ungated(&self, reason: Reason) -> Decision {
        match self.writer_place() {
            Ok(place) => Decision::Run { place, reason },
            Err(kind) => Decision::refuse(kind),
        }
    }

    /// A statement that may show rows: the writer must have what the scope has seen on readers.
    pub(super) fn gated(&mut self, reason: Reason) -> Decision {
        let place = match self.writer_place() {
            Ok(place) => place,
            Err(kind) => return Decision::refuse(kind),
        };
        if self.keeps_its_snapshot() || self.level() == Level::Eventual {
            return Decision::Run { place, reason };
        }
        if self.shows_rows() {
            if self.is_left_behind(place) {
                return Decision::refuse(RefuseKind::StateLost);
            }
            // What the floor is, the writer has; but is it still the writer, and who says so?
            if self.level() != Level::Writer
                && let Err(first) = self.find_floor()
            {
                return first;
            }
        }
        let arrived = self.facts.arrived;
        let writer = self.world.writer.ok();
        match self.causality.settle(place, false, arrived, &self.world) {
            Settlement::Done => {}
            Settlement::Impossible if writer.is_some() => {
                return Decision::refuse(RefuseKind::TokenUnknown);
            }
            Settlement::Impossible => return Decision::refuse(self.without_writer()),
            Settlement::Ask(mut backends) => {
                // Asked at once, since it will have to prove that it has what they tell.
                if let Some(writer) = writer.filter(|writer| !backends.contains(&writer.id)) {
                    backends.push(writer.id);
                }
                return Decision::Probe {
                    backends,
                    reason: Reason::ReadAfterOtherReader,
                };
            }
        }
        if self.causality.gated().is_empty() {
            return Decision::Run { place, reason };
        }
        let Some((writer, proven)) = writer.and_then(|writer| Some((writer, writer.place()?)))
        else {
            return Decision::refuse(self.without_writer());
        };
        if self.has_waited_for(proven) {
            return Decision::Run { place, reason };
        }
        // Since then it has to tell what it has, or what it lacks is never known to be lost.
        let due = self
            .causality
            .accounts_since()
            .map_or(arrived, |since| since.max(arrived));
        if self.world.writer_probe(due).is_none() {
            return Decision::Probe {
                backends: smallvec![writer.id],
                reason: Reason::WriterBehind,
            };
        }
        self.wait_for_writer(proven)
    }

    fn wait_for_writer(&self, place: Place) -> Decision {
        let until = self.gate_until(place);
        if until <= self.now {
            return Decision::refuse(RefuseKind::WriterBehind);
        }
        Decision::Wait {
            place,
            token: Arc::new(self.causality.gated().clone()),
            until,
            reason: Reason::WriterBehind,
            draining: self.world.snapshot.seat.is_draining(),
        }
    }

    /// Counted from when it comes here: waiting for a reader in vain may have taken longer already.
    fn gate_until(&self, place: Place) -> Instant {
        if let Some(waiting) = self.facts.waiting.filter(|it| it.place == place) {
            return waiting.until;
        }
        let from_now = self.now.checked_add(WRITER_GATE_PATIENCE);
        let until = self.deadline(self.policy.wait).max(from_now);
        until.unwrap_or(self.now)
    }

    /// Until when the statement may wait, if that is not over.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.facts
            .waits_from
            .checked_add(patience)
            .filter(|until| *until > self.now)
    }

    /// Whether the wait for this place has come to its end, and the place is still the same.
    pub(super) fn has_waited_for(&self, place: Place) -> bool {
        let waiting = self.facts.waiting.filter(|waiting| waiting.place == place);
        let view = self.world.snapshot.backend(place.backend);
        waiting.zip(view).is_some_and(|(waiting, view)| {
            view.place() == Some(place) && view.has_executed(&waiting.token)
        })
    }

    /// An open transaction stays where it is, also while the monitor can't vouch for the writer:
    /// its connection proves itself. Everything else goes to the one proven writer.
    fn writer_place(&self) -> Result<Place, RefuseKind> {
        if let Transaction::OnWriter { place, .. } = self.facts.transaction {
            let lost = self.world.is_excluded(place.backend);
            return if lost {
                Err(RefuseKind::StateLost)
            } else {
                Ok(place)
            };
        }
        let writer = self.world.writer.ok().and_then(|view| view.place());
        writer.ok_or_else(|| self.without_writer())
    }

    pub(super) fn without_writer(&self) -> RefuseKind {
        let any_up = self
            .world
            .snapshot
            .backends
            .iter()
            .any(|view| view.place().is_some());
        match self.world.writer {
            Err(WriterFault::Ambiguous) => RefuseKind::AmbiguousWriter,
            _ if any_up => RefuseKind::NoWriter,
            _ => RefuseKind::AllGone,
        }
    }

    fn shows_rows(&self) -> bool {
        !matches!(
            self.need.kind,
            Kind::Variables | Kind::WriterRead(Reason::InstanceRead)
        )
    }

    /// Is a transaction open on what was the writer when it began, while another one takes the
    /// writes now? What it has not read yet may be older than what anybody has been told.
    fn is_left_behind(&self, place: Place) -> bool {
        let moved = |writer: &BackendView| writer.id != place.backend;
        self.world.writer.is_ok_and(moved)
    }

    /// A transaction that has read shows no more than that, whatever the writer has.
    fn keeps_its_snapshot(&self) -> bool {
        let taken = matches!(
            self.facts.transaction,
            Transaction::OnWriter {
                snapshot_taken: true,
                ..
            }
        );
        taken && self.facts.isolation.keeps_its_snapshot()
    }
}
