//! Backends that hang with their connections open.

use std::time::Duration;

use mysql_async::Error;
use mysql_async::prelude::Queryable;
use tidegate::telemetry::RetryCause;

use crate::stage::{LIMIT, Stage, WRITER, on_a_reader, served_by};
use crate::{runs, until};

const SLOW: &str = "SELECT SLEEP(3), name FROM app.whoami";

#[tokio::test]
async fn p4_a_read_on_a_reader_that_hangs_runs_elsewhere() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let home = on_a_reader(&mut conn).await;
    let reader = &stage.lab.readers()[usize::from(home == "r2")];
    let reading = tokio::spawn(async move {
        let row: Option<(i32, String)> = conn.query_first(SLOW).await.expect("the rows");
        row.expect("a row").1
    });
    until("it runs", async || runs(reader, "SLEEP(3)").await).await;
    reader.pause().await.unwrap();
    let on = tokio::time::timeout(LIMIT, reading).await;
    let on = on.expect("in time").unwrap();
    assert_ne!(on, home);
    // While it hangs it gets nothing new, not even from new sessions.
    for _ in 0..5 {
        assert_ne!(served_by(&mut stage.client().await).await, home);
    }
    reader.resume().await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn p6_a_long_read_lives_while_its_reader_answers_the_monitor() {
    let stage = Stage::with(|config| {
        config.session.limits.first_byte_timeout = Duration::from_millis(100);
    })
    .await;
    let mut conn = stage.client().await;
    let home = on_a_reader(&mut conn).await;
    let retried = stage.running.metrics.retried_reads(RetryCause::BackendLost);
    let before = retried.get();
    let row: Option<(i32, String)> = conn.query_first(SLOW).await.unwrap();
    assert_eq!(row.expect("a row").1, home);
    assert_eq!(retried.get(), before);
    stage.end().await;
}

#[tokio::test]
async fn p4_a_write_on_a_writer_that_hangs_gets_an_error_and_runs_once_at_most() {
    let stage = Stage::with(|config| {
        config.session.limits.silent_timeout = Duration::from_millis(500);
    })
    .await;
    stage
        .prepare([
            "CREATE TABLE IF NOT EXISTS app.hung (id INT)",
            "DELETE FROM app.hung",
        ])
        .await;
    let mut conn = stage.client().await;
    conn.query_drop("SELECT 1 FROM app.hung FOR UPDATE")
        .await
        .unwrap();
    let writer = stage.lab.writer();
    writer.pause().await.unwrap();
    let write = conn.query_drop("INSERT INTO app.hung VALUES (1)");
    let write = tokio::time::timeout(LIMIT, write)
        .await
        .expect("an answer in time");
    let Err(Error::Server(error)) = write else {
        panic!("{write:?}");
    };
    assert!([1158, 1836].contains(&error.code), "{error}");
    // Reads go on meanwhile.
    let mut other = stage.client().await;
    assert_ne!(served_by(&mut other).await, WRITER);
    writer.resume().await.unwrap();
    until("writes work again", async || {
        conn.query_drop("INSERT INTO app.hung VALUES (2)")
            .await
            .is_ok()
    })
    .await;
    let ones: Option<u32> = conn
        .query_first("SELECT COUNT(*) FROM app.hung WHERE id = 1")
        .await
        .unwrap();
    assert!(ones <= Some(1), "{ones:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_its_share_little_by_little() {
    const SESSIONS: usize = 40;
    let stage = Stage::with(|config| {
        config.backend.slow_start = Duration::from_secs(3600);
    })
    .await;
    let reader = &stage.lab.readers()[0];
    let up = stage.running.metrics.backend_up(1);
    reader.pause().await.unwrap();
    until("it is down", async || up.get() == 0).await;
    reader.resume().await.unwrap();
    until("it is up", async || up.get() == 1).await;
    let mut first_reader = 0;
    for _ in 0..SESSIONS {
        let on = on_a_reader(&mut stage.client().await).await;
        first_reader += usize::from(on == "r1");
    }
    // With a tenth of its weight it gets one of eleven sessions, and half without.
    assert!(first_reader < SESSIONS / 3, "{first_reader} of {SESSIONS}");
    stage.end().await;
}
