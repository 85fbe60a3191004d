//! Writes that wait for a switchover to end.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::config::Config;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, number, until_refused, until_written, write};

fn holds(config: &mut Config) {
    config.session.hold.time = Duration::from_secs(10);
}

/// What one client has written, and the longest that one of its writes has taken.
#[derive(Default)]
struct Written {
    names: Vec<String>,
    longest: Duration,
}

/// Writes under names of its own, and reads each back at once.
async fn keep_writing(mut conn: Conn, session: u32, stopped: watch::Receiver<bool>) -> Written {
    let mut written = Written::default();
    while !*stopped.borrow() {
        let what = format!("{session}-{}", written.names.len());
        let since = Instant::now();
        conn.query_drop(write(&what))
            .await
            .expect("held, not refused");
        written.longest = written.longest.max(since.elapsed());
        let sql = format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}'");
        let count: Option<u64> = conn.query_first(sql).await.expect("a read");
        assert_eq!(count, Some(1), "{what} is not seen");
        written.names.push(what);
    }
    written
}

/// `TIDEGATE_SWITCHOVERS` says how many; an even number.
#[tokio::test]
async fn p1_p4_autocommit_writes_see_nothing_of_planned_switchovers_back_and_forth() {
    let asked = std::env::var("TIDEGATE_SWITCHOVERS").ok();
    let rounds: usize = asked.map_or(4, |asked| asked.parse().expect("a number"));
    let stage = Stage::with(holds).await;
    let mut writers = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    for session in 0..4 {
        let conn = stage.client().await;
        writers.spawn(keep_writing(conn, session, stopped.clone()));
    }
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let (from, to) = (stage.member(round % 2), stage.member((round + 1) % 2));
        let since = Instant::now();
        stage.lab.switch_over(from, to).await.unwrap();
        slowest = slowest.max(since.elapsed());
    }
    stop.send(true).unwrap();
    let (mut total, mut longest) = (0, Duration::ZERO);
    while let Some(writer) = timeout(LIMIT, writers.join_next()).await.unwrap() {
        let written = writer.unwrap();
        total += written.names.len();
        longest = longest.max(written.longest);
        for what in written.names {
            assert_eq!(stage.count(0, &what).await, 1, "{what}");
        }
    }
    let row = stage.member(0).row("SELECT COUNT(*) FROM app.kept").await;
    let there = row.unwrap().and_then(|row| row.get::<usize, _>(0));
    assert_eq!(there, Some(total));
    assert!(stage.metric("tidegate_held_writes_total") >= 1.0);
    println!(
        "{rounds} switchovers, the slowest took {slowest:.1?}: {total} writes, 0 lost, 0 doubled, 0 \
         refused, the longest took {longest:.1?}"
    );
    stage.end().await;
}

#[tokio::test]
async fn p4_a_write_that_can_not_be_sent_since_its_writer_has_died_runs_once_on_the_next() {
    let stage = Stage::with(holds).await;
    let mut sessions = Vec::new();
    for session in 0..4 {
        let mut conn = stage.client().await;
        until_written(&mut conn, &format!("before {session}")).await;
        sessions.push(conn);
    }
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    stage.member(0).kill9().await.unwrap();
    let mut writes = Vec::new();
    for (session, mut conn) in sessions.into_iter().enumerate() {
        let sql = write(&format!("held {session}"));
        writes.push(tokio::spawn(async move { number(&mut conn, &sql).await }));
    }
    while stage.metric("tidegate_held_writes ") < 4.0 {
        assert!(writes.iter().all(|it| !it.is_finished()), "not held");
        tokio::task::yield_now().await;
    }
    stage.member(1).promote().await.unwrap();
    for (session, written) in writes.into_iter().enumerate() {
        written.await.unwrap().expect("held, not refused");
        assert_eq!(stage.count(1, &format!("held {session}")).await, 1);
    }
    stage.end().await;
}

#[tokio::test]
async fn a_held_write_gets_the_error_once_its_time_is_over() {
    let stage = Stage::with(|config| config.session.hold.time = Duration::from_millis(300)).await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    stage.member(0).demote().await.unwrap();
    until_refused(&mut conn, "demoted", stage_error()).await;
    let since = Instant::now();
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
