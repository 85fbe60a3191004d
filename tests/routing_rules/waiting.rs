//! A short wait for a reader, or the writer.

use std::time::Duration;

use tidegate::routing::{BackendId, Decision, Exclusion, Kind, OnTimeout, Reason, RefuseKind};

use crate::stage::{A, B, BEHIND, READ, Stage, W, refuse, set, stage, wait_of};

/// A write was acknowledged that no reader has; the readers are 20 ms behind, the wait is 50 ms.
fn written() -> Stage {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage
}

#[test]
fn a_read_waits_for_the_reader_that_will_soon_have_the_token() {
    let mut stage = written();
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:101"), 50));
    stage.pass(10);
    stage.executes(A, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadWaited));
}

#[test]
fn the_reader_that_is_least_behind_is_waited_for() {
    let mut stage = written();
    stage.view(A).lag.as_mut().unwrap().behind = Duration::from_millis(21);
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).0, B);
}

#[test]
fn a_reader_that_has_the_token_is_better_than_one_that_will_have_it() {
    let mut stage = written();
    stage.executes(B, "w:1-101");
    stage.assert_runs(READ, B, Reason::ReadCovered);
}

#[test]
fn a_read_goes_to_the_writer_at_once_where_waiting_is_no_use() {
    let mut stage = written();
    for reader in [A, B] {
        stage.view(reader).lag.as_mut().unwrap().behind = Duration::from_millis(51);
    }
    stage.assert_runs(READ, W, Reason::PredictedTooLate);
    // The write is sampled, and time passes: soon a wait is worth it.
    stage.sample("w:1-101");
    stage.pass(1);
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).0, A);
}

#[test]
fn the_time_that_is_spent_counts() {
    let mut stage = written();
    stage.arrives(READ);
    stage.waiting = None;
    stage.pass(31);
    assert_eq!(stage.decide(READ), stage.run(W, Reason::PredictedTooLate));
    stage.pass(19);
    assert_eq!(stage.decide(READ), stage.run(W, Reason::WaitNotAllowed));
}

#[test]
fn after_a_reader_that_hung_there_is_time_for_another_one() {
    let mut stage = written();
    stage.executes(A, "w:1-101");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.pass(2000);
    stage.excluded = vec![(BackendId(1), Exclusion::Unreachable)];
    stage.failed = Some(stage.now);
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (B, set("w:101"), 50));
    stage.pass(50);
    assert_eq!(stage.decide(READ), stage.run(W, Reason::RetriedReaderLost));
}

#[test]
fn a_wait_that_runs_out_ends_on_the_writer() {
    let mut stage = written();
    stage.arrives(READ);
    stage.pass(50);
    assert_eq!(stage.decide(READ), stage.run(W, Reason::WaitTimedOut));
}

#[test]
fn p1_a_wait_that_runs_out_is_an_error_where_the_policy_says_so() {
    let mut stage = written();
    stage.policy.on_timeout = OnTimeout::Error;
    // Then the prediction is no reason not to try.
    stage.view(A).lag.as_mut().unwrap().behind = Duration::from_secs(10);
    stage.view(B).lag.as_mut().unwrap().behind = Duration::from_secs(9);
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision), (B, set("w:101"), 50));
    stage.pass(50);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::Timeout));
}

#[test]
fn without_a_wait_the_read_goes_to_the_writer_or_gets_an_error() {
    let mut stage = written();
    stage.policy.wait = Duration::ZERO;
    stage.assert_runs(READ, W, Reason::WaitNotAllowed);
    stage.policy.on_timeout = OnTimeout::Error;
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::Timeout));
}

#[test]
fn p1_without_a_writer_a_read_waits_out_its_time_and_gets_an_error() {
    let mut stage = written();
    stage.goes_down(W);
    for reader in [A, B] {
        stage.view(reader).lag.as_mut().unwrap().behind = Duration::from_secs(10);
    }
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).2, 50);
    stage.pass(49);
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).2, 1);
    stage.pass(1);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::Timeout));
}

#[test]
fn a_wait_keeps_its_token_while_others_of_the_scope_write() {
    let mut stage = written();
    stage.arrives(READ);
    stage.pass(5);
    stage.causality.acknowledge(&set("w:102"));
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:101"), 45));
    stage.executes(A, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadWaited));
}

#[test]
fn p1_a_reader_that_restarts_during_the_wait_has_to_prove_itself_again() {
    let mut stage = written();
    stage.arrives(READ);
    stage.restarts(A);
    stage.executes(A, "w:1-100");
    stage.pass(5);
    let decision = stage.decide(READ);
    assert!(
        matches!(&decision, Decision::Wait { place, .. } if *place != stage.place(A)
        || place.incarnation.epoch == 2),
        "{decision:?}"
    );
    stage.executes(A, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadWaited));
}

#[test]
fn a_reader_that_goes_during_the_wait_is_replaced() {
    let mut stage = written();
    stage.arrives(READ);
    stage.goes_down(A);
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).0, B);
    stage.goes_down(B);
    assert_eq!(stage.decide(READ), stage.run(W, Reason::NoReader));
}

#[test]
fn a_read_waits_for_the_whole_token_not_for_a_part() {
    let mut stage = written();
    stage.reads(W);
    assert!(matches!(stage.arrives(READ), Decision::Probe { .. }));
    stage.answers(W, "w:1-103", "");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-103"));
}

#[test]
fn the_prediction_counts_from_when_the_token_was_written() {
    let mut stage = written();
    stage.sample("w:1-101");
    stage.policy.wait = Duration::from_millis(5);
    stage.pass(u64::try_from(BEHIND.as_millis()).unwrap() - 6);
    stage.assert_runs(READ, W, Reason::PredictedTooLate);
    stage.pass(1);
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).0, A);
}

#[test]
fn a_read_only_transaction_waits_as_a_read_does() {
    let mut stage = written();
    let decision = stage.arrives(Kind::BeginReadOnly);
    assert_eq!(wait_of(&stage, &decision).0, A);
    stage.executes(A, "w:1-101");
    assert_eq!(
        stage.decide(Kind::BeginReadOnly),
        stage.run(A, Reason::ReadOnlyTransaction)
    );
    assert_eq!(stage.home, Some(BackendId(1)));
}
