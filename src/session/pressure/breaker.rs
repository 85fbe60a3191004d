//! A circuit breaker for connecting to one backend: while attempts fail, most are not made.
//!
//! ```text
//!            failures in a row           pause is over
//! Closed --------------------> Open ---------------------> Probing (one attempt)
//!    ^                           ^                             |
//!    |                           +-------- it fails: a longer pause
//!    +------------ it succeeds, or the monitor has reached another life of the backend
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many attempts in a row fail before no more are made for a while.
const FAILURES: u32 = 3;

/// The first pause, and the longest; each is up to twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The breaker of one backend. `L` names a life of it.
#[derive(Debug)]
pub(super) struct Breaker<L>(Mutex<Inner<L>>);

#[derive(Debug)]
struct Inner<L> {
    state: State,
    /// The life that the last attempt was for, as far as the monitor knew one.
    life: Option<L>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pauses: u32 },
    Probing { pauses: u32 },
}

/// An attempt that was admitted. Dropped without a result it has told nothing.
#[derive(Debug)]
pub(super) struct Attempt<'a, L> {
    breaker: &'a Breaker<L>,
    probes: bool,
    told: bool,
}

impl<L> Default for Breaker<L> {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            state: State::Closed { failures: 0 },
            life: None,
        }))
    }
}

impl<L: Copy + PartialEq> Breaker<L> {
    /// May a connection be attempted now? `life` is the one that the monitor reaches: another one
    /// than at the last attempt begins anew.
    pub(super) fn admit(&self, life: Option<L>, now: Instant) -> Option<Attempt<'_, L>> {
        let mut inner = self.lock();
        if life.is_some() && inner.life != life {
            inner.state = State::Closed { failures: 0 };
        }
        inner.life = life;
        let probes = match inner.state {
            State::Closed { .. } => false,
            State::Open { until, pauses } if until <= now => {
                inner.state = State::Probing { pauses };
                true
            }
            State::Open { .. } | State::Probing { .. } => return None,
        };
        drop(inner);
        Some(Attempt {
            breaker: self,
            probes,
            told: false,
        })
    }
}

impl<L> Breaker<L> {
    fn lock(&self) -> MutexGuard<'_, Inner<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Attempt<'_, L> {
    /// The backend has answered.
    pub(super) fn succeeded(mut self) {
        self.told = true;
        self.breaker.lock().state = State::Closed { failures: 0 };
    }

    /// It has not. `chance`, from 0 to 1, spreads the next attempts of several Tidegates.
    pub(super) fn failed(mut self, now: Instant, chance: f64) {
        self.told = true;
        let mut inner = self.breaker.lock();
        inner.state = match inner.state {
            State::Closed { failures } if failures + 1 < FAILURES => State::Closed {
                failures: failures + 1,
            },
            State::Closed { .. } => open(0, now, chance),
            State::Probing { pauses } if self.probes => open(pauses + 1, now, chance),
            // One that was admitted before tells nothing new.
            other => other,
        };
    }
}

impl<L> Drop for Attempt<'_, L> {
    fn drop(&mut self) {
        if self.told || !self.probes {
            return;
        }
        let mut inner = self.breaker.lock();
        if let State::Probing { pauses } = inner.state {
            // The next one that comes is the probe.
            inner.state = State::Open {
                until: Instant::now(),
                pauses,
            };
        }
    }
}

fn open(pauses: u32, now: Instant, chance: f64) -> State {
    let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(pauses));
    let pause = longest.min(LONGEST_PAUSE).mul_f64(0.5 + chance / 2.0);
    State::Open {
        until: now + pause,
        pauses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(breaker: &Breaker<u32>, now: Instant) {
        let attempt = breaker.admit(Some(1), now).expect("admitted");
        attempt.failed(now, 1.0);
    }

    #[test]
    fn after_three_failures_one_attempt_is_made_at_a_time_and_ever_more_rarely() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 0..FAILURES {
            fails(&breaker, now);
        }
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let since = now;
            while breaker.admit(Some(1), now).is_none() {
                now += Duration::from_millis(1);
            }
            // The attempt that ended the loop told nothing, and is made again; no other beside it.
            let probe = breaker.admit(Some(1), now + FIRST_PAUSE).expect("a probe");
            assert!(breaker.admit(Some(1), now + LONGEST_PAUSE).is_none());
            pauses.push((now - since).as_millis());
            probe.failed(now, 1.0);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3000, 3000]);
    }

    #[test]
    fn an_answer_closes_it_and_so_does_another_life_of_the_backend() {
        let now = Instant::now();
        for closes in ["answer", "another life"] {
            let breaker = Breaker::default();
            for _ in 0..FAILURES {
                fails(&breaker, now);
            }
            assert!(breaker.admit(Some(1), now).is_none());
            assert!(breaker.admit(None, now).is_none(), "nobody reaches it");
            let later = now + LONGEST_PAUSE;
            match closes {
                "answer" => breaker.admit(None, later).expect("a probe").succeeded(),
                _ => assert!(breaker.admit(Some(2), now).is_some()),
            }
            let attempts = [0; 3].map(|_| breaker.admit(Some(2), now));
            assert!(attempts.iter().all(Option::is_some), "{closes}");
        }
    }

    #[test]
    fn single_failures_between_answers_do_not_open_it() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..9 {
            fails(&breaker, now);
            fails(&breaker, now);
            breaker.admit(Some(1), now).expect("admitted").succeeded();
        }
    }

    #[test]
    fn chance_spreads_the_pauses_over_half_of_their_length() {
        let now = Instant::now();
        let pause = |chance| match open(1, now, chance) {
            State::Open { until, .. } => (until - now).as_millis(),
            _ => 0,
        };
        assert_eq!([pause(0.0), pause(0.5), pause(1.0)], [100, 150, 200]);
    }
}
