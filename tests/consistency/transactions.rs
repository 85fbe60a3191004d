//! Where the statements of a transaction run, and what they see.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use crate::stage::{Stage, WRITER, back_on_a_reader, on_a_reader, served_by};
use crate::steps::take;

async fn number(conn: &mut Conn, sql: &str) -> Result<(), u16> {
    match conn.query_drop(sql).await {
        Ok(()) => Ok(()),
        Err(Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[tokio::test]
async fn p1_a_transaction_runs_on_the_writer_from_its_begin_to_its_end() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    for (begin, end) in [
        (&["BEGIN"][..], &["COMMIT"][..]),
        (&["BEGIN WORK"], &["ROLLBACK"]),
        (&["START TRANSACTION"], &["COMMIT AND CHAIN", "COMMIT"]),
        (&["START TRANSACTION WITH CONSISTENT SNAPSHOT"], &["COMMIT"]),
        (&["SET autocommit = 0"], &["COMMIT", "SET autocommit = 1"]),
        (
            &["SET @@session.autocommit = OFF"],
            &["SET autocommit = ON"],
        ),
        (&["SET TRANSACTION READ WRITE", "BEGIN"], &["COMMIT"]),
        (&["XA START 'tx'"], &["XA END 'tx'", "XA ROLLBACK 'tx'"]),
        (&["BEGIN; SELECT 1"], &["SELECT 1; COMMIT"]),
    ] {
        on_a_reader(&mut conn).await;
        for step in begin {
            take(&mut conn, step).await;
        }
        for _ in 0..3 {
            assert_eq!(served_by(&mut conn).await, WRITER, "{begin:?}");
        }
        for step in end {
            take(&mut conn, step).await;
        }
        back_on_a_reader(&mut conn, &format!("{end:?}")).await;
    }
    stage.end().await;
}

#[tokio::test]
async fn a_read_only_transaction_runs_on_a_reader_and_keeps_its_snapshot() {
    let stage = Stage::new().await;
    let setup = [
        "DROP TABLE IF EXISTS app.snapshot",
        "CREATE TABLE app.snapshot (v INT)",
        "INSERT INTO app.snapshot VALUES (1)",
    ];
    stage.prepare(setup).await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    for begin in [
        "START TRANSACTION READ ONLY",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ] {
        stage.prepare(["UPDATE app.snapshot SET v = 1"]).await;
        take(&mut conn, begin).await;
        let place = served_by(&mut conn).await;
        assert_ne!(place, WRITER, "{begin}");
        stage.prepare(["UPDATE app.snapshot SET v = 2"]).await;
        for _ in 0..3 {
            let seen: Option<i32> = conn
                .query_first("SELECT v FROM app.snapshot")
                .await
                .unwrap();
            assert_eq!(seen, Some(1), "{begin}");
            assert_eq!(served_by(&mut conn).await, place);
        }
        assert_eq!(
            number(&mut conn, "UPDATE app.snapshot SET v = 3").await,
            Err(1792),
            "a write"
        );
        assert_eq!(served_by(&mut conn).await, place, "still in it");
        take(&mut conn, "COMMIT").await;
        let seen: Option<i32> = conn
            .query_first("SELECT v FROM app.snapshot")
            .await
            .unwrap();
        assert_eq!(seen, Some(2), "after it");
    }
    stage.end().await;
}

#[tokio::test]
async fn p1_a_read_only_transaction_after_a_write_sees_it() {
    let stage = Stage::new().await;
    let setup = [
        "DROP TABLE IF EXISTS app.gated",
        "CREATE TABLE app.gated (v INT)",
        "INSERT INTO app.gated VALUES (1)",
    ];
    stage.prepare(setup).await;
    for isolation in [
        "REPEATABLE READ",
        "READ COMMITTED",
        "READ UNCOMMITTED",
        "SERIALIZABLE",
    ] {
        let mut conn = stage.client().await;
        on_a_reader(&mut conn).await;
        take(
            &mut conn,
            &format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"),
        )
        .await;
        stage.prepare(["UPDATE app.gated SET v = 1"]).await;
        stage.freeze().await;
        take(&mut conn, "UPDATE app.gated SET v = 2").await;
        take(&mut conn, "START TRANSACTION READ ONLY").await;
        let seen: Option<i32> = conn.query_first("SELECT v FROM app.gated").await.unwrap();
        assert_eq!(seen, Some(2), "{isolation}");
        assert_eq!(served_by(&mut conn).await, WRITER);
        assert_eq!(number(&mut conn, "DELETE FROM app.gated").await, Err(1792));
        take(&mut conn, "COMMIT").await;
        stage.thaw().await;
        take(&mut conn, "START TRANSACTION READ ONLY").await;
        let reads_on_readers =
            isolation.starts_with("REPEATABLE") || isolation.ends_with(" COMMITTED");
        if !reads_on_readers {
            assert_eq!(served_by(&mut conn).await, WRITER, "{isolation}");
        }
        take(&mut conn, "ROLLBACK").await;
    }
    stage.end().await;
}

#[tokio::test]
async fn p1_what_a_rolled_back_or_committed_transaction_saw_is_not_unseen() {
    let stage = Stage::new().await;
    let setup = [
        "DROP TABLE IF EXISTS app.seen",
        "CREATE TABLE app.seen (v INT)",
        "INSERT INTO app.seen VALUES (1)",
    ];
    stage.prepare(setup).await;
    for end in ["COMMIT", "ROLLBACK"] {
        stage.prepare(["UPDATE app.seen SET v = 1"]).await;
        let mut conn = stage.client().await;
        on_a_reader(&mut conn).await;
        stage.freeze().await;
        // Somebody else's write, which this session sees on the writer only.
        stage
            .lab
            .writer()
            .execute(["UPDATE app.seen SET v = 2"])
            .await
            .unwrap();
        take(&mut conn, "BEGIN").await;
        let seen: Option<i32> = conn.query_first("SELECT v FROM app.seen").await.unwrap();
        assert_eq!(seen, Some(2));
        take(&mut conn, end).await;
        let seen: Option<i32> = conn.query_first("SELECT v FROM app.seen").await.unwrap();
        assert_eq!(seen, Some(2), "after {end}");
        stage.thaw().await;
        on_a_reader(&mut conn).await;
    }
    stage.end().await;
}
