//! Reload after reload under load: no statement fails, and no read is stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mysql_async::prelude::Queryable;

use crate::stage::Stage;
use crate::wire;

/// So many configurations follow each other.
const RELOADS: u32 = 120;

/// Writes and reads back until it is told to stop; returns how often.
async fn load(mut conn: mysql_async::Conn, id: u32, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    let mut value = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        value += 1;
        let write = format!("UPDATE app.storm SET v = {value} WHERE id = {id}");
        conn.query_drop(write).await.expect("a write");
        let read = format!("SELECT v FROM app.storm WHERE id = {id}");
        for _ in 0..3 {
            let seen: Option<u64> = conn.query_first(&read).await.expect("a read");
            assert_eq!(seen, Some(value), "p1: a stale read");
        }
        let seen: Option<u64> = conn.exec_first(&read, ()).await.expect("a prepared read");
        assert_eq!(seen, Some(value), "p1: a stale read");
        done.fetch_add(5, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn p1_no_statement_fails_and_none_is_stale_while_backends_come_and_go() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.storm",
            "CREATE TABLE app.storm (id INT PRIMARY KEY, v BIGINT)",
            "INSERT INTO app.storm VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)",
        ])
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for id in 0..6 {
        let conn = stage.client().await;
        clients.push(tokio::spawn(load(
            conn,
            id,
            Arc::clone(&stop),
            Arc::clone(&done),
        )));
    }
    for round in 0..RELOADS {
        let mut config = wire::config(&stage.lab);
        match round % 4 {
            0 => config.backend.backends.truncate(2),
            1 => drop(config.backend.backends.remove(1)),
            2 => config.backend.backends[1].weight = round,
            _ => {}
        }
        config.session.fallback_reads = 100 + usize::try_from(round).unwrap();
        stage.running.take_up(config).await.unwrap();
        // Some work between two of them, so that each meets another moment.
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < before + 40 {
            assert!(
                clients.iter().all(|client| !client.is_finished()),
                "a client has failed"
            );
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client has failed");
    }
    let text = stage.running.metrics.render();
    let alarms = text
        .lines()
        .filter(|line| line.starts_with("tidegate_consistency_alarms_total"));
    assert!(alarms.clone().all(|line| line.ends_with(" 0")), "{text}");
    println!(
        "{RELOADS} reloads under {} statements",
        done.load(Ordering::Relaxed)
    );
    stage.end().await;
}
