//! Attacks from inside TLS and from inside compression, where nobody on the way can see them:
//! commands that are nearly right, wrappings that are nearly right, and packets that claim to hold
//! what they do not.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tidegate::app::Running;
use tidegate::lab::APP;
use tidegate::net::{BackendTls, Plain, Stream, TlsMode, Wire, connector};
use tidegate::protocol::auth::caching_sha2;
use tidegate::protocol::compression::{Algorithm, Codec};
use tidegate::protocol::{Capabilities, FULL_AUTH, Handshake, HandshakeResponse, SslRequest};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::attack::packet;
use crate::stage::LIMIT;
use crate::wire::{self, Client, MODERN};
use crate::{panics, resident_bytes, support, until};

/// The longest content of a compressed packet.
const LONGEST: usize = (1 << 24) - 1;

/// A command that has begun has to go on.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

const ZSTD: Algorithm = Algorithm::Zstd { level: 3 };

async fn started() -> (Running, u16) {
    let lab = support::lab_alone().await;
    support::name_backends(&lab).await;
    let mut config = wire::config(&lab);
    config.session.login_timeout = Duration::from_secs(5);
    config.session.limits.read_timeout = READ_TIMEOUT;
    wire::proxy(config).await
}

/// The handshake of TLS is over, and the login has not begun.
async fn inside_tls(port: u16) -> (TlsStream<Plain>, Handshake, u8) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut wire = Wire::new(Stream::Plain(Plain::from(stream)));
    let greeting = wire.read_payload(1 << 16).await.unwrap();
    let handshake = Handshake::parse(&greeting).unwrap();
    let request = SslRequest {
        capabilities: MODERN | Capabilities::SSL,
        max_packet: 1 << 24,
        collation: 45,
    };
    wire.send(&request.encode()).await.unwrap();
    let seq = wire.sequence();
    let Stream::Plain(plain) = wire.into_stream().unwrap() else {
        panic!("not plain");
    };
    let anybody = BackendTls {
        mode: TlsMode::Required,
        ..BackendTls::default()
    };
    let connector = connector(&anybody).unwrap().expect("TLS");
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, plain).await.expect("TLS");
    (stream, handshake, seq)
}

/// The login, with the password in clear if it is asked for.
async fn log_in(stream: TlsStream<Plain>, handshake: &Handshake, seq: u8) -> Wire {
    let mut wire = Wire::new(Stream::Tls(Box::new(stream.into())));
    wire.set_sequence(seq);
    let response = HandshakeResponse {
        capabilities: MODERN | Capabilities::SSL,
        max_packet: 1 << 24,
        collation: 45,
        user: APP.user.as_bytes().to_vec(),
        auth: caching_sha2::scramble(APP.password.as_bytes(), &handshake.nonce).to_vec(),
        database: Some(b"app".to_vec()),
        plugin: Some(caching_sha2::NAME.as_bytes().to_vec()),
        ..HandshakeResponse::default()
    };
    wire.send(&response.encode()).await.unwrap();
    let asked = wire.read_payload(1 << 16).await.unwrap();
    if asked.get(1) == Some(&FULL_AUTH) {
        let password = [APP.password.as_bytes(), &[0]].concat();
        wire.send(&password).await.unwrap();
        let ok = wire.read_payload(1 << 16).await.unwrap();
        assert_eq!(ok.first(), Some(&0), "logged in");
    }
    wire
}

/// Takes answers for as long as some come.
async fn drink(wire: &mut Wire) {
    while wire.fill().await.is_ok_and(|count| count > 0) {
        wire.input().clear();
    }
}

/// Attacks by TLS: before the login, behind it, and underneath.
async fn by_tls(port: u16, commands: &[u8], round: u64, chance: &mut StdRng) {
    let (stream, handshake, seq) = inside_tls(port).await;
    let mut wire = match round % 3 {
        0 => {
            let mut wire = Wire::new(Stream::Tls(Box::new(stream.into())));
            let mut bytes = commands.to_vec();
            bytes[3] = seq;
            wire.output().extend_from_slice(&bytes);
            wire
        }
        1 => {
            let mut wire = log_in(stream, &handshake, seq).await;
            wire.output().extend_from_slice(commands);
            wire
        }
        _ => {
            // What is no record of TLS, or says so and is none.
            let (plain, _) = stream.into_inner();
            let mut wire = Wire::new(Stream::Plain(plain));
            let mut bytes = commands.to_vec();
            if chance.random() {
                let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                bytes.splice(0..0, [23, 3, 3, length[0], length[1]]);
            }
            wire.output().extend_from_slice(&bytes);
            wire
        }
    };
    let _ = wire.flush().await;
    drink(&mut wire).await;
}

/// A client that has agreed to compress, and sends what it likes.
async fn compressing(port: u16, algorithm: Algorithm) -> Option<Client> {
    let flag = match algorithm {
        Algorithm::Zlib => Capabilities::COMPRESS,
        Algorithm::Zstd { .. } => Capabilities::ZSTD,
    };
    Client::try_connect(port, APP, MODERN | flag).await.ok()
}

