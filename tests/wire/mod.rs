//! A client that shows every packet as it came, and a Tidegate in front of a lab, for tests.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses its own part of this"
)]

pub mod compare;

use std::collections::HashMap;
use std::time::Duration;

use rsa::pkcs8::DecodePublicKey;
use tidegate::app::{self, Running};
use tidegate::backend::{self, BackendConfig, MonitorConfig};
use tidegate::config::Config;
use tidegate::error::Secret;
use tidegate::lab::{Account, Cluster, MONITOR};
use tidegate::net::{
    BackendTls, Endpoint, ListenConfig, Plain, Stream, TlsConfig, TlsRules, Wire, WireError,
};
use tidegate::protocol::auth::{caching_sha2, native, obfuscate};
use tidegate::protocol::{
    AuthMore, AuthSwitch, Boundary, Capabilities, Command, FULL_AUTH, Handshake, HandshakeResponse,
    OkPacket, Part, REQUEST_PUBLIC_KEY, Want,
};
use tidegate::routing::{Policy, Role};
use tidegate::session::{self, AuthMode};
use tidegate::telemetry::{LogConfig, LogFormat};
use tokio::net::TcpStream;

/// The largest packet that a test reads, in bytes.
const LIMIT: usize = 1 << 28;

/// What every client of today asks for.
pub const MODERN: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// Does every statement of this run get another connection?
pub fn changes_hands() -> bool {
    pool_policy() != session::PoolPolicy::Keep
}

/// How sessions of this run share connections: they keep what they have, unless `TIDEGATE_POOL_MODE`
/// says `transaction`. Then every statement runs on a connection that was given back.
fn pool_policy() -> session::PoolPolicy {
    match std::env::var("TIDEGATE_POOL_MODE").as_deref() {
        Err(_) | Ok("" | "session") => session::PoolPolicy::Keep,
        Ok("transaction") => session::PoolPolicy::LendAtOnce,
        Ok(other) => panic!("TIDEGATE_POOL_MODE={other}: session and transaction are known"),
    }
}

/// A configuration for a lab; tests change what they are about.
pub fn config(cluster: &Cluster) -> Config {
    let backend = |name: String, port: u16, role| BackendConfig {
        name,
        address: Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        role: Some(role),
        weight: 100,
        max_lag: (role == Role::Reader).then_some(Duration::from_secs(30)),
        zone: None,
        tls: BackendTls::default(),
        proxy_protocol: false,
    };
    let mut backends = vec![backend(
        "w1".to_owned(),
        cluster.writer().port(),
        Role::Writer,
    )];
    for (index, reader) in cluster.readers().iter().enumerate() {
        backends.push(backend(
            format!("r{}", index + 1),
            reader.port(),
            Role::Reader,
        ));
    }
    Config {
        listen: ListenConfig {
            addresses: vec![Endpoint::Tcp {
                host: "127.0.0.1".to_owned(),
                port: 0,
            }],
            tls: TlsConfig::SelfSigned,
            tls_rules: TlsRules::default(),
        },
        http: None,
        console: None,
        backend: backend::Config {
            backends,
            zone: None,
            monitor: MonitorConfig {
                user: MONITOR.user.to_owned(),
                password: Secret::new(MONITOR.password.to_owned()),
                interval: Duration::from_millis(100),
            },
            connect_timeout: Duration::from_secs(5),
            slow_start: Duration::ZERO,
        },
        session: session::Config {
            front: session::FrontConfig::default(),
            replication: None,
            auth: AuthMode::Passthrough,
            policy: Policy::default(),
            user_policies: HashMap::new(),
            reads: tidegate::routing::Reads::Split,
            max_clients: 100,
            login_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            pool: pool_policy(),
            keeping: session::Keeping::default(),
            proxy_id: None,
            fallback_reads: 500,
            scopes: 1000,
            prepared: session::PreparedLimits::default(),
            limits: session::Limits::default(),
            on_lost_writes: tidegate::routing::OnLostWrites::Error,
            // Tests of what happens without a writer do not wait for one.
            hold: session::Hold {
                time: Duration::ZERO,
                ..session::Hold::default()
            },
        },
        log: LogConfig {
            format: LogFormat::Text,
            filter: "warn".to_owned(),
        },
        written: tidegate::config::Written::default(),
    }
}

/// A Tidegate in front of the lab, and the port it listens on.
pub async fn proxy(config: Config) -> (Running, u16) {
    let running = app::start(config).await.expect("starts");
    let Some(Endpoint::Tcp { port, .. }) = running.addresses.first() else {
        panic!("listens on TCP");
    };
    let port = *port;
    (running, port)
}

/// A logged-in client.
pub struct Client {
    pub wire: Wire,
    pub capabilities: Capabilities,
    pub handshake: Handshake,
    /// The packet that ended the login.
    pub login: Vec<u8>,
}

impl Client {
    /// Connects and logs in without TLS, into the schema `app`.
    pub async fn connect(port: u16, account: Account, wanted: Capabilities) -> Self {
        let connected = Self::try_connect(port, account, wanted).await;
        connected.expect("a connection")
    }

    /// The same, where the connection may end before the login does.
    pub async fn try_connect(
        port: u16,
        account: Account,
        wanted: Capabilities,
    ) -> Result<Self, WireError> {
        Self::begin(dial(port).await?, account, wanted, None).await
    }

