//! P2: what a scope has seen in one place it sees in the next.

use tidegate::gtid::{Set, Token};
use tidegate::routing::{BackendId, Causality, MAX_TOKEN_INTERVALS, Reason};

use crate::stage::{A, B, READ, W, at, probe, set, stage, wait_of};

#[test]
fn a_session_that_stays_in_one_place_needs_no_read_token() {
    let mut stage = stage();
    stage.reads(A);
    stage.pass(10);
    stage.reads(A);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p2_rows_that_were_visible_before_their_gtid_was_executed_count_as_seen() {
    let mut stage = stage();
    stage.reads(W);
    stage.arrives(READ);
    // The read on the writer saw 101, which the writer still only owns.
    stage.answers(W, "w:1-100", "w:101");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:1-101"), 50));
    stage.executes(B, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(B, Reason::ReadCovered));
}

#[test]
fn p2_a_probe_from_before_the_read_ended_settles_nothing() {
    let mut stage = stage();
    stage.answers(W, "w:1-100", "");
    stage.pass(1);
    stage.reads(W);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
    stage.answers(W, "w:1-100", "");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
}

#[test]
fn a_probe_that_is_there_already_settles_for_free() {
    let mut stage = stage();
    stage.reads(W);
    stage.pass(5);
    stage.answers(W, "w:1-100", "");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    // And once settled, the mark is gone.
    stage.view(W).probe = None;
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p2_a_probe_of_another_life_settles_nothing() {
    let mut stage = stage();
    stage.reads(B);
    stage.restarts(B);
    stage.pass(1);
    stage.answers(B, "w:1-90", "");
    // What was seen on the life that is gone, only the writer can tell.
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
}

#[test]
fn p2_a_probe_of_a_life_that_has_ended_since_still_tells_what_was_seen_in_it() {
    let mut stage = stage();
    stage.acknowledges("w:1-99");
    stage.reads(B);
    stage.pass(1);
    stage.answers(B, "w:1-100", "");
    stage.view(B).incarnation.as_mut().unwrap().epoch += 1;
    stage.assert_runs(READ, A, Reason::ReadCovered);
    assert_eq!(stage.causality.token(), Token::Known(set("w:1-100")));
}

#[test]
fn p2_what_was_seen_on_a_reader_that_is_gone_is_asked_of_the_writer() {
    let mut stage = stage();
    stage.reads(B);
    stage.goes_down(B);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
    // Under semi-sync the reader may have shown what the writer itself only owns.
    stage.answers(W, "w:1-100", "w:101-102");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-102"));
}

#[test]
fn p2_a_read_that_returns_to_a_place_in_another_life_is_settled_first() {
    let mut stage = stage();
    stage.acknowledges("w:100");
    stage.reads(A);
    stage.restarts(A);
    stage.executes(A, "w:1-100");
    stage.goes_down(B);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
    stage.answers(W, "w:1-105", "");
    stage.executes(A, "w:1-105");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
}

#[test]
fn p2_a_read_that_ends_after_its_place_is_gone_still_counts() {
    let mut stage = stage();
    let old = stage.begins(A);
    stage.restarts(A);
    stage.executes(A, "w:1-100");
    // The next life has a mark of its own, which the old read must not end.
    let new = stage.begins(A);
    stage.pass(5);
    stage.causality.end_read(old, stage.now);
    stage.pass(5);
    stage.answers(W, "w:1-100", "");
    stage.home = Some(BackendId(2));
    assert_eq!(
        stage.arrives(READ),
        probe(&[A], Reason::ReadAfterOtherReader)
    );
    stage.answers(A, "w:1-100", "");
    assert_eq!(stage.decide(READ), stage.run(B, Reason::ReadCovered));

    stage.pass(5);
    stage.causality.end_read(new, stage.now);
    stage.goes_down(A);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
}

#[test]
fn a_read_of_which_nothing_was_shown_leaves_no_mark() {
    let mut stage = stage();
    let mark = stage.begins(W);
    stage.causality.cancel_read(mark);
    stage.assert_runs(READ, A, Reason::ReadCovered);
    // Unless another one was shown.
    let mark = stage.begins(W);
    stage.reads(W);
    stage.causality.cancel_read(mark);
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
}

#[test]
fn p1_a_scope_that_is_new_to_the_proxy_starts_from_the_floor() {
    let mut stage = stage();
    stage.causality = Causality::starting_from(Token::Known(set("w:1-101")), at(0));
    stage.executes(W, "w:1-101");
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:1-101"));
}

#[test]
fn p7_a_scope_without_a_floor_asks_the_writer_first() {
    let mut stage = stage();
    stage.causality = Causality::starting_from(Token::Unknown, stage.now);
    stage.answers(W, "w:1-100", "");
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.pass(1);
    stage.causality = Causality::starting_from(Token::Unknown, stage.now);
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::TokenUnknown));
}

#[test]
fn p2_a_changed_user_keeps_what_the_session_has_seen() {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage.reads(B);
    let mut other = Causality::starting_from(Token::Known(set("w:1-5")), at(0));
    other.merge_from(&stage.causality, stage.now);
    stage.causality = other;
    assert_eq!(stage.causality.token(), Token::Known(set("w:1-5 w:101")));
    stage.executes(A, "w:1-101");
    // The merged mark has lost its place, so the writer tells.
    assert_eq!(
        stage.arrives(READ),
        probe(&[W], Reason::ReadAfterWriterRead)
    );
}

#[test]
fn p2_an_evicted_scope_lives_on_in_the_floor() {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage
        .causality
        .lose(tidegate::routing::UnknownCause::Error, stage.now, Some(7));
    let mut floor = Causality::starting_from(Token::Known(set("w:1-50")), at(0));
    floor.merge_from(&stage.causality, stage.now);
    let mut fresh = Causality::starting_from(Token::default(), at(0));
    fresh.merge_from(&floor, stage.now);
    assert_eq!(fresh.token(), Token::Unknown);
    assert_eq!(fresh.lost_threads(), [7]);
    fresh.thread_gone(7, stage.now);
    stage.causality = fresh;
    stage.executes(A, "w:1-101");
    assert_eq!(stage.arrives(READ), probe(&[W], Reason::TokenUnknown));
    stage.answers(W, "w:1-101", "");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
}

#[test]
fn p9_a_token_of_many_pieces_is_replaced_by_what_the_writer_has() {
    let mut stage = stage();
    let mut whole = Set::default();
    for number in (1..=4 * MAX_TOKEN_INTERVALS).step_by(2) {
        let write = set(&format!("w:{}", 100 + number));
        whole.union(&write);
        stage.causality.acknowledge(&write);
    }
    let last = 100 + 4 * MAX_TOKEN_INTERVALS;
    stage.executes(W, &format!("w:1-{last}"));
    stage.arrives(READ);
    let Token::Known(token) = stage.causality.token() else {
        panic!("known")
    };
    assert!(token.contains(&whole));
    assert_eq!(token.interval_count(), 1);
}

#[test]
fn p9_a_token_is_left_alone_where_the_writers_own_set_is_no_shorter() {
    let mut stage = stage();
    let holes: Vec<_> = (1..=2 * MAX_TOKEN_INTERVALS)
        .map(|n| format!("w:{}", n * 2))
        .collect();
    stage.executes(W, &holes.join(" "));
    stage.acknowledges(&holes[..MAX_TOKEN_INTERVALS + 1].join(" "));
    let before = stage.causality.token();
    stage.arrives(READ);
    assert_eq!(stage.causality.token(), before);
}
