//! What is known of real backends.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;
mod wire;

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tidegate::backend::watch::{ThreadEnd, Watch};
use tidegate::gtid::Set;
use tidegate::lab::Flavour;
use tidegate::routing::Snapshot;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for a snapshot like this.
async fn until(watch: &Watch, what: &str, holds: impl Fn(&Snapshot) -> bool) {
    let mut changes = watch.changes();
    let waiting = async {
        while !holds(&watch.snapshot()) {
            changes.changed().await.expect("the watch lives");
        }
    };
    let ended = tokio::time::timeout(LIMIT, waiting).await;
    assert!(
        ended.is_ok(),
        "never: {what}; last: {:#?}",
        watch.snapshot()
    );
}

fn all_up(snapshot: &Snapshot) -> bool {
    snapshot
        .backends
        .iter()
        .all(|view| view.up && view.watermark.is_some())
}

#[tokio::test]
async fn p7_what_a_reader_has_is_known_once_it_has_it_and_not_before() {
    let lab = support::lab_alone().await;
    let watch = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&watch, "all up", all_up).await;
    let snapshot = watch.snapshot();
    assert!(snapshot.backends[0].writable && !snapshot.backends[1].writable);
    lab.readers()[0].stop_applier().await.unwrap();
    lab.writer()
        .execute(["CREATE TABLE app.watched (id INT)"])
        .await
        .unwrap();
    let written = Set::parse(&lab.writer().executed().await.unwrap()).unwrap();
    until(&watch, "the writer has it", |s| {
        s.backends[0].has_executed(&written)
    })
    .await;
    until(&watch, "the other reader has it", |s| {
        s.backends[2].has_executed(&written)
    })
    .await;
    assert!(!watch.snapshot().backends[1].has_executed(&written));
    lab.readers()[0].start_applier().await.unwrap();
    until(&watch, "the reader has it", |s| {
        s.backends[1].has_executed(&written)
    })
    .await;
    assert!(
        lab.readers()[0]
            .row("SELECT 1 FROM app.watched")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn p1_a_restart_drops_what_was_known_and_begins_another_life() {
    let lab = support::lab_alone().await;
    let watch = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&watch, "all up", all_up).await;
    let before = watch.snapshot().backends[1].incarnation.unwrap();
    lab.readers()[0].kill9().await.unwrap();
    until(&watch, "down", |s| {
        !s.backends[1].up && s.backends[1].watermark.is_none()
    })
    .await;
    lab.readers()[0].restart().await.unwrap();
    until(&watch, "up again", all_up).await;
    let after = watch.snapshot().backends[1].incarnation.unwrap();
    assert_eq!(before.server_uuid, after.server_uuid);
    assert!(after.epoch > before.epoch);
}

#[tokio::test]
async fn the_writers_reading_functions_are_learned_where_the_account_may_see_them() {
    let lab = support::lab_alone().await;
    let may_see = match support::flavour() {
        Flavour::MySql => "SHOW_ROUTINE ON *.*",
        Flavour::MariaDb => "SELECT ON mysql.proc",
    };
    let statements = [
        "DROP FUNCTION IF EXISTS app.reading",
        "DROP FUNCTION IF EXISTS app.lying",
        "CREATE FUNCTION app.reading() RETURNS INT READS SQL DATA \
         RETURN (SELECT COUNT(*) FROM app.numbers)",
        "CREATE FUNCTION app.lying() RETURNS INT READS SQL DATA \
         BEGIN INSERT INTO app.numbers VALUES (1); RETURN 1; END",
        &format!("GRANT {may_see} TO tidegate"),
    ];
    lab.writer().execute(statements).await.unwrap();
    let watch = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&watch, "learned", |s| {
        s.routines.reads_only(Some("app"), "reading")
    })
    .await;
    let snapshot = watch.snapshot();
    assert!(snapshot.routines.reads_only(None, "app.reading"));
    assert!(!snapshot.routines.reads_only(Some("app"), "lying"));
    lab.writer()
        .execute([format!("REVOKE {may_see} FROM tidegate")])
        .await
        .unwrap();
    let blind = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&blind, "all up", all_up).await;
    assert!(!blind.snapshot().routines.reads_only(Some("app"), "reading"));
}

