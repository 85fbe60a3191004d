//! P2: what was seen before another server became the writer.

use tidegate::gtid::Token;
use tidegate::routing::{BackendId, Exclusion, Level, Reason, RefuseKind, Role};

use crate::stage::{A, B, READ, Stage, W, probe, refuse, set, stage};

/// B takes over from a writer that is gone; what it has received it has executed, or it has not.
fn takes_over(stage: &mut Stage, executed: &str, drained: bool) {
    stage.goes_down(W);
    stage.view(B).role = Role::Writer;
    stage.view(B).writable = true;
    stage.executes(B, executed);
    stage.snapshot.seat.drained = drained;
    stage.snapshot.seat.generation += 1;
    stage.pass(1);
}

/// A session that has read on A, whose writer is B then, and that asks for the writer.
fn has_read_on_a() -> Stage {
    let mut stage = stage();
    stage.arrives(READ);
    stage.reads(A);
    stage.policy.level = Level::Writer;
    stage
}

#[test]
fn p2_a_reader_that_only_failed_one_statement_tells_what_was_seen_there() {
    for how in [
        Exclusion::LagError,
        Exclusion::ReplayFailed,
        Exclusion::Full,
    ] {
        let mut stage = has_read_on_a();
        stage.policy.level = Level::Session;
        stage.arrives(READ);
        stage.excluded.push((BackendId(1), how));
        takes_over(&mut stage, "w:1-100", true);
        stage.answers(B, "w:1-100", "");
        let asked = stage.decide(READ);
        assert_eq!(stage.causality.take_lost_writes(), None, "{how:?}");
        assert_eq!(asked, probe(&[A, B], Reason::ReadAfterOtherReader));
        stage.pass(1);
        stage.answers(A, "w:1-100", "");
        stage.answers(B, "w:1-100", "");
        let decision = stage.decide(READ);
        assert!(
            matches!(decision, tidegate::routing::Decision::Run { place, .. } if place == stage.place(B)),
            "{decision:?}"
        );
        assert_eq!(stage.causality.take_lost_writes(), None, "{how:?}");
    }
}

#[test]
fn p2_of_a_reader_that_can_not_be_asked_nobody_answers_for_what_was_seen_before_the_change() {
    let mut stage = has_read_on_a();
    stage.arrives(READ);
    stage.excluded.push((BackendId(1), Exclusion::Unreachable));
    takes_over(&mut stage, "w:1-100", true);
    stage.answers(B, "w:1-100", "");
    assert_eq!(stage.decide(READ), refuse(RefuseKind::TokenUnknown));
    assert_eq!(stage.causality.take_lost_writes(), None, "it may be there");
    // The monitor has reached it all the same.
    stage.pass(1);
    stage.answers(A, "w:1-100", "");
    assert_eq!(
        stage.decide(READ),
        stage.run(B, Reason::WriterLevel),
        "its own answer counts"
    );
    assert_eq!(stage.causality.take_lost_writes(), None);
}

#[test]
fn p2_a_reader_that_goes_after_the_change_leaves_in_doubt_what_was_seen_before() {
    let mut stage = has_read_on_a();
    takes_over(&mut stage, "w:1-100", true);
    stage.answers(B, "w:1-100", "");
    assert_eq!(
        stage.arrives(READ),
        probe(&[A, B], Reason::ReadAfterOtherReader)
    );
    assert_eq!(stage.causality.take_lost_writes(), None);
    stage.restarts(A);
    stage.pass(1);
    stage.answers(B, "w:1-100", "");
    stage.decide(READ);
    let lost = stage.causality.take_lost_writes().unwrap();
    assert!(lost.doubted && lost.known.is_empty());
}

#[test]
fn p2_a_reader_whose_answers_are_wrong_does_not_tell_what_was_seen_there() {
    let mut stage = has_read_on_a();
    stage.arrives(READ);
    stage.excluded.push((BackendId(1), Exclusion::Alarm));
    takes_over(&mut stage, "w:1-100", true);
    stage.answers(A, "w:1-99", "");
    stage.decide(READ);
    stage.pass(1);
    stage.answers(B, "w:1-100", "");
    stage.decide(READ);
    assert!(stage.causality.take_lost_writes().unwrap().doubted);
}

#[test]
fn a_reader_that_has_told_once_after_the_change_may_go_without_leaving_a_doubt() {
    let mut stage = has_read_on_a();
    stage.policy.level = Level::Session;
    takes_over(&mut stage, "w:1-100", true);
    stage.answers(A, "w:1-100", "");
    stage.answers(B, "w:1-100", "");
    stage.arrives(READ);
    stage.reads(A);
    stage.pass(1);
    stage.restarts(A);
    stage.arrives(READ);
    stage.pass(1);
    stage.answers(B, "w:1-100", "");
    stage.decide(READ);
    assert_eq!(stage.causality.take_lost_writes(), None);
}

