//! What is counted of a play.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What became of a write as its client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was acknowledged.
    Done,
    /// It got an error that says that it has not run.
    Refused,
    /// Nobody could tell.
    Unknown,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) statements: u64,
    pub(crate) reads: u64,
    pub(crate) writes: BTreeMap<u64, (Told, u64)>,
    /// By kind of client, the fault during which they came, and the error.
    pub(crate) errors: BTreeMap<(&'static str, &'static str, String), u64>,
    pub(crate) stale: Vec<String>,
    /// The longest time between two statements that went well, by kind of client and the fault
    /// during which it ended.
    pub(crate) longest: BTreeMap<(&'static str, &'static str), Duration>,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// How late this process was woken at most, by fault: the machine had too much else to do.
    pub(crate) late: BTreeMap<&'static str, Duration>,
    fault: Option<&'static str>,
}

impl Tally {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is being done from now on.
    pub(crate) fn begins(&self, fault: &'static str) {
        let mut counts = self.lock();
        counts.fault = Some(fault);
        *counts.faults.entry(fault).or_default() += 1;
    }

    /// A statement of this kind of client has gone well; `last` is when one did before.
    pub(crate) fn went_well(&self, kind: &'static str, last: &mut Option<Instant>) {
        let now = Instant::now();
        let gap = last.replace(now).map_or(Duration::ZERO, |last| now - last);
        let mut counts = self.lock();
        let fault = counts.fault.unwrap_or("nothing");
        let longest = counts.longest.entry((kind, fault)).or_default();
        *longest = gap.max(*longest);
    }

    /// Notes how late threads are woken here, until nobody else counts any more.
    pub(crate) fn watch_the_machine(self: &Arc<Self>) {
        const NAP: Duration = Duration::from_millis(20);
        let tally = Arc::downgrade(self);
        std::thread::spawn(move || {
            loop {
                let begun = Instant::now();
                std::thread::sleep(NAP);
                let late = begun.elapsed().saturating_sub(NAP);
                let Some(tally) = tally.upgrade() else {
                    return;
                };
                let mut counts = tally.lock();
                let fault = counts.fault.unwrap_or("nothing");
                let latest = counts.late.entry(fault).or_default();
                *latest = late.max(*latest);
            }
        });
    }

    pub(crate) fn error(&self, kind: &'static str, error: String) {
        let mut counts = self.lock();
        let fault = counts.fault.unwrap_or("nothing");
        *counts.errors.entry((kind, fault, error)).or_default() += 1;
    }

    pub(crate) fn wrote(&self, id: u64, told: Told, rows: u64) {
        self.lock().writes.insert(id, (told, rows));
    }

    pub(crate) fn stale(&self, what: String) {
        self.lock().stale.push(what);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |told| self.writes.values().filter(|(it, _)| *it == told).count();
        writeln!(f, "statements           {}", self.statements)?;
        writeln!(f, "reads                {}", self.reads)?;
        writeln!(f, "writes acknowledged  {}", told(Told::Done))?;
        writeln!(f, "writes refused       {}", told(Told::Refused))?;
        writeln!(f, "writes of unknown outcome {}", told(Told::Unknown))?;
        writeln!(f, "stale reads          {}", self.stale.len())?;
        for ((kind, fault), gap) in &self.longest {
            writeln!(f, "longest without a good {kind}: {gap:.1?}, {fault}")?;
        }
        for (fault, late) in &self.late {
            writeln!(f, "the machine was late by {late:.1?}, {fault}")?;
        }
        for (fault, times) in &self.faults {
            writeln!(f, "{times:5} x {fault}")?;
        }
        for ((kind, fault, error), times) in &self.errors {
            writeln!(f, "{times:5} errors of a {kind}, {fault}: {error}")?;
        }
        Ok(())
    }
}
