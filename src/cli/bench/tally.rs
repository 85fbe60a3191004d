//! What one target did at one lag. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

use super::oracle::Verdict;

/// The kinds of statements that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A read of a row right after the same user has written it.
    ReadBack,
    /// Any other read.
    Read,
    /// A write.
    Write,
}

impl Class {
    /// All of them, in the order of reports.
    pub(super) const ALL: [Self; 3] = [Self::ReadBack, Self::Read, Self::Write];

    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadBack => "read after write",
            Self::Read => "other reads",
            Self::Write => "writes",
        }
    }

    /// Whether it is a read.
    pub(super) fn is_read(self) -> bool {
        self != Self::Write
    }
}

/// How long one class took, in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// From when the request was due to its answer, with the wait for a connection and its reset.
    pub(super) response: Histogram<u32>,
    /// From sending the statement to its answer.
    pub(super) service: Histogram<u32>,
}

impl Times {
    /// What takes longer is counted as this.
    const LONGEST_US: u64 = 120_000_000;

    fn new() -> Result<Self, CreationError> {
        // Three digits: a value is told to 0.1 %.
        let response = Histogram::new_with_bounds(1, Self::LONGEST_US, 3)?;
        let service = response.clone();
        Ok(Self { response, service })
    }

    fn add(&mut self, other: &Self) {
        // Both have the same bounds, so there is no reason to fail.
        let _ = self.response.add(&other.response);
        let _ = self.service.add(&other.service);
    }
}

/// Everything counted.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    read_back: Times,
    read: Times,
    write: Times,
    /// Reads that miss a write of the same user.
    pub(super) stale: u64,
    /// Reads that miss an acknowledged write of anybody.
    pub(super) old: u64,
    /// How long before the read the oldest such write was acknowledged, at the worst.
    pub(super) oldest: Duration,
    /// Reads that show less than one of the same user before.
    pub(super) backwards: u64,
    /// Reads that show what they can't.
    pub(super) wrong: u64,
    /// What failed, by its error.
    pub(super) errors: BTreeMap<String, u64>,
    /// Requests that were due and never sent.
    pub(super) not_sent: u64,
    /// Reads that readers got, as far as the client itself chose them.
    pub(super) at_readers: u64,
}

impl Tally {
    /// An empty one.
    ///
    /// # Errors
    /// If the histograms can't be made.
    pub(super) fn new() -> Result<Self, CreationError> {
        let times = Times::new()?;
        Ok(Self {
            read_back: times.clone(),
            read: times.clone(),
            write: times,
            stale: 0,
            old: 0,
            oldest: Duration::ZERO,
            backwards: 0,
            wrong: 0,
            errors: BTreeMap::new(),
            not_sent: 0,
            at_readers: 0,
        })
    }

    /// The times of a class.
    pub(super) fn times(&self, class: Class) -> &Times {
        match class {
            Class::ReadBack => &self.read_back,
            Class::Read => &self.read,
            Class::Write => &self.write,
        }
    }

    fn times_mut(&mut self, class: Class) -> &mut Times {
        match class {
            Class::ReadBack => &mut self.read_back,
            Class::Read => &mut self.read,
            Class::Write => &mut self.write,
        }
    }

    /// A statement was answered.
    pub(super) fn answered(&mut self, class: Class, response: Duration, service: Duration) {
        let times = self.times_mut(class);
        times.response.saturating_record(micros(response));
        times.service.saturating_record(micros(service));
    }

    /// What a read that was answered has shown.
    pub(super) fn shown(&mut self, verdict: Verdict) {
        self.stale += u64::from(verdict.stale);
        self.backwards += u64::from(verdict.backwards);
        self.wrong += u64::from(verdict.wrong);
        if let Some(missed_for) = verdict.missed_for {
            self.old += 1;
            self.oldest = self.oldest.max(missed_for);
        }
    }

    /// A statement, a reset or a connection failed.
    pub(super) fn failed(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    /// Answered statements of a class.
    pub(super) fn count(&self, class: Class) -> u64 {
        self.times(class).response.len()
    }

    /// Answered reads.
    pub(super) fn reads(&self) -> u64 {
        let reads = Class::ALL.into_iter().filter(|class| class.is_read());
        reads.map(|class| self.count(class)).sum()
    }

    /// The responses of all reads.
    pub(super) fn all_reads(&self) -> Histogram<u32> {
        let mut all = self.read_back.response.clone();
        // Both have the same bounds, so there is no reason to fail.
        let _ = all.add(&self.read.response);
        all
    }

    /// Takes another one in.
    pub(super) fn add(&mut self, other: &Self) {
        for class in Class::ALL {
            self.times_mut(class).add(other.times(class));
        }
        self.stale += other.stale;
        self.old += other.old;
        self.oldest = self.oldest.max(other.oldest);
        self.backwards += other.backwards;
        self.wrong += other.wrong;
        self.not_sent += other.not_sent;
        self.at_readers += other.at_readers;
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_in_adds_up() {
        let mut whole = Tally::new().unwrap();
        for n in 1..=3 {
            let mut part = Tally::new().unwrap();
            part.answered(
                Class::Read,
                Duration::from_millis(n),
                Duration::from_micros(n),
            );
            part.shown(Verdict {
                stale: true,
                missed_for: Some(Duration::from_secs(n)),
                ..Verdict::default()
            });
            part.failed("1040".to_owned());
            part.not_sent = n;
            whole.add(&part);
        }
        assert_eq!((whole.reads(), whole.count(Class::Write)), (3, 0));
        assert_eq!((whole.stale, whole.old, whole.not_sent), (3, 3, 6));
        assert_eq!(whole.oldest, Duration::from_secs(3));
        assert_eq!(whole.errors["1040"], 3);
        let times = whole.times(Class::Read);
        assert_eq!(times.response.max() / 1000, 3);
        assert_eq!(times.service.max(), 3);
    }

    #[test]
    fn what_takes_longer_than_the_longest_is_not_lost() {
        let mut tally = Tally::new().unwrap();
        let long = Duration::from_secs(1000);
        tally.answered(Class::Write, long, long);
        let found = tally.times(Class::Write).response.max();
        assert!(found >= Times::LONGEST_US);
    }
}