    /// The same with connection attributes.
    pub async fn with_attributes(
        port: u16,
        account: Account,
        wanted: Capabilities,
        attributes: Vec<u8>,
    ) -> Self {
        let wire = dial(port).await.expect("reachable");
        let begun = Self::begin(wire, account, wanted, Some(attributes)).await;
        begun.expect("a connection")
    }

    /// The same over a stream of one's own.
    pub async fn log_in(wire: Wire, account: Account, wanted: Capabilities) -> Self {
        let begun = Self::begin(wire, account, wanted, None).await;
        begun.expect("a connection")
    }

    async fn begin(
        mut wire: Wire,
        account: Account,
        wanted: Capabilities,
        attributes: Option<Vec<u8>>,
    ) -> Result<Self, WireError> {
        let greeting = wire.read_payload(LIMIT).await?;
        let handshake = Handshake::parse(&greeting).expect("a handshake");
        let password = account.password.as_bytes();
        let mut nonce = handshake.nonce;
        let response = HandshakeResponse {
            capabilities: wanted,
            max_packet: 1 << 28,
            collation: 45,
            user: account.user.as_bytes().to_vec(),
            auth: match password {
                [] => Vec::new(),
                _ => caching_sha2::scramble(password, &nonce).to_vec(),
            },
            database: Some(b"app".to_vec()),
            plugin: Some(caching_sha2::NAME.as_bytes().to_vec()),
            attributes,
            ..HandshakeResponse::default()
        };
        wire.send(&response.encode()).await?;
        let login = loop {
            let payload = wire.read_payload(LIMIT).await?.to_vec();
            match payload.first() {
                Some(&AuthMore::HEADER) => {
                    answer_more(&mut wire, &payload, password, &nonce).await?;
                }
                Some(&AuthSwitch::HEADER) => {
                    let switch = AuthSwitch::parse(&payload).expect("a switch");
                    nonce = switch.nonce().expect("nonce");
                    let answer = match switch.plugin == native::NAME.as_bytes() {
                        _ if password.is_empty() => Vec::new(),
                        true => native::scramble(password, &nonce).to_vec(),
                        false => caching_sha2::scramble(password, &nonce).to_vec(),
                    };
                    wire.send(&answer).await?;
                }
                _ => break payload,
            }
        };
        Ok(Self {
            wire,
            capabilities: wanted,
            handshake,
            login,
        })
    }

    /// Sends a command and returns every packet of its response.
    pub async fn ask(&mut self, command: Command, argument: &[u8]) -> Vec<Vec<u8>> {
        self.send(command, argument).await;
        self.answer(command).await
    }

    /// COM_QUERY.
    pub async fn query(&mut self, sql: &str) -> Vec<Vec<u8>> {
        self.ask(Command::Query, sql.as_bytes()).await
    }

    pub async fn send(&mut self, command: Command, argument: &[u8]) {
        self.try_send(command, argument).await.expect("sent");
    }

    /// The same, for a connection that may have ended.
    pub async fn try_send(&mut self, command: Command, argument: &[u8]) -> std::io::Result<()> {
        let payload = [&[command as u8], argument].concat();
        self.wire.restart_sequence();
        self.wire.send(&payload).await
    }

    pub async fn answer(&mut self, command: Command) -> Vec<Vec<u8>> {
        self.try_answer(command).await.expect("an answer")
    }

    /// The same, for a connection that may end.
    pub async fn try_answer(&mut self, command: Command) -> Result<Vec<Vec<u8>>, String> {
        let mut boundary = Boundary::new(command, self.capabilities);
        let mut packets = Vec::new();
        while boundary.end().is_none() {
            let payload = self.wire.read_payload(LIMIT).await;
            let payload = payload.map_err(|error| error.to_string())?.to_vec();
            let part = match boundary.want(payload.len(), payload.first().copied()) {
                Want::Pass if payload.len() < 0xff_ffff => {
                    boundary.pass(payload.len(), payload.first().copied())
                }
                _ => boundary.whole(&payload),
            };
            let part = part.map_err(|error| error.to_string())?;
            if let Part::LocalInfile(_) = part {
                self.wire.queue(b"1\tone\n2\ttwo\n");
                self.wire.queue(b"");
                self.wire.flush().await.map_err(|error| error.to_string())?;
            }
            packets.push(payload);
        }
        Ok(packets)
    }

    /// The flags and counts that the login ended with.
    pub fn logged_in(&self) -> Option<OkPacket<'_>> {
        OkPacket::parse(&self.login, self.capabilities).ok()
    }
}

async fn dial(port: u16) -> Result<Wire, WireError> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    Ok(Wire::new(Stream::Plain(Plain::from(stream))))
}

/// caching_sha2_password's full authentication by RSA key.
async fn answer_more(
    wire: &mut Wire,
    payload: &[u8],
    password: &[u8],
    nonce: &[u8; 20],
) -> Result<(), WireError> {
    if AuthMore::parse(payload).expect("more").data != [FULL_AUTH] {
        return Ok(());
    }
    wire.send(&[REQUEST_PUBLIC_KEY]).await?;
    let key = wire.read_payload(LIMIT).await?;
    let pem = String::from_utf8(AuthMore::parse(&key).expect("more").data.to_vec()).expect("text");
    let key = rsa::RsaPublicKey::from_public_key_pem(pem.trim()).expect("a key");
    let sealed = key
        .encrypt(
            &mut rsa::rand_core::OsRng,
            rsa::Oaep::new::<sha1::Sha1>(),
            &obfuscate(password, nonce),
        )
        .expect("sealed");
    wire.send(&sealed).await?;
    Ok(())
}
