//! Clients that stop: in the middle of a command, before the next one, or while they should read.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use tidegate::lab::APP;
use tidegate::protocol::{Command, ErrPacket};
use tidegate::telemetry::{Direction, ErrorKind, Side};

use crate::stage::{LIMIT, Stage, WRITER, served_by};
use crate::until;
use crate::wire::{Client, MODERN};

#[tokio::test]
async fn p9_a_client_that_does_not_read_holds_one_buffer_and_is_disconnected() {
    let stage = Stage::with(|config| {
        config.session.limits.write_timeout = Duration::from_millis(500);
    })
    .await;
    let mut client = Client::connect(stage.port, APP, MODERN).await;
    // 256 MiB.
    let sql = "SELECT REPEAT('x', 1048576) FROM information_schema.columns LIMIT 256";
    let metrics = &stage.running.metrics;
    let received = metrics.bytes(Side::Backend, Direction::In);
    let before = received.get();
    client.send(Command::Query, sql.as_bytes()).await;
    let stalled = metrics.errors(ErrorKind::ClientStalled);
    until("it is given up", async || stalled.get() == 1).await;
    // What the system's own buffers on the way to the client take is not held by Tidegate.
    let taken = received.get() - before;
    assert!(taken < 32 << 20, "{taken} bytes of 256 MiB");
    drop(client);
    until("it is gone", async || {
        metrics.client_connections().get() == 0
    })
    .await;
    stage.end().await;
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_a_command_is_disconnected() {
    let stage = Stage::with(|config| {
        config.session.limits.read_timeout = Duration::from_millis(200);
    })
    .await;
    let mut slow = Client::connect(stage.port, APP, MODERN).await;
    // It announces 64 bytes and sends 10.
    slow.wire.output().extend_from_slice(&[64, 0, 0, 0]);
    slow.wire.output().extend_from_slice(b"\x03SELECT 1,");
    slow.wire.flush().await.unwrap();
    let ended = tokio::time::timeout(LIMIT, slow.wire.read_payload(1 << 16)).await;
    assert!(ended.expect("in time").is_err());
    let stalled = stage.running.metrics.errors(ErrorKind::ClientStalled);
    until("it is counted", async || stalled.get() == 1).await;
    stage.end().await;
}

#[tokio::test]
async fn a_client_that_sends_no_command_for_too_long_is_told_so() {
    let stage = Stage::with(|config| {
        config.session.limits.idle_timeout = Some(Duration::from_millis(300));
    })
    .await;
    let mut idle = Client::connect(stage.port, APP, MODERN).await;
    // A statement may take longer than a client may idle.
    assert_eq!(idle.query("SELECT SLEEP(0.6)").await.len(), 4);
    idle.wire.restart_sequence();
    let told = tokio::time::timeout(LIMIT, idle.wire.read_payload(1 << 16)).await;
    let told = told.expect("in time").expect("an error packet");
    assert_eq!(ErrPacket::parse(&told).unwrap().code, 4031);
    assert!(idle.wire.read_payload(1 << 16).await.is_err());
    stage.end().await;
}

#[tokio::test]
async fn p3_a_session_that_sets_wait_timeout_ends_when_and_as_it_would_directly() {
    let stage = Stage::new().await;
    let mut told = Vec::new();
    for port in [stage.lab.writer().port(), stage.port] {
        let mut idle = Client::connect(port, APP, MODERN).await;
        assert_eq!(idle.query("SET wait_timeout = 1").await.len(), 1);
        // What it does on readers counts, too.
        assert_eq!(idle.query(Stage::SERVED_BY).await.len(), 4);
        idle.wire.restart_sequence();
        let last = tokio::time::timeout(LIMIT, idle.wire.read_payload(1 << 16)).await;
        told.push(last.expect("in time").expect("an error packet"));
        assert!(idle.wire.read_payload(1 << 16).await.is_err());
    }
    assert_eq!(ErrPacket::parse(&told[0]).unwrap().code, 4031);
    assert_eq!(told[0], told[1]);
    stage.end().await;
}

#[tokio::test]
async fn p3_what_lives_on_the_writer_outlives_wait_timeout_while_its_session_reads_on_readers() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    for statement in [
        "SET wait_timeout = 3",
        "CREATE TEMPORARY TABLE app.mine (a INT)",
        "INSERT INTO app.mine VALUES (7)",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let began = Instant::now();
    let mut on_readers = 0;
    while began.elapsed() < Duration::from_secs(5) {
        on_readers += u32::from(served_by(&mut conn).await != WRITER);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(on_readers > 0, "it never left the writer");
    let mine: Option<u32> = conn.query_first("SELECT a FROM app.mine").await.unwrap();
    assert_eq!(mine, Some(7));
    stage.end().await;
}
