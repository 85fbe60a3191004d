//! A client's login: a chain of owned values, each step consuming the last.
//!
//! `Greeted` (handshake sent) -> `Answered` (the client's response read, inside TLS if it asked
//! for it) -> `Claimed` (the password is known to the proxy). Whether the account may log in is
//! then the backend's word.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use rand::RngCore;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::{AuthMode, FrontConfig, LoginKeys};
use crate::backend::{Credentials, Greeting, LoginRequest};
use crate::error::ClientError;
use crate::net::{Origin, Plain, Stream, Wire, WireError};
use crate::protocol::auth::{caching_sha2, native};
use crate::protocol::compression::Algorithm;
use crate::protocol::{
    AuthMore, AuthSwitch, Capabilities, ErrPacket, FAST_AUTH_OK, FULL_AUTH, Handshake,
    HandshakeResponse, NONCE, REQUEST_PUBLIC_KEY, Status, is_ssl_request,
};

/// The largest packet of a login, in bytes; connection attributes are limited to 64 KiB.
const LOGIN_PACKET_LIMIT: usize = 256 * 1024;

const CACHING_SHA2: &[u8] = caching_sha2::NAME.as_bytes();
/// A client that uses it was told to, and sends the password itself; over TLS that is as good as
/// caching_sha2_password.
const CLEAR: &[u8] = b"mysql_clear_password";
const NATIVE: &[u8] = native::NAME.as_bytes();

/// What a front offers to every client.
pub(super) const OFFERED: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::FOUND_ROWS.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::NO_SCHEMA.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::IGNORE_SPACE.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::INTERACTIVE.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA.0
        | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// What is offered if the writer offers it, since it is the writer that does it.
const HANDED_ON: [Capabilities; 2] = [
    Capabilities::QUERY_ATTRIBUTES,
    Capabilities::OPTIONAL_RESULTSET_METADATA,
];

/// Why a login ended before a backend was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginFailure {
    /// The client was told.
    #[error(transparent)]
    Refused(#[from] ClientError),
    /// Nobody could be told any more.
    #[error(transparent)]
    Gone(#[from] WireError),
}

impl From<std::io::Error> for LoginFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Gone(error.into())
    }
}

/// The handshake has been sent.
pub(super) struct Greeted {
    wire: Wire,
    nonce: [u8; NONCE],
    offered: Capabilities,
    tls_required: bool,
}

/// The client has said who it wants to be.
pub(super) struct Answered {
    wire: Wire,
    nonce: [u8; NONCE],
    response: HandshakeResponse,
}

/// The client's password is known, and whether it is right is the backend's to say.
pub(super) struct Claimed {
    /// The client's wire; the next packet to it ends the login.
    pub wire: Wire,
    /// What was agreed with the client.
    pub capabilities: Capabilities,
    /// What the client's first answer was made for; a client that can't be asked again answers for
    /// it once more.
    pub nonce: [u8; NONCE],
    /// How the connection is compressed once the login is over.
    pub compression: Option<Algorithm>,
    /// What a backend has to be asked for.
    pub request: LoginRequest,
}

/// Twenty bytes for a challenge, none of them 0 or `$`, as MySQL makes them: some clients read
/// the challenge as text.
pub(super) fn make_nonce() -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    for byte in &mut nonce {
        *byte &= 0x7f;
        if matches!(*byte, 0 | b'$') {
            *byte += 1;
        }
    }
    nonce
}

impl Greeted {
    /// Sends the handshake.
    pub(super) async fn greet(
        plain: Plain,
        front: &Greeting,
        client_id: u32,
        config: &FrontConfig,
        tls: bool,
    ) -> Result<Self, LoginFailure> {
        let mut wire = Wire::new(Stream::Plain(plain));
        let nonce = make_nonce();
        let mut offered = OFFERED;
        if tls {
            offered.insert(Capabilities::SSL);
        }
        if config.compression {
            offered.insert(Capabilities::COMPRESS | Capabilities::ZSTD);
        }
        for flag in HANDED_ON {
            if front.capabilities.contains(flag) {
                offered.insert(flag);
            }
        }
        let handshake = Handshake {
            version: front.version.clone(),
            connection_id: client_id,
            nonce,
            capabilities: offered,
            collation: front.collation,
            status: Status::AUTOCOMMIT,
            plugin: caching_sha2::NAME.to_owned(),
        };
        wire.send(&handshake.encode()).await?;
        Ok(Self {
            wire,
            nonce,
            offered,
            tls_required: config.tls_required,
        })
    }

