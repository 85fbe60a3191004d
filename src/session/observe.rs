//! What a response tells about the session while it is relayed.

use super::scopes::ScopeHandle;
use crate::gtid::Set;
use crate::protocol::track::{self, Change};
use crate::protocol::{OkPacket, PrepareOk, ProtocolError};

/// Is shown the packets that end something, before the client can read them.
pub(super) trait Observer {
    /// An OK packet, or the end of a result.
    ///
    /// # Errors
    /// [`ProtocolError`] for session changes that can't be decoded.
    fn ended(&mut self, ok: &OkPacket<'_>) -> Result<(), ProtocolError>;

    /// A statement was prepared.
    fn prepared(&mut self, prepared: &PrepareOk);
}

/// Notes what a response at the writer reports, and acknowledges its GTIDs at once: another
/// session of the scope may act on the answer as soon as the client has it.
#[derive(Debug)]
pub(super) struct WriterNotes<'a> {
    scope: &'a ScopeHandle,
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
}

impl<'a> WriterNotes<'a> {
    /// Nothing seen yet.
    pub(super) fn new(scope: &'a ScopeHandle) -> Self {
        Self {
            scope,
            gtids: false,
            unreadable: false,
            variables: Vec::new(),
            schema: None,
            state_changed: false,
            affected_rows: 0,
            insert_id: false,
            prepared: None,
        }
    }
}

impl Observer for WriterNotes<'_> {
    fn ended(&mut self, ok: &OkPacket<'_>) -> Result<(), ProtocolError> {
        self.affected_rows = self.affected_rows.saturating_add(ok.affected_rows);
        self.insert_id |= ok.last_insert_id != 0;
        for change in track::changes(ok.session) {
            match change? {
                Change::Gtids(text) => match Set::parse(text) {
                    Ok(set) => {
                        self.gtids = true;
                        self.scope.lock().acknowledge(&set);
                    }
                    Err(_) => self.unreadable = true,
                },
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
}

/// Notes what a response at a reader reports.
#[derive(Debug, Default)]
pub(super) struct ReaderNotes {
    /// The executed set that came with the answer, as text.
    pub executed: Option<String>,
    /// A read is not expected to change session state; if it did, the connection is not clean.
    pub state_changed: bool,
    /// The statement that was prepared.
    pub prepared: Option<PrepareOk>,
}

impl Observer for ReaderNotes {
    fn ended(&mut self, ok: &OkPacket<'_>) -> Result<(), ProtocolError> {
        for change in track::changes(ok.session) {
            match change? {
                Change::Gtids(text) => self.executed = Some(text.to_owned()),
                Change::SystemVariable { .. } | Change::Schema(_) | Change::StateChanged(true) => {
                    self.state_changed = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn prepared(&mut self, prepared: &PrepareOk) {
        self.prepared = Some(*prepared);
    }
}
