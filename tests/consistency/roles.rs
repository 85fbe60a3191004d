//! Roles, and what the writer has and readers do not have yet: neither is an error on a reader.

use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, WRITER, back_on_a_reader, on_a_reader};
use crate::steps::take;

#[tokio::test]
async fn p3_a_role_follows_its_session_to_the_readers() {
    let stage = Stage::new().await;
    let setup = [
        "CREATE DATABASE IF NOT EXISTS role_keeps",
        "CREATE TABLE IF NOT EXISTS role_keeps.secret (v INT)",
        "CREATE ROLE IF NOT EXISTS 'keeper of keys'",
        "GRANT SELECT ON role_keeps.* TO 'keeper of keys'",
        "GRANT 'keeper of keys' TO app",
    ];
    stage.prepare(setup).await;
    const SECRET: &str = "SELECT MAX(name) FROM app.whoami, (SELECT COUNT(*) FROM \
                          role_keeps.secret) AS t";
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    assert!(conn.query_drop(SECRET).await.is_err(), "without the role");
    take(&mut conn, "SET ROLE 'keeper of keys'").await;
    // A starved machine may send one of them to the writer.
    let mut on_readers = 0;
    let read = async {
        while on_readers < 4 {
            let name: Option<String> = conn.query_first(SECRET).await.unwrap();
            on_readers += u32::from(name.as_deref() != Some(WRITER));
        }
    };
    let read = tokio::time::timeout(LIMIT, read).await;
    assert!(read.is_ok(), "no reader has the role");
    take(&mut conn, "SET ROLE NONE").await;
    assert!(conn.query_drop(SECRET).await.is_err(), "it was given back");
    on_a_reader(&mut conn).await;
    stage.end().await;
}

#[tokio::test]
async fn p3_state_that_no_reader_has_yet_is_no_error() {
    let stage = Stage::new().await;
    let setup = [
        "DROP DATABASE IF EXISTS test_late",
        "DROP ROLE IF EXISTS late",
    ];
    stage.prepare(setup).await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    stage.freeze().await;
    // Another session made it all, so that nothing but the readers' refusal tells of it.
    let late = [
        "CREATE DATABASE test_late",
        "CREATE TABLE test_late.t (v INT)",
        "GRANT ALL ON test_late.* TO app",
        "CREATE ROLE late",
        "GRANT late TO app",
    ];
    stage.lab.writer().execute(late).await.unwrap();
    for step in [
        "USE test_late",
        "SELECT COUNT(*) FROM t",
        "SET ROLE late",
        "USE app",
    ] {
        take(&mut conn, step).await;
        let shown: Option<String> = conn.query_first(Stage::SERVED_BY).await.expect(step);
        assert!(shown.is_some(), "{step}");
    }
    stage.thaw().await;
    back_on_a_reader(&mut conn, "a role that has arrived").await;
    take(&mut conn, "USE test_late").await;
    back_on_a_reader(&mut conn, "a schema that has arrived").await;
    stage.end().await;
}
