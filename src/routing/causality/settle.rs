//! Finding out what was seen elsewhere, before a read goes to a place.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::gtid::{Set, Uuid};

use super::super::decide::Exclusion;
use super::super::policy::{BackendId, Role};
use super::super::snapshot::{Place, Probe};
use super::super::world::World;
use super::Causality;
use super::debt::Mark;

/// Errant GTIDs remembered as such, in intervals; beyond it they are proven errant again.
const MAX_ERRANT_INTERVALS: usize = 256;

/// Whether the token holds all that a read on one place has to see.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Settlement {
    /// It does. What was seen in that place itself need not be in it.
    Done,
    /// These backends have to be probed first, the probe sent after now.
    Ask(SmallVec<[BackendId; 2]>),
    /// Who would have to tell is not there, or can't tell yet.
    Impossible,
}

/// What came of one mark.
enum Found {
    /// It is part of the token.
    Paid,
    /// Its backend has to be probed.
    AskPlace,
    /// Its backend has GTIDs that only a probe of the writer tells from errant ones.
    AskWriter,
    /// The life of its backend has ended.
    Gone,
    /// Nobody can tell as long as its backend neither answers nor is known to be gone.
    Nobody,
}

impl Causality {
    /// Puts into the token what was seen in every other place than `target`, and what was lost on
    /// the writer, for a statement that arrived at `arrived`, as far as the probes at hand tell.
    ///
    /// Writes that were lost on the writer need not be known at the writer itself, nor by a read
    /// that has to see no writes: without `writes` they are left out.
    pub(in super::super) fn settle(
        &mut self,
        target: Place,
        writes: bool,
        arrived: Instant,
        world: &World<'_>,
    ) -> Settlement {
        self.settle_for(Some(target), writes, arrived, world)
    }

    /// The same for a place where nothing was seen yet.
    pub(super) fn settle_everywhere(&mut self, arrived: Instant, world: &World<'_>) -> Settlement {
        self.settle_for(None, true, arrived, world)
    }

    /// What can be found out at the writer alone.
    pub(super) fn settle_where_gone(&mut self, arrived: Instant, world: &World<'_>) {
        self.settle_gone(arrived, world);
        if !self.lost.is_pending() {
            self.settle_lost(arrived, world);
        }
    }

    fn settle_for(
        &mut self,
        target: Option<Place>,
        writes: bool,
        arrived: Instant,
        world: &World<'_>,
    ) -> Settlement {
        if self.owes_nothing(target, writes, arrived) {
            return Settlement::Done;
        }
        let mut ask = SmallVec::new();
        let (mut ask_writer, mut nobody) = (false, false);
        let mut index = 0;
        while let Some(mark) = self.marks.get(index).copied() {
            let elsewhere = Some(mark.place) != target;
            let owed = mark.debt.owed(arrived).filter(|_| elsewhere);
            match owed.map_or(Found::Paid, |due| self.find_out(index, mark, due, world)) {
                Found::Gone => {
                    self.bury(index);
                    continue;
                }
                Found::AskPlace => ask.push(mark.place.backend),
                Found::AskWriter => ask_writer = true,
                Found::Nobody => nobody = true,
                Found::Paid => {}
            }
            index += 1;
        }
        self.marks
            .retain(|mark| Some(mark.place) == target || !mark.debt.is_paid());

        if nobody {
            return Settlement::Impossible;
        }
        ask_writer |= !self.settle_gone(arrived, world);
        if writes {
            if self.lost.is_pending() {
                return Settlement::Impossible;
            }
            ask_writer |= !self.settle_lost(arrived, world);
        }
        if ask_writer {
            match world.writer {
                Ok(writer) if ask.contains(&writer.id) => {}
                Ok(writer) => ask.push(writer.id),
                Err(_) => return Settlement::Impossible,
            }
        }
        if ask.is_empty() {
            Settlement::Done
        } else {
            Settlement::Ask(ask)
        }
    }

    /// Is there nothing to find out? So it is for a scope that stays where it is.
    fn owes_nothing(&self, target: Option<Place>, writes: bool, arrived: Instant) -> bool {
        let lost = || self.lost.is_pending() || self.lost.debt.owed(arrived).is_some();
        self.marks.iter().all(|mark| Some(mark.place) == target)
            && self.gone.owed(arrived).is_none()
            && !(writes && lost())
    }

    /// Would another decision about a read in `place`, by the same snapshot, find all here as one did
    /// that went by this token? At level `eventual` it goes by none, and finds nothing out.
    pub fn is_as_it_was(&self, place: Place, token: Option<&Arc<Set>>, arrived: Instant) -> bool {
        let settled = token.is_none_or(|token| {
            Arc::ptr_eq(&self.known, token) && self.owes_nothing(Some(place), true, arrived)
        });
        let tells = self.lost_writes.is_some() || !self.errant_unshown.is_empty();
        // What was taken in from elsewhere may be about another writer.
        let accounted = self.proven_on.is_some() && self.inherited.is_accounted_for();
        settled && accounted && !tells
    }

    /// The next read must see all that the writer had executed or begun to commit when it was
    /// asked: whatever anybody has been shown by then, on any backend, is among that.
    pub(in super::super) fn take_strong(&mut self, probe: &Probe, world: &World<'_>) {
        self.take_in(&probe.seen, None, world);
    }

