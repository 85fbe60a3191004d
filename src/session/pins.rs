//! What keeps a session, or one of its statements, on its writer connection.

use std::time::{Duration, Instant};

use super::job::Job;
use super::observe::WriterNotes;
use super::session::Session;
use super::state::SessionState;
use crate::routing::Reason;
use crate::sql::{Class, LockCall, Marks, TableName, mentions_any};

/// What keeps a session on its writer connection, the most telling first.
const PINS: &[(Marks, Reason)] = &[
    (Marks::SQL_LOG_BIN, Reason::PinSqlLogBin),
    (Marks::XA, Reason::PinXa),
    (Marks::TABLE_LOCKS, Reason::PinTableLocks),
    (Marks::USER_LOCK, Reason::PinUserLock),
    (Marks::TEMPORARY_TABLE, Reason::PinTemporaryTable),
    (Marks::NEXT_TRANSACTION, Reason::PinNextTransaction),
    (Marks::SESSION_VARIABLE, Reason::PinSessionVariable),
    (Marks::TIMESTAMP, Reason::PinTimestamp),
    (Marks::COUNTERS, Reason::PinMeasuring),
    (Marks::UNKNOWN, Reason::PinUnknownState),
];

/// For so long reads run on the writer after a reader has refused the session's state. A schema or
/// a role that is missing there arrives with the lag; what never arrives costs one attempt in this
/// time.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// What a session has on its writer connection that has a name or can be counted.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// Its temporary tables.
    temporary: Vec<Temporary>,
    /// How many user locks it holds, for sure.
    locks: u32,
    /// It may hold others, which nobody has counted.
    uncounted_locks: bool,
    /// The state that a reader has refused, and when.
    refused: Option<(SessionState, Instant)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Temporary {
    schema: Option<Vec<u8>>,
    name: Box<str>,
}

impl Pins {
    /// Is there something that no other connection has?
    pub(super) fn hold_state(&self) -> bool {
        !self.temporary.is_empty()
    }
}

impl Session {
    /// Why a statement has to run on the session's writer connection, if so.
    pub(super) fn pin(&self, job: &Job) -> Option<Reason> {
        if self.has_data_on_writer(job) {
            return Some(Reason::PinLongData);
        }
        if self.tracks_as_wished || self.visible.needs_the_writer() {
            return Some(Reason::PinTracking);
        }
        if self.unreplicated {
            return Some(Reason::PinSqlLogBin);
        }
        let marked = PINS
            .iter()
            .find(|(mark, _)| self.marks.intersects(*mark))
            .map(|(_, reason)| *reason);
        marked
            .or_else(|| self.is_measuring().then_some(Reason::PinMeasuring))
            .or_else(|| {
                self.may_use_temporary(job)
                    .then_some(Reason::PinTemporaryTable)
            })
            .or_else(|| self.is_refused().then_some(Reason::ReplayFailed))
    }

    /// Does the connection that runs a statement keep what it has measured?
    fn is_measuring(&self) -> bool {
        let value = |name| self.state.variables.get(name).map(Vec::as_slice);
        let profiles = matches!(value("profiling"), Some(b"ON" | b"1"));
        // `enabled=on,one_line=off`.
        profiles || value("optimizer_trace").is_some_and(|value| value.starts_with(b"enabled=on"))
    }

    /// May a statement use one of the session's temporary tables? A read-only transaction may
    /// later, and so may a function, which sees them in place of others of the same name.
    pub(super) fn may_use_temporary(&self, job: &Job) -> bool {
        if self.pins.temporary.is_empty() {
            return false;
        }
        if !job.functions().is_empty() || matches!(job.class(), Some(Class::BeginReadOnly { .. })) {
            return true;
        }
        let names = self.pins.temporary.iter().map(|table| &*table.name);
        mentions_any(job.text(), names)
    }

    /// A reader has refused the session's state as it is.
    pub(super) fn note_refused_state(&mut self) {
        self.pins.refused = Some((self.state.clone(), Instant::now()));
    }

    fn is_refused(&self) -> bool {
        let refused = self.pins.refused.as_ref();
        refused.is_some_and(|(state, at)| at.elapsed() < REFUSED_PAUSE && *state == self.state)
    }

    /// Follows temporary tables and user locks through a statement that has ended.
    pub(super) fn settle_pins(&mut self, job: &Job, notes: &WriterNotes<'_>, failed: bool) {
        let Some(statement) = &job.statement else {
            return;
        };
        let (makes, drops) = (&statement.makes, &statement.drops);
        if !self.pins.temporary.is_empty() || !makes.is_empty() {
            let schema = match job.prepared_in() {
                Some(schema) => schema.map(<[u8]>::to_vec),
                None => self.state.schema.clone(),
            };
            // ALTER TABLE … RENAME gives one a name that nobody has read.
            let renamed = || mentions_any(job.text(), std::iter::once("rename"));
            if matches!(job.class(), Some(Class::Write)) && self.may_use_temporary(job) && renamed()
            {
                self.marks |= Marks::TEMPORARY_TABLE;
            }
            let table = |table: &TableName| Temporary {
                schema: match &table.schema {
                    Some(schema) => Some(schema.as_bytes().to_vec()),
                    None => schema.clone(),
                },
                name: table.name.clone(),
            };
            for made in makes.iter().map(table) {
                if !self.pins.temporary.contains(&made) {
                    self.pins.temporary.push(made);
                }
            }
            if !failed {
                for dropped in drops.iter().map(table) {
                    self.pins.temporary.retain(|known| *known != dropped);
                }
            }
        }
        self.settle_locks(job, notes, failed);
    }

    /// Counts user locks by what the calls have answered.
    fn settle_locks(&mut self, job: &Job, notes: &WriterNotes<'_>, failed: bool) {
        let Some(statement) = &job.statement else {
            return;
        };
        let takes = statement.leaves.intersects(Marks::USER_LOCK);
        match statement.lock_call {
            Some(LockCall::Take) if notes.said_one => self.pins.locks += 1,
            // Another has it, or there was an error.
            Some(LockCall::Take) => {}
            Some(LockCall::Release) if notes.said_one => {
                self.pins.locks = self.pins.locks.saturating_sub(1);
            }
            _ if takes => self.pins.uncounted_locks = true,
            _ => {}
        }
        if statement.ends.intersects(Marks::USER_LOCK) && !failed {
            self.pins.locks = 0;
            self.pins.uncounted_locks = false;
        }
        if self.pins.locks == 0 && !self.pins.uncounted_locks {
            self.marks.remove(Marks::USER_LOCK);
        }
    }
}
