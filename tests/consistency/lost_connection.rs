//! The connection to the writer breaks while the writer lives: what a session loses with it, what the
//! client is told of that, and what goes on.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tidegate::lab::APP;

use crate::stage::{LIMIT, Stage, on_a_reader};
use crate::steps::take;

const READ: &str = "SELECT COUNT(*) FROM app.cut /* tidegate: level=writer */";
const LAST: &str = "SELECT LAST_INSERT_ID()";

/// The error number; panics if the client's connection is lost.
async fn number(conn: &mut Conn, sql: &str) -> Result<Option<u64>, u16> {
    match conn.query_first(sql).await {
        Ok(value) => Ok(value),
        Err(Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// A writer with an empty table, and one client.
async fn begin() -> (Stage, Conn) {
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.cut",
            "CREATE TABLE app.cut (id INT AUTO_INCREMENT PRIMARY KEY, by_id INT)",
            "CREATE TRIGGER app.remembers BEFORE INSERT ON app.cut
             FOR EACH ROW SET NEW.by_id = LAST_INSERT_ID()",
        ])
        .await;
    let conn = stage.client().await;
    (stage, conn)
}

/// Ends the connections that clients have to the writer now, and awaits their end.
async fn cut(stage: &Stage) {
    let writer = stage.lab.writer();
    let theirs = format!(
        "SELECT GROUP_CONCAT(id) FROM information_schema.processlist WHERE user = '{}'",
        APP.user
    );
    let row = writer.row(&theirs).await.unwrap();
    let ids: Option<String> = row.and_then(|row| row.get(0)).expect("a row");
    let Some(ids) = ids else { return };
    for id in ids.split(',') {
        writer.execute([format!("KILL {id}")]).await.unwrap();
    }
    let left = format!("SELECT 1 FROM information_schema.processlist WHERE id IN ({ids})");
    let ended = async { while writer.row(&left).await.unwrap().is_some() {} };
    tokio::time::timeout(LIMIT, ended).await.expect("they end");
}

/// Awaits that a statement sleeps on the writer.
async fn asleep(stage: &Stage) {
    // Tidegate's own watcher may sleep there as well.
    let sleeps = format!(
        "SELECT 1 FROM information_schema.processlist WHERE state = 'User sleep' AND user = '{}'",
        APP.user
    );
    let seen = async { while stage.lab.writer().row(&sleeps).await.unwrap().is_none() {} };
    tokio::time::timeout(LIMIT, seen)
        .await
        .expect("one that sleeps");
}

#[tokio::test]
async fn p4_a_transaction_whose_connection_is_lost_can_be_begun_again() {
    let (stage, mut conn) = begin().await;
    for last in ["INSERT INTO app.cut VALUES (2, 0)", "COMMIT", "SELECT 1"] {
        take(&mut conn, "BEGIN").await;
        take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
        cut(&stage).await;
        // It was not sent: nothing of the transaction is there, and that is known.
        assert_eq!(number(&mut conn, last).await, Err(1213), "{last}");
        assert_eq!(number(&mut conn, READ).await, Ok(Some(0)), "{last}");
    }
    take(&mut conn, "BEGIN").await;
    take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
    take(&mut conn, "COMMIT").await;
    assert_eq!(number(&mut conn, READ).await, Ok(Some(1)));
    stage.end().await;
}

#[tokio::test]
async fn p4_a_transaction_whose_connection_is_lost_under_a_statement_can_be_begun_again() {
    let (stage, mut conn) = begin().await;
    take(&mut conn, "BEGIN").await;
    take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
    let running = tokio::spawn(async move {
        let lost = number(&mut conn, "SELECT SLEEP(60)").await;
        (conn, lost)
    });
    asleep(&stage).await;
    cut(&stage).await;
    let (mut conn, lost) = running.await.unwrap();
    assert_eq!(lost, Err(1213));
    assert_eq!(number(&mut conn, LAST).await, Err(1105));
    take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
    assert_eq!(number(&mut conn, READ).await, Ok(Some(1)));
    stage.end().await;
}

#[tokio::test]
async fn p4_a_transaction_that_may_be_committed_is_not_said_to_be_rolled_back() {
    let (stage, mut conn) = begin().await;
    stage
        .prepare([
            "DROP PROCEDURE IF EXISTS app.commits",
            "CREATE PROCEDURE app.commits() SQL SECURITY INVOKER BEGIN \
             COMMIT; \
             DO SLEEP(60); END",
        ])
        .await;
    for (before, last) in [
        "COMMIT; DO SLEEP(60)",
        "CALL app.commits()",
        "CREATE TABLE app.never AS SELECT SLEEP(60) AS slept",
    ]
    .into_iter()
    .enumerate()
    {
        take(&mut conn, "BEGIN").await;
        take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
        let running = tokio::spawn(async move {
            let told = number(&mut conn, last).await;
            (conn, told)
        });
        asleep(&stage).await;
        cut(&stage).await;
        let (back, told) = running.await.unwrap();
        conn = back;
        // Whoever runs it again on a 1213 would have it twice.
        assert_eq!(told, Err(1158), "{last}");
        let committed = u64::try_from(before).unwrap() + 1;
        assert_eq!(number(&mut conn, READ).await, Ok(Some(committed)), "{last}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_who_might_read_an_id_that_is_lost_is_told_once_and_reads_go_on() {
    let (stage, mut conn) = begin().await;
    take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
    let id = number(&mut conn, LAST).await.unwrap();
    assert!(id.is_some_and(|id| id > 0), "{id:?}");
    cut(&stage).await;
    assert_eq!(number(&mut conn, READ).await, Ok(Some(1)), "no error");
    // The trigger would read it, and nobody has told the client yet.
    let write = "INSERT INTO app.cut () VALUES ()";
    assert_eq!(number(&mut conn, write).await, Err(1158));
    for asks in [LAST, "SELECT @@identity", "DO LAST_INSERT_ID()"] {
        assert_eq!(number(&mut conn, asks).await, Err(1105), "{asks}");
    }
    assert_eq!(number(&mut conn, READ).await, Ok(Some(1)), "it did not run");
    take(&mut conn, write).await;
    let next = number(&mut conn, LAST).await.unwrap();
    assert!(next > id, "{next:?} {id:?}");
    // Whoever asks for it first is told as well.
    cut(&stage).await;
    assert_eq!(number(&mut conn, LAST).await, Err(1158));
    assert_eq!(number(&mut conn, LAST).await, Err(1105));
    take(&mut conn, "SELECT LAST_INSERT_ID(7)").await;
    assert_eq!(number(&mut conn, LAST).await, Ok(Some(7)));
    cut(&stage).await;
    take(&mut conn, "#reset").await;
    assert_eq!(number(&mut conn, LAST).await, Ok(Some(0)), "a new session");
    stage.end().await;
}

#[tokio::test]
async fn p1_a_transaction_on_a_reader_does_not_outlive_its_error() {
    let (stage, mut conn) = begin().await;
    on_a_reader(&mut conn).await;
    take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    take(&mut conn, "START TRANSACTION READ ONLY").await;
    let count = "SELECT COUNT(*) FROM app.cut";
    assert_eq!(number(&mut conn, count).await, Ok(Some(1)));
    cut(&stage).await;
    // It runs on the writer, where the id went.
    let set = "SET sort_buffer_size = 100000";
    assert_eq!(number(&mut conn, set).await, Err(1213));
    take(&mut conn, "INSERT INTO app.cut () VALUES ()").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    assert_eq!(number(&mut conn, count).await, Ok(Some(2)));
    stage.end().await;
}

#[tokio::test]
async fn p4_a_read_that_turns_out_to_write_runs_once() {
    let (stage, mut conn) = begin().await;
    // What a function has written there stays, whatever becomes of the statement, though readers
    // may never get it. It runs as the client, whose connections are cut.
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.noted",
            "DROP FUNCTION IF EXISTS app.note",
            "CREATE TABLE app.noted (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MyISAM",
            "CREATE FUNCTION app.note() RETURNS INT MODIFIES SQL DATA SQL SECURITY INVOKER BEGIN \
             INSERT INTO app.noted VALUES (); \
             RETURN SLEEP(60); END",
            "CREATE OR REPLACE SQL SECURITY INVOKER VIEW app.noting AS SELECT app.note() AS note",
        ])
        .await;
    // The second time it would run on the writer again, or on a reader that has caught up.
    for anywhere in [false, true] {
        if anywhere {
            stage.freeze().await;
            take(&mut conn, "TRUNCATE TABLE app.noted").await;
        }
        let level = if anywhere { "session" } else { "writer" };
        let sql = format!("SELECT note FROM app.noting /* tidegate: level={level} */");
        let running = tokio::spawn(async move {
            let told = number(&mut conn, &sql).await;
            (conn, told)
        });
        asleep(&stage).await;
        if anywhere {
            stage.thaw().await;
        }
        cut(&stage).await;
        let ended = tokio::time::timeout(LIMIT, running).await;
        let (back, told) = ended.expect("not once more").unwrap();
        conn = back;
        assert_eq!(told, Err(1158), "{level}");
        let noted = "SELECT COUNT(*) FROM app.noted /* tidegate: level=writer */";
        let noted = number(&mut conn, noted).await;
        assert_eq!(noted, Ok(Some(1)), "it ran once");
        take(&mut conn, "TRUNCATE TABLE app.noted").await;
    }
    // One that only reads goes on, and so do writes on that connection.
    let running = tokio::spawn(async move {
        let sql = "SELECT COUNT(*) + SLEEP(2) FROM app.whoami /* tidegate: level=writer */";
        let told = number(&mut conn, sql).await;
        (conn, told)
    });
    asleep(&stage).await;
    cut(&stage).await;
    let (mut conn, told) = running.await.unwrap();
    assert_eq!(told, Ok(Some(1)));
    assert_eq!(number(&mut conn, "SELECT ROW_COUNT()").await, Err(1105));
    take(&mut conn, "INSERT INTO app.noted VALUES ()").await;
    take(&mut conn, "DROP TABLE app.noted").await;
    stage.end().await;
}

#[tokio::test]
async fn p3_a_session_does_not_outlive_state_that_nobody_can_make_again() {
    let (stage, _) = begin().await;
    for state in [
        "CREATE TEMPORARY TABLE app.mine (id INT)",
        "SET @mine = 1",
        "DO GET_LOCK('mine', 1)",
        "SET ROLE NONE",
    ] {
        let mut conn = stage.client().await;
        take(&mut conn, state).await;
        cut(&stage).await;
        let told = conn.query_drop(READ).await;
        assert!(matches!(told, Err(Error::Server(_))), "{state}: {told:?}");
        let closed = conn.query_drop("DO 1").await;
        assert!(
            closed.is_err() && !matches!(closed, Err(Error::Server(_))),
            "{state}: {closed:?}"
        );
    }
    stage.end().await;
}
