//! What clients did and saw, and the check of it. Pure.
//!
//! Each scope counts in a row of its own; a stranger counts in rows that everybody reads. A bump
//! adds one, so that the number of bumps that were acknowledged before a read began is what the
//! read must see at least (P1), the number that had been sent when it ended is what it may see at
//! most (P4), and what an earlier read of the scope saw is a lower bound too (P2).

use std::collections::HashMap;
use std::fmt;

/// Whose reads and writes count together.
pub(crate) type ScopeId = u32;

/// A row that is counted in.
pub(crate) type Key = u32;

/// A moment in the order of all events.
pub(crate) type Moment = u64;

/// One thing that a client did.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) scope: ScopeId,
    pub(crate) key: Key,
    /// When it was sent.
    pub(crate) sent: Moment,
    /// When its answer was there.
    pub(crate) answered: Moment,
    pub(crate) what: What,
    /// How it was done, for the report.
    pub(crate) how: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Added one, for certain.
    Bumped,
    /// May have added one.
    MayHaveBumped,
    /// Saw so many.
    Read(u64),
}

/// A read that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.text)
    }
}

/// Checks every read against what was done before it.
pub(crate) fn check(events: &[Event]) -> Vec<Violation> {
    let mut by_key: HashMap<Key, Vec<&Event>> = HashMap::new();
    for event in events {
        by_key.entry(event.key).or_default().push(event);
    }
    let mut violations: Vec<Violation> = by_key.values().flat_map(|one| check_key(one)).collect();
    violations.sort_by(|a, b| a.text.cmp(&b.text));
    violations
}

fn check_key(events: &[&Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for read in events {
        let What::Read(seen) = read.what else {
            continue;
        };
        let before = events
            .iter()
            .filter(|it| it.scope == read.scope && it.answered < read.sent);
        let acknowledged = before.clone().filter(|it| it.what == What::Bumped).count() as u64;
        if seen < acknowledged {
            violations.push(violation(
                "P1",
                read,
                seen,
                &format!("{acknowledged} were written"),
            ));
        }
        let latest = before
            .filter_map(|it| match it.what {
                What::Read(value) => Some((value, it)),
                _ => None,
            })
            .max_by_key(|(value, _)| *value);
        if let Some((value, earlier)) = latest.filter(|(value, _)| seen < *value) {
            let why = format!("{value} were seen by {} at {}", earlier.how, earlier.sent);
            violations.push(violation("P2", read, seen, &why));
        }
        let bumps = events
            .iter()
            .filter(|it| !matches!(it.what, What::Read(_)) && it.sent < read.answered);
        let (sent, own) = (bumps.clone().count() as u64, bumps.clone().count() > 0);
        if own && seen > sent {
            violations.push(violation("P4", read, seen, &format!("{sent} were sent")));
        }
    }
    violations
}

fn violation(promise: &'static str, read: &Event, seen: u64, why: &str) -> Violation {
    let Event {
        scope,
        key,
        sent,
        how,
        ..
    } = read;
    let text = format!("at {sent:>6} scope {scope} read row {key} by {how}: saw {seen}, but {why}");
    Violation { promise, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(scope: ScopeId, sent: Moment, answered: Moment, what: What) -> Event {
        Event {
            scope,
            key: 1,
            sent,
            answered,
            what,
            how: "test".to_owned(),
        }
    }

    fn promises(events: &[Event]) -> Vec<&'static str> {
        check(events).iter().map(|it| it.promise).collect()
    }

    #[test]
    fn p1_a_read_behind_an_acknowledged_write_of_its_scope_is_found() {
        let write = event(1, 0, 1, What::Bumped);
        assert_eq!(
            promises(&[write.clone(), event(1, 2, 3, What::Read(0))]),
            ["P1"]
        );
        assert!(promises(&[write.clone(), event(1, 2, 3, What::Read(1))]).is_empty());
        // One that ran beside it may see it or not, and another scope's need not.
        assert!(promises(&[write.clone(), event(1, 0, 3, What::Read(0))]).is_empty());
        assert!(promises(&[write, event(2, 2, 3, What::Read(0))]).is_empty());
    }

    #[test]
    fn p1_a_write_of_unknown_outcome_binds_nobody_until_it_was_seen() {
        let write = event(1, 0, 1, What::MayHaveBumped);
        assert!(promises(&[write.clone(), event(1, 2, 3, What::Read(0))]).is_empty());
        let seen = event(1, 2, 3, What::Read(1));
        assert_eq!(
            promises(&[write, seen, event(1, 4, 5, What::Read(0))]),
            ["P2"]
        );
    }

    #[test]
    fn p2_a_read_behind_an_earlier_read_of_its_scope_is_found() {
        let first = event(1, 0, 1, What::Read(5));
        assert_eq!(
            promises(&[first.clone(), event(1, 2, 3, What::Read(4))]),
            ["P2"]
        );
        assert!(promises(&[first.clone(), event(1, 2, 3, What::Read(5))]).is_empty());
        assert!(promises(&[first.clone(), event(1, 1, 3, What::Read(4))]).is_empty());
        assert!(promises(&[first, event(2, 2, 3, What::Read(4))]).is_empty());
    }

    #[test]
    fn p4_a_write_that_counted_twice_is_found() {
        let write = event(1, 0, 1, What::MayHaveBumped);
        assert_eq!(
            promises(&[write.clone(), event(1, 2, 3, What::Read(2))]),
            ["P4"]
        );
        assert!(promises(&[write, event(2, 2, 3, What::Read(1))]).is_empty());
    }
}