    /// Reads the client's response, after a TLS handshake if it asks for one.
    pub(super) async fn answer(
        mut self,
        tls: Option<&TlsAcceptor>,
    ) -> Result<Answered, LoginFailure> {
        let mut payload = self.wire.read_payload_exactly(LOGIN_PACKET_LIMIT).await?;
        if let Some(acceptor) = tls
            && is_ssl_request(&payload).is_some()
        {
            let seq = self.wire.sequence();
            let Stream::Plain(plain) = self.wire.into_stream()? else {
                return Err(ClientError::bad_handshake().into());
            };
            let encrypted = acceptor.accept(plain).await?;
            self.wire = Wire::new(Stream::Tls(Box::new(encrypted.into())));
            self.wire.set_sequence(seq);
            payload = self.wire.read_payload(LOGIN_PACKET_LIMIT).await?;
        }
        if self.tls_required && !self.wire.stream().is_secure() {
            return Err(refuse(&mut self.wire, ClientError::tls_required()).await);
        }
        let Ok(mut response) = HandshakeResponse::parse(&payload) else {
            return Err(refuse(&mut self.wire, ClientError::bad_handshake()).await);
        };
        response.capabilities = response.capabilities & self.offered;
        Ok(Answered {
            wire: self.wire,
            nonce: self.nonce,
            response,
        })
    }
}

impl Answered {
    /// The account that the client names.
    pub(super) fn user(&self) -> String {
        String::from_utf8_lossy(&self.response.user).into_owned()
    }

    /// Learns the password from the client.
    pub(super) async fn claim(
        mut self,
        mode: &AuthMode,
        keys: &LoginKeys,
        origin: Origin,
    ) -> Result<Claimed, LoginFailure> {
        let response = self.response;
        let challenge = Challenge {
            user: &response.user,
            auth: response.auth,
            plugin: response.plugin.unwrap_or_else(|| NATIVE.to_vec()),
            nonce: self.nonce,
            can_switch: response.capabilities.contains(Capabilities::PLUGIN_AUTH),
            host: &origin.host(),
        };
        let password = match challenge.password(&mut self.wire, mode, keys).await {
            Ok(password) => password,
            Err(LoginFailure::Refused(error)) => return Err(refuse(&mut self.wire, error).await),
            Err(gone) => return Err(gone),
        };
        Ok(Claimed {
            wire: self.wire,
            capabilities: response.capabilities,
            nonce: self.nonce,
            compression: Algorithm::agreed(response.capabilities, response.zstd_level),
            request: LoginRequest {
                credentials: Credentials {
                    user: response.user,
                    password,
                },
                database: response.database.filter(|name| !name.is_empty()),
                collation: response.collation,
                attributes: response.attributes,
                origin: origin.address(),
                capabilities: response.capabilities,
                max_packet: response.max_packet,
            },
        })
    }
}

/// Tells the client, and hands the error on.
async fn refuse(wire: &mut Wire, error: ClientError) -> LoginFailure {
    match wire.send(&encode_error(&error)).await {
        Ok(()) => LoginFailure::Refused(error),
        Err(gone) => gone.into(),
    }
}

/// An error of the proxy's as a packet.
pub(super) fn encode_error(error: &ClientError) -> Vec<u8> {
    let state = error.state.as_bytes().first_chunk::<5>().copied();
    let mut payload = Vec::new();
    ErrPacket {
        code: error.code,
        state,
        message: error.message.as_bytes(),
    }
    .encode(&mut payload);
    payload
}

/// One authentication exchange, at login or for COM_CHANGE_USER.
pub(super) struct Challenge<'a> {
    /// The account.
    pub user: &'a [u8],
    /// The client's first answer.
    pub auth: Vec<u8>,
    /// The plugin that made it.
    pub plugin: Vec<u8>,
    /// What it was made for.
    pub nonce: [u8; NONCE],
    /// Can the client be asked to use another plugin?
    pub can_switch: bool,
    /// The client's address, for error 1045.
    pub host: &'a str,
}

