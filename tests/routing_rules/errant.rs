//! Transactions on a reader that the writer's lineage does not know.

use tidegate::gtid::Token;
use tidegate::routing::{Reason, Role};

use crate::stage::{A, B, READ, W, probe, set, stage, wait_of};

/// A read on B, which has an errant transaction, and then one that would go to A.
fn seen_errant(stage: &mut crate::stage::Stage, errant: &str) {
    stage.reads(B);
    stage.pass(1);
    stage.answers(B, &format!("w:1-100 {errant}"), "");
}

#[test]
fn an_errant_transaction_is_dropped_once_the_writer_denies_it_and_shown_once() {
    for errant in ["b:1-3", "x:7"] {
        let mut stage = stage();
        seen_errant(&mut stage, errant);
        assert_eq!(
            stage.arrives(READ),
            probe(&[W], Reason::ReadAfterWriterRead)
        );
        stage.answers(W, "w:1-100", "");
        assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
        assert_eq!(stage.causality.token(), Token::Known(set("w:1-100")));
        assert_eq!(stage.causality.take_errant(), Some(set(errant)));

        seen_errant(&mut stage, errant);
        stage.view(W).probe = None;
        stage.assert_runs(READ, A, Reason::ReadCovered);
        assert_eq!(stage.causality.take_errant(), None);
    }
}

#[test]
fn p2_the_first_transaction_of_a_new_uuid_is_not_taken_for_errant() {
    let mut stage = stage();
    stage.reads(B);
    stage.pass(1);
    // A group's first transaction, which the writer has executed after it was asked last.
    stage.answers(B, "w:1-100", "x:1");
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
    stage.answers(W, "w:1-100 x:1", "");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-100 x:1"));
    assert_eq!(stage.causality.take_errant(), None);
}

#[test]
fn p2_a_denial_from_before_the_read_ended_convicts_nobody() {
    let mut stage = stage();
    stage.answers(W, "w:1-100", "");
    stage.pass(1);
    seen_errant(&mut stage, "x:1");
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
}

#[test]
fn what_the_lineage_has_executed_of_any_uuid_needs_no_probe_of_the_writer() {
    let mut stage = stage();
    for index in [W, A, B] {
        stage.executes(index, "w:1-100 x:1-5 b:1-9");
    }
    stage.reads(B);
    stage.pass(1);
    stage.answers(B, "w:1-100 x:1-5 b:1-9", "");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    assert_eq!(
        stage.causality.token(),
        Token::Known(set("w:1-100 x:1-5 b:1-9"))
    );
}

#[test]
fn p2_the_errant_transactions_of_a_reader_that_becomes_the_writer_count() {
    let mut stage = stage();
    seen_errant(&mut stage, "b:1");
    stage.pass(1);
    stage.answers(W, "w:1-100", "");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.causality.take_errant();

    stage.goes_down(W);
    stage.view(B).role = Role::Writer;
    stage.view(B).writable = true;
    stage.executes(B, "w:1-100 b:1");
    stage.executes(A, "w:1-100 b:1");
    stage.reads(A);
    stage.pass(1);
    stage.answers(A, "w:1-100 b:1", "");
    stage.autocommit = false;
    stage.assert_runs(READ, B, Reason::AutocommitOff);
    assert_eq!(stage.causality.token(), Token::Known(set("w:1-100 b:1")));
}
