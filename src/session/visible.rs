//! Session tracking belongs to the proxy; this is what the client believes it has set.
//!
//! The `session_track_*` variables of a backend connection are the proxy's. A client's own wishes
//! are kept here, read back as set, and decide which trackers the client gets to see.
//! (MySQL manual, "Server Tracking of Client Session State".)

use crate::protocol::ProtocolError;
use crate::protocol::track::{self, Change};

/// What a client sees of session tracking; the default is MySQL's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visible {
    /// `session_track_gtids`, as text.
    pub gtids: String,
    /// `session_track_schema`.
    pub schema: bool,
    /// `session_track_state_change`.
    pub state_change: bool,
    /// `session_track_system_variables`, as text.
    pub variables: String,
    /// `session_track_transaction_info`, as text.
    pub transaction_info: String,
}

impl Default for Visible {
    fn default() -> Self {
        Self {
            gtids: "OFF".to_owned(),
            schema: true,
            state_change: false,
            variables: "time_zone,autocommit,character_set_client,character_set_results,\
                        character_set_connection"
                .to_owned(),
            transaction_info: "OFF".to_owned(),
        }
    }
}

/// The variables that the proxy itself follows: those that change how statements are read or where
/// they may run, and tracking itself.
const TRACKED: &str = "autocommit,character_set_client,character_set_connection,\
    character_set_results,session_track_gtids,session_track_state_change,sql_mode,time_zone,\
    transaction_isolation,transaction_read_only";

impl Visible {
    /// The SET that gives the proxy what it needs on the writer, and the client what it asked for.
    pub(super) fn tracking_statement(&self) -> String {
        let all = self.gtids.eq_ignore_ascii_case("ALL_GTIDS");
        // MySQL refuses a list that names a variable twice (error 3026).
        let own = self.variables.split(',').map(str::trim);
        let more = own.filter(|name| !name.is_empty() && !is_tracked(name));
        let variables = more.fold(TRACKED.to_owned(), |list, name| list + "," + name);
        let variables = if self.variables.trim() == "*" {
            "*"
        } else {
            &variables
        };
        format!(
            "SET SESSION session_track_gtids = {}, session_track_schema = 1, \
             session_track_state_change = 1, session_track_system_variables = {}, \
             session_track_transaction_info = {}",
            if all { "ALL_GTIDS" } else { "OWN_GTID" },
            quoted(variables),
            self.transaction_info,
        )
    }

    /// What the client may see of a block of session changes.
    ///
    /// # Errors
    /// [`ProtocolError`] for a block that can't be decoded.
    pub(super) fn filter(&self, session: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let mut seen = Vec::new();
        if !session.is_empty() {
            track::filter(session, &mut seen, |change| self.shows(change))?;
        }
        Ok(seen)
    }

    /// May the client see this change?
    fn shows(&self, change: &Change<'_>) -> bool {
        match change {
            Change::SystemVariable { name, .. } => self.names(name),
            Change::Schema(_) => self.schema,
            Change::StateChanged(_) => self.state_change,
            Change::Gtids(_) => !self.gtids.eq_ignore_ascii_case("OFF"),
            Change::TransactionCharacteristics(_) => self
                .transaction_info
                .eq_ignore_ascii_case("CHARACTERISTICS"),
            // MySQL 9.7 sends it with BEGIN, COMMIT and ROLLBACK though the variable is OFF.
            Change::TransactionState(_) => true,
            Change::Unknown { .. } => false,
        }
    }

    fn names(&self, name: &[u8]) -> bool {
        self.variables
            .split(',')
            .map(str::trim)
            .any(|own| own == "*" || own.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Is this variable followed for the proxy's own sake?
fn is_tracked(name: &str) -> bool {
    TRACKED
        .split(',')
        .any(|tracked| tracked.eq_ignore_ascii_case(name))
}

/// A text literal that no sql_mode reads in another way.
fn quoted(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if hex.is_empty() {
        "''".to_owned()
    } else {
        format!("_utf8mb4 X'{hex}'")
    }
}
