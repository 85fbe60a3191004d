//! Whose writes and reads count: one [`Causality`] for each scope there is.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dashmap::DashMap;

use crate::gtid::{Set, Token};
use crate::routing::{Causality, Scope, Snapshot};

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

/// The name of a scope that outlives a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    User(Vec<u8>),
    /// A key, within its account.
    Key(Vec<u8>, Arc<[u8]>),
}

#[derive(Debug)]
struct Kept {
    handle: ScopeHandle,
    /// When it was last asked for, by [`Scopes::clock`].
    used: AtomicU64,
}

/// The scopes that outlive a connection.
#[derive(Debug)]
pub struct Scopes {
    kept: DashMap<Name, Kept>,
    limit: AtomicUsize,
    clock: AtomicU64,
    /// Others know of writes that count here.
    beside: AtomicBool,
    /// Every connection's, at scope `proxy`.
    all: ScopeHandle,
    /// What a scope without an entry starts from: a proxy that was restarted has forgotten the
    /// tokens, but not that there may have been writes.
    floor: ScopeHandle,
}

impl Scopes {
    /// No entries yet, and up to `limit` of those that no session uses. The floor is unknown until
    /// the writer was asked after now.
    pub fn starting_at(now: Instant, limit: usize) -> Self {
        let unknown = || ScopeHandle::new(Causality::starting_from(Token::Unknown, now));
        Self {
            kept: DashMap::new(),
            limit: AtomicUsize::new(limit),
            clock: AtomicU64::new(0),
            beside: AtomicBool::new(false),
            all: unknown(),
            floor: unknown(),
        }
    }

    /// Puts into the floor what the writer has told since it was asked for, if it has.
    pub fn settle_floor(&self, snapshot: &Snapshot) {
        for scope in [&self.floor, &self.all] {
            scope.lock().settle_at_writer(snapshot, Instant::now());
        }
    }

    /// Another process serves clients of the same accounts, too: what a scope that connections share
    /// must see is known to the writer alone.
    pub fn set_beside(&self, beside: bool) {
        self.beside.store(beside, Ordering::SeqCst);
    }

    /// That process has ended, and what it wrote has to be found out once more.
    pub fn set_alone(&self, now: Instant) {
        let unknown = Causality::starting_from(Token::Unknown, now);
        for scope in [&self.floor, &self.all] {
            scope.lock().merge_from(&unknown, now);
        }
        for kept in &self.kept {
            kept.handle.lock().merge_from(&unknown, now);
        }
        self.beside.store(false, Ordering::SeqCst);
    }

    /// Does another process serve clients, too?
    pub(super) fn is_beside(&self) -> bool {
        self.beside.load(Ordering::SeqCst)
    }

    /// Keeps up to so many from now on.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many accounts and keys have an entry.
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// The scope of a session of this account.
    ///
    /// A connection is a scope that has done nothing yet; an account may have written through an
    /// earlier proxy. A session at scope `key` is a connection until it gives one.
    pub(super) fn open(&self, scope: Scope, user: &[u8], snapshot: &Snapshot) -> ScopeHandle {
        match scope {
            Scope::User => self.find(Name::User(user.to_vec()), snapshot),
            Scope::Proxy => self.all.clone(),
            Scope::Connection | Scope::Key => ScopeHandle::fresh(),
        }
    }

    /// The scope of all that give this key, within their account.
    pub(super) fn keyed(&self, user: &[u8], key: &Arc<[u8]>, snapshot: &Snapshot) -> ScopeHandle {
        self.find(Name::Key(user.to_vec(), Arc::clone(key)), snapshot)
    }

    fn find(&self, name: Name, snapshot: &Snapshot) -> ScopeHandle {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = self.kept.get(&name) {
            kept.used.store(now, Ordering::Relaxed);
            return kept.handle.clone();
        }
        if self.kept.len() >= self.limit.load(Ordering::Relaxed) {
            self.evict();
        }
        let from_floor = || {
            let handle = ScopeHandle::fresh();
            let mut floor = self.floor.lock();
            // Once for all that come: what they wrote before is older than the first of them.
            floor.settle_at_writer(snapshot, Instant::now());
            handle.lock().merge_from(&floor, Instant::now());
            Kept {
                handle,
                used: AtomicU64::new(now),
            }
        };
        let entry = self.kept.entry(name).or_insert_with(from_floor);
        entry.handle.clone()
    }

