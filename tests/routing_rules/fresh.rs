//! What the levels `strong` and `bounded` ask for beyond what the scope must see.

use std::sync::Arc;
use std::time::Duration;

use tidegate::routing::{Decision, Isolation, Kind, Level, OnTimeout, Reason, RefuseKind};
use tidegate::routing::{Role, Transaction, UnknownCause};

use crate::stage::{A, B, READ, Stage, W, probe, refuse, set, stage, wait_of};

fn strong() -> Stage {
    let mut stage = stage();
    stage.policy.level = Level::Strong;
    stage
}

/// The writer commits `w:101` now, 600 ms after the readers were last told of anything; since then
/// it is asked each 100 ms.
fn bounded(bound_ms: u64) -> Stage {
    let mut stage = stage();
    stage.policy.level = Level::Bounded;
    stage.policy.max_staleness = Some(Duration::from_millis(bound_ms));
    for _ in 0..6 {
        stage.pass(100);
        stage.sample("w:1-101");
    }
    stage
}

#[test]
fn p1_a_strong_read_sees_what_the_writer_has_when_asked_after_the_read_arrived() {
    let mut stage = strong();
    stage.answers(W, "w:1-100", "");
    stage.pass(1);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::StrongFetch));
    stage.answers(W, "w:1-101", "");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:1-101"), 50));
    stage.executes(A, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadWaited));
    stage.pass(1);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::StrongFetch));
    stage.answers(W, "w:1-101", "");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
}

#[test]
fn p1_a_strong_read_sees_what_a_reader_may_have_shown_before_the_writer_finished_it() {
    let mut stage = strong();
    stage.arrives(READ);
    stage.answers(W, "w:1-100", "w:101");
    stage.executes(B, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(B, Reason::ReadCovered));

    let mut stage = strong();
    stage.pin = Some(Reason::PinTemporaryTable);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::StrongFetch));
    stage.answers(W, "w:1-100", "w:101");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (W, set("w:101"), 1000));
    stage.pass(999);
    assert!(matches!(stage.decide(READ), Decision::Wait { .. }));
    stage.answers(W, "w:1-101", "");
    let run = stage.run(W, Reason::PinTemporaryTable);
    assert_eq!(stage.decide(READ), run);
}

#[test]
fn what_shows_no_rows_of_tables_needs_no_strong_fetch() {
    let mut stage = strong();
    let instance = Kind::WriterRead(Reason::InstanceRead);
    stage.assert_runs(instance, W, Reason::InstanceRead);
    let locking = Kind::WriterRead(Reason::LockingRead);
    assert_eq!(stage.arrives(locking), probe(&[W], Reason::StrongFetch));
    stage.assert_runs(Kind::Write, W, Reason::Write);
}

#[test]
fn p5_a_strong_read_is_refused_without_a_writer_that_can_be_asked() {
    let mut stage = strong();
    stage.goes_down(W);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::NoWriter));
    let mut stage = strong();
    stage.answers(W, "w:1-100", "");
    stage.view(W).writable = false;
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::NoWriter));
}

#[test]
fn p1_a_read_only_transaction_at_level_strong_is_gated_when_it_begins_and_keeps_what_it_has() {
    let mut stage = strong();
    assert_eq!(
        stage.arrives(Kind::BeginReadOnly),
        probe(&[W], Reason::StrongFetch)
    );
    stage.answers(W, "w:1-100", "");
    let run = stage.run(A, Reason::ReadOnlyTransaction);
    assert_eq!(stage.decide(Kind::BeginReadOnly), run);
    for (isolation, goes_on) in [
        (Isolation::RepeatableRead, run),
        (Isolation::ReadCommitted, probe(&[W], Reason::StrongFetch)),
    ] {
        stage.pass(1);
        stage.transaction = Transaction::ReadOnlyOn {
            place: stage.place(A),
            snapshot_taken: true,
            isolation,
        };
        assert_eq!(stage.arrives(READ), goes_on);
    }
}

#[test]
fn a_bounded_read_need_not_see_its_own_writes_but_all_that_is_older_than_the_bound() {
    let mut stage = bounded(700);
    stage.acknowledges("w:102");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.pass(100);
    stage.sample("w:1-101");
    stage.pass(101);
    let decision = stage.arrives(READ);
    assert_eq!(
        wait_of(&stage, &decision).1,
        set("w:1-101"),
        "it is too old"
    );
    stage.executes(B, "w:1-101");
    stage.assert_runs(READ, B, Reason::ReadCovered);
}

