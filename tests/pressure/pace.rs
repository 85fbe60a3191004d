//! When the system lets the threads run that serve sessions.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;

use crate::stage::Stage;
use crate::until;

/// As `/proc` gives `SCHED_BATCH`.
const BATCH: &str = "3";

/// The policies of the threads that serve sessions (proc(5), stat).
fn policies() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    let of_worker = |entry: fs::DirEntry| {
        // Threads come and go.
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(") ")?;
        let policy = rest.split(' ').nth(38)?;
        name.contains("(worker-").then(|| policy.to_owned())
    };
    tasks.filter_map(|entry| of_worker(entry.ok()?)).collect()
}

#[tokio::test]
async fn threads_wait_for_their_turn_while_they_serve_many() {
    let stage = Stage::new().await;
    for statement in ["DO SLEEP(0.01)", "SET @slept = SLEEP(0.01)"] {
        of_many(&stage, statement).await;
    }
    stage.end().await;
}

/// A reader's, or the writer's.
async fn of_many(stage: &Stage, statement: &'static str) {
    let over = Arc::new(AtomicBool::new(false));
    let mut crowd = Vec::new();
    for _ in 0..16 {
        let mut conn = stage.client().await;
        let over = Arc::clone(&over);
        crowd.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                conn.query_drop(statement).await.expect("an answer");
            }
        }));
    }
    until("a thread waits for its turn", async || {
        policies().iter().any(|policy| policy == BATCH)
    })
    .await;
    over.store(true, Ordering::Relaxed);
    for client in crowd {
        client.await.expect("it ends well");
    }
    until("with nobody left each runs at once", async || {
        policies().iter().all(|policy| policy != BATCH)
    })
    .await;
}
