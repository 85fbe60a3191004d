//! What a reader's answers tell of its executed set: with them, what a session must see is proven
//! again at each read. It costs the server a lock that all its sessions share, so it is asked for
//! where there is something to be proven.

use mysql_async::prelude::Queryable;
use tidegate::lab::Flavour;

use crate::stage::{Stage, WRITER, back_on_a_reader, on_a_reader, served_by};
use crate::steps::take;
use crate::support;

/// The connections of the application that tell it, and what was set on all of them by now.
async fn telling(stage: &Stage) -> (u64, u64) {
    let of_app = "JOIN performance_schema.threads USING (THREAD_ID) WHERE PROCESSLIST_USER = 'app'";
    let told = format!(
        "SELECT (SELECT COUNT(*) FROM performance_schema.variables_by_thread {of_app} \
           AND VARIABLE_NAME = 'session_track_gtids' AND VARIABLE_VALUE = 'ALL_GTIDS'), \
         (SELECT CAST(COALESCE(SUM(VARIABLE_VALUE), 0) AS UNSIGNED) \
           FROM performance_schema.status_by_thread {of_app} AND VARIABLE_NAME = 'Com_set_option')"
    );
    let mut all = (0, 0);
    for reader in stage.lab.readers() {
        let row = reader.row(&told).await.expect("an answer").expect("a row");
        let (connections, sets): (u64, u64) = mysql_async::from_row(row);
        all = (all.0 + connections, all.1 + sets);
    }
    all
}

fn skips() -> bool {
    support::skips(
        Flavour::MySql,
        "no answer of a MariaDB tells what it has executed",
    )
}

#[tokio::test]
async fn a_reader_tells_what_it_has_executed_where_that_has_to_be_proven() {
    if skips() {
        return;
    }
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.told",
            "CREATE TABLE app.told (v INT)",
            "INSERT INTO app.told VALUES (0)",
        ])
        .await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    assert_eq!(telling(&stage).await.0, 0, "nothing was written");
    take(&mut conn, "UPDATE app.told SET v = 1").await;
    back_on_a_reader(&mut conn, "a write").await;
    let told = telling(&stage).await;
    assert_eq!(told.0, 1);
    for _ in 0..3 {
        assert_ne!(served_by(&mut conn).await, WRITER);
    }
    assert_eq!(telling(&stage).await, told, "it was said once");
    conn.reset().await.unwrap();
    back_on_a_reader(&mut conn, "a reset").await;
    let seen: Option<i32> = conn.query_first("SELECT v FROM app.told").await.unwrap();
    assert_eq!(seen, Some(1));
    assert_eq!(telling(&stage).await.0, 1, "a reset forgets no write");
    stage.end().await;
}

/// There literals are not what they look like.
#[tokio::test]
async fn a_reader_is_told_to_tell_in_any_character_set() {
    if skips() {
        return;
    }
    let stage = Stage::new().await;
    let setup = [
        "DROP TABLE IF EXISTS app.wide",
        "CREATE TABLE app.wide (v INT)",
    ];
    stage.prepare(setup).await;
    let mut conn = stage.client().await;
    take(&mut conn, "SET collation_connection = 'utf16_general_ci'").await;
    take(&mut conn, "INSERT INTO app.wide VALUES (1)").await;
    let reader = back_on_a_reader(&mut conn, "a write in UTF-16").await;
    assert_eq!(telling(&stage).await.0, 1);
    assert_eq!(served_by(&mut conn).await, reader);
    stage.end().await;
}

#[tokio::test]
async fn p3_what_a_reader_is_told_on_the_way_hides_no_warning() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.warned",
            "CREATE TABLE app.warned (v INT)",
            "INSERT INTO app.warned VALUES (7)",
        ])
        .await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    take(&mut conn, "UPDATE app.warned SET v = 8").await;
    // Nothing has to be proven of this one.
    let loose = "SELECT v / 0 FROM app.warned /* tidegate: level=eventual */";
    let seen: Option<Option<i32>> = conn.query_first(loose).await.unwrap();
    assert_eq!(seen, Some(None));
    let warnings: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].1, 1365);
    back_on_a_reader(&mut conn, "a warning").await;
    stage.end().await;
}
