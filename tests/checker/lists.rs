//! Lists that clients append to, and the check of them. Pure.
//!
//! Every element is appended once, so a list tells the order of all that was done to it. What a read
//! must see is as for rows that are counted in (P1, P2); and all reads of a list have to be
//! beginnings of one order (P2), in which a scope's writes stand as it has made them (monotonic
//! writes), behind whatever it had seen before (writes follow reads).

use std::collections::{HashMap, HashSet};

use crate::history::{Key, Level, Point, ScopeId, Violation};

/// What is appended: no two are the same.
pub(crate) type Element = u32;

/// One thing that a client did to a list.
#[derive(Clone, Debug)]
pub(crate) struct ListEvent {
    pub(crate) scope: ScopeId,
    pub(crate) key: Key,
    pub(crate) sent: Point,
    pub(crate) answered: Point,
    /// Of a read.
    pub(crate) level: Level,
    pub(crate) did: Did,
    /// How it was done, for the report.
    pub(crate) how: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// Appended it, for certain.
    Appended(Element),
    /// May have appended it.
    MayHaveAppended(Element),
    /// Saw the list.
    Saw(Vec<Element>),
}

impl ListEvent {
    fn appended(&self) -> Option<Element> {
        match self.did {
            Did::Appended(element) | Did::MayHaveAppended(element) => Some(element),
            Did::Saw(_) => None,
        }
    }

    /// Was it over when this one began?
    fn precedes(&self, other: &Self) -> bool {
        self.answered.moment < other.sent.moment
    }
}

/// Checks every list.
pub(crate) fn check(events: &[ListEvent]) -> Vec<Violation> {
    let mut by_key: HashMap<Key, Vec<&ListEvent>> = HashMap::new();
    for event in events {
        by_key.entry(event.key).or_default().push(event);
    }
    let lists = by_key.values().map(|events| List::of(events));
    let mut violations: Vec<Violation> = lists.flat_map(|list| list.check()).collect();
    violations.sort_by(|a, b| a.text.cmp(&b.text));
    violations
}

/// What happened to one list.
struct List<'a> {
    events: &'a [&'a ListEvent],
    /// The longest that was seen.
    order: &'a [Element],
    /// Where each element stands in it.
    place: HashMap<Element, usize>,
}

impl<'a> List<'a> {
    fn of(events: &'a [&'a ListEvent]) -> Self {
        let seen = events.iter().filter_map(|event| match &event.did {
            Did::Saw(list) => Some(list.as_slice()),
            _ => None,
        });
        let order = seen.max_by_key(|list| list.len()).unwrap_or_default();
        let place = order.iter().enumerate().map(|(at, it)| (*it, at)).collect();
        Self {
            events,
            order,
            place,
        }
    }

    fn check(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for event in self.events {
            match &event.did {
                Did::Saw(list) => self.check_read(event, list, &mut violations),
                Did::Appended(element) | Did::MayHaveAppended(element) => {
                    self.check_write(event, *element, &mut violations);
                }
            }
        }
        violations
    }

    fn check_read(&self, read: &ListEvent, list: &[Element], violations: &mut Vec<Violation>) {
        let mut broke = |promise, why: String| violations.push(violation(promise, read, &why));
        let has: HashSet<Element> = list.iter().copied().collect();
        if has.len() < list.len() {
            broke("P4", format!("saw something twice in {list:?}"));
        }
        if !self.order.starts_with(list) {
            let order = self.order;
            broke("P2", format!("saw {list:?}, and another read {order:?}"));
        }
        for other in self.events {
            if let Some(element) = other.appended() {
                let sent = other.sent.moment < read.answered.moment;
                if has.contains(&element) && !sent {
                    broke("P4", format!("saw {element}, which nobody had appended"));
                }
                if is_due(other, read) && !has.contains(&element) {
                    broke("P1", format!("saw no {element}, appended by {}", other.how));
                }
            }
            if let Did::Saw(earlier) = &other.did
                && other.precedes(read)
                && binds(other, read)
                && earlier.len() > list.len()
            {
                let (now, then) = (list.len(), earlier.len());
                let by = &other.how;
                broke("P2", format!("saw {now} elements, and {by} {then} before"));
            }
        }
    }

    /// Monotonic writes, and writes follow reads.
    fn check_write(&self, write: &ListEvent, element: Element, violations: &mut Vec<Violation>) {
        let Some(at) = self.place.get(&element) else {
            return;
        };
        let own = self.events.iter().filter(|it| it.scope == write.scope);
        for before in own.filter(|it| it.precedes(write)) {
            let behind = match &before.did {
                Did::Appended(other) => self.place.get(other).is_none_or(|place| place > at),
                Did::MayHaveAppended(_) => false,
                Did::Saw(list) => list.len() > *at,
            };
            if behind {
                let why = format!("{element} stands before {:?} of {}", before.did, before.how);
                violations.push(violation("P2", write, &why));
            }
        }
    }
}

