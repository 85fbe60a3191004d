//! What clients did and saw, and the check of it. Pure.
//!
//! Each scope counts in a row of its own; a stranger counts in rows that everybody reads. A bump
//! adds one, so that the number of bumps that were acknowledged before a read began is what the
//! read must see at least (P1): those of its scope at level `session`, everybody's at level `strong`,
//! those that are old enough at level `bounded`. The number that had been sent when it ended is what
//! it may see at most (P4). What an earlier read of the scope saw is a lower bound too (P2), and at
//! level `strong` what an earlier strong read of anybody saw: then the row is linearizable.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// Whose reads and writes count together.
pub(crate) type ScopeId = u32;

/// A row that is counted in.
pub(crate) type Key = u32;

/// A moment in the order of all events.
pub(crate) type Moment = u64;

/// How fresh a read was asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Session,
    Strong,
    Bounded(Duration),
    Eventual,
}

/// A point in both orders of events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Point {
    pub(crate) moment: Moment,
    /// On the clock on the wall, since the play began.
    pub(crate) time: Duration,
    /// Which Tidegate clients reach: what a read saw binds those through the same process only.
    pub(crate) process: u32,
}

/// One thing that a client did.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) scope: ScopeId,
    pub(crate) key: Key,
    /// When it was sent.
    pub(crate) sent: Point,
    /// When its answer was there.
    pub(crate) answered: Point,
    /// Of a read.
    pub(crate) level: Level,
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
    /// The row that was read.
    pub(crate) key: Option<Key>,
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

/// What happened to one row, in orders that can be searched.
#[derive(Default)]
struct Row<'a> {
    /// When bumps were acknowledged, of each scope and of all.
    acknowledged: HashMap<ScopeId, Vec<Moment>>,
    acknowledged_by_all: Vec<Moment>,
    acknowledged_at: Vec<Duration>,
    /// When bumps were sent.
    sent: Vec<Moment>,
    /// What reads saw, of each scope through each process, and the strong ones of all.
    seen: HashMap<(ScopeId, u32), Seen<'a>>,
    seen_strongly: Seen<'a>,
}

/// Reads by when they were answered, each with the one that saw the most up to it.
#[derive(Default)]
struct Seen<'a>(Vec<(Moment, u64, &'a Event)>);

impl<'a> Seen<'a> {
    fn add(&mut self, read: &'a Event, value: u64) {
        let most = match self.0.last() {
            Some((_, most, by)) if *most >= value => (*most, *by),
            _ => (value, read),
        };
        self.0.push((read.answered.moment, most.0, most.1));
    }

    fn most_before(&self, moment: Moment) -> Option<(u64, &'a Event)> {
        let before = self.0.partition_point(|(at, ..)| *at < moment);
        let (_, most, by) = self.0.get(before.checked_sub(1)?)?;
        Some((*most, by))
    }
}

/// How many of these are before `end`.
fn count<T: PartialOrd>(sorted: &[T], end: T) -> u64 {
    sorted.partition_point(|it| *it < end) as u64
}

fn row<'a>(events: &[&'a Event]) -> Row<'a> {
    let mut row = Row::default();
    for event in events {
        let (moment, time) = (event.answered.moment, event.answered.time);
        match event.what {
            What::Bumped => {
                row.acknowledged
                    .entry(event.scope)
                    .or_default()
                    .push(moment);
                row.acknowledged_by_all.push(moment);
                row.acknowledged_at.push(time);
            }
            What::MayHaveBumped => {}
            What::Read(value) => {
                let seen = row.seen.entry((event.scope, event.sent.process));
                seen.or_default().add(event, value);
                if event.level == Level::Strong {
                    row.seen_strongly.add(event, value);
                }
            }
        }
        if !matches!(event.what, What::Read(_)) {
            row.sent.push(event.sent.moment);
        }
    }
    row.acknowledged_at.sort_unstable();
    row.sent.sort_unstable();
    row
}

fn check_key(events: &[&Event]) -> Vec<Violation> {
    let mut events = events.to_vec();
    events.sort_unstable_by_key(|event| event.answered.moment);
    let row = row(&events);
    let mut violations = Vec::new();
    for read in &events {
        if let What::Read(seen) = read.what {
            check_read(&row, read, seen, &mut violations);
        }
    }
    violations
}

