//! P2: what one read has seen the next one sees too, wherever it runs.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::routing::Scope;

use crate::stage::{LIMIT, Stage, WRITER, back_on_a_reader, on_a_reader, reads_until};
use crate::steps::take;
use crate::support;

const READ: &str = "SELECT v, name FROM app.moving JOIN app.whoami";

async fn stage_with_row(scope: Scope) -> Stage {
    let stage = Stage::with(|config| config.session.policy.scope = scope).await;
    let setup = [
        "DROP TABLE IF EXISTS app.moving",
        "CREATE TABLE app.moving (v INT)",
        "INSERT INTO app.moving VALUES (0)",
    ];
    stage.prepare(setup).await;
    stage
}

async fn read(conn: &mut Conn) -> (i32, String) {
    conn.query_first(READ)
        .await
        .expect("a read")
        .expect("a row")
}

/// Somebody else writes, and only one reader gets it.
async fn write_seen_on(stage: &Stage, reader: usize, value: i32) {
    stage.freeze().await;
    let update = format!("UPDATE app.moving SET v = {value}");
    stage.lab.writer().execute([update]).await.unwrap();
    stage.lab.readers()[reader].start_applier().await.unwrap();
    let executed = stage.lab.writer().executed().await.unwrap();
    let done = stage.lab.readers()[reader]
        .wait_executed(&executed, LIMIT)
        .await;
    assert!(done.unwrap());
}

#[tokio::test]
async fn p2_from_a_reader_that_dies_to_one_that_is_behind() {
    for scope in [Scope::Connection, Scope::User] {
        let stage = stage_with_row(scope).await;
        for (reader, name) in [(0, "r1"), (1, "r2")] {
            let value = i32::try_from(reader).unwrap() + 1;
            let mut conn = stage.client().await;
            write_seen_on(&stage, reader, value).await;
            // Each new session has a home of its own; take one whose home is the reader ahead.
            while read(&mut conn).await != (value, name.to_owned()) {
                conn = stage.client().await;
            }
            stage.lab.readers()[reader].kill9().await.unwrap();
            for _ in 0..5 {
                let (seen, on) = read(&mut conn).await;
                assert_eq!(seen, value, "{scope:?}: on {on} after {name}");
            }
            stage.lab.readers()[reader].restart().await.unwrap();
            stage.thaw().await;
            on_a_reader(&mut conn).await;
        }
        stage.end().await;
    }
}

