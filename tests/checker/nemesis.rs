//! What goes wrong meanwhile: appliers stop and lag, connections are killed, readers die.

use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rand::Rng;
use rand::rngs::StdRng;
use tidegate::lab::{Cluster, Instance};
use tokio::sync::watch;

use crate::history::What;
use crate::record::Record;

/// Breaks things until it is told to end, then mends them.
pub(crate) async fn rage(
    lab: &Cluster,
    record: &Record,
    mut chance: StdRng,
    mut end: watch::Receiver<bool>,
) {
    let mut killed_a_reader = false;
    while !*end.borrow_and_update() {
        let reader = &lab.readers()[chance.random_range(0..lab.readers().len())];
        let deed = match chance.random_range(0..20) {
            0..5 => {
                reader.stop_applier().await.unwrap();
                "applier stopped"
            }
            5..10 => {
                reader.start_applier().await.unwrap();
                "applier started"
            }
            10..15 => kill_a_session(lab.writer(), &mut chance).await,
            15..18 => kill_a_session(reader, &mut chance).await,
            18 => {
                reader.set_delay(chance.random_range(0..2)).await.unwrap();
                "delay set"
            }
            _ if !killed_a_reader => {
                killed_a_reader = true;
                reader.kill9().await.unwrap();
                reader.restart().await.unwrap();
                "reader restarted"
            }
            _ => "nothing",
        };
        record.did(deed);
        // The chaos has a rhythm of its own; nobody waits for it.
        let pause = Duration::from_millis(chance.random_range(10..150));
        let _ = tokio::time::timeout(pause, end.wait_for(|end| *end)).await;
    }
    for reader in lab.readers() {
        reader.set_delay(0).await.unwrap();
    }
}

async fn kill_a_session(instance: &Instance, chance: &mut StdRng) -> &'static str {
    let mut conn = instance.conn().await.unwrap();
    // Rather those that are in the middle of something, best of all behind its effect. A
    // procedure runs under the name of who made it.
    let sessions = "SELECT id FROM information_schema.processlist \
                    WHERE (user LIKE 'checker%' OR user = 'app' OR info LIKE '%SLEEP%') \
                    AND id <> CONNECTION_ID() \
                    ORDER BY info LIKE '%SLEEP%' DESC, command <> 'Query' LIMIT 2";
    let ids: Vec<u64> = conn.query(sessions).await.unwrap();
    if ids.is_empty() {
        return "nobody to kill";
    }
    let id = ids[chance.random_range(0..ids.len())];
    // It may be gone by now.
    match conn.query_first::<Row, _>(format!("KILL {id}")).await {
        Ok(_) => "session killed",
        Err(_) => "session gone",
    }
}

/// Somebody who is no client of the proxy counts in rows that everybody reads.
pub(crate) async fn stranger(
    lab: &Cluster,
    record: &Record,
    rows: Vec<u32>,
    mut end: watch::Receiver<bool>,
) {
    let scope = record.new_scope();
    let mut conn = lab.writer().conn().await.unwrap();
    while !*end.borrow_and_update() {
        for row in &rows {
            let bump = format!(
                "INSERT INTO app.counters VALUES ({row}, 1) ON DUPLICATE KEY UPDATE v = v + 1"
            );
            let sent = record.now();
            conn.query_drop(bump).await.unwrap();
            record.add(scope, *row, sent, What::Bumped, "the stranger");
            // Readers on a slow disk have to keep up.
            let pause = Duration::from_millis(10);
            let _ = tokio::time::timeout(pause, end.wait_for(|end| *end)).await;
        }
    }
}
