//! Backends that come and go.

use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, back_on_a_reader, on_a_reader, served_by};
use crate::wire;

/// Waits until a metric line is there, or is not.
async fn until_metric(stage: &Stage, line: &str, there: bool) {
    let shows = || stage.running.metrics.render().lines().any(|it| it == line);
    let waiting = async {
        while shows() != there {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{line}");
}

#[tokio::test]
async fn p6_a_reader_that_is_taken_out_finishes_its_transaction_and_comes_back() {
    let stage = Stage::new().await;
    let mut inside = stage.client().await;
    let reader = on_a_reader(&mut inside).await;
    let mut idle = stage.client().await;
    on_a_reader(&mut idle).await;
    inside
        .query_drop("START TRANSACTION READ ONLY")
        .await
        .unwrap();
    assert_eq!(served_by(&mut inside).await, reader);

    let mut config = wire::config(&stage.lab);
    config.backend.backends.retain(|it| it.name != reader);
    stage.running.take_up(config).await.unwrap();
    // New reads go elsewhere, also on sessions that were at home there.
    for _ in 0..20 {
        assert_ne!(served_by(&mut idle).await, reader);
    }
    assert_eq!(
        served_by(&mut inside).await,
        reader,
        "the transaction goes on"
    );
    inside.query_drop("COMMIT").await.unwrap();
    assert_ne!(served_by(&mut inside).await, reader);
    let up = format!("tidegate_backend_up{{backend=\"{reader}\"}} 1");
    let is_gone = async {
        while stage
            .running
            .metrics
            .render()
            .contains(&format!("backend=\"{reader}\""))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, is_gone)
        .await
        .expect("it is gone, and its metrics with it");

    stage
        .running
        .take_up(wire::config(&stage.lab))
        .await
        .unwrap();
    until_metric(&stage, &up, true).await;
    let mut fresh = stage.client().await;
    // The shares of sessions are as they were.
    let mut seen = false;
    for _ in 0..40 {
        seen |= back_on_a_reader(&mut fresh, "the return").await == reader;
        fresh = stage.client().await;
    }
    assert!(seen, "{reader} serves again");
    stage.end().await;
}

#[tokio::test]
async fn an_idle_connection_that_holds_nothing_is_given_up_at_once() {
    let stage = Stage::with(|config| {
        // A drain that would only end by its limit fails this test by its own.
        config.session.drain_timeout = 10 * LIMIT;
    })
    .await;
    let mut conn = stage.client().await;
    let reader = on_a_reader(&mut conn).await;
    // What the last statement left is on the writer.
    conn.query_drop("SELECT @@global.server_id").await.unwrap();
    let mut config = wire::config(&stage.lab);
    config.session.drain_timeout = 10 * LIMIT;
    config.backend.backends.retain(|it| it.name != reader);
    stage.running.take_up(config).await.unwrap();
    let up = format!("tidegate_backend_up{{backend=\"{reader}\"}} 1");
    until_metric(&stage, &up, false).await;
    stage.end().await;
}

#[tokio::test]
async fn the_weight_of_a_reader_changes_for_sessions_that_are_there() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let reader = on_a_reader(&mut conn).await;
    let mut config = wire::config(&stage.lab);
    for backend in &mut config.backend.backends {
        if backend.name == reader {
            backend.weight = 0;
        }
    }
    stage.running.take_up(config).await.unwrap();
    for _ in 0..20 {
        assert_ne!(served_by(&mut conn).await, reader);
    }
    stage.end().await;
}

#[tokio::test]
async fn p5_a_writer_under_another_address_is_another_one_and_the_old_one_takes_no_more_writes() {
    let stage = Stage::new().await;
    let statements = [
        "DROP TABLE IF EXISTS app.moved",
        "CREATE TABLE app.moved (v INT)",
    ];
    stage.prepare(statements).await;
    const WRITE: &str = "INSERT INTO app.moved VALUES (1)";
    let mut conn = stage.client().await;
    conn.query_drop(WRITE).await.unwrap();
    let mut config = wire::config(&stage.lab);
    config.backend.backends[0].address = "127.0.0.1:9".parse().unwrap();
    stage.running.take_up(config).await.unwrap();
    for _ in 0..10 {
        assert!(conn.query_drop(WRITE).await.is_err(), "nobody is there");
    }
    let config = wire::config(&stage.lab);
    stage.running.take_up(config).await.unwrap();
    let writing = async { while conn.query_drop(WRITE).await.is_err() {} };
    let written = tokio::time::timeout(LIMIT, writing).await;
    assert!(written.is_ok(), "the first one is back");
    for _ in 0..10 {
        let count: Option<u32> = conn
            .query_first("SELECT COUNT(*) FROM app.moved, app.whoami")
            .await
            .unwrap();
        assert_eq!(count, Some(2));
    }
    stage.end().await;
}
