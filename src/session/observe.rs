//! What a response tells about the session while it is relayed.

use std::sync::Arc;

use super::ids::Ids;
use super::scopes::ScopeHandle;
use crate::gtid::Set;
use crate::protocol::track::{self, Change};
use crate::protocol::{OkPacket, PrepareOk, ProtocolError, Status};

/// Is shown the packets that end something, before the client can read them.
pub(super) trait Observer {
    /// An OK packet, or the end of a result.
    ///
    /// # Errors
    /// [`ProtocolError`] for session changes that can't be decoded.
    fn ended(&mut self, ok: &OkPacket<'_>) -> Result<(), ProtocolError>;

    /// The end of a result that has come before in the same bytes. It reports what it did then.
    fn known_end(&mut self, _payload: &[u8]) -> Option<&KnownEnd> {
        None
    }

    /// A result has ended the response: as it came, and as the client reads it.
    fn keep_end(&mut self, _came: &[u8], _sent: &[u8], _ok: &OkPacket<'_>) {}

    /// A statement was prepared.
    fn prepared(&mut self, prepared: &PrepareOk);

    /// Does it want to see definitions and rows? Without, they are forwarded where they lie.
    fn taps_rows(&self) -> bool {
        false
    }

    /// The definition of a column.
    fn definition(&mut self, _payload: &[u8]) {}

    /// A row; another one to be sent in its place, if so.
    fn row(&mut self, _payload: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// How a result has ended on a connection. The next ones nearly always end in the same bytes, and then
/// nobody has to read them again.
#[derive(Debug)]
pub(super) struct KnownEnd {
    came: Vec<u8>,
    /// The same, as the client reads it.
    pub sent: Vec<u8>,
    /// The connection's flags since then.
    pub status: Status,
    /// With warnings.
    pub warned: bool,
    executed: Option<Arc<str>>,
}

impl KnownEnd {
    /// Is that an end in the same bytes?
    pub(super) fn is(&self, payload: &[u8]) -> bool {
        self.came == payload
    }

    /// The executed set that came with it, as text.
    pub(super) fn executed(&self) -> Option<&str> {
        self.executed.as_deref()
    }
}

/// A longer end is read each time, in bytes: it would be kept for each connection.
const KNOWN_END_LIMIT: usize = 1024;

/// The variable in which MariaDB keeps the GTID of the session's last transaction.
const LAST_GTID: &[u8] = b"last_gtid";

/// Notes what a response at the writer reports, and acknowledges its GTIDs at once: another
/// session of the scope may act on the answer as soon as the client has it.
#[derive(Debug)]
pub(super) struct WriterNotes<'a> {
    scopes: &'a [ScopeHandle],
    /// Did the response report a GTID?
    pub gtids: bool,
    /// A GTID set came that can't be read.
    pub unreadable: bool,
    /// Session variables that changed, with their new text.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// The schema, if it changed; empty for none.
    pub schema: Option<Vec<u8>>,
    /// Did the backend say that some session state changed?
    pub state_changed: bool,
    /// Rows written, over all statements of the response.
    pub affected_rows: u64,
    /// Did a statement generate an id that LAST_INSERT_ID() returns from now on?
    pub insert_id: bool,
    /// The statement that was prepared.
    pub prepared: Option<PrepareOk>,
    /// What is done with the rows of the result.
    rows: Option<RowTap>,
    /// The only cell of the last row was the number 1.
    pub said_one: bool,
}

impl<'a> WriterNotes<'a> {
    /// Nothing seen yet.
    pub(super) fn new(scopes: &'a [ScopeHandle]) -> Self {
        Self {
            scopes,
            gtids: false,
            unreadable: false,
            variables: Vec::new(),
            schema: None,
            state_changed: false,
            affected_rows: 0,
            insert_id: false,
            prepared: None,
            rows: None,
            said_one: false,
        }
    }

    fn acknowledge(&mut self, text: &str) {
        match Set::parse(text) {
            Ok(set) => {
                self.gtids |= !set.is_empty();
                for scope in self.scopes {
                    scope.lock().acknowledge(&set);
                }
            }
            Err(_) => self.unreadable = true,
        }
    }

    /// The same, with a look at the rows.
    pub(super) fn tapping(mut self, rows: Option<RowTap>) -> Self {
        self.rows = rows;
        self
    }
}

impl Observer for WriterNotes<'_> {
    fn ended(&mut self, ok: &OkPacket<'_>) -> Result<(), ProtocolError> {
        self.affected_rows = self.affected_rows.saturating_add(ok.affected_rows);
        self.insert_id |= ok.last_insert_id != 0;
        for change in track::changes(ok.session) {
            match change? {
                Change::Gtids(text) => self.acknowledge(text),
                // MariaDB's word of the last transaction.
                Change::SystemVariable { name, value } if name == LAST_GTID => {
                    match str::from_utf8(value) {
                        Ok(text) => self.acknowledge(text),
                        Err(_) => self.unreadable = true,
                    }
                }
                Change::SystemVariable { name, value } => {
                    self.variables.push((name.to_vec(), value.to_vec()));
                }
                Change::Schema(name) => self.schema = Some(name.to_vec()),
                Change::StateChanged(changed) => self.state_changed |= changed,
                Change::TransactionCharacteristics(_)
                | Change::TransactionState(_)
                | Change::Unknown { .. } => {}
            }
        }
        Ok(())
    }

    fn prepared(&mut self, prepared: &PrepareOk) {
        self.prepared = Some(*prepared);
    }

    fn taps_rows(&self) -> bool {
        self.rows.is_some()
    }

    fn definition(&mut self, payload: &[u8]) {
        if let Some(RowTap::Ids(ids)) = &mut self.rows {
            ids.definition(payload);
        }
    }

    fn row(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        match self.rows.as_mut()? {
            RowTap::One => {
                self.said_one = is_one(payload);
                None
            }
            RowTap::Ids(ids) => ids.row(payload),
        }
    }
}

/// Why rows are looked at.
#[derive(Debug)]
pub(super) enum RowTap {
    /// To see whether the answer is 1.
    One,
    /// To put client ids in place of the backend's.
    Ids(Ids),
}

/// Is it a row whose only cell is the number 1, as text or in binary form?
fn is_one(payload: &[u8]) -> bool {
    matches!(payload, [1, b'1'] | [0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
}

/// Notes what a response at a reader reports.
#[derive(Debug, Default)]
pub(super) struct ReaderNotes {
    /// The executed set that came with the answer, as text.
    pub executed: Option<Arc<str>>,
    /// A read is not expected to change session state; if it did, the connection is not clean.
    pub state_changed: bool,
    /// The same for a variable.
    pub variable_changed: bool,
    /// The schema that the reader says is in use. It says so, too, after a statement that was
    /// prepared in another one.
    pub schema: Option<Vec<u8>>,
    /// The statement that was prepared.
    pub prepared: Option<PrepareOk>,
    /// How the last result on this connection has ended.
    pub end: Option<Box<KnownEnd>>,
    /// How many of this response have.
    ends: u32,
}

impl ReaderNotes {
    /// Nothing seen yet of this response, on a connection where a result has ended so.
    pub(super) fn after(end: Option<Box<KnownEnd>>) -> Self {
        Self {
            end,
            ..Self::default()
        }
    }
}

impl Observer for ReaderNotes {
    fn known_end(&mut self, payload: &[u8]) -> Option<&KnownEnd> {
        let end = self.end.as_deref().filter(|end| end.is(payload))?;
        self.executed.clone_from(&end.executed);
        Some(end)
    }

    fn keep_end(&mut self, came: &[u8], sent: &[u8], ok: &OkPacket<'_>) {
        let changed = self.state_changed || self.variable_changed || self.schema.is_some();
        if changed || self.ends > 1 || came.len() > KNOWN_END_LIMIT {
            self.end = None;
            return;
        }
        self.end = Some(Box::new(KnownEnd {
            came: came.to_vec(),
            sent: sent.to_vec(),
            status: ok.status,
            warned: ok.warnings > 0,
            executed: self.executed.clone(),
        }));
    }

    fn ended(&mut self, ok: &OkPacket<'_>) -> Result<(), ProtocolError> {
        self.ends = self.ends.saturating_add(1);
        for change in track::changes(ok.session) {
            match change? {
                Change::Gtids(text) => self.executed = Some(Arc::from(text)),
                Change::Schema(name) => self.schema = Some(name.to_vec()),
                Change::SystemVariable { .. } => self.variable_changed = true,
                Change::StateChanged(true) => self.state_changed = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn prepared(&mut self, prepared: &PrepareOk) {
        self.prepared = Some(*prepared);
    }
}