/// Attacks by compression: right packets around wrong commands, and packets that are wrong.
async fn by_compression(port: u16, algorithm: Algorithm, commands: &[u8], chance: &mut StdRng) {
    let Some(mut client) = compressing(port, algorithm).await else {
        return;
    };
    let mut packed = BytesMut::new();
    Codec::new(algorithm).encode(commands, &mut packed);
    let mut bytes = packed.to_vec();
    for _ in 0..chance.random_range(0..3) {
        let at = chance.random_range(0..bytes.len());
        match chance.random_range(0..5) {
            0 => bytes[at] = chance.random(),
            1 => bytes[at] ^= 1 << chance.random_range(0..8),
            2 => bytes.truncate(at.max(1)),
            3 => chance.fill_bytes(&mut bytes[at..]),
            // What it says that it holds.
            _ => {
                let claim = chance.random::<[u8; 3]>();
                bytes.splice(4..7.min(bytes.len()).max(4), claim);
            }
        }
        if bytes.len() < 8 {
            bytes.resize(8, 0);
        }
    }
    client.wire.output().extend_from_slice(&bytes);
    let _ = client.wire.flush().await;
    drink(&mut client.wire).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_nothing_inside_tls_or_compression_makes_tidegate_panic_hang_or_grow() {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = setting("TIDEGATE_ATTACK_SEED").unwrap_or(1);
    let rounds = setting("TIDEGATE_ATTACK_ROUNDS").map_or(100, |rounds| rounds / 3);
    let panics = panics();
    let (running, port) = started().await;
    let mut witness = Client::connect(port, APP, MODERN).await;
    let before = (panics(), resident_bytes());
    let mut chance = StdRng::seed_from_u64(seed);
    for round in 0..rounds {
        let mut commands = Vec::new();
        for _ in 0..chance.random_range(1..8) {
            commands.extend(packet(&mut chance));
        }
        let playing = async {
            match round % 4 {
                0 | 1 => by_tls(port, &commands, round / 2, &mut chance).await,
                2 => by_compression(port, Algorithm::Zlib, &commands, &mut chance).await,
                _ => by_compression(port, ZSTD, &commands, &mut chance).await,
            }
        };
        // What waits for more gets nothing more.
        let _ = timeout(Duration::from_millis(60), playing).await;
        if round % 20 == 0 {
            let rows = witness.query("SELECT 1").await;
            assert_eq!(rows.len(), 4, "seed {seed}, round {round}");
        }
    }
    let clients = running.metrics.client_connections();
    until("all are gone", async || clients.get() == 1).await;
    assert_eq!(witness.query("SELECT 1").await.len(), 4);
    assert_eq!(panics(), before.0, "seed {seed}");
    let grown = resident_bytes().saturating_sub(before.1);
    assert!(grown < 200 << 20, "{grown} bytes more, seed {seed}");
    running.drain().await;
}

/// A compressed packet with this content, which claims to be so long before and after.
fn claiming(packed: &[u8], raw: usize, plain: usize) -> Vec<u8> {
    let (raw, plain) = (raw.to_le_bytes(), plain.to_le_bytes());
    let mut bytes = [&raw[..3], &[0], &plain[..3]].concat();
    bytes.extend_from_slice(packed);
    bytes
}

/// The content of a compressed packet around these bytes, as small as it gets.
fn packed(algorithm: Algorithm, plain: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Zlib => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Algorithm::Zstd { .. } => zstd::stream::encode_all(plain, 3).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_packets_that_lie_about_what_they_hold_cost_no_more_than_what_comes() {
    const CLIENTS: usize = 8;
    let panics = panics();
    let (running, port) = started().await;
    let mut witness = Client::connect(port, APP, MODERN).await;
    let before = (panics(), resident_bytes());
    let clients = running.metrics.client_connections();
    for algorithm in [Algorithm::Zlib, ZSTD] {
        // A query of nothing but zeros: 16 MiB that come in some thousand bytes.
        let mut query = vec![0; LONGEST];
        query[..3].fill(0xff);
        let bomb = packed(algorithm, &query);
        assert!(bomb.len() < LONGEST / 500, "{}", bomb.len());
        let small = packed(algorithm, &[0x55; 100]);
        // A frame of zstd may ask for a window of 2 GiB.
        let window = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
        let waits = Some("half of a command");
        for (what, bytes) in [
            ("more than it says", claiming(&bomb, bomb.len(), 100)),
            ("less than it says", claiming(&small, small.len(), LONGEST)),
            ("an end too early", claiming(&small, small.len() + 100, 100)),
            (
                "a length that never comes",
                claiming(&small, LONGEST, LONGEST),
            ),
            ("a window", claiming(window, window.len(), LONGEST)),
            ("half of a command", claiming(&bomb, bomb.len(), LONGEST)),
        ] {
            let begun = Instant::now();
            let mut attackers = Vec::new();
            for _ in 0..CLIENTS {
                let mut client = compressing(port, algorithm).await.expect("a login");
                client.wire.output().extend_from_slice(&bytes);
                client.wire.flush().await.unwrap();
                attackers.push(client);
            }
            for attacker in &mut attackers {
                // By the end of the packet at once, else by the limit on commands that stop.
                let ended = timeout(LIMIT, drink(&mut attacker.wire)).await;
                assert!(ended.is_ok(), "{what}, {}", algorithm.name());
            }
            assert!(waits != Some(what) || begun.elapsed() >= READ_TIMEOUT);
            until("they are gone", async || clients.get() == 1).await;
            let grown = resident_bytes().saturating_sub(before.1);
            assert!(grown < 100 << 20, "{what}: {grown} bytes more");
            let rows = witness.query("SELECT 1").await;
            assert_eq!(rows.len(), 4, "{what}");
        }
    }
    assert_eq!(panics(), before.0);
    running.drain().await;
}
