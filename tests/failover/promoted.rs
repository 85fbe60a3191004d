//! Transactions that are open while another server becomes the writer.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, number, served_by, until_written, write};

/// MySQL's error on which drivers run a transaction again.
const DEADLOCK: u16 = 1213;

fn count(what: &str) -> String {
    format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}'")
}

async fn seen(conn: &mut Conn, what: &str) -> u64 {
    let seen = conn.query_first(count(what)).await.expect("a read");
    seen.expect("a row")
}

/// The same of what another session has written, which need not be on every reader yet.
async fn seen_by_now(conn: &mut Conn, what: &str) -> u64 {
    let strong = format!("{} /* tidegate: level=strong */", count(what));
    let seen = conn.query_first(strong).await.expect("a read");
    seen.expect("a row")
}

/// A transaction that is open on a reader, which is promoted then, and a row that came after.
async fn promoted_under(conn: &mut Conn, other: &mut Conn, stage: &Stage) -> String {
    until_written(conn, "before").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    conn.query_drop("START TRANSACTION READ ONLY")
        .await
        .unwrap();
    let reader = served_by(conn).await;
    let index = ["w1", "r1", "r2"].iter().position(|it| *it == reader);
    let index = index.unwrap();
    assert_ne!(index, 0, "it begins on a reader");
    let (old, new) = (stage.member(0), stage.member(index));
    stage.lab.switch_over(old, new).await.unwrap();
    until_written(other, "after").await;
    reader
}

#[tokio::test]
async fn p1_p2_a_transaction_on_a_reader_that_is_promoted_goes_on_there_and_ends_with_its_commit() {
    let stage = Stage::new().await;
    let (mut conn, mut other) = (stage.client().await, stage.client().await);
    let reader = promoted_under(&mut conn, &mut other, &stage).await;
    assert_eq!(served_by(&mut conn).await, reader);
    assert_eq!(
        seen(&mut conn, "after").await,
        0,
        "its snapshot is from before"
    );
    conn.query_drop("COMMIT").await.unwrap();

    assert_eq!(seen_by_now(&mut conn, "after").await, 1);
    assert_eq!(number(&mut conn, "SET @a = 1").await, Ok(()));
    assert_eq!(number(&mut conn, &write("own")).await, Ok(()));
    for round in 0..5 {
        let what = format!("later {round}");
        until_written(&mut other, &what).await;
        let strong = format!(
            "SELECT COUNT(*) FROM app.kept WHERE what = '{what}' AND @a = 1 \
             /* tidegate: level=strong */"
        );
        let there: Option<u64> = conn.query_first(strong).await.unwrap();
        assert_eq!(there, Some(1), "{what}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p2_what_takes_a_promoted_reader_as_the_writer_ends_the_transaction_that_it_had() {
    let stage = Stage::new().await;
    let (mut conn, mut other) = (stage.client().await, stage.client().await);
    promoted_under(&mut conn, &mut other, &stage).await;
    assert_eq!(
        number(&mut conn, "SET time_zone = '+01:00'").await,
        Err(DEADLOCK)
    );
    assert_eq!(seen_by_now(&mut conn, "after").await, 1, "it is over");
    assert_eq!(number(&mut conn, "SET time_zone = '+01:00'").await, Ok(()));
    assert_eq!(number(&mut conn, &write("own")).await, Ok(()));
    assert_eq!(seen(&mut conn, "own").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn p1_a_transaction_on_the_old_writer_shows_nothing_that_it_has_not_read_yet() {
    let stage = Stage::new().await;
    let (mut conn, mut other) = (stage.client().await, stage.client().await);
    until_written(&mut conn, "before").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    let mut reading = stage.client().await;
    reading.query_drop("BEGIN").await.unwrap();
    assert_eq!(seen(&mut reading, "before").await, 1);
    conn.query_drop("BEGIN").await.unwrap();
    let switched = stage.lab.switch_over(stage.member(0), stage.member(1));
    switched.await.unwrap();
    until_written(&mut other, "after").await;
    let read = "SELECT COUNT(*) FROM app.kept";
    assert_eq!(number(&mut conn, read).await, Err(DEADLOCK));
    // It was rolled back, and the next one runs where it can.
    conn.query_drop("BEGIN").await.unwrap();
    assert_eq!(seen(&mut conn, "before").await, 1);
    conn.query_drop("COMMIT").await.unwrap();
    // What has read already shows what it had.
    assert_eq!(seen(&mut reading, "after").await, 0);
    assert_eq!(number(&mut reading, "COMMIT").await, Ok(()));
    until_written(&mut reading, "in the end").await;
    stage.end().await;
}
