//! Prepared statements of the binary protocol.
//!
//! The client's statement id is the session's own. A backend connection gets a statement prepared
//! when it is first needed there; what it knows it by is kept with the connection, and goes with
//! it. So a statement outlives every backend connection, and each execution is routed as the same
//! SQL would be as text.
//!
//! ```text
//! COM_STMT_PREPARE ---> Entry { Prepared, types, long data, cursor }      the session's
//!                          |
//! COM_STMT_EXECUTE --------+--> OnBackend { id, types, stale }            one connection's
//!                                  | closed, or its client has left
//!                               Shelf                                      the same connection's
//! ```

mod bind;
mod commands;
mod cursor;
mod limits;
mod long_data;
mod shelf;

use std::sync::Arc;

use bytes::Bytes;

pub(super) use self::bind::{OnBackend, Unbound};
pub(super) use self::limits::Permit;
pub use self::limits::{PreparedCount, PreparedLimits};
pub(super) use self::long_data::LongData;
pub(super) use self::shelf::{Origin, Shelf};
use super::by_id::ById;
use super::wishes::Wishes;
use crate::protocol::PrepareOk;
use crate::routing::BackendId;
use crate::sql::Statement;

/// A statement as the client prepared it.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The client's id for it.
    pub id: u32,
    /// Its SQL.
    pub text: Bytes,
    /// What its SQL says.
    pub statement: Arc<Statement>,
    /// What its SQL was read with.
    pub context: Context,
    /// What its hint asks for, each time that it runs.
    pub wishes: Wishes,
}

/// What the meaning of a statement's text depends on when it is prepared: it keeps that for good,
/// whatever the session sets later (MySQL manual, "PREPARE Statement").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// The schema of names without one.
    pub schema: Option<Vec<u8>>,
    /// The values of [`CONTEXT`], in its order.
    pub values: [Vec<u8>; CONTEXT.len()],
}

/// The session variables that decide how text is read, in the order in which they are set.
pub(super) const CONTEXT: [&str; 4] = [
    "sql_mode",
    "character_set_client",
    "character_set_connection",
    "collation_connection",
];

/// What a session knows of one of its prepared statements.
#[derive(Debug)]
pub(super) struct Entry {
    /// The statement.
    pub prepared: Arc<Prepared>,
    /// Number of its parameters.
    pub params: u16,
    /// The types of its parameters, as they were told last.
    pub types: Option<Arc<[u8]>>,
    /// Values that came ahead of the next execution.
    pub long: LongData,
    /// Where its cursor is open.
    pub cursor: Option<BackendId>,
    /// Its place among all prepared statements of the process.
    _permit: Permit,
}

/// A session's prepared statements, by the client's id.
#[derive(Debug, Default)]
pub(super) struct Statements {
    entries: ById<Entry>,
    last_id: u32,
    /// How much of values that came ahead is kept, of all of them.
    kept: usize,
}

impl Statements {
    /// The id for the next one. A statement that can't be prepared uses one up too, as in MySQL,
    /// and none is used twice in a session.
    pub(super) fn next_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && !self.entries.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Enters one that a backend has prepared.
    pub(super) fn enter(&mut self, prepared: Prepared, ok: &PrepareOk, permit: Permit) {
        let entry = Entry {
            params: ok.params,
            types: None,
            long: LongData::default(),
            cursor: None,
            _permit: permit,
            prepared: Arc::new(prepared),
        };
        self.entries.insert(entry.prepared.id, entry);
    }

    /// The one with this id.
    pub(super) fn find(&mut self, id: u32) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// The same, to look at.
    pub(super) fn look(&self, id: u32) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Forgets the one with this id.
    pub(super) fn remove(&mut self, id: u32) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.kept = self.kept.saturating_sub(entry.long.size());
        Some(entry)
    }

    /// Keeps a value that came ahead; false if that would be too much.
    pub(super) fn keep_long(&mut self, id: u32, param: u16, bytes: &[u8]) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let before = entry.long.size();
        let kept = entry.long.keep(param, bytes, self.kept);
        self.kept += entry.long.size().saturating_sub(before);
        kept
    }

    /// What came ahead is somewhere else now, or done with.
    pub(super) fn set_long(&mut self, id: u32, long: LongData) -> LongData {
        let Some(entry) = self.entries.get_mut(&id) else {
            return LongData::None;
        };
        let before = std::mem::replace(&mut entry.long, long);
        self.kept = self.kept.saturating_sub(before.size());
        before
    }

    /// Forgets all. Ids go on.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.kept = 0;
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Does a connection to this backend hold what no other one would: an open cursor, or values
    /// for the next execution?
    pub(super) fn are_held_by(&self, backend: BackendId, is_writer: bool) -> bool {
        let holds =
            |entry: &Entry| entry.cursor == Some(backend) || is_writer && entry.long.is_on_writer();
        // Nearly always there are none, or few.
        self.entries.values().any(holds)
    }

    /// The cursors on this backend are gone.
    pub(super) fn lose_cursors(&mut self, backend: BackendId) {
        for entry in self.entries.values_mut() {
            if entry.cursor == Some(backend) {
                entry.cursor = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_on_and_skip_those_in_use() {
        let mut statements = Statements::default();
        assert_eq!([statements.next_id(), statements.next_id()], [1, 2]);
        statements.clear();
        assert_eq!(statements.next_id(), 3);
        statements.last_id = u32::MAX;
        assert_eq!(statements.next_id(), 1);
    }
}
