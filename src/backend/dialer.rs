//! Opening data connections: connect, log in, switch session tracking on.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use super::connection::Connection;
use super::encryption::Encryption;
use super::login::{LoginRequest, log_in};
use super::proof::LastTold;
use super::{Config, ConnectError, ConnectionState, Proof};
use crate::net::{Stream, Timers, TlsError, Wire, connect, encode_proxy_header};
use crate::protocol::Capabilities;
use crate::routing::BackendId;
use crate::sql::ForEach;

/// Opens data connections to the configured backends.
#[derive(Clone, Debug)]
pub struct Dialer {
    reach: Arc<ArcSwap<Reach>>,
    pub(super) last_told: Arc<LastTold>,
    pub(super) timers: Timers,
}

/// The backends, and what opens TLS to each.
#[derive(Debug)]
pub struct Reach {
    config: Arc<Config>,
    tls: Vec<Option<Encryption>>,
}

impl Reach {
    /// Of these backends.
    ///
    /// # Errors
    /// [`TlsError`] for files that can't be used.
    pub fn new(config: Arc<Config>) -> Result<Self, TlsError> {
        let tls = config.backends.iter().map(Encryption::of);
        let tls = tls.collect::<Result<_, _>>()?;
        Ok(Self { config, tls })
    }
}

impl Dialer {
    /// A dialer for these backends; how long it may take is limited there.
    pub fn new(reach: Reach, timers: Timers) -> Self {
        Self {
            reach: Arc::new(ArcSwap::from_pointee(reach)),
            last_told: Arc::default(),
            timers,
        }
    }

    /// From now on it connects to these. An id stays with the backend that it was given to.
    pub fn reconfigure(&self, reach: Reach) {
        self.reach.store(Arc::new(reach));
    }

    /// What it goes by.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.reach.load().config)
    }

    /// Connects, logs in and asks the backend who it is; `tracking` is the SET that switches
    /// session tracking on.
    ///
    /// Not cancel safe, but a caller that gives up only loses the connection.
    ///
    /// # Errors
    /// [`ConnectError::Refused`] is the backend's answer about this account; all others mean that
    /// the backend can't serve now.
    pub async fn connect(
        &self,
        id: BackendId,
        request: &LoginRequest,
        tracking: &ForEach<String>,
    ) -> Result<Connection, ConnectError> {
        let attempt = async {
            let mut connection = self.log_in(id, request).await?;
            connection.ask_and_track(tracking).await?;
            Ok(connection)
        };
        match self
            .timers
            .limit(self.config().connect_timeout, attempt)
            .await
        {
            Ok(result) => result,
            Err(_) => Err(ConnectError::TimedOut),
        }
    }

    /// Connects and logs in an account whose password has expired: nothing can be asked yet, see
    /// [`Connection::set_up`]. Until then it takes one statement at a time.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub async fn connect_expired(
        &self,
        id: BackendId,
        request: &LoginRequest,
    ) -> Result<Connection, ConnectError> {
        let mut request = request.clone();
        request.capabilities.remove(Capabilities::MULTI_STATEMENTS);
        let attempt = self.log_in(id, &request);
        match self
            .timers
            .limit(self.config().connect_timeout, attempt)
            .await
        {
            Ok(result) => result,
            Err(_) => Err(ConnectError::TimedOut),
        }
    }

    async fn log_in(
        &self,
        id: BackendId,
        request: &LoginRequest,
    ) -> Result<Connection, ConnectError> {
        let reach = self.reach.load_full();
        let config = reach
            .config
            .backends
            .get(id.index())
            .ok_or(ConnectError::NotConfigured)?;
        let mut wire = Wire::new(Stream::Plain(connect(&config.address).await?));
        let mut port = wire.stream().local_port();
        if config.proxy_protocol {
            let header = encode_proxy_header(request.origin, wire.stream().peer_address());
            wire.output().extend_from_slice(&header);
            wire.flush().await?;
            port = request.origin.map(|it| it.port()).or(port);
        }
        let encryption = reach.tls.get(id.index()).and_then(Option::as_ref);
        let (wire, logged_in) = log_in(wire, request, encryption).await?;
        Ok(Connection {
            wire,
            believed: None,
            port,
            backend: id,
            thread_id: u64::from(logged_in.thread_id),
            capabilities: logged_in.capabilities,
            status: logged_in.status,
            login_ok: logged_in.ok,
            authenticated: Instant::now(),
            greeting: logged_in.greeting,
            state: ConnectionState::after_login(request.collation, request.database.clone()),
            tracking: String::new(),
            proof: Proof::default(),
            changed: Vec::new(),
        })
    }
}
