//! P2 at the writer, which may be behind what a reader has shown.

use std::time::Duration;

use tidegate::gtid::Token;
use tidegate::routing::{
    Causality, Exclusion, Isolation, Kind, Level, OnTimeout, Reason, RefuseKind, Role, Transaction,
    WRITER_GATE_PATIENCE,
};

use crate::stage::{A, B, READ, Stage, W, at, probe, refuse, set, stage, wait_of};

/// A session that has read on A and then has to read on the writer.
fn moved_to_writer() -> Stage {
    let mut stage = stage();
    stage.reads(A);
    stage.pin = Some(Reason::PinTemporaryTable);
    stage
}

#[test]
fn p2_a_read_that_moves_to_the_writer_asks_both_at_once() {
    let mut stage = moved_to_writer();
    assert_eq!(
        stage.arrives(READ),
        probe(&[A, W], Reason::ReadAfterOtherReader)
    );
    stage.answers(A, "w:1-101", "");
    stage.answers(W, "w:1-101", "");
    assert_eq!(stage.decide(READ), stage.run(W, Reason::PinTemporaryTable));
    // Once the writer has proven it, later reads there are free.
    stage.assert_runs(READ, W, Reason::PinTemporaryTable);
}

#[test]
fn p2_a_read_waits_for_a_writer_that_is_behind_a_reader_and_gets_an_error_in_the_end() {
    let mut stage = moved_to_writer();
    stage.arrives(READ);
    stage.answers(A, "w:1-101", "w:102");
    stage.answers(W, "w:1-100", "w:101");
    let decision = stage.decide(READ);
    let patience = WRITER_GATE_PATIENCE.as_millis();
    assert_eq!(wait_of(&stage, &decision), (W, set("w:101-102"), patience));
    stage.pass(10);
    stage.executes(W, "w:1-101");
    assert_eq!(wait_of(&stage, &stage.waits_again()).0, W);
    stage.executes(W, "w:1-102");
    assert_eq!(stage.decide(READ), stage.run(W, Reason::PinTemporaryTable));

    let mut stage = moved_to_writer();
    stage.arrives(READ);
    stage.answers(A, "w:1-101", "");
    stage.answers(W, "w:1-100", "w:101");
    stage.decide(READ);
    stage.pass(1000);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::WriterBehind));
}

impl Stage {
    fn waits_again(&self) -> tidegate::routing::Decision {
        let waiting = self.waiting.clone().expect("a wait");
        tidegate::routing::Decision::Wait {
            place: waiting.place,
            token: waiting.token,
            until: waiting.until,
            reason: Reason::WriterBehind,
            draining: false,
        }
    }
}

#[test]
fn p9_a_read_that_comes_late_from_a_reader_that_hung_waits_for_the_writer_all_the_same() {
    let mut stage = stage();
    stage.reads(A);
    assert_eq!(stage.arrives(READ), stage.run(A, Reason::ReadCovered));
    // Others of its scope are shown on B what the writer does not tell of yet.
    stage.pass(2000);
    stage.answers(W, "w:1-100", "w:101");
    let mark = stage.begins(B);
    stage.answers(B, "w:1-101", "");
    stage.causality.end_read(mark, stage.now);
    stage.answers(B, "w:1-101", "");
    for reader in [A, B] {
        let excluded = (stage.place(reader).backend, Exclusion::Unreachable);
        stage.excluded.push(excluded);
        stage.failed = Some(stage.now);
        stage.answers(reader, "w:1-101", "");
    }
    let decision = stage.decide(READ);
    let patience = WRITER_GATE_PATIENCE.as_millis();
    assert_eq!(wait_of(&stage, &decision), (W, set("w:101"), patience));
    stage.pass(1000);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::WriterBehind));
    stage.executes(W, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(W, Reason::RetriedReaderLost));
}

#[test]
fn a_longer_wait_of_the_policy_counts_for_the_writer_too() {
    let mut stage = moved_to_writer();
    stage.policy.wait = Duration::from_secs(9);
    stage.arrives(READ);
    stage.answers(A, "w:1-101", "");
    stage.answers(W, "w:1-100", "w:101");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).2, 9000);
}

