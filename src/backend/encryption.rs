//! Turning a fresh connection to a backend to TLS, in the middle of its greeting.

use std::net::Ipv4Addr;

use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::{BackendConfig, ConnectError};
use crate::net::{Endpoint, Stream, TlsError, TlsMode, Wire, connector};
use crate::protocol::{Capabilities, Handshake, SslRequest};

/// How one backend is reached by TLS.
#[derive(Clone)]
pub(super) struct Encryption {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// A backend without TLS is spoken to in clear text.
    optional: bool,
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encryption({:?})", self.name)
    }
}

impl Encryption {
    /// None where it is disabled, and on a unix socket, which nobody can listen to.
    ///
    /// # Errors
    /// As [`connector`].
    pub(super) fn of(config: &BackendConfig) -> Result<Option<Self>, TlsError> {
        let Endpoint::Tcp { host, .. } = &config.address else {
            return Ok(None);
        };
        let Some(connector) = connector(&config.tls)? else {
            return Ok(None);
        };
        let name = match (ServerName::try_from(host.clone()), config.tls.mode) {
            (Ok(name), _) => name,
            (Err(_), TlsMode::VerifyIdentity) => return Err(TlsError::Name(host.clone())),
            // Nobody looks at it.
            (Err(_), _) => ServerName::from(Ipv4Addr::UNSPECIFIED),
        };
        Ok(Some(Self {
            connector,
            name,
            optional: config.tls.mode == TlsMode::Preferred,
        }))
    }

    /// Asks for TLS behind the greeting and makes it. `request` is the start of the login that
    /// follows.
    ///
    /// Not cancel safe: a caller that gives up closes the connection.
    pub(super) async fn encrypt(
        &self,
        mut wire: Wire,
        greeting: &Handshake,
        request: &mut SslRequest,
    ) -> Result<Wire, ConnectError> {
        if !greeting.capabilities.contains(Capabilities::SSL) {
            return match self.optional {
                true => Ok(wire),
                false => Err(ConnectError::NoTls),
            };
        }
        request.capabilities.insert(Capabilities::SSL);
        wire.send(&request.encode()).await?;
        let sequence = wire.sequence();
        let Stream::Plain(plain) = wire.into_stream()? else {
            return Err(ConnectError::Unexpected);
        };
        let encrypted = self.connector.connect(self.name.clone(), plain).await?;
        let mut wire = Wire::new(Stream::Tls(Box::new(encrypted.into())));
        wire.set_sequence(sequence);
        Ok(wire)
    }
}
