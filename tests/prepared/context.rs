//! A statement keeps the meaning that its text had when it was prepared, wherever it runs later.

use crate::binary::{Answer, Binary, Value};
use crate::stage::Stage;

/// What is set before PREPARE, the statement, what is set before it runs, and what it shows.
const TABLE: &[(&[&str], &str, &[&str], &str)] = &[
    (
        &["SET sql_mode = 'ANSI_QUOTES'"],
        "SELECT \"name\" FROM app.whoami",
        &["SET sql_mode = ''"],
        "w1",
    ),
    (
        &[],
        "SELECT \"name\" FROM app.whoami",
        &["SET sql_mode = 'ANSI_QUOTES'"],
        "name",
    ),
    (
        &["SET NAMES latin1"],
        "SELECT CHARSET('a')",
        &["SET NAMES utf8mb4"],
        "latin1",
    ),
    (
        &["USE app"],
        "SELECT name FROM whoami",
        &["USE information_schema"],
        "w1",
    ),
    (
        &["USE app"],
        "SELECT DATABASE()",
        &["USE information_schema"],
        "app",
    ),
];

/// With BEGIN the first execution is the first thing that the writer's connection hears of a
/// statement that was prepared on a reader.
#[tokio::test]
async fn p3_a_statement_keeps_the_context_that_it_was_prepared_in() {
    let stage = Stage::new().await;
    for (before, sql, after, expected) in TABLE {
        let mut client = Binary::connect(stage.port).await;
        client.until_on_a_reader().await;
        for set in *before {
            assert_eq!(client.text(set).await, Answer::Ok, "{set}");
        }
        let id = client.prepare(sql).await;
        for set in *after {
            assert_eq!(client.text(set).await, Answer::Ok, "{set}");
        }
        client.text("BEGIN").await;
        let shown = client.execute(id, &[]).await.one();
        assert_eq!(shown, *expected, "{before:?} {sql} {after:?}");
        client.text("COMMIT").await;
        // What the session has set since counts for what it prepares now.
        let own = client
            .prepare("SELECT CONCAT(@@sql_mode, DATABASE())")
            .await;
        let text = client.text("SELECT CONCAT(@@sql_mode, DATABASE())").await;
        assert_eq!(client.execute(own, &[]).await, text);
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_a_reset_forgets_every_statement() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    let id = client.prepare("SELECT ?").await;
    client.execute(id, &[Value::Text("x")]).await;
    client
        .client
        .ask(tidegate::protocol::Command::ResetConnection, b"")
        .await;
    assert_eq!(client.execute(id, &[Value::Text("x")]).await.code(), 1243);
    // Ids are not used again, as in MySQL.
    assert_eq!(client.prepare("SELECT 1").await, id + 1);
    stage.end().await;
}

/// After a statement that was prepared in another schema, MySQL tells which one is in use, though
/// that did not change.
#[tokio::test]
async fn a_statement_of_another_schema_leaves_the_readers_connection_as_it_was() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let id = client.prepare("SELECT name FROM whoami").await;
    assert_eq!(client.text("USE information_schema").await, Answer::Ok);
    let mut before = Vec::new();
    for round in 0..10 {
        assert_ne!(client.execute(id, &[]).await.one(), "w1");
        let mut threads = Vec::new();
        for reader in stage.lab.readers() {
            let list = "SELECT GROUP_CONCAT(ID ORDER BY ID) FROM information_schema.processlist \
                        WHERE USER = 'app'";
            let row = reader.row(list).await.unwrap().unwrap();
            threads.push(row.get::<Option<String>, _>(0));
        }
        if round > 0 {
            assert_eq!(threads, before, "round {round}");
        }
        before = threads;
    }
    stage.end().await;
}
