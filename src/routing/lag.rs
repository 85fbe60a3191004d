//! The lag clock: what the writer had executed, and when. It tells how stale a reader is without
//! a heartbeat table and without two clocks to compare.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::gtid::{Set, Uuid};

/// Samples kept. With one each 100 ms, the newest 25 seconds are kept in full.
pub const MAX_SAMPLES: usize = 512;

/// Intervals kept in all samples together, which bounds the memory where sets are fragmented:
/// 16 bytes each.
pub const MAX_SAMPLED_INTERVALS: usize = 1 << 20;

/// A bounded history of the writer's executed set. Cheap to share in an `Arc`.
///
/// Samples ascend: each set contains the one before, `first <= last < next.first`.
#[derive(Clone, Debug, Default)]
pub struct LagClock {
    samples: VecDeque<Sample>,
    intervals: usize,
    writer: Option<Uuid>,
}

/// A set that the writer had executed at `first` as well as at `last`.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What the writer had executed.
    pub executed: Arc<Set>,
    /// Before the writer was asked for the first time and answered with this set.
    pub first: Instant,
    /// Before it was asked for the last time: who has this set has everything that was committed
    /// before then.
    pub last: Instant,
}

impl LagClock {
    /// Notes what the writer answered to a question that was sent at `started` or later.
    ///
    /// An answer that overtook a newer one is left out. A history of another writer, or one that
    /// the new set does not contain, says nothing of this lineage and is forgotten.
    pub fn observe(&mut self, started: Instant, executed: Arc<Set>, writer: Uuid) {
        if self.writer != Some(writer) {
            self.reset();
            self.writer = Some(writer);
        }
        if let Some(newest) = self.samples.back_mut() {
            if started < newest.last {
                return;
            }
            if *newest.executed == *executed {
                newest.last = started;
                return;
            }
            if !executed.contains(&newest.executed) {
                self.reset();
                self.writer = Some(writer);
            }
        }
        self.intervals += executed.interval_count();
        self.samples.push_back(Sample {
            executed,
            first: started,
            last: started,
        });
        while self.samples.len() > MAX_SAMPLES
            || self.intervals > MAX_SAMPLED_INTERVALS && self.samples.len() > 1
        {
            self.thin();
        }
    }

    /// Forgets everything: the writer's lineage has changed.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whose history it is; none before the first answer.
    pub fn writer(&self) -> Option<Uuid> {
        self.writer
    }

    /// The newest sample.
    pub fn newest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// Up to when a backend that has executed this set has everything: the last time at which the
    /// writer was asked and had no more than the newest sample that the set contains. Its
    /// staleness is now minus this. None if the set contains no sample: then it is unknown.
    pub fn covered(&self, executed: &Set) -> Option<Instant> {
        let covered = self
            .samples
            .partition_point(|it| executed.contains(&it.executed));
        let newest = self.samples.get(covered.checked_sub(1)?)?;
        Some(newest.last)
    }

    /// The oldest set known that has everything which was committed before `due`; none if the
    /// writer was not asked since.
    pub fn since(&self, due: Instant) -> Option<&Arc<Set>> {
        let older = self.samples.partition_point(|it| it.last < due);
        self.samples.get(older).map(|sample| &sample.executed)
    }

    /// About when the last of these transactions was committed on the writer: the time of the
    /// first sample that has them all. None if they are newer than every sample, or strangers.
    pub fn first_covering(&self, token: &Set) -> Option<Instant> {
        let before = self
            .samples
            .partition_point(|it| !it.executed.contains(token));
        self.samples.get(before).map(|sample| sample.first)
    }

    /// How many samples are kept.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the writer has not been asked yet, or has changed since.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Drops the sample of the older half that is missed least: the one whose neighbours are the
    /// closest in proportion to their age. So the history reaches back to its beginning, ever
    /// coarser. Who has a dropped sample counts as having the one before: staler than it is.
    fn thin(&mut self) {
        let Some(now) = self.samples.back().map(|newest| newest.last) else {
            return;
        };
        let before = self.samples.iter();
        let after = self.samples.iter().skip(2);
        let gaps = before
            .zip(after)
            .take(self.samples.len() / 2)
            .map(|(before, after)| {
                let age = now.saturating_duration_since(before.first).as_secs_f64();
                after
                    .first
                    .saturating_duration_since(before.first)
                    .as_secs_f64()
                    / age
            });
        let least = gaps.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        let missed_least = least.map_or(0, |(index, _)| index + 1);
        if let Some(dropped) = self.samples.remove(missed_least) {
            self.intervals -= dropped.executed.interval_count();
        }
    }
}