/// Must a read see this write?
fn is_due(write: &ListEvent, read: &ListEvent) -> bool {
    let known = matches!(write.did, Did::Appended(_)) && write.precedes(read);
    known
        && match read.level {
            Level::Session => write.scope == read.scope,
            Level::Strong => true,
            Level::Bounded(bound) => {
                let due = read.sent.time.checked_sub(bound);
                due.is_some_and(|due| write.answered.time < due)
            }
            Level::Eventual => false,
        }
}

/// Must a read see whatever this one has seen before?
fn binds(earlier: &ListEvent, read: &ListEvent) -> bool {
    let own = earlier.scope == read.scope && earlier.sent.process == read.sent.process;
    let strong = earlier.level == Level::Strong && read.level == Level::Strong;
    read.level != Level::Eventual && (own || strong)
}

fn violation(promise: &'static str, event: &ListEvent, why: &str) -> Violation {
    let ListEvent {
        scope,
        key,
        sent,
        level,
        how,
        ..
    } = event;
    let at = sent.moment;
    let text = format!("at {at:>6} scope {scope} at list {key}, level {level:?}, by {how}: {why}");
    Violation {
        promise,
        key: Some(*key),
        text,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(scope: ScopeId, sent: u64, did: Did) -> ListEvent {
        let point = |moment| Point {
            moment,
            time: Duration::from_secs(moment),
            process: 0,
        };
        ListEvent {
            scope,
            key: 1,
            sent: point(sent),
            answered: point(sent + 1),
            level: Level::Session,
            did,
            how: "test".to_owned(),
        }
    }

    fn at(level: Level, event: ListEvent) -> ListEvent {
        ListEvent { level, ..event }
    }

    fn saw(list: &[Element]) -> Did {
        Did::Saw(list.to_vec())
    }

    fn promises(events: &[ListEvent]) -> Vec<&'static str> {
        check(events).iter().map(|it| it.promise).collect()
    }

    #[test]
    fn a_history_that_keeps_everything_has_no_violation() {
        let events = [
            event(1, 0, Did::Appended(7)),
            event(2, 2, Did::MayHaveAppended(8)),
            event(1, 4, saw(&[7])),
            event(2, 4, saw(&[7, 8])),
            event(1, 6, Did::Appended(9)),
            at(Level::Eventual, event(1, 8, saw(&[]))),
            at(Level::Strong, event(3, 8, saw(&[7, 8, 9]))),
        ];
        assert_eq!(promises(&events), [""; 0]);
    }

    #[test]
    fn p1_a_read_without_what_its_level_asks_for_is_found() {
        let write = event(1, 0, Did::Appended(7));
        let reads = [
            (Level::Session, 1, true),
            (Level::Session, 2, false),
            (Level::Strong, 2, true),
            (Level::Bounded(Duration::from_secs(1)), 2, true),
            (Level::Bounded(Duration::from_secs(9)), 2, false),
            (Level::Eventual, 1, false),
        ];
        for (level, scope, breaks) in reads {
            let read = at(level, event(scope, 5, saw(&[])));
            let found = promises(&[write.clone(), read]);
            assert_eq!(found == ["P1"], breaks, "{level:?} {found:?}");
        }
    }

    #[test]
    fn p2_reads_that_go_back_or_tell_another_order_are_found() {
        let writes = [7, 8].map(|element| event(9, 0, Did::MayHaveAppended(element)));
        let found = |one: &[Element], other: &[Element]| {
            let mut events = writes.to_vec();
            events.extend([event(1, 2, saw(one)), event(1, 4, saw(other))]);
            promises(&events)
        };
        assert_eq!(found(&[7, 8], &[7]), ["P2"]);
        assert_eq!(found(&[7], &[8, 7]), ["P2"]);
        assert_eq!(found(&[7], &[7, 8]), [""; 0]);
    }

    #[test]
    fn p2_a_write_before_what_its_scope_had_written_or_seen_is_found() {
        let seen = event(2, 8, saw(&[8, 7]));
        let first = event(1, 0, Did::Appended(7));
        let second = event(1, 2, Did::Appended(8));
        assert_eq!(promises(&[first, second.clone(), seen.clone()]), ["P2"]);
        let strangers = event(9, 0, Did::MayHaveAppended(7));
        let read = event(1, 1, saw(&[7]));
        let write = event(1, 3, Did::Appended(8));
        // The read tells another order, too.
        let found = promises(&[strangers, read, write, seen]);
        assert_eq!(found, ["P2", "P2"]);
    }

    #[test]
    fn p4_what_stands_twice_or_was_never_appended_is_found() {
        let write = event(1, 0, Did::MayHaveAppended(7));
        assert_eq!(
            promises(&[write.clone(), event(2, 2, saw(&[7, 7]))]),
            ["P4"]
        );
        let late = event(1, 9, Did::MayHaveAppended(7));
        assert_eq!(promises(&[late, event(2, 2, saw(&[7]))]), ["P4"]);
    }
}