#[tokio::test]
async fn a_wait_ends_when_the_reader_has_it_and_all_waiters_share_one_connection() {
    let lab = support::lab_alone().await;
    let reader = &lab.readers()[0];
    reader.set_delay(0).await.unwrap();
    let watch = std::sync::Arc::new(Watch::start(&wire::config(&lab).backend, Box::new(|_| {})));
    until(&watch, "all up", all_up).await;
    reader.stop_applier().await.unwrap();
    let statements = [
        "CREATE TABLE IF NOT EXISTS app.awaited (id INT)",
        "INSERT INTO app.awaited VALUES (1)",
    ];
    lab.writer().execute(statements).await.unwrap();
    let token = Set::parse(&lab.writer().executed().await.unwrap()).unwrap();
    let place = watch.snapshot().backends[1].place().expect("up");
    // Nobody waits beyond the time that it may.
    watch
        .wait(
            place,
            &token,
            false,
            Instant::now() + Duration::from_millis(50),
        )
        .await;
    assert!(!watch.snapshot().backends[1].has_executed(&token));
    let mut waiters = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (watch, token) = (std::sync::Arc::clone(&watch), token.clone());
        waiters.spawn(async move {
            watch
                .wait(place, &token, false, Instant::now() + LIMIT)
                .await
        });
    }
    while watch.waiting(place.backend) < 200 {
        tokio::task::yield_now().await;
    }
    let connections = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'tidegate'";
    let counted = reader.row(connections).await.unwrap().unwrap();
    // The monitor's, and the watcher's.
    assert!(counted.get::<u64, _>(0).unwrap() <= 2);
    reader.start_applier().await.unwrap();
    let all = async { while waiters.join_next().await.is_some() {} };
    tokio::time::timeout(LIMIT, all)
        .await
        .expect("all are told");
    assert!(watch.snapshot().backends[1].has_executed(&token));
    assert_eq!(watch.waiting(place.backend), 0);
}

#[tokio::test]
async fn a_wait_ends_with_the_life_of_its_reader() {
    let lab = support::lab_alone().await;
    let watch = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&watch, "all up", all_up).await;
    let place = watch.snapshot().backends[1].place().expect("up");
    let never = Set::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1").unwrap();
    let waiting = watch.wait(place, &never, false, Instant::now() + LIMIT);
    let killing = async {
        while watch.waiting(place.backend) == 0 {
            tokio::task::yield_now().await;
        }
        lab.readers()[0].kill9().await.unwrap();
    };
    let both = async { tokio::join!(waiting, killing) };
    tokio::time::timeout(LIMIT / 2, both)
        .await
        .expect("long before its own end");
}

#[tokio::test]
async fn p7_a_lost_thread_is_gone_when_the_writer_no_longer_has_it() {
    let lab = support::lab_alone().await;
    let watch = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&watch, "all up", all_up).await;
    let mut conn = lab.writer().conn().await.unwrap();
    let thread = u64::from(conn.id());
    let connected = Instant::now();
    let writer = tidegate::routing::BackendId(0);
    let asked = watch.thread_gone(writer, thread, connected);
    let soon = tokio::time::timeout(Duration::from_millis(300), asked).await;
    assert!(soon.is_err(), "it is still there: {soon:?}");
    conn.query_drop("DO 1").await.unwrap();
    drop(conn);
    let end = tokio::time::timeout(LIMIT, watch.thread_gone(writer, thread, connected)).await;
    assert_eq!(end.expect("told"), ThreadEnd::ThreadGone);
    lab.writer().kill9().await.unwrap();
    lab.writer().restart().await.unwrap();
    let end = tokio::time::timeout(LIMIT, watch.thread_gone(writer, 1 << 40, connected)).await;
    // Both are true now, and either is proof.
    assert_ne!(end.expect("told"), ThreadEnd::Unproven);
}

#[tokio::test]
async fn a_stopped_applier_is_predicted_to_take_ever_longer() {
    let lab = support::lab_alone().await;
    let reader = &lab.readers()[0];
    reader.set_delay(0).await.unwrap();
    let watch = Watch::start(&wire::config(&lab).backend, Box::new(|_| {}));
    until(&watch, "all up", all_up).await;
    reader.stop_applier().await.unwrap();
    let statements = ["CREATE TABLE IF NOT EXISTS app.stuck (id INT)"];
    lab.writer().execute(statements).await.unwrap();
    // The reader says the same again and again, and that is what shows it.
    until(&watch, "it is known to be slow", |s| {
        let lag = s.backends[1].lag;
        lag.is_some_and(|lag| lag.behind > Duration::from_secs(2))
    })
    .await;
    reader.start_applier().await.unwrap();
}
