//! Replication clients.

use std::time::Duration;

use tidegate::lab::{APP, Flavour, ROOT};
use tidegate::net::Wire;
use tidegate::protocol::{Command, ErrPacket};

use crate::wire::{Client, MODERN};
use crate::{cell, code, support, wire};

/// What asks the server to end the stream where the log ends, BINLOG_DUMP_NON_BLOCK.
const NO_WAIT: [u8; 2] = [1, 0];

fn register(id: u32) -> Vec<u8> {
    let mut out = id.to_le_bytes().to_vec();
    // No host, user and password; port, rank and source id.
    out.extend([0; 3 + 2 + 4 + 4]);
    out
}

fn dump(id: u32, file: &str) -> Vec<u8> {
    let mut out = 4_u32.to_le_bytes().to_vec();
    out.extend(NO_WAIT);
    out.extend(id.to_le_bytes());
    out.extend(file.as_bytes());
    out
}

/// Everything that a stream sends until it ends.
async fn stream(wire: &mut Wire) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    while let Ok(event) = wire.read_payload(1 << 26).await {
        let ended = event.first() != Some(&0);
        events.push(event.to_vec());
        if ended {
            break;
        }
    }
    events
}

async fn replica(port: u16, id: u32) -> (Client, String) {
    let mut client = Client::connect(port, ROOT, MODERN).await;
    assert_eq!(code(&client.login), 0);
    for variable in ["@source_binlog_checksum", "@master_binlog_checksum"] {
        let set = format!("SET {variable} = 'NONE'");
        assert_eq!(code(&client.query(&set).await[0]), 0);
    }
    let file = cell(&client.query("SHOW BINARY LOGS").await);
    client.send(Command::RegisterSlave, &register(id)).await;
    let answer = client.wire.read_payload(1 << 16).await.unwrap();
    assert_eq!(code(&answer), 0, "registered");
    (client, file)
}

#[tokio::test]
async fn the_binary_log_of_the_named_backend_streams_as_it_would_directly() {
    let lab = support::lab().await;
    lab.writer()
        .execute([
            "CREATE TABLE IF NOT EXISTS app.streamed (id INT)",
            "INSERT INTO app.streamed VALUES (7)",
        ])
        .await
        .unwrap();
    let mut config = wire::config(&lab);
    config.session.replication = Some("w1".to_owned());
    let (running, port) = wire::proxy(config).await;
    // Nobody writes meanwhile: the last file is whole.
    let (mut direct, file) = replica(lab.writer().port(), 901).await;
    direct.send(Command::BinlogDump, &dump(901, &file)).await;
    let expected = stream(&mut direct.wire).await;
    let (mut through, _) = replica(port, 902).await;
    through.send(Command::BinlogDump, &dump(902, &file)).await;
    let found = stream(&mut through.wire).await;
    assert!(expected.len() > 3, "{} events", expected.len());
    // The first event is made for each client, with the time of now.
    let common = found.len().min(expected.len());
    assert_eq!(found[1..common - 1], expected[1..common - 1]);
    assert!(
        found
            .iter()
            .any(|event| event.windows(8).any(|it| it == b"streamed")),
        "{file}: {} and {} events, the last {:?}",
        expected.len(),
        found.len(),
        found.last().map(|event| event.escape_ascii().to_string())
    );
    running.drain().await;
}

#[tokio::test]
async fn a_reader_streams_too_and_is_told_what_the_client_has_set() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.replication = Some("r1".to_owned());
    let (running, port) = wire::proxy(config).await;
    let (mut client, _) = replica(port, 903).await;
    let mut direct = Client::connect(lab.readers()[0].port(), ROOT, MODERN).await;
    let file = cell(&direct.query("SHOW BINARY LOGS").await);
    client.send(Command::BinlogDump, &dump(903, &file)).await;
    let events = stream(&mut client.wire).await;
    assert!(events.len() > 1);
    // A server that did not know of the checksum's absence would have refused.
    assert_eq!(code(events.last().unwrap()), 0);
    running.drain().await;
}

#[tokio::test]
async fn without_a_named_backend_a_replica_is_told_why() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut client = Client::connect(port, ROOT, MODERN).await;
    for (command, argument) in [
        (Command::RegisterSlave, register(904)),
        (Command::BinlogDump, dump(904, "binlog.000001")),
        (Command::BinlogDumpGtid, vec![0; 30]),
    ] {
        client.send(command, &argument).await;
        let answer = client.wire.read_payload(1 << 16).await.unwrap();
        let error = ErrPacket::parse(&answer).unwrap();
        assert_eq!(error.code, 1236, "{command:?}");
        assert!(String::from_utf8_lossy(error.message).contains("[replication]"));
    }
    assert_eq!(client.query("SELECT 1").await.len(), 4);
    running.drain().await;
}

#[tokio::test]
async fn the_servers_own_refusal_reaches_the_replica() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.replication = Some("w1".to_owned());
    let (running, port) = wire::proxy(config).await;
    let (mut client, _) = replica(port, 905).await;
    client
        .send(Command::BinlogDump, &dump(905, "no-such-file.000001"))
        .await;
    let events = stream(&mut client.wire).await;
    assert_eq!(code(events.last().unwrap()), 1236);
    // An account without the right is refused as the server refuses it.
    let mut answers = Vec::new();
    for port in [port, lab.writer().port()] {
        let mut app = Client::connect(port, APP, MODERN).await;
        app.send(Command::RegisterSlave, &register(906)).await;
        answers.push(app.wire.read_payload(1 << 16).await.unwrap());
    }
    assert_ne!(code(&answers[0]), 0);
    assert_eq!(answers[0], answers[1]);
    running.drain().await;
}

#[tokio::test]
async fn a_real_replica_follows_through_tidegate() {
    if support::skips(
        Flavour::MySql,
        "as a client, this MariaDB server has no plugin for the login",
    ) {
        return;
    }
    let lab = support::lab_alone().await;
    let mut config = wire::config(&lab);
    config.session.replication = Some("w1".to_owned());
    let replica = &lab.readers()[1];
    let (running, port) = wire::proxy(config).await;
    let redirect = format!("CHANGE REPLICATION SOURCE TO SOURCE_PORT = {port}");
    replica
        .execute(["STOP REPLICA", &redirect, "START REPLICA"])
        .await
        .unwrap();
    lab.writer()
        .execute([
            "CREATE TABLE app.relayed (body LONGTEXT)",
            "INSERT INTO app.relayed VALUES (REPEAT('tide', 5000000))",
        ])
        .await
        .unwrap();
    let executed = lab.writer().executed().await.unwrap();
    let limit = Duration::from_secs(30);
    let caught_up = replica.wait_executed(&executed, limit).await.unwrap();
    let status = replica.row("SHOW REPLICA STATUS").await.unwrap().unwrap();
    let told = |name| status.get::<Option<String>, _>(name).flatten();
    let why = [told("Last_IO_Error"), told("Last_SQL_Error")];
    assert!(caught_up, "{why:?}");
    assert_eq!(status.get::<u16, _>("Source_Port"), Some(port));
    running.drain().await;
}
