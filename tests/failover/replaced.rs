//! A reader that is not what it was any more: its GTIDs are reset, it comes back from an old copy,
//! another server has its address, it was promoted.
//!
//! Where the monitor asks only once, it is the connections themselves that have to notice.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::config::Config;
use tidegate::lab::{Flavour, Instance};
use tidegate::routing::Scope;

use crate::network::Network;
use crate::stage::{LIMIT, Stage, fixed, number, served_by, until_served_by, write};
use crate::{support, wire};

/// Longer than any test.
const AGES: Duration = Duration::from_secs(3600);

/// How long reads wait for what never comes.
const BRIEFLY: Duration = Duration::from_millis(50);

/// All sessions of the account have to see what one of them has written.
fn together(config: &mut Config) {
    fixed(config);
    config.session.policy.scope = Scope::User;
    config.session.policy.wait = BRIEFLY;
}

/// The same, and nobody looks at the backends of his own accord.
fn unwatched(config: &mut Config) {
    together(config);
    // That a reader was once slow would never be put right by another look at it.
    config.session.policy.wait = LIMIT;
    config.backend.monitor.interval = AGES;
    // What a reader had at the start is all that the lag clock ever tells of it.
    config.session.policy.max_lag = AGES;
    for backend in &mut config.backend.backends[1..] {
        backend.max_lag = Some(AGES);
    }
}

async fn count(conn: &mut Conn, what: &str) -> u64 {
    let sql = format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}'");
    conn.query_first(sql).await.expect("a read").expect("a row")
}

/// Sessions that begin now see what was written, and none of them on this member.
async fn see_it_elsewhere(stage: &Stage, what: &str, not_on: &str) {
    for _ in 0..10 {
        let mut fresh = stage.silent_client().await;
        assert_eq!(count(&mut fresh, what).await, 1);
        assert_ne!(served_by(&mut fresh).await, not_on);
        assert_eq!(count(&mut fresh, what).await, 1);
    }
}

/// A write that the reader has, and shows to who wrote it. From then on nobody waits for long.
async fn written(stage: &Stage, what: &str, reader: &str) -> Conn {
    let mut conn = stage.client().await;
    number(&mut conn, &write(what)).await.unwrap();
    until_served_by(&mut conn, reader).await;
    assert_eq!(count(&mut conn, what).await, 1);
    stage
        .reload(|config| config.session.policy.wait = BRIEFLY)
        .await;
    conn
}

fn strangers(stage: &Stage) -> f64 {
    stage.metric("tidegate_errors_total{kind=\"backend_identity\"}")
}

fn alarms(stage: &Stage) -> f64 {
    stage.metric("tidegate_consistency_alarms_total{backend=\"r1\"}")
}

/// It forgets its GTIDs, and all that was written; nobody sends it anything any more.
async fn forgets_all(reader: &Instance) {
    let statements: &[&str] = match support::flavour() {
        Flavour::MySql => &[
            "STOP REPLICA",
            "SET GLOBAL super_read_only = OFF",
            "SET sql_log_bin = 0",
            "DELETE FROM app.kept",
            "RESET BINARY LOGS AND GTIDS",
            "SET GLOBAL super_read_only = ON",
        ],
        Flavour::MariaDb => &[
            "STOP REPLICA",
            "SET sql_log_bin = 0",
            "DELETE FROM app.kept",
            "RESET MASTER",
            "SET GLOBAL gtid_slave_pos = ''",
        ],
    };
    reader.execute(statements).await.unwrap();
}

#[tokio::test]
async fn p1_a_reader_whose_gtids_were_reset_serves_no_read_of_a_new_connection() {
    let stage = Stage::before(Stage::lab(1).await, unwatched).await;
    let _conn = written(&stage, "one", "r1").await;
    assert_eq!(strangers(&stage), 0.0);
    forgets_all(stage.member(1)).await;
    see_it_elsewhere(&stage, "one", "r1").await;
    assert!(strangers(&stage) >= 1.0, "nobody has looked who is there");
    stage.end().await;
}

#[tokio::test]
async fn p1_on_a_live_connection_the_first_answer_of_a_reader_whose_gtids_were_reset_is_an_alarm() {
    if support::skips(
        Flavour::MySql,
        "a MariaDB does not tell with each answer what it has executed",
    ) {
        return;
    }
    let stage = Stage::before(Stage::lab(1).await, unwatched).await;
    let mut conn = written(&stage, "one", "r1").await;
    assert_eq!(alarms(&stage), 0.0);
    forgets_all(stage.member(1)).await;
    assert_eq!(count(&mut conn, "one").await, 1, "from elsewhere");
    assert_eq!(alarms(&stage), 1.0);
    assert_ne!(served_by(&mut conn).await, "r1");
    stage.end().await;
}

