//! Switchovers and failovers that others do.

use mysql_async::prelude::Queryable;

use crate::stage::{
    Stage, number, served_by, until_refused, until_served_by, until_written, write,
};

#[tokio::test]
async fn p5_a_planned_switchover_is_followed_on_the_same_client_connection() {
    let stage = Stage::new().await;
    let (old, new) = (stage.member(0), stage.member(1));
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    assert_eq!(stage.metric("tidegate_backend_writer{backend=\"w1\"}"), 1.0);
    for round in 0..2 {
        let (from, to) = if round == 0 { (old, new) } else { (new, old) };
        stage.lab.switch_over(from, to).await.unwrap();
        let took = until_written(&mut conn, &format!("after {round}")).await;
        println!("switchover {round}: written after {took:.1?}");
        // A session always reads its own writes.
        let count: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM app.kept WHERE what <> ''")
            .await
            .unwrap();
        assert_eq!(count, Some(2 + round));
    }
    assert_eq!(stage.metric("tidegate_backend_writer{backend=\"w1\"}"), 1.0);
    assert_eq!(stage.metric("tidegate_backend_writer{backend=\"r1\"}"), 0.0);
    assert_eq!(stage.metric("tidegate_writer_changes_total"), 2.0);
    stage.end().await;
}

#[tokio::test]
async fn the_old_writer_answers_reads_once_it_is_a_reader() {
    let stage = Stage::new().await;
    stage
        .lab
        .switch_over(stage.member(0), stage.member(1))
        .await
        .unwrap();
    let mut conn = stage.client().await;
    until_written(&mut conn, "one").await;
    // Only the old writer is left to read from.
    stage.member(2).kill9().await.unwrap();
    until_served_by(&mut conn, "w1").await;
    let mut fresh = stage.client().await;
    until_served_by(&mut fresh, "w1").await;
    stage.end().await;
}

#[tokio::test]
async fn p5_after_a_crash_the_promoted_one_is_followed_and_nothing_runs_twice() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let mut idle = stage.client().await;
    until_written(&mut conn, "before").await;
    assert!(stage.lab.settle(crate::stage::LIMIT).await.unwrap());
    stage.member(0).kill9().await.unwrap();
    assert!(number(&mut conn, &write("none")).await.is_err());
    stage.member(1).promote().await.unwrap();
    let took = until_written(&mut conn, "after").await;
    println!("failover: written after {took:.1?}");
    until_written(&mut idle, "idle").await;
    for (what, times) in [("before", 1), ("none", 0), ("after", 1), ("idle", 1)] {
        assert_eq!(stage.count(1, what).await, times, "{what}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p5_of_two_that_take_writes_the_last_writer_keeps_them_while_the_other_one_follows_it() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    // It takes writes and still follows the writer: that one goes on.
    stage
        .member(2)
        .execute(["SET GLOBAL read_only = OFF"])
        .await
        .unwrap();
    for number_of in 0..20 {
        let what = format!("sloppy {number_of}");
        number(&mut conn, &write(&what)).await.unwrap();
    }
    // Promoted, and nobody has fenced the old one, from which the sloppy one still receives.
    stage.member(1).promote().await.unwrap();
    until_metric(&stage, "tidegate_rival_writers", 1.0).await;
    for number_of in 0..20 {
        let what = format!("contested {number_of}");
        number(&mut conn, &write(&what)).await.unwrap();
        assert_eq!(stage.count(0, &what).await, 1);
    }
    assert_eq!(stage.metric("tidegate_backend_writer{backend=\"w1\"}"), 1.0);
    stage
        .member(2)
        .execute(["STOP REPLICA IO_THREAD"])
        .await
        .unwrap();
    until_refused(&mut conn, "two writers", 1836).await;
    assert_eq!(stage.metric("tidegate_rival_writers"), 1.0);
    for _ in 0..20 {
        assert_eq!(number(&mut conn, &write("rival")).await, Err(1836));
    }
    // Reads go on, of those that do not have to ask the writer first.
    served_by(&mut stage.client().await).await;
    stage.member(0).demote().await.unwrap();
    until_written(&mut conn, "again").await;
    assert_eq!(stage.metric("tidegate_rival_writers"), 0.0);
    assert_eq!(stage.count(1, "again").await, 1);
    assert_eq!(stage.count(0, "again").await, 0);
    assert_eq!(stage.count(1, "rival").await, 0);
    stage.end().await;
}

#[tokio::test]
async fn a_session_with_state_on_the_old_writer_ends_with_an_error_that_says_so() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    conn.query_drop("CREATE TEMPORARY TABLE app.mine (id INT)")
        .await
        .unwrap();
    stage
        .lab
        .switch_over(stage.member(0), stage.member(1))
        .await
        .unwrap();
    let mut other = stage.client().await;
    until_written(&mut other, "other").await;
    let lost = conn.query_drop("INSERT INTO app.mine VALUES (1)").await;
    assert!(lost.is_err());
    assert!(
        conn.query_drop("DO 1").await.is_err(),
        "the state is gone, so is the session"
    );
    stage.end().await;
}

#[tokio::test]
async fn p3_last_insert_id_goes_along() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let table = "CREATE TABLE app.counted (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 7";
    conn.query_drop(table).await.unwrap();
    conn.query_drop("INSERT INTO app.counted VALUES ()")
        .await
        .unwrap();
    stage
        .lab
        .switch_over(stage.member(0), stage.member(1))
        .await
        .unwrap();
    until_written(&mut conn, "after").await;
    let id: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
    assert_eq!(id, Some(7));
    stage.end().await;
}

async fn until_metric(stage: &Stage, sample: &str, value: f64) {
    let since = std::time::Instant::now();
    while (stage.metric(sample) - value).abs() > f64::EPSILON {
        assert!(since.elapsed() < crate::stage::LIMIT, "{sample}");
        tokio::task::yield_now().await;
    }
}
