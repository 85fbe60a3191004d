//! P3: a client knows connections by one kind of ids, whatever threads serve them below.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

#[path = "consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
mod support;
mod wire;

use std::process::Stdio;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use stage::{LIMIT, Stage, on_a_reader};
use tidegate::lab::Flavour;
use tidegate::session::PoolPolicy;

/// Far above what a backend counts its threads with.
const FIRST: u32 = 0xc000_0000;

async fn id(conn: &mut Conn, sql: &str) -> u32 {
    conn.query_first(sql).await.unwrap().expect(sql)
}

#[tokio::test]
async fn p3_a_connection_is_told_the_id_that_it_was_greeted_with() {
    for pool in [PoolPolicy::Keep, PoolPolicy::Replace] {
        let stage = Stage::with(|config| config.session.pool = pool).await;
        let mut conn = stage.client().await;
        let own = conn.id();
        assert!(own >= FIRST);
        for sql in [
            "SELECT CONNECTION_ID()",
            "SELECT connection_id() AS id",
            "SELECT @@pseudo_thread_id",
            "SELECT ID FROM information_schema.processlist WHERE ID = CONNECTION_ID()",
            "SELECT ID FROM performance_schema.processlist WHERE ID = CONNECTION_ID()",
        ] {
            if support::flavour() == Flavour::MariaDb && sql.contains("performance_schema") {
                continue;
            }
            assert_eq!(id(&mut conn, sql).await, own, "{sql}");
        }
        let row: Option<(String, u32, u32)> = conn
            .exec_first("SELECT VERSION(), CONNECTION_ID(), 7", ())
            .await
            .unwrap();
        let (_, binary, seven) = row.unwrap();
        assert_eq!((binary, seven), (own, 7));
        let listed: Vec<Row> = conn.query("SHOW FULL PROCESSLIST").await.unwrap();
        let ids: Vec<u32> = listed
            .into_iter()
            .map(|mut row| row.take(0).unwrap())
            .collect();
        assert!(ids.contains(&own), "{own} in {ids:?}");
        for sql in [
            format!("SELECT ID FROM information_schema.processlist WHERE ID = {own}"),
            format!("SELECT p.ID FROM information_schema.processlist p WHERE p.ID IN (1,{own})"),
        ] {
            assert_eq!(id(&mut conn, &sql).await, own, "{sql}");
        }
        let shown = format!(
            "SELECT {own} FROM information_schema.processlist WHERE ID = {own} AND ID <> 0{own}"
        );
        let row: Option<Row> = conn.query_first(&shown).await.unwrap();
        assert!(row.is_none(), "{shown}");
        // What it means inside an expression is the backend's, and fits together there.
        conn.query_drop("SELECT GET_LOCK('mine', 0)").await.unwrap();
        assert_eq!(
            id(&mut conn, "SELECT IS_USED_LOCK('mine') = CONNECTION_ID()").await,
            1
        );
        assert_eq!(id(&mut conn, "SELECT IS_USED_LOCK('mine')").await, own);
        stage.end().await;
    }
}

