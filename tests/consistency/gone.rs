//! Backends that go away: what the client sees, and that nothing runs twice or in the wrong place.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use crate::stage::{LIMIT, Stage, WRITER, on_a_reader, reads_until, served_by};
use crate::steps::take;

/// The server's error number; panics if the connection itself is lost.
async fn number(conn: &mut Conn, sql: &str) -> Result<(), u16> {
    match conn.query_drop(sql).await {
        Ok(()) => Ok(()),
        Err(Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[tokio::test]
async fn p4_a_read_whose_reader_dies_gets_its_rows_elsewhere() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let home = on_a_reader(&mut conn).await;
    let reader = usize::from(home == "r2");
    stage.lab.readers()[reader].kill9().await.unwrap();
    for _ in 0..10 {
        assert_ne!(served_by(&mut conn).await, home);
    }
    stage.lab.readers()[1 - reader].kill9().await.unwrap();
    for _ in 0..10 {
        assert_eq!(served_by(&mut conn).await, WRITER);
    }
    for reader in stage.lab.readers() {
        reader.restart().await.unwrap();
    }
    on_a_reader(&mut conn).await;
    stage.end().await;
}

#[tokio::test]
async fn p4_a_read_that_waits_on_a_reader_that_dies_runs_again_unnoticed() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let home = on_a_reader(&mut conn).await;
    let reader = &stage.lab.readers()[usize::from(home == "r2")];
    let asleep = tokio::spawn(async move {
        let row: Option<(i32, String)> = conn
            .query_first("SELECT SLEEP(1.5), name FROM app.whoami")
            .await
            .expect("the rows, from another backend");
        row.expect("a row")
    });
    let running =
        "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(1.5)%'";
    let seen = async { while reader.row(running).await.unwrap().is_none() {} };
    tokio::time::timeout(LIMIT, seen)
        .await
        .expect("it runs there");
    reader.kill9().await.unwrap();
    let (slept, on) = asleep.await.unwrap();
    assert_eq!(slept, 0);
    assert_ne!(on, home);
    reader.restart().await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn p6_a_stopped_applier_ends_no_read_and_a_reader_beyond_max_lag_gets_none() {
    let stage = Stage::with(|config| {
        config.session.policy.max_lag = Duration::from_secs(1);
    })
    .await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    stage.freeze().await;
    let slow = tokio::spawn({
        let mut slow = stage.client().await;
        on_a_reader(&mut slow).await;
        async move {
            let row: Option<(i32, String)> = slow
                .query_first("SELECT SLEEP(4), name FROM app.whoami")
                .await
                .expect("it ends well");
            row.expect("a row").1
        }
    });
    // Lag begins with the first write that the readers lack.
    stage
        .lab
        .writer()
        .execute(["CREATE TABLE IF NOT EXISTS app.lagging (id INT)"])
        .await
        .unwrap();
    stage
        .lab
        .writer()
        .execute(["INSERT INTO app.lagging VALUES (1)"])
        .await
        .unwrap();
    reads_until(&mut conn, "lag", |on| on == WRITER).await;
    assert_eq!(served_by(&mut conn).await, WRITER);
    assert_ne!(slow.await.unwrap(), WRITER);
    stage.thaw().await;
    on_a_reader(&mut conn).await;
    stage.end().await;
}

#[tokio::test]
async fn p5_without_its_writer_a_session_reads_on_and_its_writes_get_an_error() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "CREATE TABLE IF NOT EXISTS app.lost (id INT PRIMARY KEY)",
            "DELETE FROM app.lost",
        ])
        .await;
    let mut conn = stage.client().await;
    let mut idle = stage.client().await;
    on_a_reader(&mut conn).await;
    stage.lab.writer().kill9().await.unwrap();
    for _ in 0..5 {
        assert_ne!(served_by(&mut conn).await, WRITER);
        // A driver asks for variables when it connects.
        assert_ne!(served_by(&mut stage.client().await).await, WRITER);
    }
    for id in 0..5 {
        let refused = number(&mut conn, &format!("INSERT INTO app.lost VALUES ({id})")).await;
        assert!(
            matches!(refused, Err(1836 | 2013 | 1290 | 3572 | 1429)),
            "{refused:?}"
        );
    }
    assert!(number(&mut idle, "BEGIN").await.is_err());
    stage.lab.writer().restart().await.unwrap();
    let writing = async {
        while number(&mut conn, "INSERT INTO app.lost VALUES (9)")
            .await
            .is_err()
        {}
    };
    tokio::time::timeout(LIMIT, writing)
        .await
        .expect("writes work again");
    let rows: Vec<i32> = conn.query("SELECT id FROM app.lost").await.unwrap();
    assert_eq!(rows, [9], "nothing ran after its error, nothing ran twice");
    assert!(number(&mut idle, "DO 1").await.is_ok());
    stage.end().await;
}

