//! Policies, limits, listeners and files.

use std::collections::HashMap;

use mysql_async::prelude::Queryable;
use tidegate::lab::APP;
use tidegate::net::Endpoint;
use tidegate::routing::{Level, Policy, Scope};
use tokio::net::TcpStream;

use crate::process::{self, Process};
use crate::stage::{Stage, WRITER, on_a_reader, served_by};
use crate::{support, wire};

#[tokio::test]
async fn a_sessions_level_changes_at_its_next_statement_but_not_in_a_transaction() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let mut inside = stage.client().await;
    on_a_reader(&mut conn).await;
    let reader = on_a_reader(&mut inside).await;
    inside
        .query_drop("START TRANSACTION READ ONLY")
        .await
        .unwrap();
    assert_eq!(served_by(&mut inside).await, reader);
    let mut config = wire::config(&stage.lab);
    let own = Policy {
        level: Level::Writer,
        ..Policy::default()
    };
    config.session.user_policies = HashMap::from([(APP.user.to_owned(), own)]);
    stage.running.take_up(config).await.unwrap();
    assert_eq!(served_by(&mut conn).await, WRITER);
    assert_eq!(served_by(&mut inside).await, reader);
    inside.query_drop("COMMIT").await.unwrap();
    assert_eq!(served_by(&mut inside).await, WRITER);
    stage.end().await;
}

#[tokio::test]
async fn p1_what_a_session_wrote_counts_in_the_scope_that_it_is_given() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.scoped",
            "CREATE TABLE app.scoped (v INT)",
        ])
        .await;
    let mut writes = stage.client().await;
    let mut reads = stage.client().await;
    on_a_reader(&mut reads).await;
    stage.freeze().await;
    writes
        .query_drop("INSERT INTO app.scoped VALUES (1)")
        .await
        .unwrap();
    let count = "SELECT COUNT(*) FROM app.scoped";
    let before: Option<u32> = reads.query_first(count).await.unwrap();
    assert_eq!(before, Some(0), "each connection is a scope of its own");
    let mut config = wire::config(&stage.lab);
    config.session.policy.scope = Scope::User;
    stage.running.take_up(config).await.unwrap();
    // The one that wrote brings it along with its next statement.
    writes.query_drop("SELECT 1").await.unwrap();
    let after: Option<u32> = reads.query_first(count).await.unwrap();
    assert_eq!(after, Some(1));
    stage.thaw().await;
    stage.end().await;
}

#[tokio::test]
async fn listeners_come_and_go_and_one_that_can_not_be_had_changes_nothing() {
    let stage = Stage::new().await;
    let tcp = |port| Endpoint::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let (one, other) = (process::free_port(), process::free_port());
    let reaches = async |port| TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    let mut config = wire::config(&stage.lab);
    config.listen.addresses.push(tcp(one));
    stage.running.take_up(config.clone()).await.unwrap();
    assert!(reaches(one).await && reaches(stage.port).await);
    let mut broken = config.clone();
    broken.listen.addresses = vec![tcp(other), tcp(stage.lab.writer().port())];
    broken.session.max_clients = 1;
    let faults = stage.running.take_up(broken).await.unwrap_err();
    assert!(faults[0].contains("can't listen on"), "{faults:?}");
    assert!(reaches(one).await && !reaches(other).await);
    let (_first, _second) = (stage.client().await, stage.client().await);
    config.listen.addresses.truncate(1);
    stage.running.take_up(config).await.unwrap();
    assert!(!reaches(one).await && reaches(stage.port).await);
    stage.end().await;
}

#[tokio::test]
async fn sighup_reads_the_file_again_and_a_bad_one_changes_nothing() {
    let lab = support::lab().await;
    let process = Process::start(&lab, "").await;
    let mut conn = process.client().await.unwrap();
    let level = async |conn: &mut mysql_async::Conn| {
        let rows: Vec<(String, String)> = conn
            .query("/* tidegate: explain */ SELECT 1")
            .await
            .unwrap();
        rows.into_iter()
            .find(|(name, _)| name == "level")
            .unwrap()
            .1
    };
    assert_eq!(level(&mut conn).await, "session");
    process.configure(
        &lab,
        2,
        "[consistency]\nlevel = \"strong\"\n[log]\nfilter = \"debug\"\n",
    );
    process.signal("HUP").await;
    process
        .until_log_says("the configuration was taken up", 1)
        .await;
    assert_eq!(level(&mut conn).await, "strong");

    process.configure(
        &lab,
        1,
        "[consistency]\nlevel = \"srtong\"\nwiat = \"1s\"\n",
    );
    process.signal("HUP").await;
    process.until_log_says("the one before holds", 1).await;
    let log = process.log();
    assert!(
        log.contains("did you mean \\\"strong\\\"?") || log.contains("did you mean \"strong\"?"),
        "{log}"
    );
    assert!(
        log.contains("consistency.wiat"),
        "all faults are told: {log}"
    );
    process.configure(
        &lab,
        1,
        "[consistency]\nlevel = \"writer\"\n[log]\nformat = \"json\"\n",
    );
    process.signal("HUP").await;
    process.until_log_says("the one before holds", 2).await;
    assert!(
        process
            .log()
            .contains("log.format: can't change while Tidegate runs")
    );
    assert_eq!(level(&mut conn).await, "strong");
    let rows: Vec<(String, String)> = conn
        .query("/* tidegate: explain */ SELECT 1")
        .await
        .unwrap();
    assert!(
        rows.iter().any(|(name, _)| name == "backend r2"),
        "{rows:?}"
    );
}
