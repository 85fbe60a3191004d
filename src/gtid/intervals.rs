//! The transaction numbers of one source: sorted intervals that neither overlap nor touch.

use smallvec::SmallVec;

/// The numbers `first..=last`, with `1 <= first <= last <= MAX_NUMBER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Interval {
    /// The largest number that MySQL gives a transaction.
    pub(super) const MAX_NUMBER: u64 = (1 << 63) - 2;
}

/// Ascending, and `a.last + 1 < b.first` for neighbours `a`, `b`: one interval is the usual case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals(SmallVec<[Interval; 1]>);

/// Above this many intervals a merge of both lists beats one insertion each.
const FEW: usize = 2;

impl Intervals {
    /// Brings intervals of any order and overlap into normal form.
    pub(super) fn normalise(mut raw: SmallVec<[Interval; 1]>) -> Self {
        if !raw.is_sorted() {
            raw.sort_unstable();
        }
        let mut normal = Self::default();
        for interval in raw {
            normal.push(interval);
        }
        normal
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Interval> {
        self.0.iter()
    }

    /// The greatest number; none if there is none.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last().map(|interval| interval.last)
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, it| sum.saturating_add(it.last - it.first + 1))
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        let mut rest = self.0.as_slice();
        for wanted in &other.0 {
            rest = from_reaching(rest, wanted.first);
            match rest.first() {
                Some(have) if have.first <= wanted.first && wanted.last <= have.last => {}
                _ => return false,
            }
        }
        true
    }

    pub(super) fn union(&mut self, other: &Self) {
        if other.len() <= FEW {
            for interval in &other.0 {
                self.insert(*interval);
            }
            return;
        }
        let (mut left, mut right) = (self.0.as_slice(), other.0.as_slice());
        let mut merged = Self(SmallVec::with_capacity(self.len().max(other.len())));
        loop {
            let take = match (left.first(), right.first()) {
                (Some(a), Some(b)) if a.first <= b.first => &mut left,
                (Some(_), None) => &mut left,
                (_, Some(_)) => &mut right,
                (None, None) => break,
            };
            if let Some((interval, rest)) = take.split_first() {
                merged.push(*interval);
                *take = rest;
            }
        }
        *self = merged;
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        let mut cuts = other.0.as_slice();
        let mut kept = SmallVec::new();
        for have in &self.0 {
            let mut first = have.first;
            while first <= have.last {
                cuts = from_reaching(cuts, first);
                let Some(cut) = cuts.first().filter(|cut| cut.first <= have.last) else {
                    kept.push(Interval {
                        first,
                        last: have.last,
                    });
                    break;
                };
                if cut.first > first {
                    kept.push(Interval {
                        first,
                        last: cut.first - 1,
                    });
                }
                first = cut.last + 1;
            }
        }
        self.0 = kept;
    }

    fn insert(&mut self, mut new: Interval) {
        let from = self.0.partition_point(|have| have.last + 1 < new.first);
        let to = self.0.partition_point(|have| have.first <= new.last + 1);
        let Some(joined) = self.0.get(from..to).filter(|joined| !joined.is_empty()) else {
            self.0.insert(from, new);
            return;
        };
        for have in joined {
            new.first = new.first.min(have.first);
            new.last = new.last.max(have.last);
        }
        if let Some(have) = self.0.get_mut(from) {
            *have = new;
        }
        self.0.drain(from + 1..to);
    }

    /// Appends an interval that begins no earlier than the last one does.
    fn push(&mut self, interval: Interval) {
        match self.0.last_mut() {
            Some(last) if interval.first <= last.last + 1 => {
                last.last = last.last.max(interval.last);
            }
            _ => self.0.push(interval),
        }
    }
}

/// The intervals from the first one on that does not end before `number`. The next two are
/// tried before a search, since equal sets are walked in step.
fn from_reaching(sorted: &[Interval], number: u64) -> &[Interval] {
    for skipped in 0..2 {
        if sorted.get(skipped).is_none_or(|next| number <= next.last) {
            return sorted.get(skipped..).unwrap_or_default();
        }
    }
    let skipped = sorted.partition_point(|have| have.last < number);
    sorted.get(skipped..).unwrap_or_default()
}