#[test]
fn p2_what_was_read_before_the_change_and_the_new_writer_lacks_is_lost_and_not_errant() {
    let mut stage = has_read_on_a();
    takes_over(&mut stage, "w:1-100", true);
    stage.answers(B, "w:1-100", "");
    stage.arrives(READ);
    // Of its own it has something, too, and from nobody knows where.
    stage.answers(A, "w:1-101 a:7 x:1", "");
    stage.pass(1);
    stage.decide(READ);
    assert_eq!(stage.causality.take_lost_writes(), None, "not asked since");
    stage.answers(B, "w:1-100", "");
    stage.decide(READ);
    let lost = stage.causality.take_lost_writes().unwrap();
    assert_eq!((lost.known, lost.doubted), (set("w:101"), false));
    stage.arrives(READ);
    assert_eq!(stage.causality.take_lost_writes(), None, "told once");
    assert_eq!(stage.causality.token(), Token::Known(set("w:1-100")));
}

#[test]
fn p2_what_a_reader_has_of_the_new_writer_already_is_not_taken_for_lost() {
    let mut stage = has_read_on_a();
    takes_over(&mut stage, "w:1-100", true);
    stage.answers(B, "w:1-100", "");
    stage.pass(1);
    // The new writer's first, a group's, and one that the writer before had left for it to apply.
    stage.answers(A, "w:1-101 b:1", "");
    stage.arrives(READ);
    assert_eq!(stage.causality.take_lost_writes(), None);
    stage.pass(1);
    stage.answers(B, "w:1-101 b:1", "");
    assert_eq!(stage.decide(READ), stage.run(B, Reason::WriterLevel));
    assert_eq!(stage.causality.take_lost_writes(), None);
}

#[test]
fn p2_what_a_writer_has_yet_to_apply_is_waited_for_by_who_has_seen_it_on_a_reader() {
    // Before the change, and after it.
    for before in [true, false] {
        let mut stage = match before {
            true => has_read_on_a(),
            false => stage(),
        };
        takes_over(&mut stage, "w:1-100", false);
        if !before {
            stage.policy.level = Level::Writer;
            stage.arrives(READ);
            stage.reads(A);
        }
        stage.pass(1);
        stage.answers(A, "w:1-101", "");
        stage.answers(B, "w:1-100", "");
        let decision = stage.arrives(READ);
        let (place, token, _) = crate::stage::wait_of(&stage, &decision);
        assert_eq!((place, token), (B, set("w:101")), "before {before}");
        assert_eq!(stage.causality.take_errant(), None);
        stage.pass(10);
        stage.answers(B, "w:1-101", "");
        let decision = stage.decide(READ);
        assert_eq!(decision, stage.run(B, Reason::WriterLevel));
        assert_eq!(stage.causality.take_lost_writes(), None);
    }
}

#[test]
fn p2_a_writer_that_was_asked_beside_the_reader_is_asked_again_before_anybody_waits_for_it() {
    let mut stage = has_read_on_a();
    takes_over(&mut stage, "w:1-100", true);
    let both = probe(&[A, B], Reason::ReadAfterOtherReader);
    assert_eq!(stage.arrives(READ), both);
    stage.pass(1);
    stage.answers(A, "w:1-101", "");
    stage.answers(B, "w:1-100", "");
    stage.pass(1);
    assert_eq!(stage.decide(READ), probe(&[B], Reason::WriterBehind));
    stage.pass(1);
    stage.answers(B, "w:1-100", "");
    stage.decide(READ);
    let lost = stage.causality.take_lost_writes().unwrap();
    assert_eq!((lost.known, lost.doubted), (set("w:101"), false));
}

#[test]
fn p2_who_waits_for_a_writer_that_has_more_to_execute_is_told_what_is_lost_when_it_has_not() {
    let mut stage = has_read_on_a();
    takes_over(&mut stage, "w:1-100", false);
    stage.arrives(READ);
    stage.pass(1);
    stage.answers(A, "w:1-101", "");
    stage.answers(B, "w:1-100", "");
    stage.pass(1);
    stage.decide(READ);
    stage.pass(1);
    stage.answers(B, "w:1-100", "");
    let decision = stage.decide(READ);
    let draining = matches!(
        decision,
        tidegate::routing::Decision::Wait { draining: true, .. }
    );
    assert!(draining, "{decision:?}");
    stage.snapshot.seat.drained = true;
    stage.pass(1);
    stage.decide(READ);
    let lost = stage.causality.take_lost_writes().unwrap();
    assert_eq!((lost.known, lost.doubted), (set("w:101"), false));
}
