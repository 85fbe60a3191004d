//! The lag clock.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidegate::gtid::Set;
use tidegate::routing::{LagClock, MAX_SAMPLED_INTERVALS, MAX_SAMPLES, Reason};

use crate::stage::{A, B, READ, W, at, set, stage, uuid};

fn clock(samples: &[(u64, &str)]) -> LagClock {
    let mut clock = LagClock::default();
    for (ms, executed) in samples {
        clock.observe(at(*ms), Arc::new(set(executed)), uuid(b'w'));
    }
    clock
}

#[test]
fn a_reader_is_as_stale_as_the_newest_sample_that_it_covers() {
    let clock = clock(&[
        (0, "w:1-10"),
        (100, "w:1-20"),
        (200, "w:1-20"),
        (300, "w:1-30"),
    ]);
    for (executed, covered) in [
        ("w:1-9", None),
        ("w:1-10", Some(0)),
        ("w:1-19", Some(0)),
        // Between 100 and 200 nothing was committed, so who has 20 had everything until 200.
        ("w:1-20", Some(200)),
        ("w:1-29 a:1", Some(200)),
        ("w:1-30", Some(300)),
        ("w:1-40", Some(300)),
        ("a:1-100", None),
    ] {
        assert_eq!(clock.covered(&set(executed)), covered.map(at), "{executed}");
    }
}

#[test]
fn a_token_was_written_when_the_first_sample_had_it() {
    let clock = clock(&[
        (0, "w:1-10"),
        (100, "w:1-20"),
        (200, "w:1-20"),
        (300, "w:1-30"),
    ]);
    for (token, first) in [
        ("", Some(0)),
        ("w:10", Some(0)),
        ("w:11", Some(100)),
        ("w:5 w:30", Some(300)),
        ("w:31", None),
        ("x:1", None),
    ] {
        assert_eq!(clock.first_covering(&set(token)), first.map(at), "{token}");
    }
}

#[test]
fn nothing_is_known_of_a_reader_before_the_writer_was_asked() {
    let clock = LagClock::default();
    assert!(clock.is_empty() && clock.newest().is_none() && clock.writer().is_none());
    assert_eq!(clock.covered(&set("w:1-100")), None);
    assert_eq!(clock.first_covering(&Set::default()), None);
}

#[test]
fn an_answer_that_overtook_a_newer_one_is_left_out() {
    let clock = clock(&[(0, "w:1-10"), (200, "w:1-30"), (100, "w:1-20")]);
    assert_eq!(clock.len(), 2);
    assert_eq!(clock.covered(&set("w:1-25")), Some(at(0)));
}

#[test]
fn p7_a_writer_that_lost_transactions_begins_a_new_history() {
    let clock = clock(&[(0, "w:1-10"), (100, "w:1-20"), (200, "w:1-15 w:17")]);
    assert_eq!(clock.len(), 1);
    assert_eq!(clock.covered(&set("w:1-16")), None);
    assert_eq!(clock.writer(), Some(uuid(b'w')));
}

#[test]
fn p7_another_writer_begins_a_new_history() {
    let mut clock = clock(&[(0, "w:1-10")]);
    clock.observe(at(100), Arc::new(set("w:1-10 a:1")), uuid(b'a'));
    assert_eq!(clock.covered(&set("w:1-10")), None);
    assert_eq!(clock.covered(&set("w:1-10 a:1")), Some(at(100)));
}

#[test]
fn p9_the_history_is_bounded_and_its_newest_part_complete() {
    let mut clock = LagClock::default();
    let step = 100;
    for number in 1..=10_000u64 {
        clock.observe(
            at(number * step),
            Arc::new(set(&format!("w:1-{number}"))),
            uuid(b'w'),
        );
        assert!(clock.len() <= MAX_SAMPLES);
    }
    let newest = 10_000;
    for back in 0..MAX_SAMPLES as u64 / 2 {
        let executed = set(&format!("w:1-{}", newest - back));
        assert_eq!(clock.covered(&executed), Some(at((newest - back) * step)));
    }
    for number in (50..5000).step_by(50) {
        let covered = clock.covered(&set(&format!("w:1-{number}")));
        let (true_age, age) = (
            newest - number,
            at(newest * step) - covered.expect("not cut off"),
        );
        let true_age = Duration::from_millis(true_age * step);
        assert!(
            true_age <= age && age <= true_age.mul_f64(1.1),
            "{number}: {true_age:?} {age:?}"
        );
    }
}

#[test]
fn p9_long_sets_make_a_short_history() {
    let mut clock = LagClock::default();
    let holes = 20_000;
    let holey: Vec<_> = (1..=holes).map(|n| format!("w:{}", n * 2)).collect();
    let base = set(&holey.join(" "));
    for number in 0..200u64 {
        let mut executed = base.clone();
        executed.union(&set(&format!("a:1-{}", number + 1)));
        clock.observe(at(number), Arc::new(executed), uuid(b'w'));
        assert!(clock.len() * holes as usize <= MAX_SAMPLED_INTERVALS);
    }
    assert!(clock.len() > 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None,
        ..ProptestConfig::default() })]

    /// However samples are thinned, no reader counts as fresher than it is.
    #[test]
    fn p1_no_reader_counts_as_fresher_than_it_is(
        steps in prop::collection::vec((1u64..50, 0u64..4), 1..1500),
        reader in 1u64..4000,
    ) {
        let mut clock = LagClock::default();
        let (mut ms, mut executed, mut missing_since) = (0, 1u64, None);
        for (pause, commits) in steps {
            ms += pause;
            executed += commits;
            clock.observe(at(ms), Arc::new(set(&format!("w:1-{executed}"))), uuid(b'w'));
            if executed > reader && missing_since.is_none() {
                missing_since = Some(at(ms));
            }
        }
        let covered = clock.covered(&set(&format!("w:1-{reader}")));
        if let (Some(covered), Some(missing)) = (covered, missing_since) {
            prop_assert!(covered < missing);
        }
        if missing_since.is_none() {
            prop_assert_eq!(covered, Some(at(ms)));
        }
        if clock.len() < MAX_SAMPLES {
            let written = clock.first_covering(&set(&format!("w:{}", reader + 1)));
            prop_assert_eq!(written, missing_since);
        }
    }
}

#[test]
fn a_reader_that_lagged_gets_no_reads_before_it_is_close_again() {
    let mut stage = stage();
    stage.view(A).lagging = true;
    stage.assert_runs(READ, B, Reason::ReadCovered);
    stage.view(B).lagging = true;
    stage.assert_runs(READ, W, Reason::ReadersLag);
    // Without a writer nothing new can be missed.
    stage.goes_down(W);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}