#[tokio::test]
async fn p2_from_the_writer_to_a_reader_that_is_behind() {
    let stage = stage_with_row(Scope::Connection).await;
    for (count, way) in [
        &["SELECT v FROM app.moving LOCK IN SHARE MODE"][..],
        &["SELECT v FROM app.moving FOR UPDATE"],
        &["BEGIN", "SELECT v FROM app.moving", "COMMIT"],
        &[
            "SET autocommit = 0",
            "SELECT v FROM app.moving",
            "COMMIT",
            "SET autocommit = 1",
        ],
        &["SELECT v, @x FROM app.moving"],
        &["SELECT v, CONNECTION_ID() FROM app.moving"],
        &["SELECT 1; SELECT v FROM app.moving"],
        &["SELECT v INTO @y FROM app.moving"],
        &["? SELECT v FROM app.moving LOCK IN SHARE MODE"],
        &[
            "PREPARE s FROM 'SELECT v FROM app.moving'",
            "EXECUTE s",
            "#reset",
        ],
        &["SELECT v FROM app.moving LOCK IN SHARE MODE", "#reset"],
        &[
            "SELECT v FROM app.moving LOCK IN SHARE MODE",
            "#change_user",
        ],
    ]
    .iter()
    .enumerate()
    {
        let value = i32::try_from(count).unwrap() + 1;
        let mut conn = stage.client().await;
        on_a_reader(&mut conn).await;
        stage.freeze().await;
        let update = format!("UPDATE app.moving SET v = {value}");
        stage.lab.writer().execute([update]).await.unwrap();
        for step in *way {
            take(&mut conn, step).await;
        }
        for _ in 0..3 {
            let (seen, on) = read(&mut conn).await;
            assert_eq!(seen, value, "{way:?}, then on {on}");
        }
        stage.thaw().await;
        let bound = way.contains(&"EXECUTE s") && !way.contains(&"#reset");
        if !bound {
            back_on_a_reader(&mut conn, &format!("{way:?}")).await;
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn p2_from_a_reader_to_a_writer_that_has_it_too() {
    let stage = stage_with_row(Scope::Connection).await;
    let mut conn = stage.client().await;
    write_seen_on(&stage, 0, 1).await;
    while read(&mut conn).await.0 != 1 {
        conn = stage.client().await;
    }
    take(&mut conn, "BEGIN").await;
    assert_eq!(read(&mut conn).await, (1, WRITER.to_owned()));
    take(&mut conn, "COMMIT").await;
    stage.end().await;
}

#[tokio::test]
async fn p2_over_connections_of_one_user_that_read_on_different_readers() {
    let stage = stage_with_row(Scope::User).await;
    let mut first = stage.client().await;
    for value in 1..6 {
        // One of them has its home on the reader ahead, the other one elsewhere.
        let home = on_a_reader(&mut first).await;
        let mut second = stage.client().await;
        while on_a_reader(&mut second).await == home {
            second = stage.client().await;
        }
        write_seen_on(&stage, usize::from(value % 2 == 0), value).await;
        let reading = async {
            while read(&mut first).await.0 != value && read(&mut second).await.0 != value {}
        };
        tokio::time::timeout(LIMIT, reading)
            .await
            .expect("one sees it");
        for _ in 0..3 {
            assert_eq!(read(&mut first).await.0, value, "first");
            assert_eq!(read(&mut second).await.0, value, "second");
        }
        stage.thaw().await;
    }
    reads_until(&mut first, "the moves", |on| on != WRITER).await;
    stage.end().await;
}

#[tokio::test]
async fn p2_a_reset_or_a_change_of_user_forgets_nothing() {
    let stage = stage_with_row(Scope::Connection).await;
    for (value, step) in [(1, "#reset"), (2, "#change_user")] {
        let mut conn = stage.client().await;
        write_seen_on(&stage, 0, value).await;
        while read(&mut conn).await != (value, "r1".to_owned()) {
            conn = stage.client().await;
        }
        take(&mut conn, step).await;
        stage.lab.readers()[0].kill9().await.unwrap();
        assert_eq!(read(&mut conn).await.0, value, "{step}");
        stage.lab.readers()[0].restart().await.unwrap();
        stage.thaw().await;
    }
    stage.end().await;
}

/// With semi-synchronous replication a reader may show a transaction seconds before the writer
/// does, while the writer waits for an acknowledgement (MySQL manual, "Semisynchronous
/// Replication", `AFTER_SYNC`).
#[tokio::test]
async fn p2_from_a_reader_to_a_writer_that_waits_for_an_acknowledgement() {
    let stage = stage_with_row(Scope::Connection).await;
    let writer = stage.lab.writer();
    support::allow_semi_sync(stage.lab.writer()).await;
    support::hold_acknowledgements(stage.lab.writer(), true).await;
    let mut stranger = writer.conn().await.unwrap();
    let unacknowledged =
        tokio::spawn(async move { stranger.query_drop("UPDATE app.moving SET v = 1").await });
    let mut conn = stage.client().await;
    let reading = async { while read(&mut conn).await.0 != 1 {} };
    tokio::time::timeout(LIMIT, reading)
        .await
        .expect("a reader shows it");
    for sql in [
        "SELECT v, @x FROM app.moving",
        "SELECT 1; SELECT v FROM app.moving",
    ] {
        let refused = conn.query_drop(sql).await;
        assert!(refused.is_err(), "{sql}: the writer does not show it yet");
    }
    take(&mut conn, "BEGIN").await;
    let refused: Result<Option<i32>, _> = conn.query_first("SELECT v FROM app.moving").await;
    assert!(refused.is_err(), "in a transaction: {refused:?}");
    take(&mut conn, "ROLLBACK").await;
    assert_eq!(read(&mut conn).await.0, 1, "a reader still does");
    assert!(!unacknowledged.is_finished());
    support::hold_acknowledgements(stage.lab.writer(), false).await;
    unacknowledged.await.unwrap().unwrap();
    take(&mut conn, "BEGIN").await;
    assert_eq!(read(&mut conn).await, (1, WRITER.to_owned()));
    take(&mut conn, "COMMIT").await;
    stage.end().await;
}