#[test]
fn a_bound_within_which_the_writer_was_not_asked_takes_a_question() {
    let mut stage = bounded(0);
    stage.executes(A, "w:1-101");
    stage.pass(1);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::BoundUnknown));
    stage.sample("w:1-101");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
    stage.policy.max_staleness = Some(Duration::from_secs(1 << 40));
    stage.goes_down(W);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p1_a_bounded_read_in_a_transaction_asks_whether_its_writer_still_is_one() {
    let mut stage = bounded(0);
    let place = stage.place(W);
    stage.transaction = Transaction::OnWriter {
        place,
        snapshot_taken: false,
    };
    stage.pass(1);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::BoundUnknown));
    stage.sample("w:1-101");
    assert_eq!(stage.decide(READ), stage.run(W, Reason::Transaction));
}

#[test]
fn p1_a_transaction_whose_writer_is_another_now_shows_what_it_has_read_and_no_more() {
    for level in [Level::Session, Level::Bounded, Level::Strong] {
        let mut stage = stage();
        stage.policy.level = level;
        stage.policy.max_staleness = None;
        let place = stage.place(W);
        for (index, role) in [(W, Role::Reader), (A, Role::Writer)] {
            let view = stage.view(index);
            view.role = role;
            view.writable = role == Role::Writer;
        }
        for (snapshot_taken, decision) in [
            (false, refuse(RefuseKind::StateLost)),
            (true, stage.run(W, Reason::Transaction)),
        ] {
            stage.transaction = Transaction::OnWriter {
                place,
                snapshot_taken,
            };
            assert_eq!(stage.arrives(READ), decision, "{level:?}");
        }
    }
}

#[test]
fn p1_without_a_writer_a_bounded_read_is_refused_beyond_its_bound() {
    let mut stage = bounded(500);
    stage.executes(A, "w:1-101");
    stage.goes_down(W);
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.pass(501);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::TooStale));
    // What the bound does not concern goes on.
    stage.policy.level = Level::Session;
    stage.policy.max_staleness = None;
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p2_a_bounded_read_sees_what_reads_before_it_saw() {
    let mut stage = bounded(10_000);
    stage.reads(W);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
    stage.pass(1);
    stage.answers(W, "w:1-101", "");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-101"));
}

#[test]
fn a_bounded_read_does_not_ask_what_became_of_lost_writes() {
    let mut stage = bounded(10_000);
    let now = stage.now;
    stage
        .causality
        .lose(UnknownCause::ConnectionLost, now, Some(7));
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.policy.level = Level::Session;
    stage.assert_runs(READ, W, Reason::TokenUnknown);
}

#[test]
fn a_bound_holds_beside_the_level_session() {
    let mut stage = bounded(500);
    stage.policy.level = Level::Session;
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-101"), "the bound");
    stage.executes(A, "w:1-101");
    stage.acknowledges("w:102");
    let decision = stage.arrives(READ);
    assert_eq!(
        wait_of(&stage, &decision).1,
        set("w:1-102"),
        "its own write"
    );
    stage.policy.on_timeout = OnTimeout::Error;
    stage.policy.wait = Duration::ZERO;
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::Timeout));
}

#[test]
fn a_hint_that_bounds_staleness_alone_makes_an_eventual_read_a_bounded_one() {
    let mut stage = bounded(0);
    stage.policy.level = Level::Eventual;
    stage.assert_runs(READ, A, Reason::ReadEventual);
    stage.max_staleness = Some(Duration::from_millis(500));
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-101"));
    stage.level = Some(Level::Eventual);
    stage.assert_runs(READ, A, Reason::ReadEventual);
}

#[test]
fn p1_a_hint_that_a_transaction_can_no_longer_meet_is_answered_by_the_writer() {
    let mut stage = bounded(500);
    stage.policy.level = Level::Session;
    stage.policy.max_staleness = None;
    stage.transaction = Transaction::ReadOnlyOn {
        place: stage.place(A),
        snapshot_taken: true,
        isolation: Isolation::RepeatableRead,
    };
    stage.assert_runs(READ, A, Reason::ReadOnlyTransaction);
    stage.max_staleness = Some(Duration::from_millis(500));
    stage.assert_runs(READ, W, Reason::WriterLevel);
}

#[test]
fn p1_p2_a_carried_token_is_seen_at_every_level_that_promises_something() {
    for (level, waits) in [
        (Level::Session, true),
        (Level::Bounded, true),
        (Level::Eventual, false),
    ] {
        let mut stage = bounded(10_000);
        stage.policy.level = level;
        stage.carried = Some(Arc::new(set("w:1-101")));
        let decision = stage.arrives(READ);
        if waits {
            assert_eq!(wait_of(&stage, &decision).1, set("w:1-101"), "{level:?}");
            stage.executes(B, "w:1-101");
            assert_eq!(stage.decide(READ), stage.run(B, Reason::ReadCovered));
        } else {
            assert_eq!(decision, stage.run(A, Reason::ReadEventual));
        }
    }
}
