//! Read-only transactions on a reader.

use tidegate::routing::{Exclusion, Isolation, Kind, Level, Reason, RefuseKind, Transaction};

use crate::stage::{A, B, READ, Stage, W, probe, refuse, set, stage, wait_of};

fn open(isolation: Isolation, snapshot_taken: bool) -> Stage {
    let mut stage = stage();
    stage.assert_runs(Kind::BeginReadOnly, A, Reason::ReadOnlyTransaction);
    let place = stage.place(A);
    stage.transaction = Transaction::ReadOnlyOn {
        place,
        snapshot_taken,
        isolation,
    };
    stage
}

#[test]
fn p1_a_read_only_transaction_begins_on_a_reader_that_has_the_token() {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage.executes(B, "w:1-101");
    stage.assert_runs(Kind::BeginReadOnly, B, Reason::ReadOnlyTransaction);
    stage.reads(W);
    assert_eq!(
        stage.arrives(Kind::BeginReadOnly),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
}

#[test]
fn repeatable_read_keeps_what_it_has() {
    let mut stage = open(Isolation::RepeatableRead, true);
    stage.causality.acknowledge(&set("w:101"));
    stage.assert_runs(READ, A, Reason::ReadOnlyTransaction);
    stage.goes_down(W);
    stage.goes_down(B);
    stage.assert_runs(READ, A, Reason::ReadOnlyTransaction);
}

#[test]
fn p1_before_its_snapshot_is_taken_a_transaction_is_gated() {
    let mut stage = open(Isolation::RepeatableRead, false);
    stage.causality.acknowledge(&set("w:101"));
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:101"), 50));
    stage.executes(A, "w:1-101");
    assert_eq!(
        stage.decide(READ),
        stage.run(A, Reason::ReadOnlyTransaction)
    );
}

#[test]
fn p1_read_committed_is_gated_at_each_statement_and_cannot_move() {
    let mut stage = open(Isolation::ReadCommitted, true);
    stage.assert_runs(READ, A, Reason::ReadOnlyTransaction);
    stage.causality.acknowledge(&set("w:101"));
    stage.executes(B, "w:1-101");
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).0, A);
    stage.pass(50);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::Timeout));
    stage.level = Some(Level::Eventual);
    stage.assert_runs(READ, A, Reason::ReadOnlyTransaction);
}

#[test]
fn p1_read_committed_on_a_life_that_is_not_vouched_for_is_an_error() {
    let mut stage = open(Isolation::ReadCommitted, true);
    stage.view(A).incarnation.as_mut().unwrap().epoch += 1;
    stage.executes(A, "w:1-100");
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::Timeout));
}

#[test]
fn p2_read_committed_sees_what_the_scope_saw_elsewhere() {
    let mut stage = open(Isolation::ReadCommitted, true);
    stage.reads(W);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
    stage.goes_down(W);
    assert_eq!(stage.decide(READ), refuse(RefuseKind::TokenUnknown));
}

#[test]
fn p5_a_write_in_it_gets_mysqls_own_error_and_reaches_no_reader() {
    let mut stage = open(Isolation::RepeatableRead, true);
    assert_eq!(
        stage.arrives(Kind::Write),
        refuse(RefuseKind::ReadOnlyTransaction)
    );
}

#[test]
fn each_other_statement_in_it_runs_where_it_belongs() {
    for (kind, index, reason) in [
        (Kind::Control, A, Reason::TransactionControl),
        (Kind::State, W, Reason::SessionState),
        (
            Kind::Other(Reason::UnknownStatement),
            A,
            Reason::ReadOnlyTransaction,
        ),
        (
            Kind::WriterRead(Reason::LockingRead),
            A,
            Reason::ReadOnlyTransaction,
        ),
        (
            Kind::ReadWithFunctions { functions: &["f"] },
            A,
            Reason::ReadOnlyTransaction,
        ),
        (Kind::Read { tables: false }, A, Reason::ReadOnlyTransaction),
        (Kind::LastStatement, W, Reason::LastStatement),
        (
            Kind::WriterRead(Reason::InstanceRead),
            W,
            Reason::InstanceRead,
        ),
        (Kind::WriterRead(Reason::UserLock), W, Reason::UserLock),
        (Kind::Admin, W, Reason::Admin),
        (
            Kind::Begin {
                consistent_snapshot: false,
            },
            W,
            Reason::TransactionControl,
        ),
        (Kind::BeginReadOnly, A, Reason::ReadOnlyTransaction),
    ] {
        let mut stage = open(Isolation::RepeatableRead, true);
        stage.assert_runs(kind, index, reason);
    }
}

#[test]
fn a_hint_for_the_writer_leaves_the_transaction() {
    let mut stage = open(Isolation::RepeatableRead, true);
    stage.level = Some(Level::Writer);
    stage.assert_runs(READ, W, Reason::WriterLevel);
}

#[test]
fn p4_it_ends_with_its_connection() {
    let mut stage = open(Isolation::RepeatableRead, true);
    stage.excluded = vec![(stage.place(A).backend, Exclusion::Unreachable)];
    for kind in [READ, Kind::Control, Kind::Other(Reason::Batch)] {
        assert_eq!(
            stage.arrives(kind),
            refuse(RefuseKind::StateLost),
            "{kind:?}"
        );
    }
}
