//! Readers that lag: what operators see of them, and what becomes of the reads on them.

use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, back_on_a_reader, on_a_reader, reads_until, served_by};

/// Waits until the metrics hold this line.
async fn shows(stage: &Stage, line: &str) {
    let looking = async {
        while !stage.running.metrics.render().contains(line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = tokio::time::timeout(LIMIT, looking).await;
    assert!(seen.is_ok(), "{line}: {}", stage.running.metrics.render());
}

#[tokio::test]
async fn a_stopped_applier_is_told_from_a_delayed_one() {
    let stage = Stage::new().await;
    let [one, two] = stage.lab.readers() else {
        panic!("two readers");
    };
    let line = |backend: &str, thread: &str, runs| {
        format!(
            "tidegate_replication_running{{backend=\"{backend}\",thread=\"{thread}\"}} {runs}\n"
        )
    };
    one.stop_applier().await.unwrap();
    two.set_delay(2).await.unwrap();
    shows(&stage, &line("r1", "applier", 0)).await;
    shows(&stage, &line("r1", "receiver", 1)).await;
    shows(&stage, &line("r2", "applier", 1)).await;
    shows(&stage, "tidegate_source_delay_seconds{backend=\"r2\"} 2\n").await;
    let mut conn = stage.client().await;
    let explain = "/* tidegate: explain */ SELECT v FROM app.whoami";
    let rows: Vec<(String, String)> = conn.query(explain).await.unwrap();
    let of = |name: &str| rows.iter().find(|row| row.0 == name).unwrap().1.clone();
    assert!(of("backend r1").contains("applier stopped"), "{rows:?}");
    assert!(
        of("backend r2").contains("2 s behind on purpose"),
        "{rows:?}"
    );
    one.start_applier().await.unwrap();
    shows(&stage, &line("r1", "applier", 1)).await;
    stage.end().await;
}

#[tokio::test]
async fn p6_a_reader_beyond_its_max_lag_ends_what_it_runs_and_comes_back() {
    let stage = Stage::with(|config| {
        for backend in &mut config.backend.backends {
            backend.max_lag = backend.max_lag.map(|_| Duration::from_millis(600));
        }
    })
    .await;
    let mut running = stage.client().await;
    let mut inside = stage.client().await;
    let mut conn = stage.client().await;
    let reader = on_a_reader(&mut inside).await;
    inside
        .query_drop("START TRANSACTION READ ONLY")
        .await
        .unwrap();
    assert_eq!(served_by(&mut inside).await, reader);
    let before = on_a_reader(&mut running).await;
    let slow = tokio::spawn(async move {
        let sql = "SELECT name FROM app.whoami WHERE SLEEP(2) = 0";
        let name: Option<String> = running.query_first(sql).await.unwrap();
        name
    });
    stage.freeze().await;
    let stamp = "CREATE TABLE IF NOT EXISTS app.stamps (id INT PRIMARY KEY AUTO_INCREMENT)";
    let writer = stage.lab.writer();
    writer
        .execute([stamp, "INSERT INTO app.stamps VALUES ()"])
        .await
        .unwrap();
    reads_until(&mut conn, "the lag", |name| name == "w1").await;
    assert_eq!(
        served_by(&mut inside).await,
        reader,
        "a transaction goes on"
    );
    assert_eq!(slow.await.unwrap(), Some(before), "so does a read");
    let metrics = stage.running.metrics.render();
    assert!(metrics.contains("reason=\"readers_lag\""), "{metrics}");
    stage.thaw().await;
    back_on_a_reader(&mut conn, "the lag").await;
    stage.end().await;
}