impl Challenge<'_> {
    /// Learns the password: in clear text under `passthrough`, by comparing with the configured
    /// one under `users`.
    pub(super) async fn password(
        mut self,
        wire: &mut Wire,
        mode: &AuthMode,
        keys: &LoginKeys,
    ) -> Result<Zeroizing<Vec<u8>>, LoginFailure> {
        if let AuthMode::Users(users) = mode {
            let name = String::from_utf8_lossy(self.user).into_owned();
            let known = users.get(&name).map(|secret| secret.expose().as_bytes());
            return self.verify(wire, known).await;
        }
        if self.plugin == CLEAR && wire.stream().is_secure() {
            return clear_text(std::mem::take(&mut self.auth));
        }
        self.switch_to_caching_sha2(wire).await?;
        if is_empty_password(&self.auth) {
            return Ok(Zeroizing::default());
        }
        wire.send(&[AuthMore::HEADER, FULL_AUTH]).await?;
        let mut answer = Zeroizing::new(wire.read_payload(LOGIN_PACKET_LIMIT).await?.to_vec());
        if wire.stream().is_secure() {
            return clear_text(std::mem::take(&mut answer));
        }
        let pair = keys.pair().await.ok_or_else(ClientError::no_common_login)?;
        if answer.as_slice() == [REQUEST_PUBLIC_KEY] {
            wire.send(
                &AuthMore {
                    data: pair.pem().as_bytes(),
                }
                .encode(),
            )
            .await?;
            answer = Zeroizing::new(wire.read_payload(LOGIN_PACKET_LIMIT).await?.to_vec());
        }
        pair.open(&answer, &self.nonce)
            .ok_or_else(|| self.denied().into())
    }

    /// Compares with the configured password. An unknown account goes the same way as a wrong
    /// password, so that nobody learns which accounts there are.
    async fn verify(
        mut self,
        wire: &mut Wire,
        known: Option<&[u8]>,
    ) -> Result<Zeroizing<Vec<u8>>, LoginFailure> {
        if self.plugin != NATIVE {
            self.switch_to_caching_sha2(wire).await?;
        }
        let unknown = make_nonce();
        let password = known.unwrap_or(&unknown);
        let right = match self.plugin.as_slice() {
            _ if is_empty_password(&self.auth) => password.is_empty(),
            NATIVE => native::verify(&self.auth, &self.nonce, password),
            _ => caching_sha2::verify(&self.auth, &self.nonce, password),
        };
        if !right || known.is_none() {
            return Err(self.denied().into());
        }
        if self.plugin == CACHING_SHA2 && !is_empty_password(&self.auth) {
            // With the backend's word, which comes in a moment: the client waits for that in any case.
            wire.queue(&[AuthMore::HEADER, FAST_AUTH_OK]);
        }
        Ok(Zeroizing::new(password.to_vec()))
    }

    /// Asks a client that came with another plugin to use caching_sha2_password.
    async fn switch_to_caching_sha2(&mut self, wire: &mut Wire) -> Result<(), LoginFailure> {
        if self.plugin == CACHING_SHA2 {
            return Ok(());
        }
        if !self.can_switch {
            return Err(ClientError::no_common_login().into());
        }
        self.nonce = make_nonce();
        let mut data = self.nonce.to_vec();
        data.push(0);
        wire.send(
            &AuthSwitch {
                plugin: CACHING_SHA2,
                data: &data,
            }
            .encode(),
        )
        .await?;
        self.auth = wire.read_payload(LOGIN_PACKET_LIMIT).await?.to_vec();
        self.plugin = CACHING_SHA2.to_vec();
        Ok(())
    }

    fn denied(&self) -> ClientError {
        let user = String::from_utf8_lossy(self.user);
        ClientError::access_denied(&user, self.host, !is_empty_password(&self.auth))
    }
}

/// A password that came with its zero byte.
fn clear_text(answer: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, LoginFailure> {
    let mut answer = Zeroizing::new(answer);
    match answer.pop() {
        Some(0) => Ok(answer),
        _ => Err(ClientError::malformed().into()),
    }
}

/// caching_sha2_password clients send one 0 byte for an empty password, others nothing.
fn is_empty_password(auth: &[u8]) -> bool {
    matches!(auth, [] | [0])
}
