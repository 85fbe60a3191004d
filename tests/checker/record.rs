//! The one record of all clients.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use crate::figures::{Figures, name};
use crate::fleet::Fleet;
use crate::history::{Event, Key, Level, Point, ScopeId, Violation, What};
use crate::lists::{Did, Element, ListEvent};

/// What all clients did, in the order of one clock that only counts.
#[derive(Debug)]
pub(crate) struct Record {
    began: Instant,
    clock: AtomicU64,
    /// Counts the processes of Tidegate.
    processes: AtomicU32,
    scopes: AtomicU32,
    elements: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    lists: Vec<ListEvent>,
    reads: BTreeMap<String, u64>,
    by_readers: u64,
    errors: BTreeMap<String, u64>,
    deeds: BTreeMap<&'static str, u64>,
    violations: Vec<Violation>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            clock: AtomicU64::default(),
            processes: AtomicU32::default(),
            scopes: AtomicU32::default(),
            elements: AtomicU32::default(),
            inner: Mutex::default(),
        }
    }
}

impl Record {
    pub(crate) fn now(&self) -> Point {
        Point {
            moment: self.clock.fetch_add(1, Ordering::SeqCst),
            time: self.began.elapsed(),
            process: self.processes.load(Ordering::SeqCst),
        }
    }

    /// Another process of Tidegate is started; the one before is gone.
    pub(crate) fn new_process(&self) {
        self.processes.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn new_scope(&self) -> ScopeId {
        self.scopes.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes what has just been answered.
    pub(crate) fn add(&self, scope: ScopeId, key: Key, sent: Point, what: What, how: &str) {
        self.add_read(scope, key, sent, what, (Level::Session, how));
    }

    /// The same for a read at some level.
    pub(crate) fn add_read(
        &self,
        scope: ScopeId,
        key: Key,
        sent: Point,
        what: What,
        (level, how): (Level, &str),
    ) {
        let event = Event {
            scope,
            key,
            sent,
            answered: self.now(),
            level,
            what,
            how: how.to_owned(),
        };
        self.inner.lock().unwrap().events.push(event);
    }

    /// Something to append to a list.
    pub(crate) fn new_element(&self) -> Element {
        self.elements.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes what was done to a list and has just been answered.
    pub(crate) fn add_to_list(
        &self,
        scope: ScopeId,
        key: Key,
        sent: Point,
        did: Did,
        (level, how): (Level, &str),
    ) {
        let event = ListEvent {
            scope,
            key,
            sent,
            answered: self.now(),
            level,
            did,
            how: how.to_owned(),
        };
        self.inner.lock().unwrap().lists.push(event);
    }

    /// A read was answered by who calls himself so.
    pub(crate) fn read_on(&self, place: &str, fleet: &Fleet) {
        let by_reader = place != fleet.writer_name();
        let mut inner = self.inner.lock().unwrap();
        inner.by_readers += u64::from(by_reader);
        *inner.reads.entry(place.to_owned()).or_default() += 1;
    }

    /// Counts an error that broke a step.
    pub(crate) fn failed(&self, how: &str, done: &Result<(), mysql_async::Error>) {
        let Err(error) = done else {
            return;
        };
        let mut inner = self.inner.lock().unwrap();
        *inner.errors.entry(format!("{how}: {error}")).or_default() += 1;
    }

    /// Counts what went wrong on purpose.
    pub(crate) fn did(&self, deed: &'static str) {
        *self.inner.lock().unwrap().deeds.entry(deed).or_default() += 1;
    }

    pub(crate) fn has_done(&self, deed: &'static str) -> bool {
        self.inner.lock().unwrap().deeds.contains_key(deed)
    }

    pub(crate) fn broke(&self, promise: &'static str, text: String) {
        let violation = Violation {
            promise,
            key: None,
            text,
        };
        self.inner.lock().unwrap().violations.push(violation);
    }

    /// Everything that is wrong with it.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let inner = self.inner.lock().unwrap();
        let mut violations = inner.violations.clone();
        violations.extend(crate::history::check(&inner.events));
        violations.extend(crate::lists::check(&inner.lists));
        violations
    }

    /// The bumps that were acknowledged, and those that were sent, by row.
    pub(crate) fn bumps(&self) -> BTreeMap<Key, (u64, u64)> {
        let mut bumps: BTreeMap<Key, (u64, u64)> = BTreeMap::new();
        for event in &self.inner.lock().unwrap().events {
            match event.what {
                What::Bumped => {
                    let bumps = bumps.entry(event.key).or_default();
                    bumps.0 += 1;
                    bumps.1 += 1;
                }
                What::MayHaveBumped => bumps.entry(event.key).or_default().1 += 1,
                What::Read(_) => {}
            }
        }
        bumps
    }

    /// What was played, in numbers.
    pub(crate) fn figures(&self) -> Figures {
        let inner = self.inner.lock().unwrap();
        let mut figures = Figures {
            plays: 1,
            events: (inner.events.len() + inner.lists.len()) as u64,
            by_readers: inner.by_readers,
            errors: inner.errors.values().sum(),
            deeds: inner.deeds.clone(),
            ..Figures::default()
        };
        let reads = inner.events.iter();
        for read in reads.filter(|it| matches!(it.what, What::Read(_))) {
            *figures.registers.entry(name(read.level)).or_default() += 1;
        }
        let reads = inner.lists.iter();
        for read in reads.filter(|it| matches!(it.did, Did::Saw(_))) {
            *figures.lists.entry(name(read.level)).or_default() += 1;
        }
        figures
    }

    /// All that happened to a row or a list, in the order of the answers, to be read by a person.
    pub(crate) fn story(&self, key: Key) -> String {
        let inner = self.inner.lock().unwrap();
        let mut events: Vec<&Event> = inner.events.iter().filter(|it| it.key == key).collect();
        events.sort_unstable_by_key(|event| event.answered.moment);
        let mut lists: Vec<&ListEvent> = inner.lists.iter().filter(|it| it.key == key).collect();
        lists.sort_unstable_by_key(|event| event.answered.moment);
        let list_line = |event: &&ListEvent| format!("{event:?}\n");
        let line = |event: &&Event| {
            let Event {
                sent,
                answered,
                scope,
                level,
                what,
                how,
                ..
            } = event;
            format!(
                "{:>7} to {:>7} ({:>10.3?}) scope {scope} through {} at {level:?}: {what:?} \
                 by {how}\n",
                sent.moment, answered.moment, answered.time, sent.process
            )
        };
        let lines = events.iter().map(line);
        lines.chain(lists.iter().map(list_line)).collect()
    }

    /// The errors, and where reads ran, for a person.
    pub(crate) fn summary(&self) -> String {
        let inner = self.inner.lock().unwrap();
        let (reads, errors) = (&inner.reads, &inner.errors);
        format!("reads by backend: {reads:?}; errors: {errors:#?}")
    }
}
