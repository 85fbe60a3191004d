//! The sessions, and what they run.

use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use tidegate::gtid::Set;
use tidegate::routing::{
    Asks, BackendId, Exclusion, Isolation, Kind, Place, ReadMark, Reason, Snapshot, Waiting,
};

use crate::connection::Held;
use crate::scope::Required;
use crate::trail::Trail;
use crate::truth::Micros;

pub(crate) struct Session {
    pub(crate) scope: usize,
    pub(crate) home: Option<BackendId>,
    /// State that it has on its writer connection.
    pub(crate) pin: Option<Pin>,
    /// Its last write with sql_log_bin=0.
    pub(crate) unlogged: u64,
    pub(crate) transaction: Option<Open>,
    /// A reader gave up its read-only transaction: the next one runs on the writer.
    pub(crate) read_only_at_writer: bool,
    /// The token that its client has brought along.
    pub(crate) carried: Option<Carried>,
    /// For each backend.
    pub(crate) held: Vec<Option<Held>>,
    /// Counts its statements, so that late events find theirs or nothing.
    pub(crate) number: u64,
    pub(crate) statement: Option<Statement>,
    /// The way of its last read.
    pub(crate) trail: Option<Trail>,
}

/// A token, and the newest transaction that was written or shown where it came from.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) token: Arc<Set>,
    pub(crate) shown: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    TemporaryTable,
    SqlLogBin,
}

/// A transaction with some statements to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) place: Place,
    pub(crate) isolation: Isolation,
    /// What its first read saw.
    pub(crate) snapshot: Option<u64>,
    pub(crate) left: u8,
    pub(crate) wrote: bool,
}

/// How a write ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With an OK, and with GTIDs if it has any.
    Good,
    /// It commits, and then answers with an error.
    Error,
    /// It answers with an error, and has done nothing.
    Refused,
    /// Its connection is lost, and its thread may still commit.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Read,
    /// A read that belongs on the writer.
    WriterRead,
    /// A read of the temporary table that the session has made.
    ReadState,
    MakeState(Pin),
    Reset,
    ChangeUser,
    /// The token of another session is brought along.
    Carry,
    Write(Outcome),
    Begin(Isolation),
    BeginReadOnly(Isolation),
    /// A write that its transaction will commit.
    WriteInside,
    Commit(Outcome),
}

#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) what: What,
    /// What its hint asks for.
    pub(crate) asks: Asks,
    pub(crate) arrived: Micros,
    pub(crate) required: Required,
    pub(crate) phase: Phase,
    pub(crate) rounds: u32,
    pub(crate) excluded: Vec<(BackendId, Exclusion)>,
    pub(crate) failed: Option<Micros>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) run: Option<Run>,
    /// What it read, and whether some of it has reached the client.
    pub(crate) value: u64,
    pub(crate) shown: bool,
}

#[derive(Debug)]
pub(crate) enum Phase {
    Deciding,
    /// Until these have answered a question sent at that time or later.
    Probing(Vec<BackendId>, Micros),
    Waiting,
    Running,
}

/// A decision to run, with what was noted with it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) place: Place,
    pub(crate) mark: Option<ReadMark>,
    /// What its answer has to cover.
    pub(crate) token: Option<Arc<Set>>,
    /// What was known when it was sent.
    pub(crate) before: Arc<Snapshot>,
}

impl Session {
    pub(crate) fn new(scope: usize, servers: usize) -> Self {
        Self {
            scope,
            home: None,
            pin: None,
            unlogged: 0,
            transaction: None,
            read_only_at_writer: false,
            carried: None,
            held: vec![None; servers],
            number: 0,
            statement: None,
            trail: None,
        }
    }

    /// Nothing lives on its connections any more.
    pub(crate) fn forget(&mut self) {
        (self.pin, self.unlogged) = (None, 0);
        (self.transaction, self.read_only_at_writer) = (None, false);
        self.held.fill(None);
    }

    pub(crate) fn holds_state(&self) -> bool {
        let on_writer = |open: Open| open.place.backend.0 == 0;
        self.pin.is_some() || self.transaction.is_some_and(on_writer)
    }

    /// What it runs next; in calm weather it makes no state and loses nothing.
    pub(crate) fn next(&self, calm: bool, random: &mut StdRng) -> What {
        if let Some(open) = self.transaction {
            let can_write = open.place.backend.0 == 0;
            return match open.left {
                0 => What::Commit(outcome(calm, random)),
                _ if can_write && random.random_ratio(1, 3) => What::WriteInside,
                _ => What::Read,
            };
        }
        if let Some(pin) = self.pin {
            return match (random.random_range(0..5), pin) {
                (0, _) => What::Reset,
                (1, _) => What::Write(Outcome::Good),
                (2 | 3, Pin::TemporaryTable) => What::ReadState,
                _ => What::Read,
            };
        }
        let isolation = match random.random() {
            true => Isolation::RepeatableRead,
            false => Isolation::ReadCommitted,
        };
        match random.random_range(0..100) {
            50..58 => What::WriterRead,
            58..60 if !calm => What::MakeState(Pin::TemporaryTable),
            60..62 if !calm => What::MakeState(Pin::SqlLogBin),
            62..66 => What::Reset,
            66..86 => What::Write(outcome(calm, random)),
            86..88 if !calm => What::ChangeUser,
            88..92 => What::BeginReadOnly(isolation),
            92..94 if !calm => What::Carry,
            94..100 => What::Begin(isolation),
            _ => What::Read,
        }
    }
}

fn outcome(calm: bool, random: &mut StdRng) -> Outcome {
    match random.random_range(0..20) {
        _ if calm => Outcome::Good,
        0..3 => Outcome::Error,
        3 => Outcome::Refused,
        4..6 => Outcome::Lost,
        _ => Outcome::Good,
    }
}

impl What {
    pub(crate) fn kind(self) -> Kind<'static> {
        match self {
            Self::Read | Self::ReadState => Kind::Read { tables: true },
            Self::WriterRead => Kind::WriterRead(Reason::LockingRead),
            Self::MakeState(_) | Self::Reset | Self::ChangeUser | Self::Carry => Kind::State,
            Self::Write(_) | Self::WriteInside => Kind::Write,
            Self::BeginReadOnly(_) => Kind::BeginReadOnly,
            Self::Begin(_) => Kind::Begin {
                consistent_snapshot: false,
            },
            Self::Commit(_) => Kind::Control,
        }
    }

    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Read | Self::WriterRead | Self::ReadState)
    }

    /// The count of rows that a write changed tells something of them.
    pub(crate) fn shows_rows(self) -> bool {
        self.reads() || matches!(self, Self::Write(_) | Self::WriteInside)
    }
}

impl Statement {
    pub(crate) fn new(what: What, asks: Asks, arrived: Micros, required: Required) -> Self {
        Self {
            what,
            asks,
            arrived,
            required,
            phase: Phase::Deciding,
            rounds: 0,
            excluded: Vec::new(),
            failed: None,
            waiting: None,
            run: None,
            value: 0,
            shown: false,
        }
    }
}
