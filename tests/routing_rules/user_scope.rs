//! Sessions that share one causality and run at once.

use tidegate::routing::{BackendId, Kind, Reason};

use crate::stage::{A, B, READ, W, probe, set, stage, wait_of};

#[test]
fn p1_a_write_of_one_session_counts_for_the_reads_of_all() {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage.session = 2;
    let decision = stage.arrives(READ);
    assert_eq!(wait_of(&stage, &decision).1, set("w:101"));
}

#[test]
fn p2_a_read_that_is_running_counts_as_seen_now() {
    let mut stage = stage();
    let running = stage.begins(B);
    stage.pass(5);
    stage.answers(B, "w:1-100", "");
    stage.pass(5);
    // It may have shown more since that probe.
    assert_eq!(
        stage.arrives(READ),
        probe(&[B], Reason::ReadAfterOtherReader)
    );
    stage.pass(1);
    stage.answers(B, "w:1-100", "w:101");
    let decision = stage.decide(READ);
    assert_eq!(wait_of(&stage, &decision), (A, set("w:1-101"), 49));
    // One probe is enough for one statement, however long the other read goes on.
    stage.pass(5);
    stage.executes(A, "w:1-101");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadWaited));
    // The next statement asks again.
    stage.pass(1);
    assert_eq!(
        stage.arrives(READ),
        probe(&[B], Reason::ReadAfterOtherReader)
    );
    stage.causality.end_read(running, stage.now);
}

#[test]
fn a_read_that_ended_beside_the_statement_takes_no_probe_after_it() {
    let mut stage = stage();
    stage.reads(B);
    assert_eq!(
        stage.arrives(READ),
        probe(&[B], Reason::ReadAfterOtherReader)
    );
    stage.answers(B, "w:1-100", "");
    stage.pass(1);
    // Whoever sent the statement could not know of this read.
    stage.reads(B);
    assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
    assert_eq!(
        stage.arrives(READ),
        probe(&[B], Reason::ReadAfterOtherReader)
    );
}

#[test]
fn p2_each_session_settles_the_place_of_the_other() {
    let mut stage = stage();
    stage.reads(A);
    stage.reads(B);
    stage.home = Some(BackendId(2));
    assert_eq!(
        stage.arrives(READ),
        probe(&[A], Reason::ReadAfterOtherReader)
    );
    stage.home = Some(BackendId(1));
    assert_eq!(
        stage.arrives(READ),
        probe(&[B], Reason::ReadAfterOtherReader)
    );
}

#[test]
fn p2_a_fresher_reader_of_one_session_is_followed_by_the_others() {
    let mut stage = stage();
    stage.executes(B, "w:1-105");
    stage.reads(B);
    stage.arrives(READ);
    stage.pass(1);
    stage.answers(B, "w:1-105", "");
    // A has not got that far, so the session moves on to where the other one is.
    assert_eq!(stage.decide(READ), stage.run(B, Reason::ReadCovered));
}

#[test]
fn p2_running_reads_of_the_others_are_asked_for_before_a_read_at_the_writer() {
    let mut stage = stage();
    let running = stage.begins(B);
    stage.pass(1);
    let read = Kind::WriterRead(Reason::LockingRead);
    assert_eq!(
        stage.arrives(read),
        probe(&[B, W], Reason::ReadAfterOtherReader)
    );
    stage.answers(B, "w:1-101", "");
    stage.answers(W, "w:1-101", "");
    assert_eq!(stage.decide(read), stage.run(W, Reason::LockingRead));
    stage.causality.cancel_read(running);
}
