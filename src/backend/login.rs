//! Logging in to a backend: caching_sha2_password (fast, or full by RSA key or secure transport)
//! and mysql_native_password.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};
use zeroize::Zeroizing;

use super::{ConnectError, Refusal};
use crate::net::Wire;
use crate::protocol::auth::{caching_sha2, native, obfuscate};
use crate::protocol::{
    AuthMore, AuthSwitch, Capabilities, ErrPacket, FAST_AUTH_OK, FULL_AUTH, Handshake,
    HandshakeResponse, NONCE, OkPacket, REQUEST_PUBLIC_KEY, Status,
};

/// No packet of a login is larger than this, in bytes; an OK may carry session state.
const LOGIN_PACKET_LIMIT: usize = 256 * 1024;

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
const CLIENT_DECIDES: Capabilities = Capabilities(
    Capabilities::FOUND_ROWS.0
        | Capabilities::IGNORE_SPACE.0
        | Capabilities::INTERACTIVE.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::NO_SCHEMA.0
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
    wire: &mut Wire,
    request: &LoginRequest,
) -> Result<LoggedIn, ConnectError> {
    let greeting = read_greeting(wire).await?;
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
    let mut exchange = Exchange {
        secure: wire.stream().is_secure(),
        password: &request.credentials.password,
        nonce: greeting.nonce,
        // Any other plugin is asked for by an auth switch, if the account has it.
        plugin: match greeting.plugin.as_str() {
            native::NAME => native::NAME,
            _ => caching_sha2::NAME,
        }
        .to_owned(),
    };
    let response = HandshakeResponse {
        capabilities,
        max_packet: request.max_packet,
        collation: request.collation,
        user: request.credentials.user.clone(),
        auth: exchange.first_answer()?,
        database: request.database.clone(),
        plugin: Some(exchange.plugin.clone().into_bytes()),
        attributes: request.attributes.clone(),
        zstd_level: None,
    };
    wire.send(&response.encode()).await?;
    let ok = exchange.run(wire).await?;
    let status = OkPacket::parse(&ok, capabilities)?.status;
    Ok(LoggedIn {
        thread_id: greeting.connection_id,
        capabilities,
        status,
        ok,
        greeting: Greeting {
            version: greeting.version,
            collation: greeting.collation,
            capabilities: greeting.capabilities,
        },
    })
}

/// Reads the handshake with which a backend greets, or the error it sends instead.
async fn read_greeting(wire: &mut Wire) -> Result<Handshake, ConnectError> {
    let payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
    if payload.first() == Some(&ErrPacket::HEADER) {
        return Err(refusal(&payload)?);
    }
    Ok(Handshake::parse(&payload)?)
}

/// The plugin before caching_sha2_password; MySQL also asks for it on behalf of accounts that do
/// not exist, so that nobody learns which do.
const SHA256: &str = "sha256_password";

/// With which a client asks for the RSA key in sha256_password.
const SHA256_REQUEST_PUBLIC_KEY: u8 = 1;

/// The authentication exchange after the handshake response.
struct Exchange<'a> {
    /// May the password travel in clear text?
    secure: bool,
    password: &'a Zeroizing<Vec<u8>>,
    nonce: [u8; NONCE],
    plugin: String,
}

impl Exchange<'_> {
    /// The answer to the nonce that the plugin wants first.
    fn first_answer(&self) -> Result<Vec<u8>, ConnectError> {
        if self.password.is_empty() {
            return Ok(Vec::new());
        }
        match self.plugin.as_str() {
            caching_sha2::NAME => Ok(caching_sha2::scramble(self.password, &self.nonce).to_vec()),
            native::NAME => Ok(native::scramble(self.password, &self.nonce).to_vec()),
            SHA256 if self.secure => Ok([self.password.as_slice(), &[0]].concat()),
            SHA256 => Ok(vec![SHA256_REQUEST_PUBLIC_KEY]),
            other => Err(ConnectError::Plugin(other.to_owned())),
        }
    }

    async fn run(&mut self, wire: &mut Wire) -> Result<Vec<u8>, ConnectError> {
        loop {
            let payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
            match payload.first() {
                Some(&OkPacket::HEADER) => return Ok(payload.to_vec()),
                Some(&ErrPacket::HEADER) => return Err(refusal(&payload)?),
                Some(&AuthSwitch::HEADER) => {
                    let switch = AuthSwitch::parse(&payload)?;
                    self.plugin = String::from_utf8_lossy(switch.plugin).into_owned();
                    self.nonce = switch.nonce()?;
                    let answer = self.first_answer()?;
                    wire.send(&answer).await?;
                }
                Some(&AuthMore::HEADER) => self.more(wire, AuthMore::parse(&payload)?.data).await?,
                _ => return Err(ConnectError::Unexpected),
            }
        }
    }

    /// caching_sha2_password's second step: nothing to do after a cache hit, else the password
    /// itself, protected by the transport or by the backend's RSA key.
    async fn more(&self, wire: &mut Wire, data: &[u8]) -> Result<(), ConnectError> {
        match data {
            [FAST_AUTH_OK] => Ok(()),
            pem if self.plugin == SHA256 => {
                let sealed = seal(pem, self.password, &self.nonce)?;
                Ok(wire.send(&sealed).await?)
            }
            [FULL_AUTH] if wire.stream().is_secure() => {
                let mut clear = Zeroizing::new(self.password.to_vec());
                clear.push(0);
                Ok(wire.send(&clear).await?)
            }
            [FULL_AUTH] => {
                wire.send(&[REQUEST_PUBLIC_KEY]).await?;
                let payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
                let sealed = seal(AuthMore::parse(&payload)?.data, self.password, &self.nonce)?;
                Ok(wire.send(&sealed).await?)
            }
            _ => Err(ConnectError::Unexpected),
        }
    }
}

/// The password, obfuscated with the nonce and encrypted with the backend's RSA key.
fn seal(pem: &[u8], password: &[u8], nonce: &[u8; NONCE]) -> Result<Vec<u8>, ConnectError> {
    let pem = std::str::from_utf8(pem).map_err(|_| ConnectError::PublicKey)?;
    let key = RsaPublicKey::from_public_key_pem(pem.trim_end_matches('\0').trim())
        .map_err(|_| ConnectError::PublicKey)?;
    let clear = obfuscate(password, nonce);
    key.encrypt(
        &mut rsa::rand_core::OsRng,
        Oaep::new::<sha1::Sha1>(),
        &clear,
    )
    .map_err(|_| ConnectError::PublicKey)
}

fn refusal(payload: &[u8]) -> Result<ConnectError, ConnectError> {
    let packet = ErrPacket::parse(payload)?;
    Ok(ConnectError::Refused(Refusal {
        code: packet.code,
        state: packet.state,
        message: packet.message.to_vec(),
    }))
}
