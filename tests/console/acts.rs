//! What the console and the HTTP endpoint do.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tidegate::lab::Flavour;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::desk::{PASSWORD, cell, open, port, refused, stage};
use crate::process::Process;
use crate::stage::{LIMIT, WRITER, back_on_a_reader, on_a_reader, reads_until, served_by};
use crate::support;

#[tokio::test]
async fn p6_a_drained_reader_gets_no_new_reads_and_again_some_when_the_operator_says_so() {
    let stage = stage().await;
    let mut console = open(port(&stage), PASSWORD).await.unwrap();
    let mut conn = stage.client().await;
    let reader = on_a_reader(&mut conn).await;
    console
        .query_drop(format!("DRAIN '{reader}'"))
        .await
        .unwrap();
    for _ in 0..20 {
        assert_ne!(served_by(&mut conn).await, reader);
    }
    let state = cell(&mut console, "SHOW BACKENDS", &reader, "state").await;
    assert_eq!(state, "up, drained");
    let left = async {
        while cell(&mut console, "SHOW POOL", &reader, "connections").await != "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, left)
        .await
        .expect("its sessions leave it");
    console
        .query_drop(format!("UNDRAIN {reader}"))
        .await
        .unwrap();
    let other = served_by(&mut conn).await;
    console.query_drop(format!("DRAIN {other}")).await.unwrap();
    reads_until(&mut conn, "the return", |name| name == reader).await;
    let (_, text) = refused(&mut console, "DRAIN w1").await;
    assert!(text.contains("is the writer"), "{text}");
    let (_, text) = refused(&mut console, "DRAIN r9").await;
    assert!(
        text.contains("no backend r9; there is w1, r1, r2"),
        "{text}"
    );
    stage.end().await;
}

#[tokio::test]
async fn the_console_switches_reads() {
    let stage = stage().await;
    let mut console = open(port(&stage), PASSWORD).await.unwrap();
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    console.query_drop("SET READS = 'writer'").await.unwrap();
    assert_eq!(served_by(&mut conn).await, WRITER);
    let stands: Option<String> = console.query_first("SHOW READS").await.unwrap();
    assert_eq!(stands.as_deref(), Some("writer"));
    console.query_drop("SET READS = 'split'").await.unwrap();
    back_on_a_reader(&mut conn, "the switch").await;
    stage.end().await;
}

#[tokio::test]
async fn a_kill_ends_a_session_and_the_read_that_it_runs() {
    let stage = stage().await;
    let mut console = open(port(&stage), PASSWORD).await.unwrap();
    let mut victim = stage.client().await;
    let id: u32 = victim
        .query_first("SELECT CONNECTION_ID()")
        .await
        .unwrap()
        .unwrap();
    let sleeping = tokio::spawn(async move {
        victim
            .query_drop("SELECT SLEEP(1000), 'victim' FROM app.whoami")
            .await
    });
    let runs = "SELECT COUNT(*) FROM information_schema.processlist \
                WHERE info LIKE 'SELECT SLEEP(1000), _victim%'";
    let count = async |wanted: u64| {
        let counting = async {
            loop {
                let mut running = 0;
                for instance in stage.lab.instances() {
                    let row = instance.row(runs).await.unwrap();
                    running += row.and_then(|mut row| row.take::<u64, _>(0)).unwrap();
                }
                if running == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, counting)
            .await
            .expect("the statement comes and goes");
    };
    count(1).await;
    assert_eq!(
        cell(&mut console, "SHOW SESSIONS", &id.to_string(), "state").await,
        "busy"
    );
    console.query_drop(format!("KILL {id}")).await.unwrap();
    assert!(sleeping.await.unwrap().is_err());
    count(0).await;
    let (code, _) = refused(&mut console, &format!("KILL {id}")).await;
    assert_eq!(code, 1094);
    stage.end().await;
}

/// The whole answer to a request.
async fn ask(port: u16, request: &str, header: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = body.len();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}content-length: {length}\
         \r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_reload_is_asked_for_by_console_and_http_and_all_faults_come_back() {
    if support::skips(Flavour::MySql, "nothing here depends on the servers") {
        return;
    }
    let lab = support::lab().await;
    let port = crate::process::free_port();
    let console_table = format!("[console]\naddress = \"127.0.0.1:{port}\"\n");
    let process = Process::start(&lab, &console_table).await;
    let mut console = open(port, "").await.unwrap();
    let with = |more: &str| process.configure(&lab, 1, &format!("{console_table}{more}"));
    with("[limits]\nclients = 77\n");
    console.query_drop("RELOAD").await.unwrap();
    assert_eq!(
        cell(&mut console, "SHOW CONFIG", "limits.clients", "value").await,
        "77"
    );
    with("[limits]\nclients = 0\nlogin_timeout = \"soon\"\n");
    let (_, text) = refused(&mut console, "RELOAD").await;
    assert!(
        text.contains("limits.clients") && text.contains("limits.login_timeout"),
        "{text}"
    );
    let answer = ask(process.http, "POST /reload", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
    assert!(answer.contains("limits.clients") && answer.contains("limits.login_timeout"));
    with("[limits]\nclients = 78\n");
    let answer = ask(process.http, "POST /reload", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(
        cell(&mut console, "SHOW CONFIG", "limits.clients", "value").await,
        "78"
    );
    let metrics = ask(process.http, "GET /metrics", "", "").await;
    assert!(
        metrics.contains("tidegate_reloads_total{outcome=\"done\"} 2"),
        "{metrics}"
    );
    assert!(
        metrics.contains("tidegate_reloads_total{outcome=\"refused\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn p10_with_a_password_the_http_endpoint_tells_nothing_without_it() {
    let stage = crate::stage::Stage::with(|config| {
        config.http = Some(tidegate::admin::Config {
            address: "127.0.0.1:0".parse().unwrap(),
            // As one that other machines reach.
            is_local: false,
            login: Some(tidegate::admin::Login {
                user: "ops".to_owned(),
                password: tidegate::error::Secret::new("open sesame".to_owned()),
            }),
        });
    })
    .await;
    let Some(tidegate::net::Endpoint::Tcp { port, .. }) = stage.running.http.clone() else {
        panic!("an address");
    };
    let right = "authorization: Basic b3BzOm9wZW4gc2VzYW1l\r\n";
    for wrong in [
        "",
        "authorization: Basic b3BzOm9wZW4=\r\n",
        "authorization: Basic !\r\n",
    ] {
        for request in ["GET /metrics", "GET /healthz", "PUT /reads", "POST /reload"] {
            let answer = ask(port, request, wrong, "writer").await;
            assert!(
                answer.starts_with("HTTP/1.1 401"),
                "{request} {wrong}: {answer}"
            );
        }
    }
    assert!(
        ask(port, "GET /metrics", right, "")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        ask(port, "PUT /reads", right, "writer")
            .await
            .starts_with("HTTP/1.1 200")
    );
    stage.end().await;
}
