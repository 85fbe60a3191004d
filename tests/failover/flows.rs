//! What a client sees of a backend that goes away.

use std::time::Instant;

use mysql_async::Error;
use mysql_async::prelude::Queryable;
use tidegate::routing::ReadFrom;

use crate::sockets::Socket;
use crate::stage::{LIMIT, Stage, number, served_by, until_served_by, until_written, write};

/// No backend is up.
const GONE: u16 = 1429;

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
    let since = Instant::now();
    let gone = loop {
        assert!(since.elapsed() < LIMIT, "nobody says that all are gone");
        match conn.query_drop("SELECT name FROM app.whoami").await {
            Err(Error::Server(error)) if error.code == GONE => break error,
            // Not the last of them has been missed yet.
            Err(Error::Server(_)) | Ok(()) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(gone.state, "HY000");
    assert_eq!(number(&mut conn, &write("none")).await, Err(GONE));
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
    conn.query_drop("BEGIN").await.unwrap();
    number(&mut conn, &write("perhaps")).await.unwrap();
    let socket = Socket::of_transaction(stage.member(0), &mut conn).await;
    stage.member(0).pause().await.unwrap();
    let (lost, ()) = tokio::join!(conn.query_drop("COMMIT"), async {
        // The server has it, and can't have run it.
        socket.until_unread().await;
        stage.member(0).kill9().await.unwrap();
    });
    let Err(Error::Server(error)) = lost else {
        panic!("{lost:?}");
    };
    assert!(
        error.message.contains("unknown") || error.message.contains("may or may not"),
        "{error}"
    );
    let unknown = "tidegate_unknown_tokens_total{cause=\"commit_unanswered\"}";
    assert_eq!(stage.metric(unknown), 1.0);
    stage.end().await;
}

#[tokio::test]
async fn p4_a_transaction_whose_writer_dies_gets_the_error_on_which_drivers_run_it_again() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    conn.query_drop("BEGIN").await.unwrap();
    number(&mut conn, &write("one")).await.unwrap();
    stage.member(0).kill9().await.unwrap();
    match conn.query_drop(write("two")).await {
        Err(Error::Server(error)) => {
            assert_eq!((error.code, error.state.as_str()), (1213, "40001"));
        }
        other => panic!("{other:?}"),
    }
    stage.member(0).restart().await.unwrap();
    let mut fresh = stage.client().await;
    until_written(&mut fresh, "again").await;
    for (what, times) in [("one", 0), ("two", 0), ("again", 1)] {
        assert_eq!(stage.count(0, what).await, times, "{what}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p4_a_select_that_may_write_is_not_sent_again_when_the_writer_dies() {
    let stage = Stage::new().await;
    let statements = [
        "CREATE FUNCTION app.keeps() RETURNS INT MODIFIES SQL DATA BEGIN \
         INSERT INTO app.kept (what) VALUES ('by a function'); RETURN 1; END",
        "CREATE SQL SECURITY INVOKER VIEW app.keeping AS SELECT app.keeps() AS v",
    ];
    stage.member(0).execute(statements).await.unwrap();
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    let mut conn = stage.client().await;
    // The second is a read as far as its text tells; a reader refuses it.
    for (before, sql) in [
        ("before", "SELECT app.keeps()"),
        ("again", "SELECT v FROM app.keeping"),
    ] {
        until_written(&mut conn, before).await;
        conn.query_drop("BEGIN").await.unwrap();
        let inside = format!("{before} in one");
        number(&mut conn, &write(&inside)).await.unwrap();
        let socket = Socket::of_transaction(stage.member(0), &mut conn).await;
        conn.query_drop("COMMIT").await.unwrap();
        assert!(stage.lab.settle(LIMIT).await.unwrap());
        // Somebody asks the writer what can have been seen there: it won't answer any more.
        let strong = "/* tidegate: level=strong */ SELECT name FROM app.whoami";
        stage.client().await.query_drop(strong).await.unwrap();
        stage.member(0).pause().await.unwrap();
        let (ended, ()) = tokio::join!(number(&mut conn, sql), async {
            socket.until_unread().await;
            stage.member(0).kill9().await.unwrap();
            stage.member(0).restart().await.unwrap();
        });
        assert_eq!(ended, Err(1158), "{sql}");
        assert_eq!(stage.count(0, "by a function").await, 0, "{sql}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p1_with_the_writer_first_reads_run_on_readers_once_it_has_died_as_far_as_the_level_allows()
{
    let stage = Stage::with(|config| config.session.policy.read_from = ReadFrom::Writer).await;
    let mut conn = stage.client().await;
    let mut eventual = stage.client().await;
    let level = "SET @tidegate_level = 'eventual'";
    eventual.query_drop(level).await.unwrap();
    until_written(&mut conn, "before").await;
    for _ in 0..10 {
        assert_eq!(served_by(&mut conn).await, "w1");
        assert_eq!(served_by(&mut eventual).await, "w1");
    }
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    stage.member(0).kill9().await.unwrap();
    assert_ne!(served_by(&mut eventual).await, "w1");
    let mut fresh = stage.client().await;
    assert_ne!(served_by(&mut fresh).await, "w1");
    let at_writer = "/* tidegate: level=writer */ SELECT name FROM app.whoami";
    assert_eq!(number(&mut fresh, at_writer).await, Err(1836));
    // What it has seen on the writer nobody may be able to tell any more.
    match conn.query_first("SELECT name FROM app.whoami").await {
        Ok(name) => assert_ne!(name, Some("w1".to_owned())),
        Err(Error::Server(error)) => assert_eq!(error.code, 1205),
        Err(error) => panic!("{error}"),
    }
    stage.member(0).restart().await.unwrap();
    until_served_by(&mut fresh, "w1").await;
    until_written(&mut conn, "after").await;
    stage.end().await;
}
