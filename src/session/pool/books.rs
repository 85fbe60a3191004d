//! The books of the pool: which connections nobody has. Pure: time is an argument, and what a
//! connection is makes no difference.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::routing::BackendId;

/// How long a connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Without anybody who wants it.
    pub idle_time: Duration,
    /// At all.
    pub max_age: Duration,
    /// So many of each kind at each backend are kept for longer than `idle_time`.
    pub min_idle: usize,
    /// So many prepared statements that no client uses stay with each.
    pub prepared_statements: usize,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            idle_time: Duration::from_secs(60),
            max_age: Duration::from_secs(60 * 60),
            min_idle: 0,
            prepared_statements: 32,
        }
    }
}

/// Which of several connections is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that came last, so that those that are not needed come of age.
    Warmest,
    /// The one that nobody has had for the longest.
    Longest,
}

/// One that nobody has.
#[derive(Debug)]
struct Idle<K, C> {
    key: K,
    connection: C,
    /// When it is too old, if a clock goes so far.
    ends: Option<Instant>,
    /// Until when it may be lent.
    until: Instant,
}

impl<K, C> Idle<K, C> {
    /// Nobody has wanted it since it was last looked after.
    fn rest(&mut self, idle_time: Duration, now: Instant) {
        let rests = now.checked_add(idle_time);
        // Further than a clock goes is never.
        self.until = self.ends.into_iter().chain(rests).min().unwrap_or(now);
    }
}

/// Connections that nobody has, by backend.
#[derive(Debug)]
pub(super) struct Books<K, C> {
    idle: HashMap<BackendId, VecDeque<Idle<K, C>>>,
}

impl<K, C> Default for Books<K, C> {
    fn default() -> Self {
        Self {
            idle: HashMap::new(),
        }
    }
}

impl<K: PartialEq, C> Books<K, C> {
    /// Takes in one that was `opened` then; given back if it is too old to be kept. `chance` makes
    /// connections of one age differ by up to a tenth of it.
    pub(super) fn put(
        &mut self,
        (backend, key): (BackendId, K),
        connection: C,
        opened: Instant,
        (keeping, chance): (Keeping, u32),
        now: Instant,
    ) -> Option<C> {
        let shorter = keeping.max_age / 10 * (chance % 100) / 100;
        let mut idle = Idle {
            key,
            connection,
            ends: opened.checked_add(keeping.max_age - shorter),
            until: now,
        };
        idle.rest(keeping.idle_time, now);
        if idle.until <= now {
            return Some(idle.connection);
        }
        self.idle.entry(backend).or_default().push_back(idle);
        None
    }

    /// Lends one of this kind that `fits`.
    pub(super) fn take(
        &mut self,
        (backend, key): (BackendId, &K),
        which: Which,
        now: Instant,
        fits: impl Fn(&C) -> bool,
    ) -> Option<C> {
        let idle = self.idle.get_mut(&backend)?;
        let fits = |it: &Idle<K, C>| it.until > now && it.key == *key && fits(&it.connection);
        let index = match which {
            Which::Warmest => idle.iter().rposition(fits),
            Which::Longest => idle.iter().position(fits),
        }?;
        idle.remove(index).map(|it| it.connection)
    }

    /// How many there are of a kind.
    pub(super) fn count(&self, backend: BackendId, key: &K) -> usize {
        let idle = self.idle.get(&backend);
        idle.map_or(0, |idle| idle.iter().filter(|it| it.key == *key).count())
    }

    /// How many there are at a backend.
    pub(super) fn at(&self, backend: BackendId) -> usize {
        self.idle.get(&backend).map_or(0, VecDeque::len)
    }

    /// The one that came first, to be closed, if there are more than this at the backend.
    pub(super) fn beyond(&mut self, backend: BackendId, most: usize) -> Option<C> {
        let idle = self.idle.get_mut(&backend)?;
        match idle.len() > most {
            true => idle.pop_front().map(|it| it.connection),
            false => None,
        }
    }

    /// The same among those at all backends.
    pub(super) fn beyond_all(&mut self, most: usize) -> Option<C> {
        if self.total() <= most {
            return None;
        }
        let most_at = self.idle.values_mut().max_by_key(|idle| idle.len())?;
        most_at.pop_front().map(|it| it.connection)
    }

