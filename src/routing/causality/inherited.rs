//! What a scope had to see when another server became the writer.
//!
//! The new writer may lack some of it. That is lost once it has executed all that it has received
//! and lacks it still, by an answer to a question that was sent after the change.
//!
//! What was read before the change and not found out by then, its own place tells as long as it goes
//! on; after that nobody can.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::gtid::{Set, Uuid};

use super::super::decide::Exclusion;
use super::super::snapshot::{Place, Probe};
use super::super::world::World;
use super::Causality;
use super::debt::Mark;

/// What has to be accounted for.
#[derive(Clone, Debug, Default)]
pub(super) struct Inherited {
    /// The token of then, without what the writer is known to have.
    token: Set,
    /// When the change was noticed, or what the new writer lacks was seen elsewhere.
    since: Option<Instant>,
    /// The writers before.
    writers: SmallVec<[Uuid; 1]>,
    /// Threads of the writer before, whose commits come by replication or never.
    threads: SmallVec<[u64; 1]>,
    /// Something was seen in a place that is gone, and nobody can tell any more what it was.
    doubted: bool,
}

/// What a scope had written or seen, and the new writer does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostWrites {
    /// What is lost for certain.
    pub known: Set,
    /// Whether something else may be, that was seen on the writer before.
    pub doubted: bool,
}

impl Inherited {
    /// Is there nothing from before another server became the writer that the new one may lack?
    pub(super) fn is_accounted_for(&self) -> bool {
        self.since.is_none() && !self.doubted
    }

    /// Nobody asks this place any more what was seen there.
    pub(super) fn doubt(&mut self, mark: &Mark) {
        self.doubted |= mark.inherited && !mark.debt.is_paid();
    }
}

impl Causality {
    /// Another server is the writer than `before`, if this scope knew of one.
    pub(super) fn note_change(&mut self, before: Option<Uuid>, now: Instant) {
        self.inherited.token = (*self.known).clone();
        self.inherited.since = Some(now);
        let Some(before) = before else {
            return;
        };
        if !self.inherited.writers.contains(&before) {
            self.inherited.writers.push(before);
        }
        self.inherited.doubted |= !self.gone.is_paid();
        for mark in &mut self.marks {
            mark.inherited |= !mark.debt.is_paid();
        }
        self.inherited
            .threads
            .extend(self.lost.threads().iter().copied());
    }

    /// From when on the new writer has to be asked for what it lacks; none if nothing is missing.
    pub(in super::super) fn accounts_since(&self) -> Option<Instant> {
        let missing = !self.inherited.token.is_empty() || self.inherited.doubted;
        self.inherited.since.filter(|_| missing)
    }

    /// Takes note of what the new writer has, and of what is lost.
    pub(super) fn account_for(&mut self, world: &World<'_>, now: Instant) {
        let Some(changed) = self.inherited.since else {
            return;
        };
        self.hear_places(changed, world, now);
        let since = self.inherited.since.unwrap_or(changed);
        let executed = world.executed_by_writer();
        let unheard = self.marks.iter().any(|mark| mark.inherited);
        let token = &mut self.inherited.token;
        executed.iter().for_each(|set| token.subtract(set));
        if token.is_empty() && !self.inherited.doubted && self.inherited.threads.is_empty() {
            if !unheard {
                self.inherited = Inherited::default();
            }
            return;
        }
        if !world.snapshot.seat.drained {
            return;
        }
        let Some(probe) = world.writer_probe(since) else {
            return;
        };
        token.subtract(&probe.seen);
        let inherited = std::mem::take(&mut self.inherited);
        if unheard {
            self.inherited.since = Some(since);
            self.inherited.writers = inherited.writers;
        }
        for thread in inherited.threads {
            self.lost.thread_gone(thread, now);
        }
        if inherited.token.is_empty() && !inherited.doubted {
            return;
        }
        self.forget(&inherited.token);
        let lost = self.lost_writes.get_or_insert_default();
        lost.known.union(&inherited.token);
        lost.doubted |= inherited.doubted;
    }

