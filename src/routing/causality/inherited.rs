//! What a scope had to see when another server became the writer.
//!
//! The new writer may lack some of it. That is lost once it has executed all that it has received
//! and lacks it still, by an answer to a question that was sent after the change.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::gtid::Set;

use super::super::world::World;
use super::Causality;

/// What has to be accounted for.
#[derive(Clone, Debug, Default)]
pub(super) struct Inherited {
    /// The token of then, without what the writer is known to have.
    token: Set,
    /// When the change was noticed.
    since: Option<Instant>,
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

impl Causality {
    /// Another server than before is the writer.
    pub(super) fn note_change(&mut self, follows_another: bool, world: &World<'_>, now: Instant) {
        self.inherited.token = (*self.known).clone();
        self.inherited.since = Some(now);
        if !follows_another {
            return;
        }
        let gone = |mark: &super::Mark| !mark.debt.is_paid() && !world.is_alive(mark.place);
        self.inherited.doubted |= !self.gone.is_paid() || self.marks.iter().any(gone);
        self.inherited
            .threads
            .extend(self.lost.threads().iter().copied());
    }

    /// Takes note of what the new writer has, and of what is lost.
    pub(super) fn account_for(&mut self, world: &World<'_>, now: Instant) {
        let Some(since) = self.inherited.since else {
            return;
        };
        let executed = world.executed_by_writer();
        let token = &mut self.inherited.token;
        executed.iter().for_each(|set| token.subtract(set));
        if token.is_empty() && !self.inherited.doubted && self.inherited.threads.is_empty() {
            self.inherited.since = None;
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