/// Waits until a backend runs a statement that begins like this.
async fn running_somewhere(stage: &Stage, start: &str) {
    let busy =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE '{start}%'");
    let waiting = async {
        loop {
            let mut seen = 0;
            for instance in stage.lab.instances() {
                let row = instance.row(&busy).await.unwrap().unwrap();
                seen += row.get::<u32, _>(0).unwrap();
            }
            if seen > 0 {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(LIMIT, waiting).await;
    assert!(waited.is_ok(), "nobody runs {start}");
}

#[tokio::test]
async fn p3_ctrl_c_in_the_command_line_client_ends_its_statement_and_no_other() {
    let stage = Stage::new().await;
    let Some(line) = stage.lab.mysql_line(stage.port) else {
        println!("skipped: this server came without a client");
        return;
    };
    for sql in [
        "SELECT SLEEP(61) FROM app.whoami",
        "SELECT SLEEP(61) FROM app.whoami LOCK IN SHARE MODE",
    ] {
        let mut stranger = stage.client().await;
        let sleeping = tokio::spawn(async move {
            let slept: Option<u32> = stranger.query_first("SELECT SLEEP(2)").await.unwrap();
            slept
        });
        let mut shell = tokio::process::Command::new("sh");
        let client = shell
            .args(["-c", &format!("exec {line} --execute='{sql}'")])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        running_somewhere(&stage, "SELECT SLEEP(61)").await;
        let interrupt = format!("kill -s INT {}", client.id().unwrap());
        let sent = tokio::process::Command::new("sh")
            .args(["-c", &interrupt])
            .status();
        assert!(sent.await.unwrap().success());
        let ended = tokio::time::timeout(LIMIT, client.wait_with_output()).await;
        let told = ended.expect("it ends before its statement would").unwrap();
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(!told.contains("Unknown thread"), "{told}");
        assert_eq!(sleeping.await.unwrap(), Some(0), "the stranger's: {told}");
    }
    let left =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE 'SELECT SLEEP(61)%'";
    for instance in stage.lab.instances() {
        let gone = async {
            while instance.row(left).await.unwrap().unwrap().get::<u32, _>(0) != Some(0) {}
        };
        let gone = tokio::time::timeout(LIMIT, gone).await;
        assert!(gone.is_ok(), "it still runs on {}", instance.name());
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_kill_query_by_the_id_of_the_greeting_ends_a_statement_on_any_backend() {
    let stage = Stage::new().await;
    let mut killer = stage.client().await;
    for (at_writer, sql) in [
        (true, "SELECT SLEEP(60) FROM app.whoami LOCK IN SHARE MODE"),
        (false, "SELECT SLEEP(60) FROM app.whoami"),
    ] {
        let mut conn = stage.client().await;
        on_a_reader(&mut conn).await;
        let own = conn.id();
        let running = tokio::spawn(async move {
            let ended: Result<Option<u32>, _> = conn.query_first(sql).await;
            (conn, ended)
        });
        running_somewhere(&stage, &sql[..16]).await;
        // By the id itself, and by a variable that holds it.
        let kill = match at_writer {
            true => format!("KILL QUERY {own}"),
            false => {
                killer.query_drop(format!("SET @id = {own}")).await.unwrap();
                "KILL QUERY @id".to_owned()
            }
        };
        killer.query_drop(kill).await.unwrap();
        let (mut conn, ended) = tokio::time::timeout(LIMIT, running).await.unwrap().unwrap();
        // An interrupted SLEEP() returns 1, or the statement fails with 1317.
        assert!(
            ended.is_err() || ended.unwrap() == Some(1),
            "at the writer: {at_writer}"
        );
        assert_eq!(id(&mut conn, "SELECT CONNECTION_ID()").await, own);
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_kill_of_itself_and_of_another_client_ends_the_session_and_no_stranger() {
    let stage = Stage::new().await;
    let mut one = stage.client().await;
    let mut other = stage.client().await;
    one.query_drop(format!("KILL {}", other.id()))
        .await
        .unwrap();
    assert!(other.query_drop("SELECT 1").await.is_err());
    // As with MySQL, one that is killed is there until its session has ended.
    let until_gone = async {
        loop {
            if let Err(error) = one.query_drop(format!("KILL {}", other.id())).await {
                return error.to_string();
            }
        }
    };
    let error = tokio::time::timeout(LIMIT, until_gone).await.unwrap();
    assert!(error.contains("1094"), "{error}");
    let error = one.query_drop("KILL CONNECTION_ID()").await;
    assert!(error.is_err());
    assert!(
        one.query_drop("SELECT 1").await.is_err(),
        "the session is over"
    );
    let mut third = stage.client().await;
    assert_eq!(id(&mut third, "SELECT 1").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn p3_kill_hits_no_thread_that_a_restarted_backend_has_given_the_same_id() {
    let stage = Stage::new().await;
    let mut idle = stage.client().await;
    // An expression shows the backend's own id.
    let thread = id(&mut idle, "SELECT CONNECTION_ID() + 0").await;
    assert!(thread < FIRST);
    let mut killer = stage.client().await;
    id(
        &mut killer,
        "SELECT COUNT(*) FROM app.whoami LOCK IN SHARE MODE",
    )
    .await;
    stage.lab.writer().kill9().await.unwrap();
    stage.lab.writer().restart().await.unwrap();
    let mut strangers = Vec::new();
    let mut stranger = loop {
        let conn = stage.lab.writer().conn().await.unwrap();
        match conn.id().cmp(&thread) {
            std::cmp::Ordering::Less => strangers.push(conn),
            std::cmp::Ordering::Equal => break conn,
            std::cmp::Ordering::Greater => panic!("{} has passed {thread}", conn.id()),
        }
    };
    // A new session, since the old writer connection of the first one is gone.
    drop(killer);
    let mut killer = stage.client().await;
    killer
        .query_drop(format!("KILL {}", idle.id()))
        .await
        .unwrap();
    assert!(idle.query_drop("SELECT 1").await.is_err(), "it was killed");
    assert_eq!(id(&mut stranger, "SELECT 1").await, 1, "it is nobody's");
    stage.end().await;
}

#[tokio::test]
async fn p3_lists_of_processes_show_the_ids_of_all_clients() {
    let stage = Stage::new().await;
    let mut one = stage.client().await;
    let mut other = stage.client().await;
    let mut root = stage.client_as(tidegate::lab::ROOT).await;
    let ids = [one.id(), other.id(), root.id()];
    id(
        &mut other,
        "SELECT COUNT(*) FROM app.whoami LOCK IN SHARE MODE",
    )
    .await;
    for sql in [
        "SHOW PROCESSLIST",
        "SELECT ID FROM information_schema.PROCESSLIST",
        "SELECT id FROM performance_schema.processlist",
        "SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_ID > 0",
    ] {
        if support::flavour() == Flavour::MariaDb && sql.contains("performance_schema") {
            continue;
        }
        let rows: Vec<Row> = root.query(sql).await.unwrap();
        let shown: Vec<u32> = rows
            .into_iter()
            .map(|mut row| row.take(0).unwrap())
            .collect();
        assert!(ids.iter().all(|id| shown.contains(id)), "{sql}: {shown:?}");
    }
    let rows: Vec<Row> = one
        .exec(
            "SELECT USER, ID FROM information_schema.processlist WHERE USER = 'app'",
            (),
        )
        .await
        .unwrap();
    let shown: Vec<u32> = rows
        .into_iter()
        .map(|mut row| row.take(1).unwrap())
        .collect();
    assert!(ids[..2].iter().all(|id| shown.contains(id)), "{shown:?}");
    // What is no client's is a thread of the writer.
    let mut direct = stage.lab.writer().conn().await.unwrap();
    root.query_drop(format!("KILL {}", direct.id()))
        .await
        .unwrap();
    assert!(direct.query_drop("SELECT 1").await.is_err());
    stage.end().await;
}

#[tokio::test]
async fn p3_a_transaction_that_releases_its_connection_ends_the_session() {
    let stage = Stage::new().await;
    for steps in [
        &["BEGIN", "COMMIT RELEASE"][..],
        &[
            "START TRANSACTION READ ONLY",
            "SELECT name FROM app.whoami",
            "ROLLBACK RELEASE",
        ],
        &["SET completion_type = 'RELEASE'", "BEGIN", "COMMIT"],
    ] {
        let mut conn = stage.client().await;
        conn.query_drop("COMMIT NO RELEASE").await.unwrap();
        for step in steps {
            conn.query_drop(*step).await.unwrap();
        }
        assert!(conn.query_drop("SELECT 1").await.is_err(), "{steps:?}");
    }
    stage.end().await;
}