    /// Those whose time has come, and those at backends that are not `wanted`.
    pub(super) fn expire(
        &mut self,
        keeping: Keeping,
        now: Instant,
        wanted: impl Fn(BackendId) -> bool,
    ) -> Vec<C> {
        let mut gone = Vec::new();
        for (backend, idle) in &mut self.idle {
            let wanted = wanted(*backend);
            let mut kept: VecDeque<Idle<K, C>> = VecDeque::with_capacity(idle.len());
            // The warmest first: those stay.
            for mut it in std::mem::take(idle).into_iter().rev() {
                let others = || kept.iter().filter(|other| other.key == it.key).count();
                if it.until <= now && keeping.min_idle > 0 && others() < keeping.min_idle {
                    it.rest(keeping.idle_time, now);
                }
                match it.until > now && wanted {
                    true => kept.push_front(it),
                    false => gone.push(it.connection),
                }
            }
            *idle = kept;
        }
        gone
    }

    /// How many there are.
    pub(super) fn total(&self) -> usize {
        self.idle.values().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: BackendId = BackendId(0);
    const R: BackendId = BackendId(1);
    const KEEPING: Keeping = Keeping {
        idle_time: Duration::from_secs(10),
        max_age: Duration::from_secs(100),
        min_idle: 0,
        prepared_statements: 0,
    };

    fn books(now: Instant) -> Books<&'static str, u32> {
        let mut books = Books::default();
        for (backend, key, connection) in [(W, "a", 1), (W, "b", 2), (W, "a", 3), (R, "a", 4)] {
            let refused = books.put((backend, key), connection, now, (KEEPING, 0), now);
            assert_eq!(refused, None);
        }
        books
    }

    #[test]
    fn a_connection_is_lent_to_its_own_kind_at_its_own_backend_and_once() {
        let now = Instant::now();
        let mut books = books(now);
        let mut take = |at, key, which| books.take((at, &key), which, now, |_| true);
        assert_eq!(take(W, "a", Which::Warmest), Some(3));
        assert_eq!(take(W, "a", Which::Warmest), Some(1));
        assert_eq!(take(W, "a", Which::Warmest), None);
        assert_eq!(take(R, "b", Which::Longest), None);
        assert_eq!(books.total(), 2);
        let mut books = self::books(now);
        assert_eq!(
            books.take((W, &"a"), Which::Longest, now, |_| true),
            Some(1)
        );
    }

    #[test]
    fn what_was_idle_for_too_long_is_not_lent_but_closed() {
        let now = Instant::now();
        let mut books = books(now);
        let then = now + KEEPING.idle_time;
        assert_eq!(books.take((W, &"a"), Which::Warmest, then, |_| true), None);
        let mut gone = books.expire(KEEPING, then, |_| true);
        gone.sort_unstable();
        assert_eq!((gone, books.total()), (vec![1, 2, 3, 4], 0));
    }

    #[test]
    fn so_many_of_each_kind_are_kept_until_they_are_too_old() {
        let now = Instant::now();
        let mut books = books(now);
        let keeping = Keeping {
            min_idle: 1,
            ..KEEPING
        };
        let then = now + KEEPING.idle_time;
        assert_eq!(books.expire(keeping, then, |_| true), [1], "the coldest");
        assert_eq!(
            books.take((W, &"a"), Which::Warmest, then, |_| true),
            Some(3)
        );
        assert_eq!(books.expire(keeping, then, |backend| backend != R), [4]);
        let old = now + KEEPING.max_age;
        assert_eq!(books.expire(keeping, old, |_| true), [2]);
        assert_eq!(books.total(), 0);
    }

    #[test]
    fn what_is_too_old_is_not_kept_and_chance_makes_it_sooner() {
        let now = Instant::now();
        let mut books = Books::default();
        let mut put = |age, chance| {
            let then = now + Duration::from_secs(age);
            books.put((W, "a"), 7, now, (KEEPING, chance), then)
        };
        assert_eq!((put(99, 0), put(100, 0)), (None, Some(7)));
        assert_eq!((put(90, 99), put(91, 99)), (None, Some(7)));
    }

    #[test]
    fn connections_at_a_backend_that_is_left_are_closed() {
        let now = Instant::now();
        let mut books = books(now);
        assert_eq!(books.expire(KEEPING, now, |backend| backend != R), [4]);
    }

    #[test]
    fn p9_what_is_beyond_the_room_is_given_up_oldest_first() {
        let now = Instant::now();
        let mut books = books(now);
        assert_eq!(books.beyond(W, 2), Some(1));
        assert_eq!(books.beyond(W, 2), None);
        assert_eq!(books.beyond(R, 1), None);
        assert_eq!(books.beyond_all(2), Some(2));
        assert_eq!(books.beyond_all(2), None);
    }
}
