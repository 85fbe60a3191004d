//! What each level asks for, and reads that may run anywhere.

use tidegate::routing::{
    BackendId, Exclusion, Isolation, Kind, Level, ReadFrom, Reason, RefuseKind,
};

use crate::stage::{A, B, READ, W, probe, refuse, stage};

#[test]
fn a_session_read_runs_at_once_on_a_reader_that_has_the_token() {
    let mut stage = stage();
    stage.acknowledges("w:90-100");
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p1_a_session_read_never_runs_on_a_reader_that_lacks_the_token() {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage.executes(B, "w:1-101");
    stage.assert_runs(READ, B, Reason::ReadCovered);
}

#[test]
fn p1_a_watermark_of_another_life_proves_nothing() {
    let mut stage = stage();
    stage.acknowledges("w:100");
    for reader in [A, B] {
        stage.view(reader).incarnation.as_mut().unwrap().epoch += 1;
    }
    stage.assert_runs(READ, W, Reason::ReadersLag);
}

#[test]
fn an_eventual_read_needs_no_token() {
    let mut stage = stage();
    stage.policy.level = Level::Eventual;
    stage.acknowledges("w:101");
    stage.reads(W);
    stage.assert_runs(READ, A, Reason::ReadEventual);
    stage.goes_down(A);
    stage.assert_runs(READ, B, Reason::ReadEventual);
    stage.goes_down(B);
    stage.assert_runs(READ, W, Reason::NoReader);
    stage.goes_down(W);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::AllGone));
}

#[test]
fn at_level_writer_every_read_runs_on_the_writer() {
    let mut stage = stage();
    stage.policy.level = Level::Writer;
    stage.assert_runs(READ, W, Reason::WriterLevel);
    stage.assert_runs(Kind::Read { tables: false }, W, Reason::WriterLevel);
    stage.assert_runs(Kind::BeginReadOnly, W, Reason::WriterLevel);
}

#[test]
fn a_hint_outranks_the_level_of_the_session() {
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage.level = Some(Level::Eventual);
    stage.assert_runs(READ, A, Reason::ReadEventual);
    stage.level = Some(Level::Writer);
    stage.assert_runs(READ, W, Reason::WriterLevel);
}

#[test]
fn a_read_without_tables_runs_on_any_backend_that_is_up() {
    let read = Kind::Read { tables: false };
    let mut stage = stage();
    stage.acknowledges("w:101");
    stage.reads(W);
    stage.view(A).lag = None;
    stage.assert_runs(read, A, Reason::ReadNoTables);
    stage.goes_down(A);
    stage.assert_runs(read, B, Reason::ReadNoTables);
    stage.goes_down(B);
    stage.assert_runs(read, W, Reason::ReadNoTables);
    stage.goes_down(W);
    assert_eq!(stage.arrives(read), refuse(RefuseKind::AllGone));
}

#[test]
fn dirty_reads_and_locking_reads_of_an_isolation_level_run_on_the_writer() {
    for isolation in [Isolation::ReadUncommitted, Isolation::Serializable] {
        let mut stage = stage();
        stage.isolation = isolation;
        stage.assert_runs(READ, W, Reason::Isolation);
        stage.assert_runs(Kind::BeginReadOnly, W, Reason::Isolation);
    }
    let mut stage = stage();
    stage.isolation = Isolation::ReadCommitted;
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p7_a_function_runs_on_a_reader_only_if_the_writer_declares_it_as_reading_only() {
    let mut stage = stage();
    let mut routines = tidegate::routing::Routines::default();
    routines.insert("app", "Tax");
    routines.insert("other", "rate");
    stage.snapshot.routines = std::sync::Arc::new(routines);
    for (functions, index, reason) in [
        (&["tax"][..], A, Reason::ReadCovered),
        (&["TAX", "app.tax", "other.Rate"], A, Reason::ReadCovered),
        (&["rate"], W, Reason::UnknownFunction),
        (&["tax", "unknown"], W, Reason::UnknownFunction),
        (&["nowhere.tax"], W, Reason::UnknownFunction),
    ] {
        stage.assert_runs(Kind::ReadWithFunctions { functions }, index, reason);
    }
}

#[test]
fn p2_a_read_after_one_on_another_backend_first_asks_what_was_seen_there() {
    for (seen_on, reason) in [
        (W, Reason::ReadAfterWriterRead),
        (B, Reason::ReadAfterOtherReader),
    ] {
        let mut stage = stage();
        stage.reads(seen_on);
        assert_eq!(stage.arrives(READ), probe(&[seen_on], reason));
        stage.pass(1);
        stage.answers(seen_on, "w:1-100", "");
        assert_eq!(stage.decide(READ), stage.run(A, Reason::ReadCovered));
    }
}

#[test]
fn p1_reads_that_run_on_the_writer_first_run_on_a_reader_without_one_as_far_as_it_has_the_token() {
    let tableless = Kind::Read { tables: false };
    let mut stage = stage();
    stage.policy.read_from = ReadFrom::Writer;
    stage.acknowledges("w:101");
    for kind in [READ, tableless, Kind::BeginReadOnly] {
        stage.assert_runs(kind, W, Reason::ReadFromWriter);
    }
    stage.level = Some(Level::Eventual);
    stage.assert_runs(READ, W, Reason::ReadFromWriter);
    stage.level = None;
    stage.executes(B, "w:1-101");
    stage.goes_down(W);
    stage.assert_runs(READ, B, Reason::ReadCovered);
    stage.assert_runs(tableless, A, Reason::ReadNoTables);
    stage.level = Some(Level::Writer);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::NoWriter));
    stage.level = Some(Level::Strong);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::NoWriter));
}

#[test]
fn p1_a_read_that_has_failed_on_the_writer_runs_on_a_reader_where_the_writer_comes_first() {
    let mut stage = stage();
    stage.policy.read_from = ReadFrom::Writer;
    stage.assert_runs(READ, W, Reason::ReadFromWriter);
    stage.excluded = vec![(BackendId(0), Exclusion::Unreachable)];
    let retried = stage.run(A, Reason::RetriedReaderLost);
    assert_eq!(stage.decide(READ), retried);
    stage.reads(A);
    stage.excluded.clear();
    assert_eq!(
        stage.arrives(READ),
        probe(&[A, W], Reason::ReadAfterOtherReader)
    );
}
