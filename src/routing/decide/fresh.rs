//! How fresh a read has to be: what its level adds to what its scope must see.

use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;

use crate::gtid::Set;

use super::super::causality::Settlement;
use super::super::policy::Level;
use super::super::reason::Reason;
use super::super::snapshot::{BackendView, Place};
use super::{Deciding, Decision, RefuseKind};

impl Deciding<'_> {
    pub(super) fn level(&self) -> Level {
        self.policy.level
    }

    /// Finds out what the level asks to be seen, beyond the scope's own token. An error is what
    /// happens first: the writer is asked, or the read is refused.
    pub(super) fn find_floor(&mut self) -> Result<(), Decision> {
        if self.level() == Level::Strong {
            return self.fetch_strong();
        }
        // Of a carried token nobody knows what was written and what was read.
        if matches!(self.level(), Level::Session | Level::Bounded) {
            self.floor = self.facts.carried.cloned();
        }
        let Some(bound) = self.policy.bound() else {
            return Ok(());
        };
        // Before the beginning of time nothing was committed.
        let Some(due) = self.facts.arrived.checked_sub(bound) else {
            return Ok(());
        };
        if let Some(floor) = self.world.snapshot.samples.since(due) {
            self.floor = Some(match self.floor.take() {
                Some(carried) => united(&carried, floor),
                None => Arc::clone(floor),
            });
            return Ok(());
        }
        Err(self.ask_writer(Reason::BoundUnknown, RefuseKind::TooStale))
    }

    /// The writer's set, asked for after the read arrived: whatever was acknowledged to anyone by
    /// then is in it, and what anyone was shown on a reader that was ahead of the writer. The same
    /// question asks whether it still takes writes.
    fn fetch_strong(&mut self) -> Result<(), Decision> {
        match self.world.writer_probe(self.facts.arrived) {
            Some(probe) => {
                self.causality.take_strong(probe, &self.world);
                Ok(())
            }
            None => Err(self.ask_writer(Reason::StrongFetch, self.without_writer())),
        }
    }

    fn ask_writer(&self, reason: Reason, otherwise: RefuseKind) -> Decision {
        match self.world.writer {
            Ok(writer) => Decision::Probe {
                backends: smallvec![writer.id],
                reason,
            },
            Err(_) => Decision::refuse(otherwise),
        }
    }

    /// What the scope has to see at this level, as far as it is known.
    fn scope_token(&self) -> &Arc<Set> {
        match self.level() {
            Level::Bounded => self.causality.seen(),
            _ => self.causality.known(),
        }
    }

    /// Is a backend known to have all that the read must see?
    pub(super) fn covers(&self, view: &BackendView) -> bool {
        let floor = self.floor.as_ref();
        view.has_executed(self.scope_token()) && floor.is_none_or(|it| view.has_executed(it))
    }

    /// How long it will take, as predicted, until a reader has all of it.
    pub(super) fn ready_in(&self, view: &BackendView) -> Duration {
        let scope = self.predict(view, self.scope_token());
        let floor = self.floor.as_ref().map(|it| self.predict(view, it));
        scope.max(floor.unwrap_or_default())
    }

    /// All that the read must see, as one set.
    pub(super) fn token(&self) -> Arc<Set> {
        let scope = self.scope_token();
        match &self.floor {
            Some(floor) => united(scope, floor),
            None => Arc::clone(scope),
        }
    }

    /// Puts into the scope's token what a read in this place has to see of other places.
    pub(super) fn settle(&mut self, place: Place) -> Settlement {
        let writes = self.level() != Level::Bounded;
        let settlement = self
            .causality
            .settle(place, writes, self.facts.arrived, &self.world);
        self.unsettled |= settlement == Settlement::Impossible;
        settlement
    }
}

fn united(one: &Arc<Set>, other: &Arc<Set>) -> Arc<Set> {
    if one.contains(other) {
        return Arc::clone(one);
    }
    if other.contains(one) {
        return Arc::clone(other);
    }
    let mut both = Set::clone(one);
    both.union(other);
    Arc::new(both)
}
