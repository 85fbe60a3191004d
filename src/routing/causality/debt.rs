//! What has been seen somewhere and not yet found out.

use std::time::Instant;

use super::super::snapshot::Place;

/// Reads on one place, and up to when a probe has told what they saw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Debt {
    /// Reads that are running: whatever they have shown so far counts as seen.
    pub(super) in_flight: u64,
    /// When the last of those that are over ended.
    pub(super) ended: Option<Instant>,
    /// When the newest probe was sent whose answer is part of the token.
    pub(super) settled: Option<Instant>,
}

impl Debt {
    /// From when on a probe has to be sent for a statement that arrived at `arrived`, if it needs
    /// one. What ended after the statement arrived ran beside it, so nobody could know of it who
    /// sent the statement: only what was shown before counts.
    pub(super) fn owed(&self, arrived: Instant) -> Option<Instant> {
        let due = match (self.in_flight, self.ended) {
            (0, ended) => ended?.min(arrived),
            _ => arrived,
        };
        (self.settled < Some(due)).then_some(due)
    }

    /// Notes that the answer to a probe sent at `started` is part of the token.
    pub(super) fn settle(&mut self, started: Instant) {
        self.settled = self.settled.max(Some(started));
    }

    /// Whether nothing is left to find out, for any statement.
    pub(super) fn is_paid(&self) -> bool {
        self.in_flight == 0 && self.settled >= self.ended
    }

    /// Notes that something ended at `at`.
    pub(super) fn end(&mut self, at: Instant) {
        self.ended = self.ended.max(Some(at));
    }

    /// The same for somebody who will not hear of the end of what is running.
    pub(super) fn interrupted(mut self, at: Instant) -> Self {
        if std::mem::take(&mut self.in_flight) > 0 {
            self.end(at);
        }
        self
    }

    /// Takes over another debt: settled is only what both have settled, or the one that owes.
    pub(super) fn absorb(&mut self, other: Self) {
        self.settled = match (self.is_paid(), other.is_paid()) {
            (true, true) => self.settled.max(other.settled),
            (false, true) => self.settled,
            (true, false) => other.settled,
            (false, false) => self.settled.min(other.settled),
        };
        self.in_flight += other.in_flight;
        self.ended = self.ended.max(other.ended);
    }
}

/// The reads of a scope on one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Never used again, so that a [`ReadMark`] can't end a read of another mark.
    pub(super) serial: u64,
    pub(super) place: Place,
    pub(super) debt: Debt,
    /// Some of them may be from before another server became the writer, which does not answer for
    /// what they saw.
    pub(super) inherited: bool,
}

/// A read that has begun. Hand it back with `end_read` or `cancel_read` on every way out: a read
/// that never ends makes every later one of its scope ask for a fresh probe.
#[must_use = "a read that is not ended counts as running for ever"]
#[derive(Debug)]
pub struct ReadMark {
    pub(super) serial: u64,
}
