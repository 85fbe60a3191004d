//! `/* tidegate: explain */` and `tidegate explain`: where a statement would run, and why.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

#[path = "consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
mod support;
mod wire;

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use stage::{Stage, on_a_reader};
use tidegate::lab::MONITOR;
use tidegate::protocol::Capabilities;
use wire::{Client, MODERN};

async fn explain(conn: &mut Conn, sql: &str) -> HashMap<String, String> {
    let rows: Vec<(String, String)> = conn
        .query(format!("/* tidegate: explain */ {sql}"))
        .await
        .expect(sql);
    rows.into_iter().collect()
}

#[tokio::test]
async fn p8_a_statement_is_explained_and_does_not_run() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.told",
            "CREATE TABLE app.told (v INT)",
        ])
        .await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    let read = explain(&mut conn, "SELECT * FROM told").await;
    assert!(read["decision"].starts_with("run on r"), "{read:?}");
    assert_eq!(read["reason"], "read_covered");
    assert_eq!(
        (&*read["level"], &*read["scope"]),
        ("session", "connection")
    );
    assert!(read["backend w1"].starts_with("writer, proven writable; covers the token"));
    assert!(read["backend r1"].contains("watermark "), "{read:?}");
    let write = explain(&mut conn, "INSERT INTO told VALUES (1)").await;
    assert_eq!(write["decision"], "run on w1");
    assert_eq!(write["reason"], "write");
    let rows: Option<u32> = conn.query_first("SELECT COUNT(*) FROM told").await.unwrap();
    assert_eq!(rows, Some(0), "it was not run");
    stage.freeze().await;
    conn.query_drop("INSERT INTO told VALUES (2)")
        .await
        .unwrap();
    let behind = explain(&mut conn, "SELECT * FROM told").await;
    assert!(
        behind["backend r1"].contains("does not cover the token"),
        "{behind:?}"
    );
    assert_ne!(behind["reason"], "read_covered");
    assert_ne!(behind["token"], "nothing yet");
    stage.thaw().await;
    conn.query_drop("SELECT GET_LOCK('told', 0)").await.unwrap();
    let pinned = explain(&mut conn, "SELECT * FROM told").await;
    assert_eq!(pinned["pin"], "pin_user_lock");
    assert_eq!(pinned["decision"], "run on w1");
    stage.end().await;
}

#[tokio::test]
async fn a_misspelt_hint_gets_an_error_that_names_those_that_there_are() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    let error = conn.query_drop("SELECT 1 /* tidegate: explian */").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("there is: explain"), "{error}");
    let error = conn.exec_drop("SELECT /* tidegate: explain */ 1", ()).await;
    assert!(error.unwrap_err().to_string().contains("as text"));
    conn.query_drop("SET NAMES gbk").await.unwrap();
    let hidden = conn
        .query_drop(&b"/* tidegate: explain */ DELETE FROM app.whoami -- \xc4\xe3"[..])
        .await;
    assert!(hidden.unwrap_err().to_string().contains("character set"));
    conn.query_drop("SET NAMES utf8mb4").await.unwrap();
    let text: Option<String> = conn
        .query_first("SELECT '/* tidegate: nothing */'")
        .await
        .unwrap();
    assert_eq!(text.as_deref(), Some("/* tidegate: nothing */"));
    // A client that reads EOF packets.
    let old = Capabilities(MODERN.0 & !Capabilities::DEPRECATE_EOF.0);
    let mut client = Client::connect(stage.port, tidegate::lab::APP, old).await;
    let packets = client.query("/* tidegate: explain */ SELECT 1").await;
    assert_eq!(packets[0], [2]);
    assert_eq!((packets[3][0], packets.last().unwrap()[0]), (0xfe, 0xfe));
    stage.end().await;
}

#[tokio::test]
async fn the_command_line_asks_the_running_proxy() {
    let stage = Stage::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.toml");
    let backend = |name: &str, port: u16, role: &str| {
        format!(
            "[[backend]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nrole = \"{role}\"\n"
        )
    };
    let text = format!(
        "[listen]\naddress = \"127.0.0.1:{}\"\n[monitor]\nuser = \"{}\"\npassword = \"{}\"\n{}{}",
        stage.port,
        MONITOR.user,
        MONITOR.password,
        backend("w1", stage.lab.writer().port(), "writer"),
        backend("r1", stage.lab.readers()[0].port(), "reader"),
    );
    fs::write(&path, text).unwrap();
    let ask = |path: &std::path::Path, sql: &'static str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("explain").arg("--config").arg(path).arg(sql);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let answer = ask(&path, "UPDATE t SET a = 1").await.unwrap();
    let shown = String::from_utf8(answer.stdout).unwrap();
    let errors = String::from_utf8(answer.stderr).unwrap();
    assert!(
        shown.contains("decision       run on w1"),
        "{shown}{errors}"
    );
    assert!(shown.contains("reason         write"), "{shown}");
    // What is no Tidegate would take the hint for a comment.
    let direct = directory.path().join("direct.toml");
    let port = stage.lab.writer().port().to_string();
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replacen(&stage.port.to_string(), &port, 1);
    fs::write(
        &direct,
        text.replacen(&format!("{port}\"\nrole"), "1\"\nrole", 1),
    )
    .unwrap();
    let answer = ask(&direct, "SELECT 2").await.unwrap();
    let errors = String::from_utf8(answer.stderr).unwrap();
    assert!(errors.contains("no Tidegate that explains"), "{errors}");
    stage.end().await;
    let answer = ask(&path, "SELECT 1").await.unwrap();
    let errors = String::from_utf8(answer.stderr).unwrap();
    assert!(
        !answer.status.success() && errors.contains("is Tidegate running"),
        "{errors}"
    );
}
