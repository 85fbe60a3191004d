//! What a session needs to know of the configuration.

use std::collections::HashMap;
use std::time::Duration;

use super::{Hold, Keeping, Limits, PreparedLimits};
use crate::error::Secret;
use crate::net::Network;
use crate::routing::{OnLostWrites, Policy, Reads};

/// How sessions log in and how their reads are treated.
#[derive(Clone, Debug)]
pub struct Config {
    /// What clients are offered before they log in.
    pub front: FrontConfig,
    /// Who decides about a login.
    pub auth: AuthMode,
    /// For accounts without one of their own.
    pub policy: Policy,
    /// By account name.
    pub user_policies: HashMap<String, Policy>,
    /// Whether reads are split when it starts.
    pub reads: Reads,
    /// One more client than this is refused with error 1040.
    pub max_clients: usize,
    /// A client that has not logged in by then is disconnected.
    pub login_timeout: Duration,
    /// How long a drain waits for running statements and transactions.
    pub drain_timeout: Duration,
    /// Whose binary log replication clients get.
    pub replication: Option<String>,
    /// Which backend connection serves a session next.
    pub pool: PoolPolicy,
    /// How long a connection that no session has is kept.
    pub keeping: Keeping,
    /// This proxy's part of its clients' ids, below 1024; by chance, if there is none.
    pub proxy_id: Option<u16>,
    /// How many reads the writer runs at once in the readers' stead.
    pub fallback_reads: usize,
    /// How many accounts and keys that no session uses are told apart.
    pub scopes: usize,
    /// How many prepared statements there may be.
    pub prepared: PreparedLimits,
    /// What sessions bear and how long they wait.
    pub limits: Limits,
    /// How statements wait for a writer.
    pub hold: Hold,
    /// What a session is told of writes that a failover has lost.
    pub on_lost_writes: OnLostWrites,
}

/// What clients are offered, or have to do, before they log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontConfig {
    /// They may have their connection compressed.
    pub compression: bool,
    /// Those that come by TCP have to use TLS.
    pub tls_required: bool,
    /// A connection from there begins with a PROXY header.
    pub proxy_protocol_from: Vec<Network>,
}

impl Default for FrontConfig {
    fn default() -> Self {
        Self {
            compression: true,
            tls_required: false,
            proxy_protocol_from: Vec::new(),
        }
    }
}

/// Which backend connection serves a session's next statement, as far as its state leaves a
/// choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolPolicy {
    /// The one that it has.
    #[default]
    Keep,
    /// The one that it has, unless others need it between two statements: then another, later.
    Lend,
    /// Another for each statement, from those that were given back, whether others need them or
    /// not: a proof that nothing is lost or found there.
    LendAtOnce,
    /// A new one for each statement, told what the session was told: slow, and a proof that
    /// nothing depends on the connection.
    Replace,
}

/// Who decides about a login.
#[derive(Clone, Debug)]
pub enum AuthMode {
    /// The backend: the client's own password is handed on.
    Passthrough,
    /// The proxy knows the passwords, by account name; the backend decides as well.
    Users(HashMap<String, Secret>),
}
