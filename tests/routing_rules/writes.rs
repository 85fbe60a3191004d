//! P5: where writes go, and everything else that only the writer may take.

use tidegate::routing::{Exclusion, Kind, Reason, RefuseKind, Role, Transaction};

use crate::stage::{A, B, READ, Stage, W, refuse, stage};

/// What no reader ever takes.
fn for_the_writer_alone() -> impl Iterator<Item = Kind<'static>> {
    let all = for_the_writer().into_iter().map(|(kind, _)| kind);
    all.filter(|kind| !matches!(kind, Kind::WriterRead(Reason::InstanceRead)))
}

/// What no reader takes while there is a writer.
fn for_the_writer() -> Vec<(Kind<'static>, Reason)> {
    vec![
        (Kind::Write, Reason::Write),
        (Kind::State, Reason::SessionState),
        (Kind::Admin, Reason::Admin),
        (Kind::Control, Reason::TransactionControl),
        (
            Kind::Begin {
                consistent_snapshot: false,
            },
            Reason::TransactionControl,
        ),
        (
            Kind::Begin {
                consistent_snapshot: true,
            },
            Reason::TransactionControl,
        ),
        (Kind::WriterRead(Reason::InstanceRead), Reason::InstanceRead),
        (Kind::WriterRead(Reason::LockingRead), Reason::LockingRead),
        (Kind::WriterRead(Reason::UserLock), Reason::UserLock),
        (
            Kind::Other(Reason::UnknownStatement),
            Reason::UnknownStatement,
        ),
        (Kind::Other(Reason::Batch), Reason::Batch),
        (
            Kind::Other(Reason::PreparedStatement),
            Reason::PreparedStatement,
        ),
    ]
}

#[test]
fn p5_whatever_may_write_runs_on_the_writer_and_says_why() {
    for (kind, reason) in for_the_writer() {
        stage().assert_runs(kind, W, reason);
    }
}

#[test]
fn p5_without_a_proven_writer_a_write_is_refused_at_once() {
    let breaks: [fn(&mut Stage); 4] = [
        |stage| stage.goes_down(W),
        |stage| stage.view(W).up = false,
        |stage| stage.view(W).writable = false,
        |stage| {
            stage
                .excluded
                .push((stage.place(W).backend, Exclusion::Unreachable))
        },
    ];
    for (index, breaks) in breaks.into_iter().enumerate() {
        for kind in for_the_writer_alone() {
            let mut stage = stage();
            breaks(&mut stage);
            assert_eq!(
                stage.arrives(kind),
                refuse(RefuseKind::NoWriter),
                "{index} {kind:?}"
            );
        }
    }
}

#[test]
fn p5_of_two_writers_neither_gets_a_write() {
    for kind in for_the_writer_alone() {
        let mut stage = stage();
        stage.view(B).role = Role::Writer;
        stage.view(B).writable = true;
        assert_eq!(
            stage.arrives(kind),
            refuse(RefuseKind::AmbiguousWriter),
            "{kind:?}"
        );
    }
}

#[test]
fn p5_a_writable_reader_is_still_no_writer() {
    let mut stage = stage();
    stage.view(A).writable = true;
    stage.assert_runs(Kind::Write, W, Reason::Write);
    stage.goes_down(W);
    assert_eq!(stage.arrives(Kind::Write), refuse(RefuseKind::NoWriter));
}

#[test]
fn with_nothing_up_the_error_says_so() {
    let mut stage = stage();
    for index in [W, A, B] {
        stage.goes_down(index);
    }
    for kind in [READ, Kind::Write, Kind::Read { tables: false }] {
        assert_eq!(stage.arrives(kind), refuse(RefuseKind::AllGone), "{kind:?}");
    }
}

#[test]
fn an_open_transaction_stays_where_it_is_while_the_monitor_cannot_vouch_for_the_writer() {
    let mut stage = stage();
    let place = stage.place(W);
    stage.transaction = Transaction::OnWriter {
        place,
        snapshot_taken: false,
    };
    stage.goes_down(W);
    for (kind, reason) in [
        (Kind::Write, Reason::Write),
        (Kind::Control, Reason::TransactionControl),
        (READ, Reason::Transaction),
    ] {
        let run = tidegate::routing::Decision::Run { place, reason };
        assert_eq!(stage.arrives(kind), run, "{kind:?}");
    }
}

#[test]
fn p4_a_transaction_whose_connection_is_lost_is_not_moved() {
    let mut stage = stage();
    let place = stage.place(W);
    stage.transaction = Transaction::OnWriter {
        place,
        snapshot_taken: true,
    };
    stage.excluded = vec![(place.backend, Exclusion::Unreachable)];
    for kind in [READ, Kind::Write, Kind::Control] {
        assert_eq!(
            stage.arrives(kind),
            refuse(RefuseKind::StateLost),
            "{kind:?}"
        );
    }
}

#[test]
fn what_the_statement_before_left_is_read_where_it_ran() {
    let mut stage = stage();
    stage.assert_runs(Kind::LastStatement, W, Reason::LastStatement);
    stage.last_statement = Some(stage.place(B));
    stage.acknowledges("w:101");
    stage.assert_runs(Kind::LastStatement, B, Reason::LastStatement);
    stage.excluded = vec![(stage.place(B).backend, Exclusion::Unreachable)];
    assert_eq!(
        stage.arrives(Kind::LastStatement),
        refuse(RefuseKind::StateLost)
    );
}
