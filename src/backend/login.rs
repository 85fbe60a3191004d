//! Logging in to a backend: greeting, TLS, the login, and the exchange that its plugin wants.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use std::net::SocketAddr;

use zeroize::Zeroizing;

use super::encryption::Encryption;
use super::exchange::Exchange;
use super::{ConnectError, Refusal};
use crate::net::Wire;
use crate::protocol::auth::{caching_sha2, native};
use crate::protocol::{
    Capabilities, ErrPacket, Handshake, HandshakeResponse, OkPacket, SslRequest, Status,
};

/// No packet of a login is larger than this, in bytes; an OK may carry session state.
pub(super) const LOGIN_PACKET_LIMIT: usize = 256 * 1024;

/// Everything needed to log in as a client would.
#[derive(Clone)]
pub struct Credentials {
    /// The account's name.
    pub user: Vec<u8>,
    /// The account's password in clear text; wiped when the last holder drops it.
    pub password: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", String::from_utf8_lossy(&self.user))
    }
}

/// What a connection asks for besides the account.
#[derive(Clone, Debug)]
pub struct LoginRequest {
    /// The account.
    pub credentials: Credentials,
    /// The schema to start in.
    pub database: Option<Vec<u8>>,
    /// The collation's id, as the client gave it.
    pub collation: u8,
    /// The client's connection attributes, as they came.
    pub attributes: Option<Vec<u8>>,
    /// Where the client is, if it came by TCP.
    pub origin: Option<SocketAddr>,
    /// The client's own capabilities; those that change results are handed on.
    pub capabilities: Capabilities,
    /// The largest packet that the client takes, in bytes.
    pub max_packet: u32,
}

/// What a login led to.
pub(super) struct LoggedIn {
    pub(super) thread_id: u32,
    pub(super) capabilities: Capabilities,
    pub(super) status: Status,
    /// The OK that ended the login; a client that triggered it gets the same.
    pub(super) ok: Vec<u8>,
    /// What the backend said of itself.
    pub(super) greeting: Greeting,
}

/// What a backend says of itself to everyone; the front says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its version, which drivers choose their SQL by.
    pub version: String,
    /// The lower byte of its default collation's id.
    pub collation: u8,
    /// What it can.
    pub capabilities: Capabilities,
}

/// Capabilities that a client's wish decides, since they change what statements mean or return.
pub(super) const CLIENT_DECIDES: Capabilities = Capabilities(
    Capabilities::FOUND_ROWS.0
        | Capabilities::IGNORE_SPACE.0
        | Capabilities::INTERACTIVE.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::NO_SCHEMA.0
        | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS.0
        | Capabilities::OPTIONAL_RESULTSET_METADATA.0
        | Capabilities::QUERY_ATTRIBUTES.0,
);

/// What the proxy always asks for: the end of each result with its session state.
const ALWAYS: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// Logs in on a fresh wire.
pub(super) async fn log_in(
    mut wire: Wire,
    request: &LoginRequest,
    encryption: Option<&Encryption>,
) -> Result<(Wire, LoggedIn), ConnectError> {
    let greeting = read_greeting(&mut wire).await?;
    let mut wanted = ALWAYS | (request.capabilities & CLIENT_DECIDES);
    if request.database.is_some() {
        wanted.insert(Capabilities::CONNECT_WITH_DB);
    }
    if request.attributes.is_some() {
        wanted.insert(Capabilities::CONNECT_ATTRS);
    }
    let mut capabilities = wanted & greeting.capabilities;
    // MariaDB greets without it, and takes a client without it for one that knows MariaDB's own
    // capabilities (MariaDB documentation, "Connection").
    capabilities.insert(Capabilities::LONG_PASSWORD);
    if !capabilities.contains(ALWAYS) {
        return Err(ConnectError::TooOld);
    }
    let mut start = SslRequest {
        capabilities,
        max_packet: request.max_packet,
        collation: request.collation,
    };
    if let Some(encryption) = encryption {
        wire = encryption.encrypt(wire, &greeting, &mut start).await?;
    }
    let mut exchange = Exchange {
        password: &request.credentials.password,
        data: greeting.nonce.to_vec(),
        // Any other plugin is asked for by an auth switch, if the account has it.
        plugin: match greeting.plugin.as_str() {
            native::NAME => native::NAME,
            _ => caching_sha2::NAME,
        }
        .to_owned(),
    };
    let response = HandshakeResponse {
        capabilities: start.capabilities,
        max_packet: request.max_packet,
        collation: request.collation,
        user: request.credentials.user.clone(),
        auth: exchange.first_answer(&wire)?.to_vec(),
        database: request.database.clone(),
        plugin: Some(exchange.plugin.clone().into_bytes()),
        attributes: request.attributes.clone(),
        zstd_level: None,
    };
    wire.send(&response.encode()).await?;
    let ok = exchange.run(&mut wire).await?;
    let status = OkPacket::parse(&ok, capabilities)?.status;
    let logged_in = LoggedIn {
        thread_id: greeting.connection_id,
        capabilities,
        status,
        ok,
        greeting: Greeting {
            version: greeting.version,
            collation: greeting.collation,
            capabilities: greeting.capabilities,
        },
    };
    Ok((wire, logged_in))
}

/// Reads the handshake with which a backend greets, or the error it sends instead.
async fn read_greeting(wire: &mut Wire) -> Result<Handshake, ConnectError> {
    let payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
    if payload.first() == Some(&ErrPacket::HEADER) {
        return Err(refusal(&payload)?);
    }
    Ok(Handshake::parse(&payload)?)
}

pub(super) fn refusal(payload: &[u8]) -> Result<ConnectError, ConnectError> {
    let packet = ErrPacket::parse(payload)?;
    Ok(ConnectError::Refused(Refusal {
        code: packet.code,
        state: packet.state,
        message: packet.message.to_vec(),
    }))
}