#[test]
fn p2_a_reader_that_covers_is_taken_while_the_writer_is_behind() {
    let mut stage = stage();
    stage.acknowledges("w:100");
    stage.reads(A);
    stage.executes(A, "w:1-101");
    stage.answers(W, "w:1-100", "w:101");
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn the_scopes_own_writes_need_no_gate_at_the_writer() {
    let mut stage = stage();
    stage.assert_runs(Kind::Write, W, Reason::Write);
    stage.acknowledges("w:101-105");
    stage.pin = Some(Reason::PinTemporaryTable);
    stage.assert_runs(READ, W, Reason::PinTemporaryTable);
}

#[test]
fn a_write_needs_no_gate_since_it_shows_no_rows() {
    let mut stage = moved_to_writer();
    for kind in [Kind::Write, Kind::State, Kind::Admin, Kind::Control] {
        assert!(matches!(
            stage.arrives(kind),
            tidegate::routing::Decision::Run { .. }
        ));
    }
    let begin = Kind::Begin {
        consistent_snapshot: false,
    };
    stage.assert_runs(begin, W, Reason::TransactionControl);
}

#[test]
fn p2_whatever_may_show_rows_is_gated_at_the_writer() {
    for kind in [
        READ,
        Kind::Read { tables: false },
        Kind::ReadWithFunctions { functions: &["f"] },
        Kind::WriterRead(Reason::LockingRead),
        Kind::Other(Reason::Batch),
        Kind::Begin {
            consistent_snapshot: true,
        },
        Kind::BeginReadOnly,
    ] {
        let mut stage = moved_to_writer();
        assert_eq!(
            stage.arrives(kind),
            probe(&[A, W], Reason::ReadAfterOtherReader),
            "{kind:?}"
        );
    }
}

#[test]
fn p2_a_transaction_is_gated_until_its_snapshot_is_taken() {
    let mut stage = stage();
    stage.reads(A);
    let transaction = |stage: &Stage, snapshot_taken| Transaction::OnWriter {
        place: stage.place(W),
        snapshot_taken,
    };
    stage.transaction = transaction(&stage, false);
    assert_eq!(
        stage.arrives(READ),
        probe(&[A, W], Reason::ReadAfterOtherReader)
    );
    // Then REPEATABLE READ keeps what it has, and a gate could only hold it up.
    stage.transaction = transaction(&stage, true);
    stage.assert_runs(READ, W, Reason::Transaction);
    stage.isolation = Isolation::ReadCommitted;
    assert_eq!(
        stage.arrives(READ),
        probe(&[A, W], Reason::ReadAfterOtherReader)
    );
}

#[test]
fn p2_a_reader_that_is_gone_is_answered_for_by_the_writer() {
    let mut stage = moved_to_writer();
    stage.goes_down(A);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterOtherReader)
    );
    // It may have shown what the writer only owns.
    stage.answers(W, "w:1-100", "w:101");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:101"));
}

#[test]
fn p1_another_writer_has_to_prove_the_whole_token() {
    let mut stage = stage();
    stage.assert_runs(Kind::Write, W, Reason::Write);
    stage.acknowledges("w:101-102");
    stage.goes_down(W);
    stage.view(B).role = Role::Writer;
    stage.view(B).writable = true;
    stage.executes(B, "w:1-101");
    stage.policy.level = Level::Writer;
    assert_eq!(stage.arrives(READ), probe(&[B], Reason::WriterBehind));
    stage.answers(B, "w:1-101", "");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:102"));
    stage.pass(1000);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::WriterBehind));
}

#[test]
fn p1_a_floor_is_proven_at_the_writer_before_the_first_read_there() {
    let mut stage = stage();
    stage.causality = Causality::starting_from(Token::Known(set("w:1-101")), at(0));
    stage.policy.level = Level::Writer;
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::WriterBehind));
    stage.answers(W, "w:1-101", "");
    assert_eq!(stage.decide(READ), stage.run(W, Reason::WriterLevel));
}

#[test]
fn an_eventual_read_needs_no_gate_at_the_writer() {
    let mut stage = moved_to_writer();
    stage.policy.level = Level::Eventual;
    stage.assert_runs(READ, W, Reason::PinTemporaryTable);
}

#[test]
fn p2_a_fallen_back_read_is_gated_as_well() {
    let mut stage = stage();
    stage.policy.on_timeout = OnTimeout::Writer;
    stage.policy.wait = Duration::ZERO;
    stage.reads(A);
    stage.acknowledges("w:101");
    let both = probe(&[A, W], Reason::ReadAfterOtherReader);
    assert_eq!(stage.arrives(READ), both);
}
