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

use rustls_pki_types::{CertificateDer, ServerName};
use tidegate::lab::APP;
use tidegate::net::{Plain, Stream, TlsConfig, Wire};
use tidegate::protocol::auth::caching_sha2;
use tidegate::protocol::{
    AuthMore, Capabilities, FULL_AUTH, Handshake, HandshakeResponse, OkPacket, SslRequest,
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
