//! What sessions bear and how long they wait.

use std::time::Duration;

/// The limits that guard against peers that hang, vanish or come in crowds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Failed logins of one account from one address before others are slowed down; 0: never.
    pub login_failures: u32,
    /// Clients of one account; no limit of its own without.
    pub clients_per_user: Option<usize>,
    /// Connections to each backend that serve clients.
    pub backend_connections: Option<usize>,
    /// The same to all of them.
    pub backend_connections_total: Option<usize>,
    /// How long a statement waits for a connection while one of these two is reached.
    pub connection_wait: Duration,
    /// Statements that wait at once.
    pub queued_statements: usize,
    /// The same of one account; no limit of its own without.
    pub queued_statements_per_user: Option<usize>,
    /// How long a reader may answer neither a read nor the monitor before the read goes elsewhere.
    pub first_byte_timeout: Duration,
    /// How long a backend may answer neither a statement nor the monitor before that is lost.
    pub silent_timeout: Duration,
    /// How long a client may send no command.
    pub idle_timeout: Option<Duration>,
    /// How long it may stop in the middle of one.
    pub read_timeout: Duration,
    /// How long it may take nothing of its answer.
    pub write_timeout: Duration,
    /// How long a peer's machine may not answer.
    pub dead_peer_timeout: Duration,
    /// What becomes of what may write, and nobody waits for.
    pub on_client_gone: OnClientGone,
}

/// What becomes of a statement that may write, when its client is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnClientGone {
    /// It goes on to its end, as on MySQL itself.
    #[default]
    Finish,
    /// It is killed on its backend.
    Kill,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_failures: 5,
            clients_per_user: None,
            backend_connections: None,
            backend_connections_total: None,
            connection_wait: Duration::from_secs(1),
            queued_statements: 10_000,
            queued_statements_per_user: None,
            first_byte_timeout: Duration::from_secs(2),
            silent_timeout: Duration::from_secs(30),
            idle_timeout: None,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            dead_peer_timeout: Duration::from_secs(60),
            on_client_gone: OnClientGone::Finish,
        }
    }
}
