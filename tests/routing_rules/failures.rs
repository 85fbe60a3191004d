//! Backends that fail, drain, are shunned or lag.

use std::time::Duration;

use tidegate::routing::{BackendId, Exclusion, Kind, Level, Reason, RefuseKind};

use crate::stage::{A, B, READ, Stage, W, at, probe, refuse, stage};

#[test]
fn p6_a_reader_that_is_not_open_for_new_reads_gets_none() {
    type Closes = (&'static str, fn(&mut Stage));
    let closes: [Closes; 10] = [
        ("down", |stage| stage.goes_down(A)),
        ("not reached", |stage| stage.view(A).up = false),
        ("without a proven life", |stage| {
            stage.view(A).incarnation = None
        }),
        ("draining", |stage| stage.view(A).draining = true),
        ("not online in its group", |stage| {
            stage.view(A).recovering = true
        }),
        ("shunned", |stage| {
            stage.view(A).shunned_until = Some(stage.now + Duration::from_millis(1))
        }),
        ("without weight", |stage| stage.view(A).weight = 0),
        ("without lag", |stage| stage.view(A).lag = None),
        ("without watermark", |stage| stage.view(A).watermark = None),
        ("tried before", |stage| {
            stage.excluded.push((BackendId(1), Exclusion::Alarm))
        }),
    ];
    for (what, closes) in closes {
        for level in [Level::Session, Level::Eventual] {
            let mut stage = stage();
            stage.level = Some(level);
            closes(&mut stage);
            let decision = stage.arrives(READ);
            let run = tidegate::routing::Decision::Run {
                place: stage.place(B),
                reason: match level {
                    _ if what == "tried before" => Reason::AlarmRerouted,
                    Level::Eventual => Reason::ReadEventual,
                    _ => Reason::ReadCovered,
                },
            };
            assert_eq!(decision, run, "{what}");
        }
    }
}

#[test]
fn a_shunned_reader_comes_back_when_its_time_is_over() {
    let mut stage = stage();
    stage.view(A).shunned_until = Some(stage.now);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p7_a_reader_further_behind_than_max_lag_or_of_unknown_lag_gets_no_reads() {
    let mut stage = stage();
    stage.policy.max_lag = Duration::from_secs(5);
    // The last sample is from second 1.
    stage.now = at(6000);
    stage.assert_runs(READ, A, Reason::ReadCovered);
    stage.now = at(6001);
    stage.assert_runs(READ, W, Reason::ReadersLag);
    stage.level = Some(Level::Eventual);
    stage.assert_runs(READ, W, Reason::ReadersLag);
    stage.view(A).lag = None;
    stage.view(B).lag = None;
    stage.assert_runs(READ, W, Reason::ReadersLag);
}

#[test]
fn without_readers_reads_run_on_the_writer() {
    let mut stage = stage();
    stage.goes_down(A);
    stage.goes_down(B);
    stage.assert_runs(READ, W, Reason::NoReader);
    stage.assert_runs(Kind::BeginReadOnly, W, Reason::NoReader);
}

#[test]
fn without_a_writer_reads_go_on_where_the_last_known_state_is() {
    for level in [Level::Session, Level::Eventual] {
        let mut stage = stage();
        stage.level = Some(level);
        stage.acknowledges("w:100");
        stage.goes_down(W);
        stage.now = at(3_600_000);
        let decision = stage.arrives(READ);
        assert!(
            decision == stage.run(A, Reason::ReadCovered)
                || decision == stage.run(A, Reason::ReadEventual),
            "{decision:?}"
        );
        // But not where less is.
        stage.executes(A, "w:1-99");
        stage.executes(B, "w:1-99");
        assert_eq!(stage.arrives(READ), refuse(RefuseKind::NoWriter));
    }
}

#[test]
fn without_a_writer_a_reader_answers_for_the_state_of_an_instance() {
    let variables = Kind::WriterRead(Reason::InstanceRead);
    let mut stage = stage();
    stage.assert_runs(variables, W, Reason::InstanceRead);
    stage.goes_down(W);
    stage.assert_runs(variables, A, Reason::InstanceReadNoWriter);
    // But not for what belongs to a connection or locks.
    for reason in [Reason::ConnectionState, Reason::LockingRead] {
        let decision = stage.arrives(Kind::WriterRead(reason));
        assert_eq!(decision, refuse(RefuseKind::NoWriter));
    }
    stage.pin = Some(Reason::PinSessionVariable);
    assert_eq!(stage.arrives(variables), refuse(RefuseKind::NoWriter));
}

#[test]
fn without_a_writer_a_reader_answers_for_variables_whatever_the_scope_has_seen() {
    let mut stage = stage();
    stage.reads(W);
    stage.acknowledges("w:101");
    stage.assert_runs(Kind::Variables, W, Reason::InstanceRead);
    stage.pass(1);
    stage.goes_down(W);
    let tables = Kind::WriterRead(Reason::InstanceRead);
    assert_eq!(stage.arrives(tables), refuse(RefuseKind::TokenUnknown));
    stage.assert_runs(Kind::Variables, A, Reason::InstanceReadNoWriter);
    stage.level = Some(Level::Writer);
    let refused = refuse(RefuseKind::NoWriter);
    assert_eq!(stage.arrives(Kind::Variables), refused);
}

#[test]
fn p2_without_a_writer_a_read_that_follows_one_there_is_refused_unless_it_was_probed_since() {
    let mut stage = stage();
    stage.reads(W);
    stage.pass(1);
    stage.goes_down(W);
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::TokenUnknown));

    let mut stage = self::stage();
    stage.reads(W);
    stage.pass(1);
    stage.answers(W, "w:1-100", "");
    stage.goes_down(W);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p2_without_a_writer_a_reader_stays_good_for_those_who_read_there() {
    let mut stage = stage();
    stage.reads(A);
    stage.goes_down(W);
    stage.assert_runs(READ, A, Reason::ReadCovered);
}

#[test]
fn p4_a_read_that_lost_its_reader_runs_on_another_or_on_the_writer() {
    let mut stage = stage();
    stage.excluded = vec![(BackendId(1), Exclusion::Unreachable)];
    stage.assert_runs(READ, B, Reason::RetriedReaderLost);
    stage.excluded.push((BackendId(2), Exclusion::Unreachable));
    stage.assert_runs(READ, W, Reason::RetriedReaderLost);
    stage.excluded.push((BackendId(0), Exclusion::Unreachable));
    assert_eq!(stage.arrives(READ), refuse(RefuseKind::NoWriter));
}

#[test]
fn an_error_that_lag_explains_is_asked_again_of_the_writer() {
    for (how, reason) in [
        (Exclusion::LagError, Reason::RetriedLagError),
        (Exclusion::ReplayFailed, Reason::ReplayFailed),
    ] {
        let mut stage = stage();
        stage.excluded = vec![(BackendId(1), how)];
        stage.assert_runs(READ, W, reason);
    }
}

#[test]
fn p2_a_backend_that_could_not_be_probed_is_answered_for_by_the_writer() {
    let mut stage = stage();
    stage.reads(B);
    assert_eq!(
        stage.arrives(READ),
        probe(&[B], Reason::ReadAfterOtherReader)
    );
    stage.excluded = vec![(BackendId(2), Exclusion::Unreachable)];
    assert_eq!(stage.decide(READ), probe(&[W], Reason::ReadAfterWriterRead));
    stage.answers(W, "w:1-100", "");
    assert_eq!(stage.decide(READ), stage.run(A, Reason::RetriedReaderLost));
}

#[test]
fn a_backend_is_found_wherever_it_stands_in_the_snapshot() {
    let mut stage = stage();
    stage.snapshot.backends.rotate_left(1);
    let ids: Vec<_> = (0..4)
        .map(|id| stage.snapshot.backend(BackendId(id)).map(|v| v.id))
        .collect();
    assert_eq!(
        ids,
        [
            Some(BackendId(0)),
            Some(BackendId(1)),
            Some(BackendId(2)),
            None
        ]
    );
}
