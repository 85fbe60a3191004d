//! What only a reader has.

use std::time::Instant;

use mysql_async::prelude::Queryable;
use tidegate::lab::Flavour;

use crate::stage::{LIMIT, Stage, served_by, until_served_by, until_written, write};
use crate::support;

#[tokio::test]
async fn p2_what_only_a_reader_has_is_shown_and_holds_nobody_up_who_saw_it() {
    if support::skips(
        Flavour::MySql,
        "in strict mode a MariaDB stops replicating there",
    ) {
        return;
    }
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    let sample = "tidegate_errant_gtids{backend=\"r2\"}";
    assert_eq!(stage.metric(sample), 0.0);
    let errant = [
        "SET GLOBAL super_read_only = OFF",
        &write("errant"),
        &write("errant too"),
        "SET GLOBAL super_read_only = ON",
    ];
    // Still read only for everybody but root, so that nobody takes it for the writer.
    stage.member(2).execute(errant).await.unwrap();
    let since = Instant::now();
    while stage.metric(sample) != 2.0 {
        assert!(since.elapsed() < LIMIT, "{} errant", stage.metric(sample));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(stage.metric("tidegate_errant_gtids{backend=\"r1\"}"), 0.0);
    // Who has seen them there reads on elsewhere.
    let mut fresh = stage.client().await;
    while served_by(&mut fresh).await != "r2" {
        assert!(since.elapsed() < LIMIT, "r2 answers nobody");
        fresh = stage.client().await;
    }
    let seen: Option<u64> = fresh
        .query_first("SELECT COUNT(*) FROM app.kept WHERE what LIKE 'errant%'")
        .await
        .unwrap();
    assert_eq!(seen, Some(2));
    stage.member(2).kill9().await.unwrap();
    until_served_by(&mut fresh, "r1").await;
    stage.end().await;
}
