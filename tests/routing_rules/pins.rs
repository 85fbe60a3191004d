//! What keeps a session's reads on its writer connection.

use tidegate::routing::{Kind, Reason, Transaction};

use crate::stage::{READ, W, stage};

const PINS: &[Reason] = &[
    Reason::PinTemporaryTable,
    Reason::PinTableLocks,
    Reason::PinUserLock,
    Reason::PinSessionVariable,
    Reason::PinTimestamp,
    Reason::PinMeasuring,
    Reason::PinLongData,
    Reason::PinNextTransaction,
    Reason::PinXa,
    Reason::PinTracking,
    Reason::PinSqlLogBin,
    Reason::PinUnknownState,
];

#[test]
fn p7_a_pinned_session_reads_on_the_writer_with_the_pin_as_reason() {
    for pin in PINS {
        for kind in [READ, Kind::Read { tables: false }, Kind::BeginReadOnly] {
            let mut stage = stage();
            stage.pin = Some(*pin);
            stage.assert_runs(kind, W, *pin);
        }
    }
}

#[test]
fn every_reason_that_is_called_a_pin_is_tested_as_one() {
    let pins = Reason::ALL
        .iter()
        .filter(|reason| reason.label().starts_with("pin_"));
    assert!(pins.eq(PINS));
}

#[test]
fn p1_a_read_in_a_transaction_sees_its_own_writes() {
    let mut stage = stage();
    let place = stage.place(W);
    for snapshot_taken in [false, true] {
        stage.transaction = Transaction::OnWriter {
            place,
            snapshot_taken,
        };
        for kind in [READ, Kind::Read { tables: false }, Kind::BeginReadOnly] {
            stage.assert_runs(kind, W, Reason::Transaction);
        }
    }
}

#[test]
fn p1_without_autocommit_every_read_is_part_of_a_transaction_on_the_writer() {
    let mut stage = stage();
    stage.autocommit = false;
    for kind in [READ, Kind::Read { tables: false }, Kind::BeginReadOnly] {
        stage.assert_runs(kind, W, Reason::AutocommitOff);
    }
}
