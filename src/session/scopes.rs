//! Whose writes and reads count: one [`Causality`] for each scope there is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dashmap::DashMap;

use crate::gtid::{Set, Token};
use crate::routing::{Causality, Scope};

/// So many accounts have an entry of their own; beyond it, those that no session uses are merged
/// into the floor.
const ENTRY_LIMIT: usize = 10_000;

/// What one scope must see, shared by the sessions that belong to it.
#[derive(Clone, Debug)]
pub struct ScopeHandle(Arc<Mutex<Causality>>);

impl ScopeHandle {
    fn new(causality: Causality) -> Self {
        Self(Arc::new(Mutex::new(causality)))
    }

    /// A scope that has written and seen nothing: a new connection.
    pub(super) fn fresh() -> Self {
        let nothing = Token::Known(Set::default());
        Self::new(Causality::starting_from(nothing, Instant::now()))
    }

    /// Locks it; never held across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Causality> {
        // A panic elsewhere can't leave it weaker than it was: tokens only ever grow.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it the same scope?
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// From now on it must see what another scope must.
    pub(super) fn take_in(&self, other: &Self) {
        if !self.is(other) {
            // One lock at a time: two sessions may change places.
            let theirs = other.lock().clone();
            self.lock().merge_from(&theirs, Instant::now());
        }
    }

    /// Does nobody but the caller hold it?
    pub(super) fn is_ours_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// The scopes that outlive a connection.
#[derive(Debug)]
pub struct Scopes {
    users: DashMap<Vec<u8>, ScopeHandle>,
    /// What a scope without an entry starts from: a proxy that was restarted has forgotten the
    /// tokens, but not that there may have been writes.
    floor: ScopeHandle,
}

impl Scopes {
    /// No entries yet. The floor is unknown until the writer was asked after now, which the first
    /// read of each scope does.
    pub fn starting_at(now: Instant) -> Self {
        Self {
            users: DashMap::new(),
            floor: ScopeHandle::new(Causality::starting_from(Token::Unknown, now)),
        }
    }

    /// The scope of a session of this account.
    ///
    /// A connection is a scope that has done nothing yet; an account may have written through an
    /// earlier proxy.
    pub(super) fn open(&self, scope: Scope, user: &[u8]) -> ScopeHandle {
        match scope {
            Scope::User => self.of_user(user),
            // The configuration refuses the other two until they are served.
            Scope::Connection | Scope::Key | Scope::Proxy => ScopeHandle::fresh(),
        }
    }

    fn of_user(&self, user: &[u8]) -> ScopeHandle {
        if let Some(handle) = self.users.get(user) {
            return handle.clone();
        }
        if self.users.len() >= ENTRY_LIMIT {
            self.evict();
        }
        let from_floor = || {
            let handle = ScopeHandle::fresh();
            handle.lock().merge_from(&self.floor.lock(), Instant::now());
            handle
        };
        let entry = self.users.entry(user.to_vec());
        entry.or_insert_with(from_floor).value().clone()
    }

    /// Forgets the entries that nobody uses, but not what they had to see.
    fn evict(&self) {
        self.users.retain(|_, handle| {
            let unused = handle.is_ours_alone();
            if unused {
                self.floor.lock().merge_from(&handle.lock(), Instant::now());
            }
            !unused
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Set {
        Set::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9").expect("a set")
    }

    #[test]
    fn the_sessions_of_an_account_share_a_scope_and_no_other_account_does() {
        let scopes = Scopes::starting_at(Instant::now());
        let one = scopes.open(Scope::User, b"app");
        one.lock().acknowledge(&set());
        assert!(
            scopes
                .open(Scope::User, b"app")
                .lock()
                .known()
                .contains(&set())
        );
        assert!(scopes.open(Scope::User, b"other").lock().known().is_empty());
        assert!(
            scopes
                .open(Scope::Connection, b"app")
                .lock()
                .known()
                .is_empty()
        );
    }

    #[test]
    fn p1_an_evicted_scope_begins_again_with_what_it_had_to_see() {
        let scopes = Scopes::starting_at(Instant::now());
        let used = scopes.open(Scope::User, b"used");
        scopes.open(Scope::User, b"idle").lock().acknowledge(&set());
        scopes.evict();
        assert_eq!(scopes.users.len(), 1);
        assert!(
            scopes
                .open(Scope::User, b"idle")
                .lock()
                .known()
                .contains(&set())
        );
        drop(used);
    }

    #[test]
    fn p7_a_scope_of_which_nothing_is_remembered_does_not_start_from_nothing() {
        let scopes = Scopes::starting_at(Instant::now());
        assert_eq!(
            scopes.open(Scope::User, b"app").lock().token(),
            Token::Unknown
        );
        let connection = scopes.open(Scope::Connection, b"app");
        assert_ne!(connection.lock().token(), Token::Unknown);
    }
}
