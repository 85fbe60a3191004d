//! What a decision is made of, besides the snapshot.

use std::sync::Arc;
use std::time::Instant;

use crate::gtid::Set;

use super::super::policy::{Asks, BackendId, Policy};
use super::super::reason::Reason;
use super::super::snapshot::{Load, Place};

/// What a statement needs.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// What it does.
    pub kind: Kind<'a>,
    /// What its own hint asks for; it outranks the session's policy.
    pub asks: Asks,
}

/// What a statement does, as far as it matters where it runs. What may show rows of tables has to
/// see what its scope has seen before, also on the writer; the other kinds show none.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Reads, and provably nothing else.
    Read {
        /// Whether it reads tables. `SELECT 1` does not.
        tables: bool,
    },
    /// As a read of tables, if all of these functions are known to read only.
    ReadWithFunctions {
        /// Stored functions, with or without their schema.
        functions: &'a [&'a str],
    },
    /// A read that belongs on the writer, with the reason.
    WriterRead(Reason),
    /// Reads the state of the instance, and no table: its variables.
    Variables,
    /// Reads what the statement before left on its connection: warnings, row counts.
    LastStatement,
    /// Changes data or schema and shows no rows.
    Write,
    /// Anything else that belongs on the writer and may show rows, or may do anything: CALL, XA,
    /// batches, prepared statements, statements that are not understood.
    Other(Reason),
    /// Prepares a statement that is no read. Nothing runs yet.
    Prepare,
    /// Changes the state of the session: SET, USE.
    State,
    /// Administers the instance or other sessions: KILL, FLUSH, SET GLOBAL.
    Admin,
    /// Begins a transaction that may write.
    Begin {
        /// WITH CONSISTENT SNAPSHOT: it reads at once.
        consistent_snapshot: bool,
    },
    /// START TRANSACTION READ ONLY.
    BeginReadOnly,
    /// COMMIT, ROLLBACK, SAVEPOINT and the like.
    Control,
}

/// What is known of the session that runs the statement.
#[derive(Clone, Copy, Debug)]
pub struct SessionFacts<'a> {
    /// How its reads are treated, with the session's and the user's own settings applied.
    pub policy: Policy,
    /// The session's number. It chooses among equal readers, so that many sessions spread by weight.
    pub session: u64,
    /// The reader that it reads from; it stays there while that costs nothing.
    pub home: Option<BackendId>,
    /// How busy the backends are, by their ids; none is idle.
    pub loads: &'a [Load],
    /// Why its state keeps it on its writer connection, if so.
    pub pin: Option<Reason>,
    /// The transaction that is open.
    pub transaction: Transaction,
    /// Whether autocommit is on.
    pub autocommit: bool,
    /// The isolation level of the open transaction, or else of the next.
    pub isolation: Isolation,
    /// The current schema, where functions without one are looked up.
    pub schema: Option<&'a str>,
    /// Where the statement before ran.
    pub last_statement: Option<Place>,
    /// When the statement was taken up: not before the one before it had ended, and the same
    /// through all decisions about it.
    pub arrived: Instant,
    /// From when the time that it may wait counts: its arrival, or when a backend has last failed
    /// for it. One that hangs takes longer than most reads may wait.
    pub waits_from: Instant,
    /// Backends that have already failed for this very statement, or could not be probed for it.
    pub excluded: &'a [(BackendId, Exclusion)],
    /// A token that the app has carried here, for this session alone; the writer has all of it.
    pub carried: Option<&'a Arc<Set>>,
    /// What the statement has waited for, as the decision to wait gave it.
    pub waiting: Option<&'a Waiting>,
}

/// The transaction that a session has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// None.
    None,
    /// One on the writer, or on what was the writer when it began.
    OnWriter {
        /// Where it is open.
        place: Place,
        /// Whether it may have read already, which fixes what REPEATABLE READ shows.
        snapshot_taken: bool,
    },
    /// A read-only one on a reader, which can't move.
    ReadOnlyOn {
        /// Where it is open.
        place: Place,
        /// Whether it may have read already.
        snapshot_taken: bool,
        /// The isolation level that it began with.
        isolation: Isolation,
    },
}

impl Transaction {
    /// Is it a read-only one on a reader?
    pub fn is_on_reader(self) -> bool {
        matches!(self, Self::ReadOnlyOn { .. })
    }

    /// Is it open on the reader in this very place?
    pub fn is_at(self, reader: Place) -> bool {
        matches!(self, Self::ReadOnlyOn { place, .. } if place == reader)
    }
}

/// A transaction isolation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Runs on the writer: on a reader it would show transactions that are being applied.
    ReadUncommitted,
    /// Each statement reads what is committed when it begins.
    ReadCommitted,
    /// The first read of a transaction fixes what it shows.
    RepeatableRead,
    /// Runs on the writer, since its reads lock.
    Serializable,
}

impl Isolation {
    /// Does its first read fix what all later ones show?
    pub fn keeps_its_snapshot(self) -> bool {
        matches!(self, Self::RepeatableRead | Self::Serializable)
    }
}

/// How a backend has failed for a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It could not be reached, was another one than the snapshot says, or was lost before its
    /// answer came; or it did not answer a probe.
    Unreachable,
    /// It gave an error that its lag explains (an unknown table, right after a migration).
    LagError,
    /// Its answer proved that it is behind its watermark.
    Alarm,
    /// The session's state could not be made on it.
    ReplayFailed,
    /// It has as many connections as it may, and none came free in time.
    Full,
}

/// What a statement waits for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Where it will run.
    pub place: Place,
    /// What has to be executed there first. It stays what it was when the wait began: what the
    /// scope does meanwhile runs beside the statement.
    pub token: Arc<Set>,
    /// When the wait is over in any case.
    pub until: Instant,
}
