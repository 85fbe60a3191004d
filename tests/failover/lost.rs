//! What no reader had received when the writer died.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tidegate::routing::OnLostWrites;

use crate::stage::{LIMIT, Stage, number, served_by, until_written, write};

/// The error that says so.
const LOST: u16 = 1105;

/// How often this row is there.
const COUNT: &str = "SELECT COUNT(*) FROM app.kept WHERE what = 'lost'";

/// A cluster, and a client whose last write is lost with the writer; another one goes on.
async fn with_a_loss(on_lost_writes: OnLostWrites) -> (Stage, Conn, Conn) {
    let stage = Stage::with(|config| {
        config.session.policy.wait = Duration::from_millis(50);
        config.session.on_lost_writes = on_lost_writes;
    })
    .await;
    let mut conn = stage.client().await;
    let mut other = stage.client().await;
    until_written(&mut conn, "kept").await;
    until_written(&mut other, "others").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    for reader in [1, 2] {
        let stops = ["STOP REPLICA"];
        stage.member(reader).execute(stops).await.unwrap();
    }
    number(&mut conn, &write("lost")).await.unwrap();
    stage.member(0).kill9().await.unwrap();
    // Both are told that their connection to the writer is gone.
    let _ = number(&mut conn, &write("none")).await;
    stage.member(1).promote().await.unwrap();
    until_written(&mut other, "after").await;
    (stage, conn, other)
}

/// Reads until there is an answer; returns that, and how often it was told of a loss before.
async fn until_answered(conn: &mut Conn, read: &str) -> (Option<u64>, u32) {
    let mut told = 0;
    let since = Instant::now();
    loop {
        assert!(since.elapsed() < LIMIT, "never told, and never an answer");
        match conn.query_first(read).await {
            Ok(seen) => return (seen, told),
            Err(Error::Server(error)) if error.code == LOST => told += 1,
            // It is not proven to be lost yet.
            Err(Error::Server(error)) if error.code == 1205 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn p2_writes_that_a_failover_loses_are_told_once_to_whoever_wrote_them() {
    let (stage, mut conn, mut other) = with_a_loss(OnLostWrites::Error).await;
    assert_eq!(until_answered(&mut conn, COUNT).await, (Some(0), 1));
    until_written(&mut conn, "goes on").await;
    let seen: Option<u64> = other.query_first(COUNT).await.unwrap();
    assert_eq!(seen, Some(0), "who has lost nothing is told nothing");
    assert_eq!(stage.metric("tidegate_lost_writes_total"), 1.0);
    stage.end().await;
}

#[tokio::test]
async fn where_the_policy_says_so_what_a_failover_loses_is_counted_and_nobody_is_told() {
    let (stage, mut conn, _other) = with_a_loss(OnLostWrites::Continue).await;
    assert_eq!(until_answered(&mut conn, COUNT).await, (Some(0), 0));
    assert_eq!(stage.metric("tidegate_lost_writes_total"), 1.0);
    stage.end().await;
}

#[tokio::test]
async fn p2_what_was_read_before_a_failover_that_loses_it_is_told_once_to_whoever_read_it() {
    let stage = Stage::new().await;
    let mut writing = stage.client().await;
    until_written(&mut writing, "kept").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    let stops = ["STOP REPLICA"];
    stage.member(1).execute(stops).await.unwrap();
    number(&mut writing, &write("lost")).await.unwrap();
    let since = Instant::now();
    let mut reading = loop {
        assert!(since.elapsed() < LIMIT, "r2 shows it to nobody");
        let mut conn = stage.client().await;
        let seen: Option<u64> = conn.query_first(COUNT).await.unwrap();
        if seen == Some(1) && served_by(&mut conn).await == "r2" {
            break conn;
        }
    };
    stage.member(0).kill9().await.unwrap();
    stage.member(1).promote().await.unwrap();
    let mut fresh = stage.client().await;
    until_written(&mut fresh, "after").await;

    let at_writer = format!("{COUNT} /* tidegate: level=writer */");
    let answered = until_answered(&mut reading, &at_writer).await;
    assert_eq!(answered, (Some(0), 1), "it is gone, and that was said");
    assert_eq!(stage.metric("tidegate_lost_writes_total"), 1.0);
    let seen: Option<u64> = fresh.query_first(&at_writer).await.unwrap();
    assert_eq!(seen, Some(0), "who has seen nothing of it is told nothing");
    stage.end().await;
}
