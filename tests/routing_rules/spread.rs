//! How sessions spread over readers.

use std::time::Duration;

use tidegate::routing::{BackendId, Decision, Load, Reason};

use crate::stage::{A, B, READ, Stage, stage};

fn chosen(stage: &mut Stage) -> usize {
    match stage.arrives(READ) {
        Decision::Run { place, .. } => place.backend.index(),
        other => panic!("expected a run, got {other:?}"),
    }
}

#[test]
fn sessions_spread_by_weight_and_each_keeps_its_reader() {
    for (weights, share_of_a) in [((100, 100), 0.5), ((300, 100), 0.75), ((1, 9), 0.1)] {
        let mut stage = stage();
        stage.home = None;
        (stage.view(A).weight, stage.view(B).weight) = weights;
        let sessions = 10_000;
        let mut on_a = 0;
        for session in 0..sessions {
            stage.session = session;
            let first = chosen(&mut stage);
            assert_eq!(chosen(&mut stage), first);
            on_a += u32::from(first == A);
        }
        let share = f64::from(on_a) / sessions as f64;
        assert!((share - share_of_a).abs() < 0.02, "{weights:?}: {share}");
    }
}

#[test]
fn few_sessions_spread_as_evenly_as_many() {
    for (weights, shares) in [((100, 100), [4, 4]), ((300, 100), [6, 2]), ((1, 7), [1, 7])] {
        for first in 0..100 {
            let mut stage = stage();
            stage.home = None;
            (stage.view(A).weight, stage.view(B).weight) = weights;
            stage.loads = vec![Load::default(); 3];
            for session in first..first + 8 {
                stage.session = session;
                let chosen = chosen(&mut stage);
                stage.loads[chosen].sessions += 1;
            }
            let found = [A, B].map(|reader| stage.loads[reader].sessions);
            let off = found[0].abs_diff(shares[0]);
            assert!(
                off <= u32::from(weights.0 != weights.1),
                "{weights:?}: {found:?}"
            );
        }
    }
}

#[test]
fn a_reader_that_comes_back_gets_those_that_come_and_none_that_read_elsewhere() {
    let mut stage = stage();
    stage.loads = vec![Load::default(); 3];
    stage.loads[A].sessions = 8;
    stage.home = Some(stage.place(A).backend);
    assert_eq!(chosen(&mut stage), A);
    stage.home = None;
    for session in 0..50 {
        stage.session = session;
        assert_eq!(chosen(&mut stage), B);
    }
}

#[test]
fn a_reader_that_goes_moves_only_its_own_sessions() {
    let mut stage = stage();
    let mut third = stage.view(B).clone();
    third.id = BackendId(3);
    stage.snapshot.backends.push(third);
    stage.home = None;
    for session in 0..1000 {
        stage.session = session;
        stage.snapshot.backends[3].up = true;
        let before = chosen(&mut stage);
        stage.snapshot.backends[3].up = false;
        let after = chosen(&mut stage);
        assert!(after == before || before == 3);
    }
}

#[test]
fn a_session_stays_at_its_reader_while_that_costs_nothing() {
    for home in [A, B] {
        let mut stage = stage();
        stage.home = Some(stage.place(home).backend);
        for session in 0..50 {
            stage.session = session;
            assert_eq!(chosen(&mut stage), home);
        }
        // A wait would cost something.
        stage.acknowledges("w:101");
        let other = if home == A { B } else { A };
        stage.executes(other, "w:1-101");
        stage.assert_runs(READ, other, Reason::ReadCovered);
    }
}

#[test]
fn of_readers_that_are_equally_behind_the_sessions_own_is_waited_for() {
    let mut stage = stage();
    stage.home = Some(BackendId(2));
    stage.acknowledges("w:101");
    for reader in [A, B] {
        stage.view(reader).lag.as_mut().unwrap().behind = Duration::from_millis(5);
    }
    assert!(matches!(stage.arrives(READ), Decision::Wait { place, .. } if place.backend.0 == 2));
}

#[test]
fn readers_of_the_same_zone_come_first_and_others_serve_without_them() {
    let mut stage = stage();
    stage.home = Some(stage.place(A).backend);
    stage.view(A).near = false;
    for session in 0..50 {
        stage.session = session;
        assert_eq!(
            chosen(&mut stage),
            B,
            "also for a session that was elsewhere"
        );
    }
    // Far and fresh is better than near and behind.
    stage.acknowledges("w:101");
    stage.executes(A, "w:1-101");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.goes_down(B);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn a_session_leaves_a_reader_that_would_answer_much_later_than_another() {
    let load = |running, millis| Load {
        running,
        latency: Duration::from_millis(millis),
        ..Load::default()
    };
    for (a, b, expected) in [
        (load(0, 1), load(0, 1), A),
        // Slower or busier, but not by much, or hardly busy at all.
        (load(7, 9), load(0, 1), A),
        (load(10, 1), load(6, 1), A),
        (load(10, 1), load(3, 1), B),
        (load(10, 3), load(10, 1), B),
        (load(40, 1), load(0, 90), A),
    ] {
        let mut stage = stage();
        stage.loads = vec![Load::default(), a, b];
        assert_eq!(chosen(&mut stage), expected, "{a:?} {b:?}");
    }
    let mut stage = stage();
    stage.loads = vec![Load::default(), load(10, 1), load(3, 1)];
    stage.view(A).weight = 300;
    assert_eq!(chosen(&mut stage), A, "a reader of more weight takes more");
}
