//! The sessions, and what they run.

use rand::Rng;
use rand::rngs::StdRng;
use tidegate::routing::{BackendId, Exclusion, Isolation, Kind, Place, ReadMark, Reason, Waiting};

use crate::truth::Micros;

pub(crate) struct Session {
    pub(crate) scope: usize,
    pub(crate) home: Option<BackendId>,
    /// It has state on its writer connection.
    pub(crate) pinned: bool,
    pub(crate) transaction: Option<Open>,
    /// Counts its statements, so that late events find theirs or nothing.
    pub(crate) number: u64,
    pub(crate) statement: Option<Statement>,
}

/// A transaction with some reads to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) place: Place,
    pub(crate) isolation: Isolation,
    /// What its first read saw.
    pub(crate) snapshot: Option<u64>,
    pub(crate) reads_left: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Read,
    /// A read that belongs on the writer.
    WriterRead,
    /// A read that needs the state which the session has made on its writer connection.
    ReadState,
    MakeState,
    Reset,
    Write,
    /// It commits, and then answers with an error.
    WriteError,
    /// Its connection is lost, and its thread may still commit.
    WriteLost,
    BeginReadOnly(Isolation),
    Begin(Isolation),
    Commit,
}

#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) what: What,
    pub(crate) arrived: Micros,
    /// What the scope had been promised when it arrived.
    pub(crate) required: u64,
    pub(crate) phase: Phase,
    pub(crate) rounds: u32,
    pub(crate) excluded: Vec<(BackendId, Exclusion)>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) mark: Option<ReadMark>,
    pub(crate) place: Option<Place>,
    pub(crate) value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Probing(usize),
    Waiting,
    Running,
}

impl Session {
    pub(crate) fn new(scope: usize) -> Self {
        Self {
            scope,
            home: None,
            pinned: false,
            transaction: None,
            number: 0,
            statement: None,
        }
    }

    pub(crate) fn next(&self, random: &mut StdRng) -> What {
        if let Some(open) = self.transaction {
            return if open.reads_left > 0 {
                What::Read
            } else {
                What::Commit
            };
        }
        if self.pinned {
            return match random.random_range(0..4) {
                0 => What::Reset,
                1 => What::Write,
                2 => What::Read,
                _ => What::ReadState,
            };
        }
        let isolation = match random.random() {
            true => Isolation::RepeatableRead,
            false => Isolation::ReadCommitted,
        };
        match random.random_range(0..100) {
            0..50 => What::Read,
            50..58 => What::WriterRead,
            58..62 => What::MakeState,
            62..66 => What::Reset,
            66..80 => What::Write,
            80..85 => What::WriteError,
            85..88 => What::WriteLost,
            88..94 => What::BeginReadOnly(isolation),
            _ => What::Begin(isolation),
        }
    }
}

impl What {
    pub(crate) fn kind(self) -> Kind<'static> {
        match self {
            Self::Read | Self::ReadState => Kind::Read { tables: true },
            Self::WriterRead => Kind::WriterRead(Reason::LockingRead),
            Self::MakeState | Self::Reset => Kind::State,
            Self::Write | Self::WriteError | Self::WriteLost => Kind::Write,
            Self::BeginReadOnly(_) => Kind::BeginReadOnly,
            Self::Begin(_) => Kind::Begin {
                consistent_snapshot: false,
            },
            Self::Commit => Kind::Control,
        }
    }

    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Read | Self::WriterRead | Self::ReadState)
    }

    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteError | Self::WriteLost)
    }
}

impl Statement {
    pub(crate) fn new(what: What, arrived: Micros, required: u64) -> Self {
        Self {
            what,
            arrived,
            required,
            phase: Phase::Probing(0),
            rounds: 0,
            excluded: Vec::new(),
            waiting: None,
            mark: None,
            place: None,
            value: 0,
        }
    }
}
