//! P1: writes whose GTID nobody told.

use tidegate::gtid::Token;
use tidegate::routing::{
    Level, MAX_LOST_THREADS, OnTimeout, Reason, RefuseKind, Role, UnknownCause,
};

use crate::stage::{A, B, READ, W, probe, refuse, set, stage, wait_of};

#[test]
fn p1_after_an_error_at_the_writer_a_read_asks_it_what_was_committed() {
    let mut stage = stage();
    stage.answers(W, "w:1-100", "");
    stage.pass(1);
    stage.causality.lose(UnknownCause::Error, stage.now, None);
    assert_eq!(stage.causality.token(), Token::Unknown);
    assert_eq!(stage.causality.unknown_cause(), Some(UnknownCause::Error));
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::TokenUnknown));

    stage.answers(W, "w:1-101", "w:102");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:1-101"), 50));
    assert_eq!(stage.causality.unknown_cause(), None);
}

#[test]
fn p1_a_later_loss_does_not_hide_an_earlier_one() {
    let mut stage = stage();
    stage.causality.lose(UnknownCause::Error, stage.now, None);
    stage.pass(1);
    stage.arrives(READ);
    stage.pass(1);
    // Another session of the scope loses a write while this read is being decided about.
    stage.causality.lose(UnknownCause::NoGtid, stage.now, None);
    assert_eq!(stage.decide(READ), probe(&[W], Reason::TokenUnknown));
}

#[test]
fn a_loss_beside_the_read_does_not_hold_it_up() {
    let mut stage = stage();
    stage.arrives(READ);
    stage.pass(1);
    stage.answers(W, "w:1-100", "");
    stage.pass(1);
    stage.causality.lose(UnknownCause::Error, stage.now, None);
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
    // But the next one.
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::TokenUnknown));
}

#[test]
fn p1_an_unanswered_commit_is_unknown_until_its_thread_is_gone() {
    let mut stage = stage();
    stage
        .causality
        .lose(UnknownCause::CommitUnanswered, stage.now, Some(42));
    stage.pass(1);
    stage.answers(W, "w:1-100", "");
    stage.assert_runs(READ, W, Reason::TokenUnknown);
    assert_eq!(stage.causality.lost_threads(), [42]);

    stage.pass(1);
    stage.causality.thread_gone(41, stage.now);
    stage.assert_runs(READ, W, Reason::TokenUnknown);
    stage.causality.thread_gone(42, stage.now);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::TokenUnknown));
    stage.answers(W, "w:1-101", "");
    stage.executes(B, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(B, Reason::ReadCovered));
}

#[test]
fn p1_a_token_that_cannot_be_known_yet_goes_to_the_writer_whatever_the_timeout_says() {
    let mut stage = stage();
    stage.policy.on_timeout = OnTimeout::Error;
    stage
        .causality
        .lose(UnknownCause::CommitUnanswered, stage.now, Some(42));
    stage.assert_runs(READ, W, Reason::TokenUnknown);
}

#[test]
fn p9_more_lost_threads_than_can_be_told_apart_are_gone_only_all_together() {
    let mut stage = stage();
    for thread in 0..=MAX_LOST_THREADS as u64 {
        stage
            .causality
            .lose(UnknownCause::CommitUnanswered, stage.now, Some(thread));
        stage
            .causality
            .lose(UnknownCause::CommitUnanswered, stage.now, Some(thread));
    }
    assert_eq!(stage.causality.lost_threads().len(), MAX_LOST_THREADS);
    for thread in 0..=MAX_LOST_THREADS as u64 {
        stage.causality.thread_gone(thread, stage.now);
    }
    stage.pass(1);
    stage.answers(W, "w:1-100", "");
    stage.assert_runs(READ, W, Reason::TokenUnknown);
    stage.causality.all_threads_gone(stage.now);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p7_an_unknown_token_without_a_writer_is_an_error() {
    let mut stage = stage();
    stage
        .causality
        .lose(UnknownCause::ConnectionLost, stage.now, None);
    stage.goes_down(W);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::TokenUnknown));
}

#[test]
fn a_probe_is_not_spent_where_no_reader_could_have_the_token_anyway() {
    let mut stage = stage();
    stage.pass(1000);
    stage.sample("w:1-101");
    stage.acknowledges("w:101");
    stage.causality.lose(UnknownCause::Error, stage.now, None);
    for reader in [A, B] {
        stage.executes(reader, "w:1-100");
        stage.view(reader).lag.as_mut().unwrap().behind = std::time::Duration::from_secs(5);
    }
    stage.assert_runs(READ, W, Reason::PredictedTooLate);
}

#[test]
fn a_read_at_the_writer_sees_what_was_lost_there_without_a_probe() {
    let mut stage = stage();
    stage.causality.lose(UnknownCause::Error, stage.now, None);
    stage.autocommit = false;
    stage.assert_runs(READ, W, Reason::AutocommitOff);
}

#[test]
fn p2_what_a_new_writer_lacks_once_it_has_drained_is_lost_and_told_once() {
    let mut stage = stage();
    stage.acknowledges("w:101-102");
    stage.goes_down(W);
    stage.view(B).role = Role::Writer;
    stage.view(B).writable = true;
    stage.executes(B, "w:1-101");
    stage.policy.level = Level::Writer;
    stage.arrives(READ);
    stage.pass(1);
    stage.answers(B, "w:1-101", "");
    // It may have received what it has not executed yet.
    stage.decide(READ);
    assert_eq!(stage.causality.take_lost_writes(), None);
    stage.snapshot.seat.drained = true;
    assert_eq!(stage.decide(READ), stage.run(B, Reason::WriterLevel));
    let lost = stage.causality.take_lost_writes().unwrap();
    assert_eq!((lost.known, lost.doubted), (set("w:102"), false));
    stage.arrives(READ);
    assert_eq!(stage.causality.take_lost_writes(), None);
}

#[test]
fn p2_what_was_seen_on_a_writer_that_went_for_good_is_in_doubt() {
    let mut stage = stage();
    stage.arrives(READ);
    stage.reads(W);
    stage.goes_down(W);
    stage.view(B).role = Role::Writer;
    stage.view(B).writable = true;
    stage.snapshot.seat.drained = true;
    stage.executes(B, "w:1-100");
    stage.pass(1);
    stage.arrives(READ);
    stage.answers(B, "w:1-100", "");
    stage.decide(READ);
    let lost = stage.causality.take_lost_writes().unwrap();
    assert!(lost.doubted && lost.known.is_empty());
}