#[tokio::test]
async fn p4_a_transaction_whose_writer_dies_gets_one_error_and_the_session_goes_on() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "CREATE TABLE IF NOT EXISTS app.torn (id INT)",
            "DELETE FROM app.torn",
        ])
        .await;
    let mut conn = stage.client().await;
    take(&mut conn, "BEGIN").await;
    take(&mut conn, "INSERT INTO app.torn VALUES (1)").await;
    stage.lab.writer().kill9().await.unwrap();
    let lost = number(&mut conn, "INSERT INTO app.torn VALUES (2)").await;
    assert_eq!(lost, Err(1213), "the transaction is lost");
    stage.lab.writer().restart().await.unwrap();
    // What became of the INSERT nobody knows until the writer is back.
    let begun = async { while number(&mut conn, "BEGIN").await.is_err() {} };
    tokio::time::timeout(LIMIT, begun)
        .await
        .expect("it goes on");
    let rows: Vec<i32> = conn.query("SELECT id FROM app.torn").await.unwrap();
    assert!(rows.is_empty(), "nothing of it was committed: {rows:?}");
    stage.end().await;
}

#[tokio::test]
async fn with_everything_gone_there_is_one_clear_error_and_the_connection_stays() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    for instance in stage.lab.instances() {
        instance.kill9().await.unwrap();
    }
    for _ in 0..3 {
        assert!(number(&mut conn, Stage::SERVED_BY).await.is_err());
        assert!(number(&mut conn, "DO 1").await.is_err());
    }
    for instance in stage.lab.instances() {
        instance.restart().await.unwrap();
    }
    let reading = async { while number(&mut conn, Stage::SERVED_BY).await.is_err() {} };
    tokio::time::timeout(LIMIT, reading)
        .await
        .expect("it works again");
    on_a_reader(&mut conn).await;
    stage.end().await;
}

#[tokio::test]
async fn p1_a_reader_that_lacks_a_table_or_a_grant_is_no_error() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    stage.freeze().await;
    // Made by somebody else: this session's token says nothing of them.
    let migration = [
        "CREATE TABLE IF NOT EXISTS app.migrated AS SELECT 'w1' AS v",
        "CREATE DATABASE IF NOT EXISTS test_migrated",
        "CREATE TABLE IF NOT EXISTS test_migrated.t AS SELECT 'w1' AS v",
    ];
    stage.lab.writer().execute(migration).await.unwrap();
    for sql in [
        "SELECT v FROM app.migrated",
        "SELECT v FROM test_migrated.t",
    ] {
        let seen: Option<String> = conn.query_first(sql).await.unwrap();
        assert_eq!(seen.as_deref(), Some(WRITER), "{sql}");
    }
    assert_eq!(
        number(&mut conn, "SELECT v FROM app.never").await,
        Err(1146)
    );
    take(&mut conn, "USE test_migrated").await;
    let seen: Option<String> = conn.query_first("SELECT v FROM t").await.unwrap();
    assert_eq!(
        seen.as_deref(),
        Some(WRITER),
        "in a schema that readers lack"
    );
    stage.thaw().await;
    on_a_reader(&mut conn).await;
    stage.end().await;
}
