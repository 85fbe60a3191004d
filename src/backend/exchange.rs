//! What an account's plugin wants to be told during a login, whichever the backend asks for: the
//! proxy knows the password.
//!
//! | plugin | what travels |
//! |---|---|
//! | `mysql_native_password`, `caching_sha2_password` | an answer to the nonce; then, for the second, where the backend's cache is cold, the password itself by a secure transport or under the backend's RSA key |
//! | `sha256_password` | the password, by the same two ways |
//! | `mysql_clear_password` | the password, by a secure transport only |
//! | `client_ed25519`, `parsec` (MariaDB) | a signature of the nonce |
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection>

use mysql_common::scramble::{create_response_for_ed25519, create_response_for_parsec};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};
use zeroize::Zeroizing;

use super::ConnectError;
use super::login::{LOGIN_PACKET_LIMIT, refusal};
use crate::net::Wire;
use crate::protocol::auth::{caching_sha2, native, obfuscate};
use crate::protocol::{
    AuthMore, AuthSwitch, ErrPacket, ErrorKind, FAST_AUTH_OK, FULL_AUTH, NONCE, OkPacket,
    ProtocolError, REQUEST_PUBLIC_KEY,
};

/// The plugin before caching_sha2_password; MySQL also asks for it on behalf of accounts that do
/// not exist, so that nobody learns which do.
const SHA256: &str = "sha256_password";

/// With which a client asks for the RSA key in sha256_password.
const SHA256_REQUEST_PUBLIC_KEY: u8 = 1;

/// PAM, LDAP and their kin.
const CLEAR: &str = "mysql_clear_password";

const ED25519: &str = "client_ed25519";
const PARSEC: &str = "parsec";

/// The length of the nonce of MariaDB's own plugins, in bytes.
const LONG_NONCE: usize = 32;

/// The slowest derivation of a key that a backend may ask for in parsec: 2^10 times the 1024
/// rounds that are its least.
const PARSEC_FACTOR_MAX: u8 = 10;

/// A login has no more steps than this, whatever a backend asks for.
const STEPS_MAX: usize = 16;

/// The authentication exchange after the handshake response.
pub(super) struct Exchange<'a> {
    pub(super) password: &'a Zeroizing<Vec<u8>>,
    /// What the plugin has to answer to.
    pub(super) data: Vec<u8>,
    pub(super) plugin: String,
}

