//! When a user's requests are due, and from when their latency counts. Pure.
//!
//! A user that waits for a slow answer sends nothing meanwhile, so what it would have met is
//! omitted just when it is worst (coordinated omission). So requests are due at fixed times, and
//! one that is late because the one before it was slow counts from when it was due. One that was
//! only woken late counts from when it woke: that is this program's fault, not the road's.

use std::time::{Duration, Instant};

/// The times at which one user's requests are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    next: Instant,
    every: Duration,
    end: Instant,
}

/// A request's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Not before then.
    Wait(Instant),
    /// Now, and its latency counts from then.
    Now(Instant),
}

impl Schedule {
    /// The requests of one of `users` users: they take their turns evenly within the interval.
    pub(super) fn new(
        start: Instant,
        end: Instant,
        every: Duration,
        user: u32,
        users: u32,
    ) -> Self {
        Self {
            next: start + every * user / users.max(1),
            every,
            end,
        }
    }

    /// When the next request is due; none after the end. Without an interval it is due whenever
    /// the user is free.
    pub(super) fn next(&mut self, free: Instant) -> Option<Due> {
        if self.next >= self.end || free >= self.end {
            return None;
        }
        if self.every.is_zero() {
            return Some(Due::Now(free.max(self.next)));
        }
        let due = self.next;
        self.next += self.every;
        Some(match due > free {
            true => Due::Wait(due),
            false => Due::Now(due),
        })
    }

    /// Requests that were due before the end and have not been begun.
    pub(super) fn left(&self) -> u64 {
        let time = self.end.saturating_duration_since(self.next).as_nanos();
        let count = match self.every.as_nanos() {
            0 => 0,
            every => time.div_ceil(every),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_request_that_a_slow_one_held_up_counts_from_when_it_was_due() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, start + ms(100), ms(10), 0, 1);
        assert_eq!(schedule.next(start), Some(Due::Now(start)));
        // The first took 35 ms: three were due meanwhile.
        let free = start + ms(35);
        for due in [10, 20, 30] {
            assert_eq!(schedule.next(free), Some(Due::Now(start + ms(due))));
        }
        assert_eq!(schedule.next(free), Some(Due::Wait(start + ms(40))));
        assert_eq!(schedule.left(), 5);
    }

    #[test]
    fn what_was_due_and_never_sent_is_counted() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, start + ms(100), ms(10), 0, 1);
        schedule.next(start);
        assert_eq!(schedule.next(start + ms(100)), None);
        assert_eq!(schedule.left(), 9);
    }

    #[test]
    fn users_take_their_turns_evenly() {
        let start = Instant::now();
        let starts = (0..4).map(|user| {
            let mut schedule = Schedule::new(start, start + ms(100), ms(20), user, 4);
            schedule.next(start)
        });
        let expected = [0, 5, 10, 15].map(|after| match after {
            0 => Due::Now(start),
            _ => Due::Wait(start + ms(after)),
        });
        assert!(starts.eq(expected.map(Some)));
    }

    #[test]
    fn without_an_interval_every_request_counts_from_its_own_start() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, start + ms(100), ms(0), 3, 4);
        for at in [0, 7, 99] {
            let now = start + ms(at);
            assert_eq!(schedule.next(now), Some(Due::Now(now)));
        }
        assert_eq!(schedule.next(start + ms(100)), None);
        assert_eq!(schedule.left(), 0);
    }
}
