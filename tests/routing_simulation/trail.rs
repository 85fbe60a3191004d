//! The way of the last read, `session`'s `trail` in small: whoever may follow it is decided about all
//! the same, and the decision has to be to run there.

use std::sync::Arc;
use std::time::Instant;

use tidegate::gtid::Set;
use tidegate::routing::{
    Asks, Causality, Decision, Level, Place, Reason, SessionFacts, Snapshot, Transaction,
};

use crate::client::{Statement, What};

/// Where a read ran, and what that depends on.
#[derive(Debug)]
pub(crate) struct Trail {
    snapshot: Arc<Snapshot>,
    place: Place,
    reason: Reason,
    token: Option<Arc<Set>>,
    until: Instant,
}

/// Is there nothing about a read that has to be decided?
pub(crate) fn is_plain(statement: &Statement, facts: &SessionFacts<'_>) -> bool {
    statement.what == What::Read
        && statement.asks == Asks::default()
        && statement.rounds == 1
        && facts.transaction == Transaction::None
        && facts.pin.is_none()
        && facts.carried.is_none()
}

impl Trail {
    /// The one that a plain read leaves.
    pub(crate) fn of(
        decision: &Decision,
        snapshot: &Arc<Snapshot>,
        facts: &SessionFacts<'_>,
        causality: &Causality,
    ) -> Option<Self> {
        let Decision::Run { place, reason } = *decision else {
            return None;
        };
        let token = match facts.policy.level {
            _ if facts.policy.bound().is_some() => return None,
            Level::Session => Some(Arc::clone(causality.known())),
            Level::Eventual => None,
            _ => return None,
        };
        let view = snapshot.backend(place.backend)?;
        let lag = view.lag.filter(|_| !view.lagging)?;
        matches!(reason, Reason::ReadCovered | Reason::ReadEventual).then_some(Self {
            snapshot: Arc::clone(snapshot),
            place,
            reason,
            token,
            until: lag.covered.checked_add(facts.policy.max_lag)?,
        })
    }

    /// Where a plain read goes without being decided about.
    pub(crate) fn leads(
        &self,
        snapshot: &Arc<Snapshot>,
        facts: &SessionFacts<'_>,
        causality: &Causality,
        now: Instant,
    ) -> Option<Decision> {
        let same = Arc::ptr_eq(&self.snapshot, snapshot)
            && now < self.until
            && facts.home == Some(self.place.backend)
            && causality.is_as_it_was(self.place, self.token.as_ref(), facts.arrived);
        same.then_some(Decision::Run {
            place: self.place,
            reason: self.reason,
        })
    }
}
