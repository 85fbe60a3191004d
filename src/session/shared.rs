//! What all sessions share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Config, LoginKeys, Registry};
use crate::backend::{Dialer, Greeting};
use crate::routing::BackendId;
use crate::telemetry::Metrics;

/// What all sessions share; built once by the composition root.
pub struct Shared {
    /// How sessions log in and how their reads are treated.
    pub config: Config,
    /// The backends' names, by id.
    pub backend_names: Vec<String>,
    /// The backend that takes the writes.
    pub writer: BackendId,
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
}