    /// Finds out what was seen before the change, in each place that has told since.
    fn hear_places(&mut self, changed: Instant, world: &World<'_>, now: Instant) {
        for index in 0..self.marks.len() {
            let Some(mark) = self.marks.get(index).copied().filter(|it| it.inherited) else {
                continue;
            };
            if let Some(due) = mark.debt.owed(changed) {
                // Of one whose answers are wrong it is nobody's guess what it has shown.
                let lies = world.has_failed(mark.place.backend, Exclusion::Alarm);
                match world.probe_of(mark.place, due).filter(|_| !lies) {
                    Some(probe) => self.inherit_seen(probe, mark.place, world, now),
                    None if world.goes_on(mark.place) && !lies => continue,
                    None => self.inherited.doubted = true,
                }
            }
            if let Some(mark) = self.marks.get_mut(index) {
                mark.inherited = false;
            }
        }
    }

    /// What was seen there before the change, and the new writer is not known to have, it has to
    /// show, or it is lost.
    fn inherit_seen(&mut self, probe: &Probe, place: Place, world: &World<'_>, now: Instant) {
        let mut missing = (*probe.seen).clone();
        let executed = world.executed_by_writer();
        executed.iter().for_each(|set| missing.subtract(set));
        missing.subtract(&self.errant);
        missing.retain_uuids(|source| self.may_be_lost(source, place, world));
        if missing.is_empty() {
            return;
        }
        self.has_seen(&missing);
        self.gated.union(&missing);
        self.inherited.token.union(&missing);
        // The place may have had it from the new writer, after that was asked last.
        self.inherited.since = Some(now);
    }

    /// Whether a transaction of this source, which one place has and the writer has not, may have
    /// been the lineage's when it was read. What a reader has numbered itself was not.
    fn may_be_lost(&self, source: &Uuid, place: Place, world: &World<'_>) -> bool {
        let own = place.incarnation.server_uuid.numbers(source);
        self.numbered_before(source) || !own && world.writer_knows(source)
    }

    /// Whether the writer, which lacks a transaction of this source, may have received it all the
    /// same: a writer of before has numbered others that it has, or it is a group's.
    pub(super) fn may_come(&self, source: &Uuid, world: &World<'_>) -> bool {
        self.numbered_before(source) || world.writer_knows(source)
    }

    fn numbered_before(&self, source: &Uuid) -> bool {
        let mut writers = self.inherited.writers.iter();
        writers.any(|before| before.numbers(source))
    }

    /// What the new writer has yet to show, or is lost.
    pub(super) fn awaited(&self) -> &Set {
        &self.inherited.token
    }

    /// What a failover has lost of what this scope had written or seen, once: it is no longer
    /// waited for.
    pub fn take_lost_writes(&mut self) -> Option<LostWrites> {
        self.lost_writes.take()
    }

    pub(super) fn inherit_from(&mut self, other: &Self) {
        self.inherited.token.union(&other.inherited.token);
        self.inherited.since = self.inherited.since.max(other.inherited.since);
        let threads = other.inherited.threads.iter().copied();
        self.inherited.threads.extend(threads);
        let writers = other.inherited.writers.iter().copied();
        self.inherited.writers.extend(writers);
        self.inherited.doubted |= other.inherited.doubted;
        if let Some(theirs) = &other.lost_writes {
            let lost = self.lost_writes.get_or_insert_default();
            lost.known.union(&theirs.known);
            lost.doubted |= theirs.doubted;
        }
    }

    fn forget(&mut self, lost: &Set) {
        if lost.is_empty() {
            return;
        }
        Arc::make_mut(&mut self.known).subtract(lost);
        Arc::make_mut(&mut self.seen).subtract(lost);
        self.gated.subtract(lost);
    }
}
