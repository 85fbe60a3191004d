//! TLS towards clients: with a certificate from files, which the client verifies.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;
mod wire;

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tidegate::lab::APP;
use tidegate::net::{ClientCertificates, Plain, Stream, TlsConfig, TlsRules, TlsVersion, Wire};
use tidegate::protocol::auth::caching_sha2;
use tidegate::protocol::{
    AuthMore, Capabilities, ErrPacket, FULL_AUTH, Handshake, HandshakeResponse, OkPacket,
    SslRequest,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring::default_provider,
};
use wire::MODERN;

/// The largest packet read here, in bytes.
const LIMIT: usize = 1 << 20;

/// A certificate in files, and the certificate itself for the client to trust.
fn certificate(directory: &std::path::Path) -> (TlsConfig, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (TlsConfig::Files { cert, key }, made.cert.der().clone())
}

fn connector(
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The TLS handshake of a client that may show a certificate, up to the server's word about it.
async fn handshake(
    port: u16,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    shown: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>,
) -> bool {
    let (wire, _) = ask_for_tls(port, b"").await;
    let Stream::Plain(plain) = wire.into_stream().unwrap() else {
        panic!("not plain");
    };
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some(shown) => {
            let key = PrivatePkcs8KeyDer::from(shown.signing_key.serialize_der());
            let chain = vec![shown.cert.der().clone()];
            config.with_client_auth_cert(chain, key.into()).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let Ok(stream) = connector.connect(name, plain).await else {
        return false;
    };
    // With TLS 1.3 the server's word comes after the client's last: no login, no answer but an
    // alert or MySQL's error.
    let mut wire = Wire::new(Stream::Tls(Box::new(stream.into())));
    wire.set_sequence(2);
    let _ = wire.send(b"no login").await;
    wire.read_payload(LIMIT).await.is_ok()
}

#[tokio::test]
async fn p10_clients_show_the_certificates_and_speak_the_versions_that_are_asked_for() {
    let lab = support::lab().await;
    let directory = tempfile::tempdir().unwrap();
    let (tls, trusted) = certificate(directory.path());
    let made = || rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
    let (right, wrong) = (made(), made());
    let ca = directory.path().join("clients.pem");
    std::fs::write(&ca, right.cert.pem()).unwrap();
    let asked = |required| TlsRules {
        client_certificates: Some(ClientCertificates {
            ca: ca.clone(),
            required,
        }),
        ..TlsRules::default()
    };
    let only_new = TlsRules {
        min_version: TlsVersion::Tls13,
        ..TlsRules::default()
    };
    for (rules, version, shown, expected) in [
        (asked(false), &TLS13, None, true),
        (asked(false), &TLS13, Some(&right), true),
        (asked(false), &TLS12, Some(&right), true),
        (asked(false), &TLS13, Some(&wrong), false),
        (asked(true), &TLS13, Some(&right), true),
        (asked(true), &TLS13, Some(&wrong), false),
        (asked(true), &TLS13, None, false),
        (asked(true), &TLS12, None, false),
        (only_new.clone(), &TLS13, None, true),
        (only_new, &TLS12, None, false),
    ] {
        let mut config = wire::config(&lab);
        config.listen.tls = tls.clone();
        config.listen.tls_rules = rules.clone();
        let (running, port) = wire::proxy(config).await;
        let passed = handshake(port, &trusted, version, shown).await;
        assert_eq!(
            passed,
            expected,
            "{rules:?}, {version:?}, {}",
            shown.is_some()
        );
        running.drain().await;
    }
}

#[tokio::test]
async fn p10_where_tls_is_required_nobody_comes_in_without() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.front.tls_required = true;
    let (running, port) = wire::proxy(config).await;
    let refused = wire::Client::connect(port, APP, MODERN).await.login;
    assert_eq!(ErrPacket::parse(&refused).unwrap().code, 3159);
    running.drain().await;
}

/// Reads the greeting and asks for TLS; `more` follows in the same write.
async fn ask_for_tls(port: u16, more: &[u8]) -> (Wire, Handshake) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut wire = Wire::new(Stream::Plain(Plain::from(stream)));
    let greeting = wire.read_payload(LIMIT).await.unwrap();
    let handshake = Handshake::parse(&greeting).unwrap();
    assert!(handshake.capabilities.contains(Capabilities::SSL));
    let capabilities = MODERN | Capabilities::SSL;
    wire.queue(
        &SslRequest {
            capabilities,
            max_packet: 1 << 24,
            collation: 45,
        }
        .encode(),
    );
    wire.output().extend_from_slice(more);
    wire.flush().await.unwrap();
    (wire, handshake)
}

#[tokio::test]
async fn a_client_logs_in_by_tls_with_a_certificate_that_it_verifies() {
    let lab = support::lab().await;
    let directory = tempfile::tempdir().unwrap();
    let (tls, trusted) = certificate(directory.path());
    let mut config = wire::config(&lab);
    config.listen.tls = tls;
    let (running, port) = wire::proxy(config).await;
    for version in [&TLS12, &TLS13] {
        let (wire, handshake) = ask_for_tls(port, b"").await;
        let seq = wire.sequence();
        let Stream::Plain(plain) = wire.into_stream().unwrap() else {
            panic!("not plain");
        };
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector(&trusted, version)
            .connect(name, plain)
            .await
            .expect("TLS");
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
        let asked = wire.read_payload(LIMIT).await.unwrap();
        assert_eq!(AuthMore::parse(&asked).unwrap().data, [FULL_AUTH]);
        wire.send(&[APP.password.as_bytes(), &[0]].concat())
            .await
            .unwrap();
        let ok = wire.read_payload(LIMIT).await.unwrap();
        OkPacket::parse(&ok, MODERN).expect("logged in");
        wire.restart_sequence();
        wire.send(b"\x03SELECT REPEAT('x', 100000)").await.unwrap();
        // The count, one definition, one row, the end.
        let mut longest = 0;
        for _ in 0..4 {
            longest = longest.max(wire.read_payload(LIMIT).await.unwrap().len());
        }
        assert_eq!(longest, 100_004);
    }
    running.drain().await;
}

#[tokio::test]
async fn p10_bytes_sent_before_the_tls_handshake_are_never_taken_for_bytes_inside_it() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    // A whole login in clear text, glued to the request for TLS.
    let response = HandshakeResponse {
        capabilities: MODERN | Capabilities::SSL,
        user: APP.user.as_bytes().to_vec(),
        ..HandshakeResponse::default()
    };
    let payload = response.encode();
    let header = [u8::try_from(payload.len()).unwrap(), 0, 0, 2];
    let (mut wire, _) = ask_for_tls(port, &[&header[..], &payload].concat()).await;
    // No answer of MySQL's: the connection ends, or TLS complains.
    let answer = wire.read_payload(LIMIT).await;
    assert!(!answer.is_ok_and(|packet| OkPacket::parse(&packet, MODERN).is_ok()));
    running.drain().await;
}

#[tokio::test]
async fn without_tls_the_front_does_not_offer_it() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.listen.tls = TlsConfig::Off;
    let (running, port) = wire::proxy(config).await;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut wire = Wire::new(Stream::Plain(Plain::from(stream)));
    let greeting = wire.read_payload(LIMIT).await.unwrap();
    let handshake = Handshake::parse(&greeting).unwrap();
    assert!(!handshake.capabilities.contains(Capabilities::SSL));
    drop(wire);
    running.drain().await;
}