fn check_read(row: &Row<'_>, read: &Event, seen: u64, violations: &mut Vec<Violation>) {
    let sent = read.sent.moment;
    let own = row.acknowledged.get(&read.scope);
    let own = own.map_or(0, |acknowledged| count(acknowledged, sent));
    let all = count(&row.acknowledged_by_all, sent);
    let (least, whose) = match read.level {
        Level::Session => (own, "were written"),
        Level::Strong => (all, "were written by anyone"),
        Level::Bounded(bound) => match read.sent.time.checked_sub(bound) {
            Some(due) => (count(&row.acknowledged_at, due), "were written so long ago"),
            None => (0, ""),
        },
        Level::Eventual => (0, ""),
    };
    if seen < least {
        violations.push(violation("P1", read, seen, &format!("{least} {whose}")));
    }
    let mut earlier = row
        .seen
        .get(&(read.scope, read.sent.process))
        .and_then(|it| it.most_before(sent));
    if read.level == Level::Strong {
        earlier = earlier.max_by_value(row.seen_strongly.most_before(sent));
    }
    if let Some((value, by)) = earlier
        && seen < value
        && read.level != Level::Eventual
    {
        let why = format!("{value} were seen by {} at {}", by.how, by.sent.moment);
        violations.push(violation("P2", read, seen, &why));
    }
    let bumps = count(&row.sent, read.answered.moment);
    if seen > bumps {
        violations.push(violation("P4", read, seen, &format!("{bumps} were sent")));
    }
}

/// The larger of two sightings.
trait MaxByValue {
    fn max_by_value(self, other: Self) -> Self;
}

impl MaxByValue for Option<(u64, &Event)> {
    fn max_by_value(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(two)) if two.0 > one.0 => Some(two),
            (None, other) => other,
            (one, _) => one,
        }
    }
}

fn violation(promise: &'static str, read: &Event, seen: u64, why: &str) -> Violation {
    let Event {
        scope,
        key,
        sent,
        how,
        level,
        ..
    } = read;
    let at = sent.moment;
    let text = format!(
        "at {at:>6} scope {scope} read row {key} at level {level:?} by {how}: saw {seen}, but {why}"
    );
    Violation {
        promise,
        key: Some(*key),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(scope: ScopeId, sent: Moment, answered: Moment, what: What) -> Event {
        let point = |moment| Point {
            moment,
            time: Duration::from_secs(moment),
            process: 0,
        };
        Event {
            scope,
            key: 1,
            sent: point(sent),
            answered: point(answered),
            level: Level::Session,
            what,
            how: "test".to_owned(),
        }
    }

    fn at(level: Level, event: Event) -> Event {
        Event { level, ..event }
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
        let bump = |scope| event(scope, 0, 9, What::MayHaveBumped);
        let first = event(1, 0, 1, What::Read(2));
        let promises = |read| promises(&[bump(3), bump(3), first.clone(), read]);
        assert_eq!(promises(event(1, 2, 3, What::Read(1))), ["P2"]);
        assert!(promises(event(1, 2, 3, What::Read(2))).is_empty());
        assert!(promises(event(1, 1, 3, What::Read(1))).is_empty());
        assert!(promises(event(2, 2, 3, What::Read(1))).is_empty());
    }

    #[test]
    fn p4_a_write_that_counted_twice_is_found() {
        let write = event(1, 0, 1, What::MayHaveBumped);
        assert_eq!(
            promises(&[write.clone(), event(1, 2, 3, What::Read(2))]),
            ["P4"]
        );
        assert!(promises(&[write, event(2, 2, 3, What::Read(1))]).is_empty());
        assert_eq!(promises(&[event(1, 2, 3, What::Read(1))]), ["P4"]);
    }

    #[test]
    fn p1_a_strong_read_must_see_what_anybody_wrote_or_strongly_saw() {
        let write = event(1, 0, 1, What::Bumped);
        let stale = at(Level::Strong, event(2, 2, 3, What::Read(0)));
        assert_eq!(promises(&[write.clone(), stale.clone()]), ["P1"]);
        let beside = at(Level::Strong, event(2, 0, 3, What::Read(0)));
        assert!(promises(&[write.clone(), beside]).is_empty());
        let unsure = event(1, 0, 9, What::MayHaveBumped);
        let saw = at(Level::Strong, event(3, 0, 1, What::Read(1)));
        assert_eq!(promises(&[unsure.clone(), saw.clone(), stale]), ["P2"]);
        let session = event(2, 2, 3, What::Read(0));
        assert!(promises(&[unsure, saw, session]).is_empty());
    }

    #[test]
    fn p1_a_bounded_read_must_see_what_is_old_enough_and_no_own_writes() {
        let write = event(1, 0, 1, What::Bumped);
        let read = |bound| {
            let level = Level::Bounded(Duration::from_secs(bound));
            at(level, event(1, 5, 6, What::Read(0)))
        };
        assert_eq!(promises(&[write.clone(), read(3)]), ["P1"]);
        assert!(promises(&[write.clone(), read(4)]).is_empty());
        assert!(promises(&[write.clone(), read(100)]).is_empty());
        let seen = event(1, 2, 3, What::Read(1));
        assert_eq!(promises(&[write.clone(), seen.clone(), read(100)]), ["P2"]);
        let eventual = at(Level::Eventual, event(1, 5, 6, What::Read(0)));
        assert!(promises(&[write, seen, eventual]).is_empty());
    }
}
