//! P3: what a client reads through Tidegate is what it reads from the backend itself, packet by
//! packet.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;
mod wire;

use tidegate::lab::APP;
use tidegate::protocol::{Capabilities, Command};
use tidegate::session::PoolPolicy;
use wire::compare::{comparable, same_schema, texts};
use wire::{Client, MODERN};

/// Statements whose answers depend on nothing but what stands here. `{s}` is the schema of the
/// run, which differs between the two sides in its last letter only.
const STATEMENTS: &str = include_str!("data/differential.sql");

/// Clients of every form: with and without OK terminators and session tracking.
fn forms() -> Vec<(&'static str, Capabilities)> {
    let without = |bit: Capabilities| Capabilities(MODERN.0 & !bit.0);
    let old =
        Capabilities(MODERN.0 & !(Capabilities::DEPRECATE_EOF.0 | Capabilities::SESSION_TRACK.0));
    vec![
        ("modern", MODERN),
        (
            "without DEPRECATE_EOF",
            without(Capabilities::DEPRECATE_EOF),
        ),
        (
            "without SESSION_TRACK",
            without(Capabilities::SESSION_TRACK),
        ),
        ("old", old),
        (
            "FOUND_ROWS",
            Capabilities(MODERN.0 | Capabilities::FOUND_ROWS.0),
        ),
        (
            "with OPTIONAL_RESULTSET_METADATA",
            MODERN | Capabilities::OPTIONAL_RESULTSET_METADATA,
        ),
        (
            "one statement only",
            without(Capabilities::MULTI_STATEMENTS),
        ),
    ]
}

#[tokio::test]
async fn p3_a_client_reads_the_same_packets_through_tidegate_as_from_the_writer() {
    compare(PoolPolicy::Keep, ["test_diff_a", "test_diff_b"]).await;
}

#[tokio::test]
async fn p3_they_are_the_same_when_each_statement_gets_another_backend_connection() {
    compare(PoolPolicy::Replace, ["test_diff_c", "test_diff_d"]).await;
}

#[tokio::test]
async fn p3_they_are_the_same_when_connections_change_hands_between_statements() {
    compare(PoolPolicy::LendAtOnce, ["test_diff_e", "test_diff_f"]).await;
}

async fn compare(pool: PoolPolicy, schemas: [&str; 2]) {
    // The statements have locks and accounts in common.
    let lab = support::lab_alone().await;
    let mut config = wire::config(&lab);
    config.session.pool = pool;
    let (running, port) = wire::proxy(config).await;
    let mut compared = 0;
    for (form, capabilities) in forms() {
        let mut direct = Client::connect(lab.writer().port(), APP, capabilities).await;
        let mut through = Client::connect(port, APP, capabilities).await;
        assert_eq!(direct.login, through.login, "login of a client {form}");
        assert_eq!(direct.handshake.version, through.handshake.version);
        for sql in STATEMENTS
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("-- "))
        {
            // One after the other on schemas of their own: nothing is shared but the server.
            let one = direct.query(&sql.replace("{s}", schemas[0])).await;
            let other = through.query(&sql.replace("{s}", schemas[1])).await;
            let other: Vec<_> = other
                .into_iter()
                .map(|packet| same_schema(&packet, schemas))
                .collect();
            let one = comparable(one, capabilities);
            let other = comparable(other, capabilities);
            assert_eq!(texts(&one), texts(&other), "{sql}\nto a client {form}");
            compared += 1;
        }
    }
    assert!(compared >= 6 * 250, "only {compared} statements");
    running.drain().await;
}

#[tokio::test]
async fn p3_commands_other_than_queries_answer_the_same() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    lab.writer()
        .execute(["CREATE TABLE app.diff_c (a INT, b TEXT)"])
        .await
        .expect("a table");
    for (form, capabilities) in forms() {
        let mut direct = Client::connect(lab.writer().port(), APP, capabilities).await;
        let mut through = Client::connect(port, APP, capabilities).await;
        for (command, argument) in commands() {
            let one = direct.ask(command, &argument).await;
            let other = through.ask(command, &argument).await;
            let one = comparable(one, capabilities);
            let other = comparable(other, capabilities);
            assert_eq!(one, other, "{} to a client {form}", command.name());
        }
    }
    running.drain().await;
}

