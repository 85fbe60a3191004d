//! What `strong` asks the writer, and how often.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use tidegate::lab::Flavour;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::stage::{LIMIT, Stage, number, until_written, write};
use crate::support;

/// Counts a row.
fn strong(what: &str) -> String {
    format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}' /* tidegate: level=strong */")
}

#[tokio::test]
async fn p1_a_strong_read_is_refused_by_who_was_the_writer_and_sees_all_of_who_is() {
    let stage = Stage::new().await;
    let (old, new) = (stage.member(0), stage.member(1));
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    let seen: Option<u64> = conn.query_first(strong("before")).await.unwrap();
    assert_eq!(seen, Some(1));
    old.demote().await.unwrap();
    // Tidegate asks after the read has arrived, so it needs no luck to notice.
    assert_eq!(number(&mut conn, &strong("before")).await, Err(1836));
    stage.lab.switch_over(old, new).await.unwrap();
    new.execute([write("past Tidegate")]).await.unwrap();
    let since = std::time::Instant::now();
    let seen: Option<u64> = loop {
        match conn.query_first(strong("past Tidegate")).await {
            Ok(seen) => break seen,
            Err(error) => assert!(since.elapsed() < LIMIT, "{error}"),
        }
    };
    assert_eq!(seen, Some(1));
    stage.end().await;
}

#[tokio::test]
async fn p1_strong_reads_that_come_together_share_one_question_to_the_writer() {
    const CLIENTS: usize = 40;
    const READS: u64 = 25;
    if support::skips(Flavour::MySql, "it counts by MySQL's performance schema") {
        return;
    }
    let stage = Stage::new().await;
    let mut first = stage.client().await;
    until_written(&mut first, "one").await;
    // How often the writer was asked what it has executed, by whatever name.
    let asked = async || -> u64 {
        let sum = "SELECT CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) \
                   FROM performance_schema.events_statements_summary_by_digest \
                   WHERE DIGEST_TEXT LIKE '%@@%gtid_executed%'";
        let row = stage.member(0).row(sum).await.unwrap();
        row.and_then(|row| row.get(0)).unwrap()
    };
    let mut clients = JoinSet::new();
    let together = Arc::new(Barrier::new(CLIENTS));
    let mut conns = Vec::new();
    for _ in 0..CLIENTS {
        conns.push(stage.client().await);
    }
    let before = asked().await;
    for mut conn in conns {
        let together = Arc::clone(&together);
        clients.spawn(async move {
            for _ in 0..READS {
                together.wait().await;
                let seen: Option<u64> = conn.query_first(strong("one")).await.unwrap();
                assert_eq!(seen, Some(1));
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let (reads, questions) = (CLIENTS as u64 * READS, asked().await - before);
    println!("{reads} strong reads, {questions} questions");
    assert!(
        questions >= READS,
        "each round has to ask anew: {questions}"
    );
    assert!(questions < reads / 2, "hardly any is shared: {questions}");
    stage.end().await;
}
