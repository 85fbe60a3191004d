//! What a read has to show, and what it shows instead. Pure.
//!
//! Each row belongs to one user, who gives it the versions 1, 2, 3, …; so a version tells which of
//! its writes a read has missed.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Writes of one row that are remembered; of older ones only the last is.
const KEPT: usize = 4096;

/// All writes of one table.
#[derive(Debug)]
pub(super) struct Ledger {
    rows: Vec<Mutex<Row>>,
}

#[derive(Debug, Default)]
struct Row {
    /// The newest version that somebody has begun to write.
    begun: u32,
    /// Versions with the time of their acknowledgement, ascending.
    acked: VecDeque<(u32, Instant)>,
}

/// What one user knows since it began.
#[derive(Debug, Default)]
pub(super) struct Memory {
    written: HashMap<u32, u32>,
    seen: HashMap<u32, u32>,
}

/// What a read was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    row: u32,
    /// The user's own last acknowledged version.
    own: u32,
    /// What the user has seen of it.
    seen: u32,
    at: Instant,
}

/// What a read was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It misses a write of the user's own.
    pub(super) stale: bool,
    /// It shows less than the same user has seen before.
    pub(super) backwards: bool,
    /// How long before the read the oldest write was acknowledged, by anybody, that it misses.
    pub(super) missed_for: Option<Duration>,
    /// It shows another row, or what nobody has written.
    pub(super) wrong: bool,
}

impl Ledger {
    /// A table whose rows are all at version 0.
    pub(super) fn new(rows: u32) -> Self {
        Self {
            rows: (0..rows).map(|_| Mutex::default()).collect(),
        }
    }

    fn with<T>(&self, row: u32, with: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let row = self.rows.get(usize::try_from(row).ok()?)?;
        // A panic elsewhere leaves a row as true as it was.
        Some(with(
            &mut row.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    /// The version that a write is to give its row.
    pub(super) fn begin(&self, row: u32) -> u32 {
        let begin = |row: &mut Row| {
            row.begun += 1;
            row.begun
        };
        self.with(row, begin).unwrap_or_default()
    }

    /// The write of a version was acknowledged.
    pub(super) fn acknowledge(&self, memory: &mut Memory, row: u32, version: u32, at: Instant) {
        memory.written.insert(row, version);
        self.with(row, |row| {
            row.acked.push_back((version, at));
            if row.acked.len() > KEPT {
                row.acked.pop_front();
            }
        });
    }

    /// What a read that is sent now has to show.
    pub(super) fn expect(memory: &Memory, row: u32, at: Instant) -> Expected {
        let of = |map: &HashMap<u32, u32>| map.get(&row).copied().unwrap_or_default();
        Expected {
            row,
            own: of(&memory.written),
            seen: of(&memory.seen),
            at,
        }
    }

    /// Holds what was shown, a row and its version, against what had to be.
    pub(super) fn judge(
        &self,
        memory: &mut Memory,
        expected: Expected,
        shown: Option<(u32, u32)>,
    ) -> Verdict {
        let Expected { row, own, seen, at } = expected;
        let wrong = Verdict {
            wrong: true,
            ..Verdict::default()
        };
        let Some((_, version)) = shown.filter(|(shown, _)| *shown == row) else {
            return wrong;
        };
        let found = self.with(row, |row| {
            let first = row.acked.partition_point(|(acked, _)| *acked <= version);
            let missed = row.acked.get(first).filter(|(_, acked)| *acked <= at);
            let missed_for = missed.map(|(_, acked)| at.saturating_duration_since(*acked));
            (version <= row.begun, missed_for)
        });
        let Some((true, missed_for)) = found else {
            return wrong;
        };
        memory.seen.insert(row, seen.max(version));
        Verdict {
            stale: version < own,
            backwards: version < seen,
            missed_for,
            wrong: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stage {
        ledger: Ledger,
        me: Memory,
        start: Instant,
    }

    impl Stage {
        fn new() -> Self {
            Self {
                ledger: Ledger::new(4),
                me: Memory::default(),
                start: Instant::now(),
            }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn write(&mut self, ms: u64) {
            let (version, at) = (self.ledger.begin(1), self.at(ms));
            self.ledger.acknowledge(&mut self.me, 1, version, at);
        }

        fn read(&mut self, ms: u64, shown: (u32, u32)) -> Verdict {
            let expected = Ledger::expect(&self.me, 1, self.at(ms));
            self.ledger.judge(&mut self.me, expected, Some(shown))
        }
    }

    fn missed(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn p1_a_read_that_misses_ones_own_write_is_stale() {
        let mut stage = Stage::new();
        stage.write(10);
        stage.write(20);
        let old = stage.read(50, (1, 0));
        assert!(old.stale && !old.backwards);
        assert_eq!(old.missed_for, missed(40));
        let half = stage.read(50, (1, 1));
        assert!(half.stale);
        assert_eq!(half.missed_for, missed(30));
        assert_eq!(stage.read(50, (1, 2)), Verdict::default());
    }

    #[test]
    fn a_read_by_another_that_misses_a_write_is_old_but_not_stale() {
        let mut stage = Stage::new();
        stage.write(10);
        stage.me = Memory::default();
        let verdict = stage.read(30, (1, 0));
        assert!(!verdict.stale && !verdict.backwards);
        assert_eq!(verdict.missed_for, missed(20));
    }

    #[test]
    fn p2_a_read_that_shows_less_than_one_before_is_backwards() {
        let mut stage = Stage::new();
        stage.write(10);
        stage.write(20);
        stage.me = Memory::default();
        assert!(!stage.read(30, (1, 2)).backwards);
        assert!(stage.read(40, (1, 1)).backwards);
        // What was seen once stays seen.
        assert!(stage.read(50, (1, 1)).backwards);
        assert!(!stage.read(60, (1, 2)).backwards);
    }

    #[test]
    fn a_write_that_was_not_acknowledged_before_the_read_may_be_shown_or_not() {
        let mut stage = Stage::new();
        let version = stage.ledger.begin(1);
        assert_eq!(stage.read(10, (1, 0)), Verdict::default());
        assert_eq!(stage.read(10, (1, version)), Verdict::default());
        stage.me = Memory::default();
        let at = stage.at(20);
        let mut other = Memory::default();
        stage.ledger.acknowledge(&mut other, 1, version, at);
        assert_eq!(stage.read(15, (1, 0)).missed_for, None);
    }

    #[test]
    fn what_nobody_asked_for_or_wrote_is_wrong() {
        let mut stage = Stage::new();
        assert!(stage.read(10, (2, 0)).wrong, "another row");
        assert!(stage.read(10, (1, 1)).wrong, "from the future");
        let expected = Ledger::expect(&stage.me, 1, stage.at(10));
        assert!(stage.ledger.judge(&mut stage.me, expected, None).wrong);
    }
}
