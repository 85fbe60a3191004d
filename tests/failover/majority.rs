//! A group that loses its majority: nobody can commit, and whoever is left may be behind the rest.

use std::time::Instant;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::Flavour;

use crate::group::form_group;
use crate::stage::{LIMIT, Stage, number, until_written, write};
use crate::support;

/// Who answers, at a level, or the error.
async fn answers(conn: &mut Conn, level: &str) -> Result<String, u16> {
    let sql = format!("SELECT name FROM app.whoami /* tidegate: level={level} */");
    match conn.query_first(sql).await {
        Ok(name) => Ok(name.expect("a row")),
        Err(mysql_async::Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{error}"),
    }
}

async fn until_writer(stage: &Stage, name: &str, value: f64) {
    let sample = format!("tidegate_backend_writer{{backend=\"{name}\"}}");
    let since = Instant::now();
    while stage.metric(&sample) != value {
        assert!(since.elapsed() < LIMIT, "{sample} is not {value}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn p1_p5_a_group_without_its_majority_takes_no_writes_and_its_reads_go_on_by_level() {
    if support::skips(Flavour::MySql, "group replication is MySQL's") {
        return;
    }
    let stage = Stage::before(form_group().await, |_| {}).await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());

    // The primary is alone. It would take writes, and none of them would ever end.
    for other in [1, 2] {
        stage.member(other).pause().await.unwrap();
    }
    until_writer(&stage, "w1", 0.0).await;
    for _ in 0..10 {
        assert_eq!(number(&mut conn, &write("in vain")).await, Err(1836));
    }
    for other in [1, 2] {
        stage.member(other).resume().await.unwrap();
    }
    until_written(&mut conn, "between").await;
    assert_eq!(stage.count(0, "in vain").await, 0);
    assert!(stage.lab.settle(LIMIT).await.unwrap());

    // A reader is alone, and nobody can tell it what the others have.
    let mut fresh = stage.client().await;
    for other in [0, 2] {
        stage.member(other).pause().await.unwrap();
    }
    until_writer(&stage, "w1", 0.0).await;
    assert_eq!(number(&mut conn, &write("in vain")).await, Err(1836));
    assert_eq!(answers(&mut fresh, "eventual").await, Ok("r1".to_owned()));
    assert_eq!(answers(&mut fresh, "session").await, Ok("r1".to_owned()));
    assert!(answers(&mut fresh, "strong").await.is_err());
    assert!(answers(&mut fresh, "writer").await.is_err());
    for other in [0, 2] {
        stage.member(other).resume().await.unwrap();
    }
    until_written(&mut conn, "after").await;
    for what in ["before", "between", "after"] {
        let sql = format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}'");
        let seen: Option<u64> = conn.query_first(sql).await.unwrap();
        assert_eq!(seen, Some(1), "{what}");
    }
    drop((conn, fresh));
    stage.end().await;
}
