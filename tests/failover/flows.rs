//! What a client sees of a backend that goes away.

use mysql_async::Error;
use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, number, served_by, until_written, write};

/// A hundred megabytes, each row with the name of who answers.
const LARGE: &str = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                     SELECT name, REPEAT('x', 110000) FROM app.whoami, n";

#[tokio::test]
async fn p1_rows_whose_reader_dies_end_with_an_error_and_never_as_if_they_were_whole() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let mut rows = conn.query_iter(LARGE).await.unwrap();
    let first = rows.next().await.unwrap().expect("a row");
    let name: String = first.get(0).unwrap();
    let member = ["w1", "r1", "r2"].iter().position(|it| *it == name);
    stage
        .member(member.expect("a member"))
        .kill9()
        .await
        .unwrap();
    let mut count = 1;
    let reading = async {
        loop {
            match rows.next().await {
                Ok(Some(_)) => count += 1,
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, reading).await;
    assert!(ended.is_ok(), "no end after {count} rows of {name}");
    let ended = ended.expect("an end");
    assert!(ended.is_err(), "{count} of 900 rows, and taken for all");
    drop(rows);
    drop(conn);
    stage.end().await;
}

#[tokio::test]
async fn with_everything_gone_the_same_connection_works_again_once_a_writer_is_found() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    served_by(&mut conn).await;
    for member in 0..3 {
        stage.member(member).kill9().await.unwrap();
    }
    let gone = loop {
        match conn.query_drop("SELECT name FROM app.whoami").await {
            Err(Error::Server(error)) => break error,
            other => assert!(other.is_ok(), "{other:?}"),
        }
    };
    assert_eq!(gone.state, "HY000");
    for member in 0..3 {
        stage.member(member).restart().await.unwrap();
    }
    until_written(&mut conn, "after").await;
    served_by(&mut conn).await;
    stage.end().await;
}

#[tokio::test]
async fn p4_a_commit_without_an_answer_says_that_its_outcome_is_unknown() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let mut killer = stage.member(0).conn().await.unwrap();
    conn.query_drop("BEGIN").await.unwrap();
    number(&mut conn, &write("perhaps")).await.unwrap();
    stage.member(0).pause().await.unwrap();
    let (lost, ()) = tokio::join!(conn.query_drop("COMMIT"), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stage.member(0).kill9().await.unwrap();
    });
    let Err(Error::Server(error)) = lost else {
        panic!("{lost:?}");
    };
    assert!(
        error.message.contains("unknown") || error.message.contains("may or may not"),
        "{error}"
    );
    let _ = killer.query_drop("DO 1").await;
    stage.end().await;
}
