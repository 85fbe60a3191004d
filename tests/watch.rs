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

use std::time::Duration;

use tidegate::backend::watch::Watch;
use tidegate::gtid::Set;
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
