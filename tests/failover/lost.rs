//! What no reader had received when the writer died.

use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, number, until_written, write};

/// The error that says so.
const LOST: u16 = 1105;

#[tokio::test]
async fn p2_writes_that_a_failover_loses_are_told_once_to_whoever_wrote_them() {
    let stage = Stage::with(|config| {
        config.session.policy.wait = std::time::Duration::from_millis(50);
    })
    .await;
    let mut conn = stage.client().await;
    let mut other = stage.client().await;
    until_written(&mut conn, "kept").await;
    until_written(&mut other, "others").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    for reader in [1, 2] {
        stage
            .member(reader)
            .execute(["STOP REPLICA"])
            .await
            .unwrap();
    }
    number(&mut conn, &write("lost")).await.unwrap();
    stage.member(0).kill9().await.unwrap();
    // Both are told that their connection to the writer is gone.
    let _ = number(&mut conn, &write("none")).await;
    stage.member(1).promote().await.unwrap();
    until_written(&mut other, "after").await;
    let count = "SELECT COUNT(*) FROM app.kept WHERE what = 'lost'";
    let mut told = 0;
    let since = std::time::Instant::now();
    let seen = loop {
        assert!(since.elapsed() < LIMIT, "never told, and never an answer");
        match conn.query_first::<u64, _>(count).await {
            Ok(seen) => break seen,
            Err(mysql_async::Error::Server(error)) if error.code == LOST => told += 1,
            // It is not proven to be lost yet.
            Err(mysql_async::Error::Server(error)) if error.code == 1205 => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((seen, told), (Some(0), 1));
    until_written(&mut conn, "goes on").await;
    let seen: Option<u64> = other.query_first(count).await.unwrap();
    assert_eq!(seen, Some(0), "who has lost nothing is told nothing");
    assert_eq!(stage.metric("tidegate_lost_writes_total"), 1.0);
    stage.end().await;
}
