//! How far behind a reader is: a pure function of the lag clock and its watermark.

use std::time::{Duration, Instant};

use crate::routing::{BackendView, Lag, LagClock};

/// Reads the lag clock for a backend.
pub(super) fn measure(clock: &LagClock, view: &mut BackendView) {
    view.lag = view.watermark.as_ref().and_then(|mark| {
        let covered = clock.covered(&mark.executed)?;
        let behind = behind(clock, view.lag, covered, mark.learned);
        Some(Lag { covered, behind })
    });
}

/// A reader that was further behind than its limit is not close again before it is at half of it:
/// else one that hovers there would come and go with each answer.
pub(super) fn note_lagging(view: &mut BackendView, limit: Option<Duration>, now: Instant) {
    let (Some(limit), Some(lag)) = (limit, view.lag) else {
        return;
    };
    let behind = now.saturating_duration_since(lag.covered);
    view.lagging = behind > if view.lagging { limit / 2 } else { limit };
}

/// How long a commit takes to arrive, as the last one did; more, if one that has not arrived yet
/// takes longer already. `before`: what was measured last; `covered`: up to when it has everything;
/// `learned`: when it said so.
fn behind(clock: &LagClock, before: Option<Lag>, covered: Instant, learned: Instant) -> Duration {
    let has_for = learned.saturating_duration_since(covered);
    let Some(newest) = clock.newest() else {
        return has_for;
    };
    match (before, covered >= newest.last) {
        // It has all that the writer had. When did the last of it come?
        (None, true) => Duration::ZERO,
        (Some(before), true) if before.covered >= newest.first => before.behind,
        (Some(_), true) => learned.saturating_duration_since(newest.first),
        // Something is missing, and since the last answer nothing arrived, or something did.
        (Some(before), false) if before.covered >= covered => before.behind.max(has_for),
        (_, false) => has_for,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gtid::{Set, Uuid};

    const WRITER: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    /// A reader beside a writer, in artificial time. The writer commits, arrives a delay later on
    /// the reader, and both are asked each 100 ms.
    struct Stage {
        start: Instant,
        clock: LagClock,
        lag: Option<Lag>,
        executed: (u64, Instant),
    }

    fn set(number: u64) -> Set {
        Set::parse(&format!("{WRITER}:1-{number}")).unwrap()
    }

    impl Stage {
        fn new() -> Self {
            let start = Instant::now();
            let mut stage = Self {
                start,
                clock: LagClock::default(),
                lag: None,
                executed: (1, start),
            };
            stage.writer(0, 1);
            stage.reader(1, 1);
            stage
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn writer(&mut self, ms: u64, number: u64) {
            let uuid = Uuid::parse(WRITER).unwrap();
            self.clock.observe(self.at(ms), Arc::new(set(number)), uuid);
            self.measure();
        }

        fn reader(&mut self, ms: u64, number: u64) {
            self.executed = (number, self.at(ms));
            self.measure();
        }

        fn measure(&mut self) {
            let (number, learned) = self.executed;
            self.lag = self.clock.covered(&set(number)).map(|covered| Lag {
                covered,
                behind: behind(&self.clock, self.lag, covered, learned),
            });
        }

        /// A commit each 10 ms over this time.
        fn stream(&mut self, from: u64, until: u64, delay_ms: u64) {
            for ms in (from..until).step_by(100) {
                self.writer(ms, 1 + ms / 10);
                self.reader(ms + 5, 1 + (ms + 5).saturating_sub(delay_ms) / 10);
            }
        }

        fn behind_ms(&self) -> u128 {
            self.lag.unwrap().behind.as_millis()
        }

        fn staleness_ms(&self, now: u64) -> u128 {
            (self.at(now) - self.lag.unwrap().covered).as_millis()
        }
    }

    #[test]
    fn a_reader_under_a_stream_is_behind_by_its_delay() {
        for delay in [0, 30, 1000, 2500] {
            let mut stage = Stage::new();
            stage.stream(100, 10_000, delay);
            let expected = u128::from(delay)..=u128::from(delay) + 110;
            assert!(
                expected.contains(&stage.behind_ms()),
                "{delay}: {stage:?}",
                stage = stage.lag
            );
            assert!(expected.contains(&stage.staleness_ms(9_905)), "{delay}");
        }
    }

    #[test]
    fn what_was_measured_last_holds_while_nothing_is_written() {
        let mut stage = Stage::new();
        stage.writer(1_000, 2);
        stage.reader(1_005, 1);
        assert_eq!(stage.behind_ms(), 1_005);
        for ms in (1_100..3_000).step_by(100) {
            stage.writer(ms, 2);
            stage.reader(ms + 5, 1);
        }
        // The write arrives after 2 s.
        stage.reader(3_005, 2);
        assert_eq!(stage.behind_ms(), 2_005);
        for ms in (3_100..60_000).step_by(100) {
            stage.writer(ms, 2);
            stage.reader(ms + 5, 2);
        }
        assert_eq!(stage.behind_ms(), 2_005);
        assert_eq!(stage.staleness_ms(60_000), 100);
        // The next one is expected to take as long, from the beginning.
        stage.writer(60_000, 3);
        stage.reader(60_005, 2);
        assert_eq!(stage.behind_ms(), 2_005);
    }

    #[test]
    fn a_stall_counts_while_it_lasts_and_is_forgotten_after_it() {
        let mut stage = Stage::new();
        stage.stream(100, 5_000, 0);
        assert!(stage.behind_ms() <= 110);
        for ms in (5_000..15_000).step_by(100) {
            stage.writer(ms, 1 + ms / 10);
            stage.reader(ms + 5, 480);
        }
        assert!(
            (10_000..10_300).contains(&stage.behind_ms()),
            "{:?}",
            stage.lag
        );
        stage.stream(15_000, 16_000, 0);
        assert!(stage.behind_ms() <= 110, "{:?}", stage.lag);
    }

    #[test]
    fn a_reader_that_has_it_before_the_writer_was_asked_is_not_behind() {
        let mut stage = Stage::new();
        for ms in (100..2_000).step_by(100) {
            stage.reader(ms - 20, 1 + ms / 10);
            stage.writer(ms, 1 + ms / 10);
        }
        assert_eq!(stage.behind_ms(), 0);
    }

    #[test]
    fn a_reader_that_lagged_is_close_again_at_half_of_its_limit() {
        let start = Instant::now();
        let mut view = crate::backend::watch::waiters::tests::view(1, "1");
        view.lag = Some(Lag {
            covered: start,
            behind: Duration::ZERO,
        });
        let limit = Some(Duration::from_secs(10));
        let mut after = |seconds| {
            note_lagging(&mut view, limit, start + Duration::from_secs(seconds));
            view.lagging
        };
        assert_eq!(
            [9, 10, 11, 9, 6, 5, 9, 11].map(&mut after),
            [false, false, true, true, true, false, false, true]
        );
        view.lagging = false;
        note_lagging(&mut view, None, start + Duration::from_secs(99));
        assert!(!view.lagging, "the writer has no limit");
    }
}