#[tokio::test]
async fn p1_p2_a_reader_that_comes_back_from_an_old_copy_serves_no_read_before_it_has_caught_up() {
    let lab = Stage::lab(1).await;
    let reader = &lab.readers()[0];
    let nobodys = ["STOP REPLICA", "RESET REPLICA ALL"];
    reader.execute(nobodys).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("data");
    reader.kill9().await.unwrap();
    support::copy_tree(&reader.data(), &copied).await;
    reader.restart().await.unwrap();
    reader.follow_from_now(lab.writer()).await.unwrap();
    let stage = Stage::before(lab, together).await;
    let mut conn = written(&stage, "one", "r1").await;

    let reader = stage.member(1);
    reader.kill9().await.unwrap();
    std::fs::remove_dir_all(reader.data()).unwrap();
    support::copy_tree(&copied, &reader.data()).await;
    reader.restart().await.unwrap();
    let since = Instant::now();
    let up = "tidegate_backend_up{backend=\"r1\"}";
    while stage.metric(up) == 0.0 {
        assert!(since.elapsed() < LIMIT, "it is not met again");
        // The row was seen, and is never missing again.
        assert_eq!(count(&mut conn, "one").await, 1);
    }
    assert_eq!(stage.count(1, "one").await, 0, "the copy is old");
    see_it_elsewhere(&stage, "one", "r1").await;
    assert_eq!(count(&mut conn, "one").await, 1);
    assert_ne!(served_by(&mut conn).await, "r1");
    reader.follow_from_now(stage.member(0)).await.unwrap();
    until_served_by(&mut conn, "r1").await;
    assert_eq!(count(&mut conn, "one").await, 1);
    stage.end().await;
}

/// A writer and a reader whose address may lead to the third member, which is no backend.
async fn with_cables(change: fn(&mut Config)) -> (Stage, Network) {
    let lab = Stage::lab(2).await;
    let mut laid = wire::config(&lab);
    let network = Network::lay(&lab, &mut laid).await;
    laid.backend.backends.truncate(2);
    let backends = laid.backend.backends.into_iter();
    let addresses = backends.map(|it| it.address).collect();
    (Stage::reached_by(lab, addresses, change).await, network)
}

#[tokio::test]
async fn p1_another_server_under_a_readers_address_serves_no_read_on_the_word_of_that_one() {
    let (stage, network) = with_cables(unwatched).await;
    let other = stage.member(2);
    other.stop_applier().await.unwrap();
    let mut conn = written(&stage, "one", "r1").await;
    network.lead(1, other.port());
    // The monitor's connection still leads to the old one, and so does this session's.
    see_it_elsewhere(&stage, "one", "r2").await;
    assert!(strangers(&stage) >= 1.0, "nobody has looked who is there");
    assert_eq!(count(&mut conn, "one").await, 1);
    assert_eq!(alarms(&stage), 0.0, "nothing had to be thrown away");
    stage.end().await;
}

#[tokio::test]
async fn p1_p2_another_server_under_a_readers_address_serves_reads_once_it_has_what_was_seen() {
    let (stage, network) = with_cables(together).await;
    let other = stage.member(2);
    other.stop_applier().await.unwrap();
    let mut conn = written(&stage, "one", "r1").await;
    network.lead(1, other.port());
    network.reset(1);
    assert_eq!(count(&mut conn, "one").await, 1);
    see_it_elsewhere(&stage, "one", "r2").await;
    other.start_applier().await.unwrap();
    until_served_by(&mut conn, "r2").await;
    assert_eq!(count(&mut conn, "one").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn p1_a_connection_to_the_server_that_had_the_address_before_is_used_no_more() {
    let (stage, network) = with_cables(together).await;
    let mut conn = written(&stage, "one", "r1").await;
    let (old, new) = (stage.member(1), stage.member(2));
    old.stop_applier().await.unwrap();
    network.lead(1, new.port());
    let monitors = "SELECT id FROM information_schema.processlist WHERE user = 'tidegate'";
    while let Some(row) = old.row(monitors).await.unwrap() {
        let id: u64 = row.get(0).unwrap();
        // It may be gone by now.
        let _ = old.execute([format!("KILL {id}")]).await;
    }
    let mut fresh = stage.client().await;
    until_served_by(&mut fresh, "r2").await;
    number(&mut conn, &write("two")).await.unwrap();
    // The new one has it, and the connection that is open leads to the old one.
    until_served_by(&mut conn, "r2").await;
    assert_eq!(count(&mut conn, "two").await, 1);
    assert_eq!(alarms(&stage), 0.0, "nothing had to be thrown away");
    stage.end().await;
}

#[tokio::test]
async fn p1_a_reader_that_others_promote_serves_no_read_that_has_to_see_what_came_after() {
    let stage = Stage::before(Stage::lab(1).await, together).await;
    let mut conn = written(&stage, "one", "r1").await;
    let promoted = stage.member(1);
    promoted.promote().await.unwrap();
    promoted.execute([write("astray")]).await.unwrap();
    number(&mut conn, &write("two")).await.unwrap();
    assert_eq!(count(&mut conn, "two").await, 1);
    see_it_elsewhere(&stage, "two", "r1").await;
    assert_ne!(served_by(&mut conn).await, "r1");
    assert_eq!(stage.count(1, "two").await, 0);
    assert_eq!(stage.count(0, "astray").await, 0);
    stage.end().await;
}
