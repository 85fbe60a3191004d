//! Writes whose GTID nobody told.

use std::time::Instant;

use smallvec::SmallVec;

use super::debt::Debt;

/// Writer threads that one scope waits to see gone. Beyond it they are no longer told apart, and
/// only the proof that all of them are gone ends the wait.
pub const MAX_LOST_THREADS: usize = 64;

/// Why a token became unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnknownCause {
    /// The writer could not be asked for its executed set when the scope began.
    NoFloor,
    /// A statement at the writer that was no pure read ended in an error.
    Error,
    /// A statement at the writer was killed.
    Killed,
    /// The connection to the writer was lost in a statement.
    ConnectionLost,
    /// The answer to a COMMIT never came.
    CommitUnanswered,
    /// Rows were changed, or a writing transaction was committed, and no GTID was told.
    NoGtid,
    /// The server no longer tracked GTIDs for the session.
    TrackingOff,
    /// A GTID set from the server could not be read.
    Unreadable,
}

impl UnknownCause {
    /// Every cause, in the order of [`UnknownCause::index`].
    pub const ALL: &[Self] = &[
        Self::NoFloor,
        Self::Error,
        Self::Killed,
        Self::ConnectionLost,
        Self::CommitUnanswered,
        Self::NoGtid,
        Self::TrackingOff,
        Self::Unreadable,
    ];

    /// The position in [`UnknownCause::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in metrics and logs, in snake case.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoFloor => "no_floor",
            Self::Error => "error",
            Self::Killed => "killed",
            Self::ConnectionLost => "connection_lost",
            Self::CommitUnanswered => "commit_unanswered",
            Self::NoGtid => "no_gtid",
            Self::TrackingOff => "tracking_off",
            Self::Unreadable => "unreadable",
        }
    }

    /// One sentence for the operator, as metrics show it.
    pub fn help(self) -> &'static str {
        match self {
            Self::NoFloor => "a scope began, and nothing was known of what it wrote before",
            Self::Error => "an error on the writer that may have left a write behind",
            Self::Killed => "a statement on the writer was killed",
            Self::ConnectionLost => "the writer's connection broke in a statement",
            Self::CommitUnanswered => "the answer to a COMMIT never came",
            Self::NoGtid => "a write without a GTID in its answer",
            Self::TrackingOff => "session tracking was found switched off",
            Self::Unreadable => "a GTID set that can't be read",
        }
    }
}

/// What the writer's executed set, fetched later, will tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    /// Ends with the statement, or with the proof that its thread is gone.
    pub(super) debt: Debt,
    pub(super) cause: Option<UnknownCause>,
    threads: SmallVec<[u64; 1]>,
    /// There were more threads than are told apart.
    overflowed: bool,
}

impl Lost {
    pub(super) fn add(&mut self, cause: UnknownCause, at: Instant, thread: Option<u64>) {
        self.cause = Some(cause);
        self.debt.end(at);
        if let Some(thread) = thread {
            self.await_thread(thread);
        }
    }

    /// Whether a thread may still commit, so that no fetch can tell the outcome yet.
    pub(super) fn is_pending(&self) -> bool {
        self.overflowed || !self.threads.is_empty()
    }

    pub(super) fn threads(&self) -> &[u64] {
        &self.threads
    }

    pub(super) fn thread_gone(&mut self, thread: u64, at: Instant) {
        let waited = self.threads.len();
        self.threads.retain(|waiting| *waiting != thread);
        if self.threads.len() < waited {
            self.debt.end(at);
        }
    }

    pub(super) fn all_threads_gone(&mut self, at: Instant) {
        if self.is_pending() {
            self.threads.clear();
            self.overflowed = false;
            self.debt.end(at);
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.debt.absorb(other.debt);
        self.cause = other.cause.or(self.cause);
        self.overflowed |= other.overflowed;
        for thread in &other.threads {
            self.await_thread(*thread);
        }
    }

    fn await_thread(&mut self, thread: u64) {
        if self.threads.contains(&thread) {
            return;
        }
        if self.threads.len() < MAX_LOST_THREADS {
            self.threads.push(thread);
        } else {
            self.overflowed = true;
        }
    }
}
