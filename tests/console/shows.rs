//! What the console shows.

use std::process::Stdio;

use mysql_async::prelude::Queryable;
use tidegate::lab::{APP, MONITOR};
use tokio::process::Command;

use crate::desk::{PASSWORD, cell, open, port, refused, rows, stage};
use crate::process::Process;
use crate::stage::{LIMIT, on_a_reader};
use crate::support;

#[tokio::test]
async fn a_driver_sees_backends_sessions_and_reasons_and_they_are_what_the_metrics_say() {
    let stage = stage().await;
    let mut conn = stage.client().await;
    let reader = on_a_reader(&mut conn).await;
    let id: u32 = conn
        .query_first("SELECT CONNECTION_ID()")
        .await
        .unwrap()
        .unwrap();
    let mut console = open(port(&stage), PASSWORD).await.unwrap();

    let names: Vec<_> = rows(&mut console, "SHOW BACKENDS").await;
    let names: Vec<_> = names.iter().map(|row| row[0].1.as_str()).collect();
    assert_eq!(names, ["w1", "r1", "r2"]);
    assert_eq!(
        cell(&mut console, "SHOW BACKENDS", "w1", "state").await,
        "up, writable"
    );
    assert_eq!(
        cell(&mut console, "SHOW BACKENDS", &reader, "state").await,
        "up"
    );
    assert_eq!(
        cell(&mut console, "SHOW POOL", &reader, "connections").await,
        "1"
    );
    for column in ["idle", "wanted", "handed_over"] {
        assert_eq!(cell(&mut console, "SHOW POOL", "w1", column).await, "0");
    }

    let session = id.to_string();
    assert_eq!(
        cell(&mut console, "SHOW SESSIONS", &session, "user").await,
        APP.user
    );
    // Its thread may lose the processor between the answer and this.
    let resting =
        async { while cell(&mut console, "SHOW SESSIONS", &session, "state").await != "idle" {} };
    let rests = tokio::time::timeout(LIMIT, resting).await;
    assert!(rests.is_ok(), "busy with nothing");
    let threads = cell(&mut console, "SHOW SESSIONS", &session, "threads").await;
    assert!(
        threads.contains("w1:") && threads.contains(&format!("{reader}:")),
        "{threads}"
    );

    // Nothing runs meanwhile, so all three have to agree.
    let reasons = rows(&mut console, "SHOW REASONS").await;
    let samples = rows(&mut console, "SHOW STATS LIKE 'tidegate_statements_total%'").await;
    let metrics = stage.running.metrics.render();
    assert!(reasons.len() >= 2, "{reasons:?}");
    for row in &reasons {
        let (reason, backend, count) = (&row[0].1, &row[1].1, &row[2].1);
        let name =
            format!("tidegate_statements_total{{backend=\"{backend}\",reason=\"{reason}\"}}");
        assert!(
            metrics
                .lines()
                .any(|line| line == format!("{name} {count}")),
            "{name}"
        );
        assert!(
            samples
                .iter()
                .any(|it| it[0].1 == name && it[1].1 == *count),
            "{name}"
        );
    }
    stage.end().await;
}

#[tokio::test]
async fn p8_explain_tells_where_a_statement_of_an_account_would_run() {
    let stage = stage().await;
    let mut console = open(port(&stage), PASSWORD).await.unwrap();
    let write = "EXPLAIN 'UPDATE t SET a = 1'";
    assert_eq!(
        cell(&mut console, write, "decision", "value").await,
        "run on w1"
    );
    assert_eq!(cell(&mut console, write, "reason", "value").await, "write");
    let read = "EXPLAIN AS app 'SELECT * FROM app.whoami'";
    let decision = cell(&mut console, read, "decision", "value").await;
    assert!(decision.starts_with("run on r"), "{decision}");
    let (code, text) = refused(&mut console, "EXPLAIN 'SELECT 1 /* tidegate: nonsense */'").await;
    assert_eq!(code, 1064, "{text}");
    stage.end().await;
}

#[tokio::test]
async fn p10_no_table_of_the_console_holds_a_secret() {
    let lab = support::lab().await;
    let http = "";
    let port = crate::process::free_port();
    let more = format!(
        "[console]\naddress = \"127.0.0.1:{port}\"\npassword = \"hush-console\"\n\
         [[user]]\nname = \"app\"\nlevel = \"strong\"\n{http}"
    );
    let process = Process::start(&lab, &more).await;
    let mut client = process.client().await.unwrap();
    client.query_drop("SELECT 1").await.unwrap();
    let mut console = open(port, "hush-console").await.unwrap();
    assert_eq!(
        cell(&mut console, "SHOW CONFIG", "monitor.user", "value").await,
        MONITOR.user
    );
    assert_eq!(
        cell(&mut console, "SHOW CONFIG", "monitor.password", "value").await,
        "***"
    );
    assert_eq!(
        cell(&mut console, "SHOW CONFIG", "console.password", "value").await,
        "***"
    );
    assert_eq!(
        cell(&mut console, "SHOW CONFIG", "user[app].level", "value").await,
        "strong"
    );
    for table in [
        "BACKENDS", "SESSIONS", "POOL", "STATS", "CONFIG", "REASONS", "READS",
    ] {
        let rows = rows(&mut console, &format!("SHOW {table}")).await;
        assert!(!rows.is_empty(), "{table}");
        assert!(!format!("{rows:?}").contains("hush-console"), "{table}");
    }
    assert!(open(port, "hush").await.is_err());
    assert!(!process.log().contains("hush"), "{}", process.log());
}

#[tokio::test]
async fn the_stock_client_works_and_what_is_no_command_gets_an_error_that_helps() {
    let stage = stage().await;
    let client = stage.lab.directory().join("mysql");
    let output = Command::new("sh")
        .arg(client)
        .args([
            "-h",
            "127.0.0.1",
            "-P",
            &port(&stage).to_string(),
            "-u",
            "tidegate",
        ])
        .args(["--protocol=tcp", &format!("--password={PASSWORD}")])
        .args([
            "-e",
            "SHOW READS; SHOW HELP; SELECT @@version_comment LIMIT 1",
        ])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{shown}{errors}");
    assert!(
        shown.contains("split") && shown.contains("DRAIN 'backend'"),
        "{shown}"
    );
    assert!(shown.contains("Tidegate console"), "{shown}");

    let mut console = open(port(&stage), PASSWORD).await.unwrap();
    let (code, text) = refused(&mut console, "INSERT INTO t VALUES (1)").await;
    assert_eq!(
        (code, text.as_str()),
        (1064, "SHOW HELP lists the commands")
    );
    let prepared = console
        .exec_drop("SHOW BACKENDS", ())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        prepared.contains("1295") || prepared.contains("prepared"),
        "{prepared}"
    );
    console.ping().await.unwrap();
    stage.end().await;
}
