//! Writes that wait for a switchover to end.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tidegate::config::Config;

use crate::stage::{LIMIT, Stage, number, until_refused, until_written, write};

fn holds(config: &mut Config) {
    config.session.hold.time = Duration::from_secs(10);
}

#[tokio::test]
async fn p4_autocommit_writes_see_nothing_of_a_planned_switchover() {
    let stage = Stage::with(holds).await;
    let mut writers = Vec::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    for session in 0..4 {
        let mut conn = stage.client().await;
        let stopped = stopped.clone();
        writers.push(tokio::spawn(async move {
            let mut written = Vec::new();
            while !*stopped.borrow() {
                let what = format!("{session}-{}", written.len());
                number(&mut conn, &write(&what))
                    .await
                    .expect("held, not refused");
                written.push(what);
            }
            written
        }));
    }
    for round in 0..4 {
        let (from, to) = (stage.member(round % 2), stage.member((round + 1) % 2));
        stage.lab.switch_over(from, to).await.unwrap();
    }
    stop.send(true).unwrap();
    let mut total = 0;
    for writer in writers {
        let written = tokio::time::timeout(LIMIT, writer).await.unwrap().unwrap();
        total += written.len();
        for what in written {
            assert_eq!(stage.count(0, &what).await, 1, "{what}");
        }
    }
    let row = stage
        .member(0)
        .row("SELECT COUNT(*) FROM app.kept")
        .await
        .unwrap();
    assert_eq!(row.and_then(|row| row.get::<usize, _>(0)), Some(total));
    assert!(stage.metric("tidegate_held_writes_total") >= 1.0);
    stage.end().await;
}

#[tokio::test]
async fn a_held_write_gets_the_error_once_its_time_is_over() {
    let stage = Stage::with(|config| config.session.hold.time = Duration::from_millis(300)).await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    stage.member(0).demote().await.unwrap();
    until_refused(&mut conn, "demoted", stage_error()).await;
    let since = std::time::Instant::now();
    assert!(number(&mut conn, &write("late")).await.is_err());
    assert!(since.elapsed() >= Duration::from_millis(300));
    assert_eq!(stage.metric("tidegate_held_writes "), 0.0);
    stage
        .member(0)
        .execute(["SET GLOBAL read_only = OFF"])
        .await
        .unwrap();
    until_written(&mut conn, "after").await;
    assert_eq!(stage.count(0, "late").await, 0);
    stage.end().await;
}

/// What a write gets while nobody takes any.
fn stage_error() -> u16 {
    1836
}

#[tokio::test]
async fn p9_no_more_writes_are_held_than_may_be() {
    let stage = Stage::with(|config| {
        holds(config);
        config.session.hold.statements = 1;
    })
    .await;
    let mut one = stage.client().await;
    let mut two = stage.client().await;
    until_written(&mut one, "one").await;
    until_written(&mut two, "two").await;
    stage.member(0).demote().await.unwrap();
    let held = tokio::spawn(async move { number(&mut one, &write("held")).await });
    while stage.metric("tidegate_held_writes ") < 1.0 {
        tokio::task::yield_now().await;
    }
    until_refused(&mut two, "the other is held", 1836).await;
    stage
        .member(0)
        .execute(["SET GLOBAL read_only = OFF"])
        .await
        .unwrap();
    held.await.unwrap().expect("held until there is a writer");
    assert_eq!(stage.count(0, "held").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn a_transaction_whose_writer_is_demoted_gets_the_error_on_which_drivers_retry() {
    let stage = Stage::with(holds).await;
    let mut conn = stage.client().await;
    conn.query_drop("BEGIN").await.unwrap();
    number(&mut conn, &write("in vain")).await.unwrap();
    let (demoting, mut ending) = (stage.member(0), stage.client().await);
    until_written(&mut ending, "other").await;
    demoting.demote().await.unwrap();
    let lost = match conn.query_drop("COMMIT").await {
        Err(mysql_async::Error::Server(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!((lost.code, lost.state.as_str()), (1213, "40001"));
    stage
        .lab
        .switch_over(stage.member(0), stage.member(1))
        .await
        .unwrap();
    // The same connection goes on.
    conn.query_drop("BEGIN").await.unwrap();
    number(&mut conn, &write("again")).await.unwrap();
    conn.query_drop("COMMIT").await.unwrap();
    assert_eq!(stage.count(1, "in vain").await, 0);
    assert_eq!(stage.count(1, "again").await, 1);
    stage.end().await;
}