/// A client that knows its results' columns may leave them out.
#[tokio::test]
async fn p3_results_without_metadata_are_the_same() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let optional = MODERN | Capabilities::OPTIONAL_RESULTSET_METADATA;
    for capabilities in [optional, optional.without(Capabilities::DEPRECATE_EOF)] {
        let mut direct = Client::connect(lab.writer().port(), APP, capabilities).await;
        let mut through = Client::connect(port, APP, capabilities).await;
        let mut id = 0;
        for metadata in ["NONE", "FULL", "NONE", "DEFAULT"] {
            id += 1;
            let mut execute = vec![id, 0, 0, 0, 0, 1, 0, 0, 0];
            // A text: for a number, the server would prepare it again.
            execute.extend([0, 1, 0xfd, 0, 1, b'7']);
            let commands = [
                (
                    Command::Query,
                    format!("SET resultset_metadata = {metadata}").into_bytes(),
                ),
                (Command::Query, b"SELECT @@resultset_metadata, 2".to_vec()),
                (Command::Query, b"SELECT 1 FROM DUAL WHERE 0".to_vec()),
                (
                    Command::Query,
                    b"SELECT 1, 2; SELECT 'three'; DO 4".to_vec(),
                ),
                (Command::Query, b"SELECT nonsense".to_vec()),
                (
                    Command::Query,
                    b"SHOW VARIABLES LIKE 'resultset_metadata'".to_vec(),
                ),
                (Command::StmtPrepare, b"SELECT ?, 2".to_vec()),
                (Command::StmtExecute, execute),
            ];
            for (command, argument) in commands {
                let one = direct.ask(command, &argument).await;
                let other = through.ask(command, &argument).await;
                let (one, other) = (
                    comparable(one, capabilities),
                    comparable(other, capabilities),
                );
                let what = argument.escape_ascii();
                assert_eq!(texts(&one), texts(&other), "{what} with {metadata}");
            }
        }
    }
    running.drain().await;
}

/// Commands with arguments; statement ids count from 1 on each connection.
fn commands() -> Vec<(Command, Vec<u8>)> {
    let execute =
        |id: u8, cursor: u8, tail: &[u8]| [&[id, 0, 0, 0, cursor, 1, 0, 0, 0][..], tail].concat();
    let long = |id: u8, text: &[u8]| [&[id, 0, 0, 0, 0, 0][..], text].concat();
    vec![
        (Command::Ping, vec![]),
        (Command::InitDb, b"app".to_vec()),
        (Command::InitDb, b"no_such_schema".to_vec()),
        (Command::SetOption, vec![1, 0]),
        (Command::SetOption, vec![0, 0]),
        (Command::SetOption, vec![9, 0]),
        (Command::FieldList, b"diff_c\0".to_vec()),
        (Command::FieldList, b"no_such_table\0".to_vec()),
        (
            Command::StmtPrepare,
            b"SELECT 1, 'x' FROM DUAL WHERE 1 = ?".to_vec(),
        ),
        (
            Command::StmtExecute,
            execute(1, 0, &[0, 1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        ),
        (
            Command::StmtExecute,
            execute(1, 0, &[0, 0, 2, 0, 0, 0, 0, 0, 0, 0]),
        ),
        (Command::StmtExecute, execute(9, 0, &[])),
        (
            Command::StmtPrepare,
            b"SELECT * FROM app.diff_c WHERE b = ?".to_vec(),
        ),
        (Command::StmtSendLongData, long(2, b"text")),
        (Command::StmtExecute, execute(2, 0, &[0, 1, 0xfc, 0])),
        (Command::StmtReset, vec![2, 0, 0, 0]),
        (
            Command::StmtPrepare,
            b"SELECT 1 UNION SELECT 2 UNION SELECT 3".to_vec(),
        ),
        (Command::StmtExecute, execute(3, 1, &[])),
        (Command::StmtFetch, vec![3, 0, 0, 0, 2, 0, 0, 0]),
        (Command::StmtFetch, vec![3, 0, 0, 0, 2, 0, 0, 0]),
        (Command::StmtClose, vec![3, 0, 0, 0]),
        (Command::StmtPrepare, b"this is no SQL".to_vec()),
        (
            Command::StmtPrepare,
            b"INSERT INTO app.diff_c VALUES (?, ?)".to_vec(),
        ),
        (Command::ResetConnection, vec![]),
        (Command::Query, b"SELECT DATABASE()".to_vec()),
        (Command::StmtExecute, execute(1, 0, &[])),
        (Command::Query, b"BEGIN".to_vec()),
        (Command::Ping, vec![]),
        (Command::ResetConnection, vec![]),
        (Command::Ping, vec![]),
    ]
}