    fn find_out(&mut self, index: usize, mark: Mark, due: Instant, world: &World<'_>) -> Found {
        let Some(view) = world.snapshot.backend(mark.place.backend) else {
            return Found::Gone;
        };
        let Some(probe) = world.probe_of(mark.place, due) else {
            return self.find_out_elsewhere(index, mark, due, world);
        };
        let trusted = view.role == Role::Writer;
        if !trusted && !self.prove_errant(probe, due, world) {
            return Found::AskWriter;
        }
        self.take_in(&probe.seen, Some(mark.place), world);
        if let Some(mark) = self.marks.get_mut(index) {
            mark.debt.settle(probe.started);
        }
        Found::Paid
    }

    /// The same where the place has not told. One that has failed this statement is not asked for it,
    /// and the writer stands in, unless that is another one since.
    fn find_out_elsewhere(
        &mut self,
        index: usize,
        mark: Mark,
        due: Instant,
        world: &World<'_>,
    ) -> Found {
        let backend = mark.place.backend;
        if !world.goes_on(mark.place) {
            return Found::Gone;
        }
        if !world.is_excluded(backend) {
            return Found::AskPlace;
        }
        if mark.inherited {
            return match world.has_failed(backend, Exclusion::Unreachable) {
                true => Found::Nobody,
                false => Found::AskPlace,
            };
        }
        let Some(probe) = world.writer_probe(due) else {
            return Found::AskWriter;
        };
        self.take_in(&probe.seen, None, world);
        if let Some(mark) = self.marks.get_mut(index) {
            mark.debt.settle(probe.started);
        }
        Found::Paid
    }

    /// What was seen in places that are gone is owned or executed on the writer by now.
    fn settle_gone(&mut self, arrived: Instant, world: &World<'_>) -> bool {
        let Some(due) = self.gone.owed(arrived) else {
            return true;
        };
        let Some(probe) = world.writer_probe(due) else {
            return false;
        };
        self.take_in(&probe.seen, None, world);
        self.gone.settle(probe.started);
        true
    }

    fn settle_lost(&mut self, arrived: Instant, world: &World<'_>) -> bool {
        let Some(due) = self.lost.debt.owed(arrived) else {
            return true;
        };
        let Some(probe) = world.writer_probe(due) else {
            return false;
        };
        self.require(&probe.executed);
        self.lost.debt.settle(probe.started);
        if self.lost.debt.is_paid() {
            self.lost = super::Lost::default();
        }
        true
    }

    /// Adds what was seen to the token. Unless it was seen on the writer itself, the writer is
    /// gated for what it is not known to have executed.
    fn take_in(&mut self, seen: &Set, place: Option<Place>, world: &World<'_>) {
        let mut gain = seen;
        let mut without;
        if !self.errant.is_empty() {
            without = seen.clone();
            without.subtract(&self.errant);
            gain = &without;
        }
        self.has_seen(gain);
        let seen_on = place.map(|place| place.incarnation.server_uuid);
        if seen_on.is_some() && seen_on == self.proven_on {
            return;
        }
        let executed = world.executed_by_writer();
        if executed.iter().any(|set| set.contains(gain)) {
            return;
        }
        let mut ahead = gain.clone();
        executed.iter().for_each(|set| ahead.subtract(set));
        self.gated.union(&ahead);
    }

    /// Tells errant GTIDs in a reader's probe from those that the writer's lineage knows. False
    /// if that takes a probe of the writer.
    ///
    /// Suspicious is what the lineage is not known to have executed and the writer does not number
    /// itself: transactions of a stranger, or of a writer of before that never left it. But they
    /// may also be the first of a new UUID (a group's), seen a hair before the writer was last
    /// asked. So only a probe of the writer convicts them, sent after the read ended: what the
    /// lineage has brought forth by then is owned or executed there.
    ///
    /// One that has become the writer, and has not executed yet all that it has received, convicts
    /// nobody of whom it may have more.
    fn prove_errant(&mut self, probe: &Probe, due: Instant, world: &World<'_>) -> bool {
        let writer = world.writer_uuid();
        let lineage = world.lineage();
        for executed in &lineage {
            // A reader that has become the writer: what was errant is now the lineage's own.
            self.errant.subtract(executed);
        }
        let by_writer = |source: &Uuid| writer.is_some_and(|writer| writer.numbers(source));
        if probe.seen.uuids().all(by_writer) {
            return true;
        }
        let mut suspicious = (*probe.seen).clone();
        suspicious.retain_uuids(|source| !by_writer(source));
        lineage
            .iter()
            .for_each(|executed| suspicious.subtract(executed));
        suspicious.subtract(&self.errant);
        suspicious.subtract(self.awaited());
        if suspicious.is_empty() {
            return true;
        }
        let Some(writer) = world.writer_probe(due) else {
            return false;
        };
        suspicious.subtract(&writer.seen);
        if world.snapshot.seat.is_draining() {
            suspicious.retain_uuids(|source| !self.may_come(source, world));
        }
        if self.errant.interval_count() > MAX_ERRANT_INTERVALS {
            self.errant = Set::default();
        }
        self.errant.union(&suspicious);
        self.errant_unshown.union(&suspicious);
        true
    }
}
