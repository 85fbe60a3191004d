//! What a backend connection has been told: the half of the state that belongs to the connection.
//!
//! A session has a state of its own; the pure `diff` of the two says what has to be replayed
//! before the connection may serve the session.

use std::collections::BTreeMap;

/// From where a connection's variables count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Logged in with this collation (its id in the handshake).
    Login {
        /// As in the handshake response.
        collation: u8,
    },
    /// After COM_RESET_CONNECTION: everything is as the backend's global variables say.
    Reset,
}

/// Session variables with their values as the tracker told them, by name in lower case.
pub type Variables = BTreeMap<Box<str>, Vec<u8>>;

/// What one backend connection has been told since its baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionState {
    /// From where the variables count.
    pub baseline: Baseline,
    /// The schema in use.
    pub schema: Option<Vec<u8>>,
    /// Session variables set since the baseline.
    pub variables: Variables,
    /// Its character sets were set by SET NAMES.
    pub names: bool,
    /// The roles that it was given by SET ROLE, as `CURRENT_ROLE()` tells them.
    pub role: Option<Vec<u8>>,
    /// Something was set that nobody could name: the connection serves no one else.
    pub unknown: bool,
}

impl ConnectionState {
    /// As right after login.
    pub fn after_login(collation: u8, schema: Option<Vec<u8>>) -> Self {
        Self {
            baseline: Baseline::Login { collation },
            schema,
            variables: BTreeMap::new(),
            names: false,
            role: None,
            unknown: false,
        }
    }

    /// As right after COM_RESET_CONNECTION, which keeps the schema and the roles.
    pub fn reset(&mut self) {
        self.baseline = Baseline::Reset;
        self.variables.clear();
        self.names = false;
        self.unknown = false;
    }
}