impl Exchange<'_> {
    /// The answer to the nonce that the plugin wants first.
    pub(super) fn first_answer(&self, wire: &Wire) -> Result<Zeroizing<Vec<u8>>, ConnectError> {
        let secure = wire.stream().is_secure();
        let clear = || [self.password.as_slice(), &[0]].concat();
        let answer = match self.plugin.as_str() {
            CLEAR if secure => clear(),
            CLEAR => return Err(ConnectError::NotSecure),
            // The key's salt comes only after this.
            PARSEC => Vec::new(),
            ED25519 => {
                create_response_for_ed25519(self.password, &self.nonce::<LONG_NONCE>()?).to_vec()
            }
            caching_sha2::NAME | native::NAME | SHA256 if self.password.is_empty() => Vec::new(),
            caching_sha2::NAME => caching_sha2::scramble(self.password, &self.nonce()?).to_vec(),
            native::NAME => native::scramble(self.password, &self.nonce()?).to_vec(),
            SHA256 if secure => clear(),
            SHA256 => vec![SHA256_REQUEST_PUBLIC_KEY],
            other => return Err(ConnectError::Plugin(other.to_owned())),
        };
        Ok(Zeroizing::new(answer))
    }

    fn nonce<const N: usize>(&self) -> Result<[u8; N], ConnectError> {
        let nonce = self.data.first_chunk::<N>().copied();
        nonce.ok_or(ConnectError::Protocol(ProtocolError::new(
            ErrorKind::Truncated,
            "nonce",
            0,
        )))
    }

    /// Answers what is asked until the backend has decided.
    pub(super) async fn run(&mut self, wire: &mut Wire) -> Result<Vec<u8>, ConnectError> {
        for _ in 0..STEPS_MAX {
            let payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
            match payload.first() {
                Some(&OkPacket::HEADER) => return Ok(payload.to_vec()),
                Some(&ErrPacket::HEADER) => return Err(refusal(&payload)?),
                Some(&AuthSwitch::HEADER) => {
                    self.answer(&payload, wire)?;
                    wire.flush().await?;
                }
                Some(&AuthMore::HEADER) => self.more(wire, AuthMore::parse(&payload)?.data).await?,
                // The first releases that had it left the header away.
                Some(b'P') if self.plugin == PARSEC => self.sign(wire, &payload).await?,
                _ => return Err(ConnectError::Unexpected),
            }
        }
        Err(ConnectError::Unexpected)
    }

    /// Queues the answer to a challenge.
    ///
    /// # Errors
    /// [`ConnectError::Refused`], and unexpected is whatever is no challenge.
    pub(super) fn answer(&mut self, challenge: &[u8], wire: &mut Wire) -> Result<(), ConnectError> {
        match challenge.first() {
            Some(&ErrPacket::HEADER) => Err(refusal(challenge)?),
            Some(&AuthSwitch::HEADER) => {
                let switch = AuthSwitch::parse(challenge)?;
                self.plugin = String::from_utf8_lossy(switch.plugin).into_owned();
                self.data = switch.data.to_vec();
                wire.queue(&self.first_answer(wire)?);
                Ok(())
            }
            _ => Err(ConnectError::Unexpected),
        }
    }

    /// Does the plugin want no more than one answer, as long as the backend remembers the password?
    pub(super) fn ends_with_one_answer(&self) -> bool {
        matches!(
            self.plugin.as_str(),
            caching_sha2::NAME | native::NAME | ED25519
        )
    }

    /// Reads what the backend has decided by one answer. One that wants to be told more has taken
    /// what came behind that answer for it: the connection is of no use then.
    ///
    /// # Errors
    /// As [`Exchange::run`]; and [`ConnectError::NotKnown`].
    pub(super) async fn end(&self, wire: &mut Wire) -> Result<Vec<u8>, ConnectError> {
        let fast = [AuthMore::HEADER, FAST_AUTH_OK];
        let mut payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
        if self.plugin == caching_sha2::NAME && *payload == fast {
            payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
        }
        match payload.first() {
            Some(&OkPacket::HEADER) => Ok(payload.to_vec()),
            Some(&ErrPacket::HEADER) => Err(refusal(&payload)?),
            Some(&(AuthMore::HEADER | AuthSwitch::HEADER)) => Err(ConnectError::NotKnown),
            _ => Err(ConnectError::Unexpected),
        }
    }

    /// The plugin's second step.
    async fn more(&self, wire: &mut Wire, data: &[u8]) -> Result<(), ConnectError> {
        match (self.plugin.as_str(), data) {
            (caching_sha2::NAME, [FAST_AUTH_OK]) => Ok(()),
            (caching_sha2::NAME, [FULL_AUTH]) if wire.stream().is_secure() => {
                let mut clear = Zeroizing::new(self.password.to_vec());
                clear.push(0);
                Ok(wire.send(&clear).await?)
            }
            (caching_sha2::NAME, [FULL_AUTH]) => {
                wire.send(&[REQUEST_PUBLIC_KEY]).await?;
                let payload = wire.read_payload(LOGIN_PACKET_LIMIT).await?;
                let key = AuthMore::parse(&payload)?.data;
                let sealed = seal(key, self.password, &self.nonce()?)?;
                Ok(wire.send(&sealed).await?)
            }
            (SHA256, pem) => {
                let sealed = seal(pem, self.password, &self.nonce()?)?;
                Ok(wire.send(&sealed).await?)
            }
            (PARSEC, salt) => self.sign(wire, salt).await,
            _ => Err(ConnectError::Unexpected),
        }
    }

    /// parsec: derives a key from the password as the backend says, and signs with it.
    async fn sign(&self, wire: &mut Wire, salt: &[u8]) -> Result<(), ConnectError> {
        let nonce = self.nonce::<LONG_NONCE>()?;
        let &[b'P', factor @ ..=PARSEC_FACTOR_MAX, ref salt @ ..] = salt else {
            return Err(ConnectError::Unexpected);
        };
        let (salt, password) = (salt.to_vec(), self.password.clone());
        let derive = move || create_response_for_parsec(&password, &nonce, 1024 << factor, &salt);
        let answer = tokio::task::spawn_blocking(derive).await;
        let answer = answer.map_err(|_| ConnectError::Unexpected)?;
        Ok(wire.send(&answer).await?)
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

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream, UnixStream};
    use tokio_rustls::rustls::crypto::ring::default_provider;

    use super::*;
    use crate::net::{Plain, Stream};

    fn exchange<'a>(password: &'a Zeroizing<Vec<u8>>, plugin: &str, data: &[u8]) -> Exchange<'a> {
        Exchange {
            password,
            data: data.to_vec(),
            plugin: plugin.to_owned(),
        }
    }

    fn password(text: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    fn on_socket() -> (Wire, Wire) {
        let (one, other) = UnixStream::pair().unwrap();
        let wire = |stream| Wire::new(Stream::Plain(Plain::from(stream)));
        (wire(one), wire(other))
    }

    async fn on_tcp() -> (Wire, Wire) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let wire = |stream| Wire::new(Stream::Plain(Plain::from(stream)));
        (wire(near), wire(far))
    }

    /// Runs a login against a script: each packet that the backend sends, with the answer that it
    /// wants then, if any.
    async fn play(
        mut exchange: Exchange<'_>,
        (mut near, mut far): (Wire, Wire),
        script: &[(&[u8], Option<usize>)],
    ) -> (Result<Vec<u8>, ConnectError>, Vec<Vec<u8>>) {
        let backend = async {
            let mut answers = Vec::new();
            for (packet, answer) in script {
                far.send(packet).await.unwrap();
                if answer.is_some() {
                    let Ok(got) = far.read_payload(4096).await else {
                        break;
                    };
                    answers.push(got.to_vec());
                }
            }
            answers
        };
        let client = async {
            let result = exchange.run(&mut near).await;
            drop(near);
            result
        };
        tokio::join!(client, backend)
    }

    const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

    #[test]
    fn an_ed25519_signature_fits_the_key_that_mariadb_keeps_of_the_password() {
        // MariaDB's manual, "Authentication Plugin - ed25519": that of "secret" in base 64 is
        // ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY.
        let key: [u8; 32] = [
            0x64, 0x88, 0x14, 0x44, 0x45, 0x20, 0xe4, 0xf5, 0x60, 0x43, 0xa2, 0xec, 0x92, 0x15,
            0xe6, 0x3b, 0xe7, 0x99, 0x2d, 0x2d, 0x27, 0x0b, 0xc6, 0xde, 0xe8, 0x73, 0xe3, 0x61,
            0x64, 0x78, 0x60, 0x96,
        ];
        let fits = |password: &[u8]| {
            let nonce = [7; LONG_NONCE];
            let signature = create_response_for_ed25519(password, &nonce);
            let provider = default_provider();
            let all = provider.signature_verification_algorithms.all;
            let mut all = all.iter();
            all.any(|it| it.verify_signature(&key, &nonce, &signature).is_ok())
        };
        assert!(fits(b"secret") && !fits(b"Secret"));
    }

    #[tokio::test]
    async fn p10_a_password_travels_in_clear_text_only_where_nobody_listens() {
        let secret = password("secret");
        let switch = b"\xfemysql_clear_password\0";
        let script: [(&[u8], _); 2] = [(switch, Some(7)), (OK, None)];
        let (result, answers) = play(
            exchange(&secret, native::NAME, &[1; 20]),
            on_socket(),
            &script,
        )
        .await;
        assert_eq!(result.unwrap(), OK);
        assert_eq!(answers, [b"secret\0".to_vec()]);
        let (result, answers) = play(
            exchange(&secret, native::NAME, &[1; 20]),
            on_tcp().await,
            &script,
        )
        .await;
        assert!(matches!(result, Err(ConnectError::NotSecure)));
        assert_eq!(answers, [[0; 0]; 0]);
    }

    #[tokio::test]
    async fn parsec_signs_once_it_has_been_told_the_salt() {
        let secret = password("secret");
        let switch = [&b"\xfeparsec\0"[..], &[9; 32]].concat();
        for header in [&[1][..], &[]] {
            let salt = [header, b"P\x00", &[5; 18]].concat();
            let script: [(&[u8], _); 3] = [(&switch, Some(0)), (&salt, Some(96)), (OK, None)];
            let (result, answers) = play(
                exchange(&secret, native::NAME, &[1; 20]),
                on_socket(),
                &script,
            )
            .await;
            assert_eq!(result.unwrap(), OK);
            let lengths: Vec<_> = answers.iter().map(Vec::len).collect();
            assert_eq!(lengths, [0, 96]);
        }
    }

    #[tokio::test]
    async fn p9_a_backend_can_not_keep_a_login_busy() {
        let secret = password("secret");
        let switch = [&b"\xfeparsec\0"[..], &[9; 32]].concat();
        let salt = [&b"\x01P\x0b"[..], &[5; 18]].concat();
        let slow: [(&[u8], _); 2] = [(&switch, Some(0)), (&salt, None)];
        let (result, _) = play(
            exchange(&secret, native::NAME, &[1; 20]),
            on_socket(),
            &slow,
        )
        .await;
        assert!(matches!(result, Err(ConnectError::Unexpected)));
        let again = [&b"\xfemysql_native_password\0"[..], &[7; 21]].concat();
        let endless = vec![(&again[..], Some(20)); STEPS_MAX];
        let (result, answers) = play(
            exchange(&secret, native::NAME, &[1; 20]),
            on_socket(),
            &endless,
        )
        .await;
        assert!(matches!(result, Err(ConnectError::Unexpected)));
        assert_eq!(answers.len(), STEPS_MAX);
    }

    #[tokio::test]
    async fn a_plugin_that_nobody_knows_or_a_short_nonce_ends_the_login() {
        let secret = password("secret");
        for switch in [
            &b"\xfeauthentication_windows\0data"[..],
            b"\xfeclient_ed25519\0short",
            b"\xfemysql_native_password\0short",
            b"\xfe",
            b"\x01",
            b"\x07",
        ] {
            let script: [(&[u8], _); 1] = [(switch, None)];
            let (result, answers) = play(
                exchange(&secret, native::NAME, &[1; 20]),
                on_socket(),
                &script,
            )
            .await;
            assert!(result.is_err(), "{}", switch.escape_ascii());
            assert_eq!(answers, [[0; 0]; 0]);
        }
    }
}
