//! The way of the last read, for the next one: as long as nothing has changed of what was looked at
//! when that was decided, the same would be decided again.
//!
//! What a decision looks at is the statement, the session, what its scope must see, what is known of
//! the backends, how busy they are, and the time. A trail is left by a plain read of a session with
//! nothing special about it, and whatever may change the session ends it; the others are compared.

use std::sync::Arc;
use std::time::Instant;

use super::deciding::Tried;
use super::job::{Job, Uses};
use super::session::Session;
use super::statement::Run;
use super::wishes::Wishes;
use crate::gtid::Set;
use crate::protocol::Command;
use crate::routing::{Level, Place, Reads, Reason, Role, Transaction};
use crate::sql::{Class, Own};

/// Where the last read ran, and what that depends on.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) place: Place,
    reason: Reason,
    /// What it had to see; none at level `eventual`.
    token: Option<Arc<Set>>,
    /// What was known of the backends: the count of what was published before.
    known: u64,
    /// Then the reader is too far behind, if nothing more is heard of it.
    until: Instant,
    /// There is no other reader to which a busy one would be left.
    only: bool,
}

impl Session {
    /// The trail that a read leaves which runs there by its first decision; `known` is from before
    /// that.
    pub(super) fn leaves_trail(
        &self,
        run: &Run,
        job: &Job,
        tried: &Tried,
        known: u64,
    ) -> Option<Trail> {
        let reason = run.reason;
        let plain = matches!(reason, Reason::ReadCovered | Reason::ReadEventual)
            && tried.excluded.is_empty()
            && tried.waiting.is_none()
            && is_plain(job)
            && self.has_nothing_special();
        if !plain || run.role != Role::Reader {
            return None;
        }
        let policy = self.standing_policy();
        let token = match policy.level {
            // What a bound asks for moves with the time.
            _ if policy.bound().is_some() => return None,
            Level::Eventual => None,
            Level::Session => Some(Arc::clone(run.token.as_ref()?)),
            Level::Strong | Level::Bounded | Level::Writer => return None,
        };
        let snapshot = self.shared.watch.look();
        let view = snapshot.backend(run.place.backend)?;
        // Without a writer other rules hold, and only until there is one.
        let lag = view.lag.filter(|_| !view.lagging)?;
        let readers = snapshot
            .backends
            .iter()
            .filter(|it| it.role == Role::Reader);
        Some(Trail {
            place: run.place,
            reason,
            token,
            known,
            until: lag.covered.checked_add(policy.max_lag)?,
            only: readers.count() == 1,
        })
    }

    /// Could every plain read of the session go where one goes? What is asked here changes by commands
    /// that end a trail, but for the scope, which is looked at again.
    fn has_nothing_special(&self) -> bool {
        let standing = &self.standing;
        self.transaction == Transaction::None
            && standing.wishes.key.is_none()
            && standing.token.is_none()
            && standing.is_in_own_scope(&self.scope)
            && self.carried.is_empty()
            && !self.pins.hold_state()
            && self.left_behind.knows_insert_id()
    }

    /// The way of a statement along the trail, begun under the scope's lock as by a decision; none if
    /// it has to be decided.
    pub(super) fn along(&self, trail: &Trail, job: &Job, arrived: Instant) -> Option<Run> {
        let shared = &self.shared;
        let place = trail.place;
        let same = trail.known == shared.watch.published()
            && arrived < trail.until
            && shared.reads.now() == Reads::Split
            && !shared.scopes.is_beside()
            && (trail.only || !shared.loads.is_busy(place.backend));
        // A key in a question about a statement (`explain`) leads to another scope.
        let own = self.standing.is_in_own_scope(&self.scope);
        if !same || !own || !is_plain(job) || self.has_data_on_writer(job) {
            return None;
        }
        let mut scope = self.scope.lock();
        if !scope.is_as_it_was(place, trail.token.as_ref(), arrived) {
            return None;
        }
        Some(Run {
            place,
            reason: trail.reason,
            mark: Some(scope.begin_read(place)),
            token: trail.token.clone(),
            role: Role::Reader,
        })
    }
}

/// Is it a read of tables, and nothing else about it?
fn is_plain(job: &Job) -> bool {
    let runs = match &job.uses {
        Uses::Nothing => job.command == Command::Query,
        Uses::Executes { .. } => job.command == Command::StmtExecute,
        Uses::Prepares { .. } => false,
    };
    let plain = job.statement.as_ref().is_some_and(|statement| {
        matches!(statement.class, Class::Read { tables: true }) && statement.own == Own::default()
    });
    runs && plain && !job.request.more && job.wishes == Wishes::default()
}
