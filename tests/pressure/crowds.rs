//! Limits on clients, connections and statements that wait, and what those read who find them reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tidegate::lab::{APP, Account};
use tidegate::net::Endpoint;
use tidegate::protocol::ErrPacket;
use tokio::net::TcpListener;

use crate::stage::{SHED, Stage, on_a_reader, served_by};
use crate::wire::{self, Client, MODERN};
use crate::{support, until};

const OTHER: Account = Account {
    user: "somebody_else",
    password: "else",
};

/// The error number with which a login ends; 0 for a good one.
async fn login(stage: &Stage, account: Account) -> (u16, Client) {
    let client = Client::connect(stage.port, account, MODERN).await;
    let code = match client.login.first() {
        Some(&ErrPacket::HEADER) => ErrPacket::parse(&client.login).unwrap().code,
        _ => 0,
    };
    (code, client)
}

async fn number(conn: &mut Conn, sql: &str) -> u16 {
    match conn.query_drop(sql).await {
        Ok(()) => 0,
        Err(Error::Server(error)) => error.code,
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[tokio::test]
async fn p9_an_account_has_no_more_clients_than_it_may() {
    let stage = Stage::with(|config| config.session.limits.clients_per_user = Some(2)).await;
    stage
        .prepare([
            "CREATE USER IF NOT EXISTS somebody_else IDENTIFIED BY 'else'",
            "GRANT ALL ON app.* TO somebody_else",
        ])
        .await;
    let (_, first) = login(&stage, APP).await;
    let (code, _second) = login(&stage, APP).await;
    assert_eq!(code, 0);
    assert_eq!(login(&stage, APP).await.0, 1203);
    // A wrong password takes nobody's place, and tells nobody that there is none.
    let wrong = Account {
        password: "wrong",
        ..APP
    };
    assert_eq!(login(&stage, wrong).await.0, 1045);
    assert_eq!(login(&stage, OTHER).await.0, 0);
    drop(first);
    until("there is room again", async || {
        login(&stage, APP).await.0 == 0
    })
    .await;
    stage.end().await;
}

#[tokio::test]
async fn p9_a_backend_has_no_more_connections_than_it_may() {
    let stage = Stage::with(|config| {
        config.session.limits.backend_connections = Some(2);
        config.session.limits.connection_wait = Duration::from_millis(300);
    })
    .await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut conn = stage.client().await;
        conn.query_drop("BEGIN").await.unwrap();
        busy.push(conn);
    }
    // There is room at the readers for a login and for reads, and none at the writer.
    let mut third = stage.client().await;
    assert_eq!(
        number(&mut third, "INSERT INTO app.none VALUES (1)").await,
        1040
    );
    assert_ne!(served_by(&mut third).await, "w1");
    drop(busy.pop());
    until("there is room again", async || {
        number(&mut third, "DO 1").await == 0
    })
    .await;
    stage.end().await;
}

#[tokio::test]
async fn p9_idle_clients_give_back_the_connections_that_they_can_do_without() {
    let stage = Stage::with(|config| {
        config.session.limits.backend_connections_total = Some(4);
        config.session.limits.connection_wait = Duration::from_secs(20);
    })
    .await;
    stage
        .prepare(["CREATE TABLE IF NOT EXISTS app.shared_room (id INT)"])
        .await;
    let mut clients = Vec::new();
    // Each has been to the writer and to a reader, so two of them fill the room for four.
    for id in 0..3 {
        let mut conn = stage.client().await;
        let insert = format!("INSERT INTO app.shared_room VALUES ({id})");
        assert_eq!(number(&mut conn, &insert).await, 0);
        on_a_reader(&mut conn).await;
        clients.push(conn);
    }
    for conn in &mut clients {
        let row: Option<i64> = conn
            .query_first("SELECT COUNT(*) FROM app.shared_room")
            .await
            .unwrap();
        assert!(row >= Some(1), "{row:?}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p9_who_comes_when_the_line_is_full_does_not_wait() {
    for (total, per_user, expected) in [(1, None, SHED), (9, Some(1), 1226)] {
        let stage = Stage::with(|config| {
            config.session.limits.queued_statements = total;
            config.session.limits.queued_statements_per_user = per_user;
            config.session.policy.wait = Duration::from_secs(60);
            config.session.policy.scope = tidegate::routing::Scope::User;
        })
        .await;
        stage
            .prepare(["CREATE TABLE IF NOT EXISTS app.in_line (id INT)"])
            .await;
        stage.freeze().await;
        let mut first = stage.client().await;
        let mut second = stage.client().await;
        assert_eq!(
            number(&mut first, "INSERT INTO app.in_line VALUES (1)").await,
            0
        );
        let read = "SELECT COUNT(*) FROM app.in_line";
        let waiting = tokio::spawn(async move { number(&mut first, read).await });
        let queued = stage.running.metrics.queued_statements();
        until("one waits", async || queued.get() == 1).await;
        assert_eq!(number(&mut second, read).await, expected);
        stage.thaw().await;
        assert_eq!(waiting.await.unwrap(), 0);
        assert_eq!(number(&mut second, read).await, 0, "the session goes on");
        assert_eq!(queued.get(), 0);
        stage.end().await;
    }
}

#[tokio::test]
async fn p9_a_backend_that_does_not_answer_is_not_tried_by_everybody() {
    // Accepts connections, and never says a word.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&accepted);
    let mute = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    });
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.backend.backends[0].address = Endpoint::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    };
    config.backend.connect_timeout = Duration::from_millis(200);
    let (running, port) = wire::proxy(config).await;
    let before = accepted.load(Ordering::Relaxed);
    const LOGINS: usize = 200;
    for _ in 0..LOGINS {
        // Those that come before the readers are known get an error.
        Client::connect(port, APP, MODERN).await;
    }
    let tries = accepted.load(Ordering::Relaxed) - before;
    // The monitor's own are among them.
    assert!(tries < LOGINS / 2, "{tries} attempts for {LOGINS} logins");
    mute.abort();
    running.drain().await;
}
