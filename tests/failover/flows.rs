//! What a client sees of a backend that goes away.

use mysql_async::Error;
use mysql_async::prelude::Queryable;

use crate::stage::{Stage, number, served_by, until_written, write};

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