    /// Forgets a quarter of the entries, those that nobody uses and that were asked for the
    /// longest ago; but not what they had to see.
    fn evict(&self) {
        let used = |kept: &Kept| kept.used.load(Ordering::Relaxed);
        let mut times: Vec<u64> = self.kept.iter().map(|kept| used(&kept)).collect();
        let quarter = times.len() / 4;
        let oldest = match times.is_empty() {
            true => return,
            false => *times.select_nth_unstable(quarter).1,
        };
        self.kept.retain(|_, kept| {
            let goes = kept.handle.is_ours_alone() && used(kept) <= oldest;
            if goes {
                let mut floor = self.floor.lock();
                floor.merge_from(&kept.handle.lock(), Instant::now());
            }
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Set {
        Set::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9").expect("a set")
    }

    fn scopes() -> Scopes {
        Scopes::starting_at(Instant::now(), 8)
    }

    fn open(scopes: &Scopes, scope: Scope, user: &str) -> ScopeHandle {
        scopes.open(scope, user.as_bytes(), &Snapshot::default())
    }

    fn keyed(scopes: &Scopes, user: &str, key: &str) -> ScopeHandle {
        let key = Arc::from(key.as_bytes());
        scopes.keyed(user.as_bytes(), &key, &Snapshot::default())
    }

    fn has(handle: &ScopeHandle) -> bool {
        handle.lock().known().contains(&set())
    }

    #[test]
    fn the_sessions_of_an_account_share_a_scope_and_no_other_account_does() {
        let scopes = scopes();
        open(&scopes, Scope::User, "app").lock().acknowledge(&set());
        assert!(has(&open(&scopes, Scope::User, "app")));
        assert!(!has(&open(&scopes, Scope::User, "other")));
        assert!(!has(&open(&scopes, Scope::Connection, "app")));
        assert!(!has(&open(&scopes, Scope::Proxy, "app")));
    }

    #[test]
    fn a_key_is_shared_within_its_account() {
        let scopes = scopes();
        keyed(&scopes, "app", "7").lock().acknowledge(&set());
        assert!(has(&keyed(&scopes, "app", "7")));
        assert!(!has(&keyed(&scopes, "app", "8")));
        assert!(!has(&keyed(&scopes, "other", "7")));
        assert!(!has(&open(&scopes, Scope::User, "app")));
        open(&scopes, Scope::Proxy, "app")
            .lock()
            .acknowledge(&set());
        assert!(has(&open(&scopes, Scope::Proxy, "other")));
    }

    #[test]
    fn p1_an_evicted_scope_begins_again_with_what_it_had_to_see() {
        let scopes = scopes();
        let used = keyed(&scopes, "app", "used");
        keyed(&scopes, "app", "idle").lock().acknowledge(&set());
        for other in 0..100 {
            keyed(&scopes, "app", &other.to_string());
        }
        assert!(scopes.count() <= 8, "{}", scopes.count());
        let name = |key: &str| Name::Key(b"app".to_vec(), Arc::from(key.as_bytes()));
        assert!(!scopes.kept.contains_key(&name("idle")));
        assert!(scopes.kept.contains_key(&name("used")));
        assert!(has(&keyed(&scopes, "app", "idle")));
        assert!(!has(&used));
    }

    #[test]
    fn p9_entries_that_are_all_in_use_stay() {
        let scopes = scopes();
        let held: Vec<_> = (0..20)
            .map(|number| keyed(&scopes, "app", &number.to_string()))
            .collect();
        assert_eq!(scopes.count(), held.len());
        drop(held);
        keyed(&scopes, "app", "another");
        assert!(scopes.count() < 20);
    }

    #[test]
    fn p7_a_scope_of_which_nothing_is_remembered_does_not_start_from_nothing() {
        let scopes = scopes();
        for handle in [
            open(&scopes, Scope::User, "app"),
            open(&scopes, Scope::Proxy, "app"),
            keyed(&scopes, "app", "7"),
        ] {
            assert_eq!(handle.lock().token(), Token::Unknown);
        }
        let connection = open(&scopes, Scope::Connection, "app");
        assert_ne!(connection.lock().token(), Token::Unknown);
    }
}
