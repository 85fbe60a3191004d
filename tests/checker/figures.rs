//! What was played, in numbers that can be added up over many plays.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use crate::history::Level;

/// All plays of this run.
static ALL: Mutex<Option<Figures>> = Mutex::new(None);

#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) plays: u64,
    pub(crate) events: u64,
    /// Checked reads of registers and of lists, by level.
    pub(crate) registers: BTreeMap<&'static str, u64>,
    pub(crate) lists: BTreeMap<&'static str, u64>,
    /// Those of both that readers answered.
    pub(crate) by_readers: u64,
    pub(crate) errors: u64,
    /// What went wrong on purpose.
    pub(crate) deeds: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// How many reads were checked.
    pub(crate) fn checked(&self) -> u64 {
        self.registers.values().chain(self.lists.values()).sum()
    }

    /// Adds these to those of the run, and gives them.
    pub(crate) fn of_run(&self) -> Self {
        let mut all = ALL.lock().unwrap();
        let all = all.get_or_insert_default();
        all.plays += self.plays;
        all.events += self.events;
        all.by_readers += self.by_readers;
        all.errors += self.errors;
        for (mine, theirs) in [
            (&self.registers, &mut all.registers),
            (&self.lists, &mut all.lists),
            (&self.deeds, &mut all.deeds),
        ] {
            for (name, count) in mine {
                *theirs.entry(name).or_default() += count;
            }
        }
        all.clone()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plays,
            events,
            registers,
            lists,
            by_readers,
            errors,
            deeds,
        } = self;
        let (checked, of_lists) = (self.checked(), lists.values().sum::<u64>());
        writeln!(
            f,
            "{plays} plays, {events} events, {checked} reads checked, {by_readers} of them answered \
             by readers, {errors} errors"
        )?;
        writeln!(f, "  of registers: {}: {registers:?}", checked - of_lists)?;
        writeln!(f, "  of lists: {of_lists}: {lists:?}")?;
        write!(f, "  meanwhile: {deeds:?}")
    }
}

/// Its name in the figures.
pub(crate) fn name(level: Level) -> &'static str {
    match level {
        Level::Session => "session",
        Level::Strong => "strong",
        Level::Bounded(_) => "bounded",
        Level::Eventual => "eventual",
    }
}
