//! Compression towards clients.

use std::process::Stdio;

use mysql_async::prelude::Queryable;
use mysql_async::{Compression, Conn, OptsBuilder};
use tidegate::lab::{APP, Flavour};
use tidegate::protocol::compression::Algorithm;
use tidegate::protocol::{Capabilities, Command};

use crate::wire::compare::comparable;
use crate::wire::{Client, MODERN};
use crate::{code, support, wire};

const WAYS: [(Capabilities, Algorithm); 2] = [
    (Capabilities::COMPRESS, Algorithm::Zlib),
    (Capabilities::ZSTD, Algorithm::Zstd { level: 3 }),
];

async fn compressed(port: u16, (flag, algorithm): (Capabilities, Algorithm)) -> Client {
    let mut client = Client::connect(port, APP, MODERN | flag).await;
    assert!(client.handshake.capabilities.contains(flag));
    client.wire.compress(algorithm);
    client
}

#[tokio::test]
async fn p3_a_compressed_client_reads_what_any_other_reads() {
    let lab = support::lab().await;
    lab.writer()
        .execute(["SET GLOBAL max_allowed_packet = 134217728"])
        .await
        .unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut plain = Client::connect(port, APP, MODERN).await;
    plain.query("DROP TABLE IF EXISTS app.packed").await;
    plain
        .query("CREATE TABLE app.packed (id INT, name TEXT)")
        .await;
    for way in WAYS {
        let mut client = compressed(port, way).await;
        let long = format!("SELECT '{}'", "tide ".repeat(4_000_000));
        for sql in [
            "SELECT 1",
            "SELECT REPEAT('x', 3000000), 1; SELECT 2",
            "SELECT RANDOM_BYTES(1)",
            "SELECT nonsense",
            &long,
        ] {
            let one = comparable(plain.query(sql).await, MODERN);
            let other = comparable(client.query(sql).await, MODERN);
            let lengths = |packets: &[Vec<u8>]| packets.iter().map(Vec::len).collect::<Vec<_>>();
            assert_eq!(lengths(&one), lengths(&other));
            if !sql.contains("RANDOM") {
                assert_eq!(one, other);
            }
        }
        // The client's file, too, is compressed.
        client.query("TRUNCATE app.packed").await;
        lab.writer()
            .execute(["SET GLOBAL local_infile = ON"])
            .await
            .unwrap();
        let load = "LOAD DATA LOCAL INFILE 'any' INTO TABLE app.packed";
        assert_eq!(code(client.query(load).await.last().unwrap()), 0);
        let count = client.query("SELECT COUNT(*) FROM app.packed").await;
        assert_eq!(crate::cell(&count), "2");
        let prepared = client.ask(Command::StmtPrepare, b"SELECT 7").await;
        assert_eq!(code(&prepared[0]), 0);
    }
    running.drain().await;
}

#[tokio::test]
async fn a_real_driver_compresses() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(APP.user))
        .pass(Some(APP.password))
        .compression(Compression::fast())
        .prefer_socket(false);
    let mut conn = Conn::new(opts).await.unwrap();
    for size in [1, 60, 20_000, 20_000_000] {
        let text = "tide".repeat(size / 4 + 1);
        let back: Option<String> = conn.exec_first("SELECT ?", (&text,)).await.unwrap();
        assert_eq!(back.as_ref().map(String::len), Some(text.len()));
    }
    conn.disconnect().await.unwrap();
    running.drain().await;
}

#[tokio::test]
async fn the_stock_client_compresses_by_each_algorithm() {
    let lab = support::lab().await;
    let Some(line) = lab.mysql_line(0) else {
        println!("skipped: no mysql client beside the server");
        return;
    };
    if support::skips(Flavour::MySql, "only MySQL's client knows zstd") {
        return;
    }
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let program = line.split_whitespace().next().unwrap().to_owned();
    for algorithms in ["zlib", "zstd", "zlib,zstd", "uncompressed"] {
        let client = tokio::process::Command::new(&program)
            .args([
                "--no-defaults",
                "--host=127.0.0.1",
                "--user=app",
                "--password=app",
            ])
            .arg(format!("--port={port}"))
            .arg(format!("--compression-algorithms={algorithms}"))
            .args(["--batch", "--skip-column-names"])
            .args([
                "-e",
                "SELECT LENGTH(REPEAT('tide', 500000)); SELECT REPEAT('x', 60)",
            ])
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&client.stdout);
        let expected = format!("2000000\n{}\n", "x".repeat(60));
        assert_eq!(
            said,
            expected,
            "{algorithms}: {}",
            String::from_utf8_lossy(&client.stderr)
        );
    }
    running.drain().await;
}

#[tokio::test]
async fn p9_what_does_not_decompress_ends_that_connection_alone() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut witness = Client::connect(port, APP, MODERN).await;
    for (flag, _) in WAYS {
        for garbage in [
            // 9 bytes of nothing that claim to be 16 MiB.
            &b"\x09\0\0\0\xff\xff\xffnonsense!"[..],
            // A packet inside that never comes, in one that says it holds nothing.
            b"\0\0\0\0\x01\0\0",
        ] {
            let mut client = Client::connect(port, APP, MODERN | flag).await;
            client.wire.output().extend_from_slice(garbage);
            client.wire.flush().await.unwrap();
            let answer = client.wire.read_payload(1 << 16).await;
            assert!(answer.is_err(), "{answer:?}");
        }
    }
    assert_eq!(witness.query("SELECT 1").await.len(), 4);
    running.drain().await;
}

#[tokio::test]
async fn switched_off_it_is_not_offered() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.front.compression = false;
    let (running, port) = wire::proxy(config).await;
    let both = Capabilities::COMPRESS | Capabilities::ZSTD;
    let mut client = Client::connect(port, APP, MODERN | both).await;
    assert_eq!(client.handshake.capabilities & both, Capabilities(0));
    assert_eq!(client.query("SELECT 1").await.len(), 4);
    running.drain().await;
}
