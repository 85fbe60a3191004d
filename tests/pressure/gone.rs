//! Clients that go away in the middle of a statement.

use tidegate::lab::{APP, Instance};
use tidegate::protocol::Command;
use tidegate::session::OnClientGone;

use crate::stage::Stage;
use crate::wire::{Client, MODERN};
use crate::{runs, until};

/// A client that has read before sends this, and leaves while an instance runs it: which one.
async fn leaves(stage: &Stage, sql: &str, mark: &str) -> usize {
    let mut client = Client::connect(stage.port, APP, MODERN).await;
    for _ in 0..2 {
        client.query(Stage::SERVED_BY).await;
    }
    client.send(Command::Query, sql.as_bytes()).await;
    let mut at = None;
    until("it runs", async || {
        for (index, instance) in stage.lab.instances().enumerate() {
            if runs(instance, mark).await {
                at = Some(index);
            }
        }
        at.is_some()
    })
    .await;
    at.expect("somewhere")
}

fn instance(stage: &Stage, index: usize) -> &Instance {
    stage.lab.instances().nth(index).expect("an instance")
}

#[tokio::test]
async fn what_a_client_was_reading_is_killed_when_it_goes_away() {
    let stage = Stage::new().await;
    for (sql, mark) in [
        ("SELECT SLEEP(601) FROM app.whoami", "SLEEP(601)"),
        ("SELECT SLEEP(602) FROM app.whoami FOR UPDATE", "SLEEP(602)"),
        ("SELECT BENCHMARK(1000000000000, 603)", "603)"),
    ] {
        let at = leaves(&stage, sql, mark).await;
        until("it is killed", async || {
            !runs(instance(&stage, at), mark).await
        })
        .await;
    }
    assert_eq!(stage.running.metrics.killed_statements().get(), 3);
    assert_eq!(stage.running.metrics.client_connections().get(), 0);
    stage.end().await;
}

async fn write_of_one_who_leaves(policy: OnClientGone) -> u64 {
    let stage = Stage::with(|config| config.session.limits.on_client_gone = policy).await;
    stage
        .prepare([
            "CREATE TABLE IF NOT EXISTS app.left_over (id INT)",
            "DELETE FROM app.left_over",
        ])
        .await;
    let sql = "INSERT INTO app.left_over SELECT SLEEP(2.5) FROM app.whoami";
    let at = leaves(&stage, sql, "SLEEP(2.5)").await;
    assert_eq!(at, 0, "on the writer");
    until("it has ended", async || {
        !runs(instance(&stage, at), "SLEEP(2.5)").await
    })
    .await;
    let count = "SELECT COUNT(*) FROM app.left_over";
    let row = stage.lab.writer().row(count).await.unwrap();
    stage.end().await;
    row.and_then(|mut row| row.take(0)).expect("a count")
}

#[tokio::test]
async fn what_a_client_was_writing_finishes_when_it_goes_away() {
    assert_eq!(write_of_one_who_leaves(OnClientGone::Finish).await, 1);
}

#[tokio::test]
async fn what_a_client_was_writing_is_killed_where_the_policy_says_so() {
    assert_eq!(write_of_one_who_leaves(OnClientGone::Kill).await, 0);
}
