//! PROXY headers, from load balancers and towards backends.

use std::collections::HashMap;
use std::net::SocketAddr;

use tidegate::error::Secret;
use tidegate::lab::{APP, Account, Flavour};
use tidegate::net::{Plain, Stream, Wire, encode_proxy_header};
use tidegate::protocol::ErrPacket;
use tidegate::session::AuthMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{Client, MODERN};
use crate::{cell, support, wire};

fn from() -> SocketAddr {
    "203.0.113.9:4711".parse().unwrap()
}

/// A client behind a load balancer that sends this header.
async fn behind(port: u16, header: &[u8], account: Account) -> Client {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(header).await.unwrap();
    let wire = Wire::new(Stream::Plain(Plain::from(stream)));
    Client::log_in(wire, account, MODERN).await
}

#[tokio::test]
async fn a_client_behind_a_load_balancer_is_known_by_its_own_address() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.front.proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
    let users = [(APP.user.to_owned(), Secret::new(APP.password.to_owned()))];
    config.session.auth = AuthMode::Users(HashMap::from(users));
    let (running, port) = wire::proxy(config).await;
    let wrong = Account {
        password: "wrong",
        ..APP
    };
    let line = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 3306\r\n".to_vec();
    for header in [line, encode_proxy_header(Some(from()), None)] {
        let mut client = behind(port, &header, APP).await;
        assert_eq!(client.query("SELECT 1").await.len(), 4);
        let refused = behind(port, &header, wrong).await.login;
        let error = ErrPacket::parse(&refused).unwrap();
        let said = String::from_utf8_lossy(error.message).into_owned();
        assert!(said.contains("'app'@'203.0.113.9'"), "{said}");
    }
    // A load balancer that speaks for itself is where it is.
    let refused = behind(port, &encode_proxy_header(None, None), wrong)
        .await
        .login;
    let error = ErrPacket::parse(&refused).unwrap();
    assert!(String::from_utf8_lossy(error.message).contains("'app'@'127.0.0.1'"));
    running.drain().await;
}

#[tokio::test]
async fn p10_without_a_header_nobody_gets_past_a_load_balancers_door() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.front.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
    config.session.login_timeout = std::time::Duration::from_millis(300);
    let (running, port) = wire::proxy(config).await;
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PROXY TCP4 nobody knows\r\n",
        &[b"PROXY UNKNOWN ", &[b'x'; 5000][..]].concat(),
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04abcd",
        // Half of one, and silence.
        b"PROXY TCP4 203.0.113.9",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        // Reset, if it had not read all of it.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{}", bytes.escape_ascii());
    }
    running.drain().await;
}

#[tokio::test]
async fn p10_a_header_from_anywhere_else_is_not_believed() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.front.proxy_protocol_from = vec!["203.0.113.0/24".parse().unwrap()];
    let (running, port) = wire::proxy(config).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream
        .write_all(&encode_proxy_header(Some(from()), None))
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    // It was greeted, and its header was taken for a broken login.
    assert!(!answer.is_empty());
    let mut client = Client::connect(port, APP, MODERN).await;
    assert_eq!(client.query("SELECT 1").await.len(), 4);
    running.drain().await;
}

#[tokio::test]
async fn mariadb_is_told_where_the_client_is() {
    let lab = support::lab().await;
    if support::skips(Flavour::MariaDb, "MySQL takes no PROXY header") {
        return;
    }
    for instance in lab.instances() {
        let accept = "SET GLOBAL proxy_protocol_networks = '127.0.0.1'";
        instance.execute([accept]).await.unwrap();
    }
    let mut config = wire::config(&lab);
    config.session.front.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
    for backend in &mut config.backend.backends {
        backend.proxy_protocol = true;
    }
    let (running, port) = wire::proxy(config).await;
    let mut client = behind(port, &encode_proxy_header(Some(from()), None), APP).await;
    assert_eq!(
        cell(&client.query("SELECT USER()").await),
        "app@203.0.113.9"
    );
    // Whoever kills it reaches the right thread all the same.
    let mut killer = behind(port, &encode_proxy_header(Some(from()), None), APP).await;
    let id = client.handshake.connection_id;
    assert_eq!(
        crate::code(&killer.query(&format!("KILL {id}")).await[0]),
        0
    );
    assert!(client.wire.read_payload(1 << 16).await.is_err());
    running.drain().await;
}
