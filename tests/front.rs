//! The front port: logins of every kind, limits, kills, drains, and what an attacker sends.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;
mod wire;

use std::collections::HashMap;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tidegate::error::Secret;
use tidegate::lab::{APP, Account, Flavour};
use tidegate::protocol::{Command, ErrPacket, MAX_PAYLOAD};
use tidegate::session::AuthMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::{Client, MODERN};

/// The error number in a packet; 0 if it is no error.
fn code(packet: &[u8]) -> u16 {
    match packet.first() {
        Some(0xff) => ErrPacket::parse(packet).expect("an error").code,
        _ => 0,
    }
}

async fn driver(port: u16, account: Account) -> mysql_async::Result<Conn> {
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(account.user))
        .pass(Some(account.password))
        .prefer_socket(false)
        .db_name(Some("app"));
    Conn::new(opts).await
}

#[tokio::test]
async fn a_real_driver_logs_in_by_rsa_key_and_by_a_cold_cache() {
    let lab = support::lab().await;
    lab.writer()
        .execute(["CREATE USER cold IDENTIFIED BY 'pass word'"])
        .await
        .unwrap();
    lab.writer()
        .execute(["GRANT ALL ON app.* TO cold"])
        .await
        .unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let cold = Account {
        user: "cold",
        password: "pass word",
    };
    for _ in 0..2 {
        let mut conn = driver(port, cold).await.expect("logs in");
        let user: Option<String> = conn.query_first("SELECT CURRENT_USER()").await.unwrap();
        assert_eq!(user.as_deref(), Some("cold@%"));
        conn.disconnect().await.unwrap();
    }
    running.drain().await;
}

#[tokio::test]
async fn the_client_of_the_lab_logs_in_through_the_proxy_as_it_does_directly() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    // A server of the user's own may come without a client.
    if let Some(line) = lab.mysql_line(port) {
        let line = format!("{line} --batch --skip-column-names --execute='SELECT 6 * 7'");
        let mut shell = tokio::process::Command::new("sh");
        let output = shell.args(["-c", &line]).output().await.unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        assert_eq!(answer, "42\n", "{output:?}");
    }
    running.drain().await;
}

#[tokio::test]
async fn the_backend_decides_about_an_account_at_each_login() {
    let lab = support::lab().await;
    let writer = lab.writer();
    writer
        .execute(["CREATE USER fickle IDENTIFIED BY 'one'"])
        .await
        .unwrap();
    writer
        .execute(["GRANT ALL ON app.* TO fickle"])
        .await
        .unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let one = Account {
        user: "fickle",
        password: "one",
    };
    let two = Account {
        user: "fickle",
        password: "two",
    };
    let login = async |account| code(&Client::connect(port, account, MODERN).await.login);
    assert_eq!(login(one).await, 0);
    assert_eq!(login(two).await, 1045);
    writer
        .execute(["ALTER USER fickle IDENTIFIED BY 'two'"])
        .await
        .unwrap();
    assert_eq!(login(one).await, 1045);
    assert_eq!(login(two).await, 0);
    writer
        .execute(["ALTER USER fickle ACCOUNT LOCK"])
        .await
        .unwrap();
    let locked = match support::flavour() {
        Flavour::MySql => 3118,
        Flavour::MariaDb => 4151,
    };
    assert_eq!(login(two).await, locked);
    writer.execute(["DROP USER fickle"]).await.unwrap();
    assert_eq!(login(two).await, 1045);
    running.drain().await;
}

#[tokio::test]
async fn users_mode_compares_with_the_configured_password_and_tells_nobody_who_exists() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    let users = [(APP.user.to_owned(), Secret::new(APP.password.to_owned()))];
    config.session.auth = AuthMode::Users(HashMap::from(users));
    let (running, port) = wire::proxy(config).await;
    let login = async |user, password| {
        Client::connect(port, Account { user, password }, MODERN)
            .await
            .login
    };
    assert_eq!(code(&login("app", "app").await), 0);
    assert_eq!(code(&login("app", "wrong").await), 1045);
    assert_eq!(code(&login("nobody", "wrong").await), 1045);
    running.drain().await;
}

#[tokio::test]
async fn one_client_more_than_the_limit_gets_error_1040() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.max_clients = 1;
    let (running, port) = wire::proxy(config).await;
    let first = Client::connect(port, APP, MODERN).await;
    let mut second = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut answer = Vec::new();
    second.read_to_end(&mut answer).await.unwrap();
    assert_eq!(code(&answer[4..]), 1040);
    drop(first);
    running.drain().await;
}

#[tokio::test]
async fn a_client_that_does_not_log_in_is_disconnected() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.login_timeout = Duration::from_millis(200);
    let (running, port) = wire::proxy(config).await;
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut greeting = Vec::new();
    // Ends only because the proxy closes the connection.
    silent.read_to_end(&mut greeting).await.unwrap();
    assert!(greeting.len() > 40);
    running.drain().await;
}

#[tokio::test]
async fn an_unknown_command_gets_error_1047_and_the_session_goes_on() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut client = Client::connect(port, APP, MODERN).await;
    for byte in [0x00, 0x05, 0x0b, 0x0f, 0x13, 0x14, 0x1d, 0x20, 0x42, 0xff] {
        client.wire.restart_sequence();
        client.wire.send(&[byte, 1, 2, 3]).await.unwrap();
        let answer = client.wire.read_payload(1 << 16).await.unwrap();
        assert_eq!(code(&answer), 1047, "command {byte:#x}");
    }
    assert_eq!(client.query("SELECT 1").await.len(), 4);
    running.drain().await;
}

#[tokio::test]
async fn statements_and_rows_beyond_16_mib_pass_both_ways() {
    let lab = support::lab().await;
    lab.writer()
        .execute(["SET GLOBAL max_allowed_packet = 134217728"])
        .await
        .unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut client = Client::connect(port, APP, MODERN).await;
    for size in [
        MAX_PAYLOAD - 20,
        MAX_PAYLOAD - 8,
        MAX_PAYLOAD,
        MAX_PAYLOAD + 1,
        40_000_000,
        64 << 20,
    ] {
        let text = "x".repeat(size);
        let packets = client.query(&format!("SELECT '{text}'")).await;
        let row = packets.iter().map(Vec::len).max().unwrap();
        assert!(row > size && row < size + 16, "{row} for {size}");
    }
    assert_eq!(client.query("SELECT 1").await.len(), 4);
    running.drain().await;
}

#[tokio::test]
async fn p3_servers_that_take_no_more_than_1_kib_serve_clients_as_any_other() {
    let lab = support::lab_alone().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let names = ["net_buffer_length", "max_allowed_packet"];
    let set = |name: &str, value: u64| [format!("SET GLOBAL {name} = {value}")];
    let row = lab
        .writer()
        .row("SELECT @@global.net_buffer_length, @@global.max_allowed_packet");
    let before: (u64, u64) = mysql_async::from_row(row.await.unwrap().unwrap());
    for instance in lab.instances() {
        for name in names {
            instance.execute(set(name, 1024)).await.unwrap();
        }
    }
    let answers = async move {
        let mut client = Client::connect(port, APP, MODERN).await;
        let mut answers = vec![client.login.clone()];
        for sql in [
            "SET NAMES latin1, sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', join_buffer_size = 8192",
            "SELECT 'a' || @@join_buffer_size",
            "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'app'",
        ] {
            answers.extend(client.query(sql).await);
        }
        client.ask(Command::ResetConnection, &[]).await;
        answers.extend(client.query("SELECT 'a' || @@join_buffer_size").await);
        answers
    };
    let answers = tokio::spawn(answers).await;
    for instance in lab.instances() {
        for (name, value) in names.into_iter().zip([before.0, before.1]) {
            instance.execute(set(name, value)).await.unwrap();
        }
    }
    let answers = answers.expect("answers");
    let errors = answers
        .iter()
        .filter(|answer| answer.first() == Some(&0xff));
    assert_eq!(errors.count(), 0, "{answers:?}");
    assert!(answers.contains(&b"\x05a8192".to_vec()), "{answers:?}");
    running.drain().await;
}

#[tokio::test]
async fn change_user_logs_in_anew_and_a_wrong_password_ends_the_connection() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut conn = driver(port, APP).await.unwrap();
    conn.query_drop("SET @left_over = 1").await.unwrap();
    let id: u64 = conn
        .query_first("SELECT CONNECTION_ID()")
        .await
        .unwrap()
        .unwrap();
    let to = |password: &str| {
        mysql_async::ChangeUserOpts::default()
            .with_user(Some("app".to_owned()))
            .with_pass(Some(password.to_owned()))
    };
    conn.change_user(to("app")).await.unwrap();
    let left: Option<Option<i64>> = conn.query_first("SELECT @left_over").await.unwrap();
    assert_eq!(left, Some(None));
    let other: u64 = conn
        .query_first("SELECT CONNECTION_ID()")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(id, other, "MySQL keeps it too");
    assert!(conn.change_user(to("wrong")).await.is_err());
    assert!(conn.query_drop("SELECT 1").await.is_err());
    running.drain().await;
}

#[tokio::test]
async fn a_kill_by_the_handshakes_id_ends_that_client_and_no_other() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut victim = Client::connect(port, APP, MODERN).await;
    let mut bystander = Client::connect(port, APP, MODERN).await;
    let mut killer = Client::connect(port, APP, MODERN).await;
    victim.send(Command::Query, b"SELECT SLEEP(60)").await;
    let id = victim.handshake.connection_id.to_le_bytes();
    let answer = killer.ask(Command::ProcessKill, &id).await;
    assert_eq!(code(&answer[0]), 0);
    // Ends long before the statement would, with an error or at once.
    let ended = tokio::time::timeout(Duration::from_secs(30), async {
        while victim.wire.read_payload(1 << 16).await.is_ok() {}
    });
    ended.await.expect("the victim's connection ends");
    assert_eq!(bystander.query("SELECT 1").await.len(), 4);
    let unknown = killer.ask(Command::ProcessKill, &id).await;
    assert_eq!(code(&unknown[0]), 1094);
    running.drain().await;
}

#[tokio::test]
async fn a_drain_lets_a_transaction_end_and_takes_no_new_client() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut idle = Client::connect(port, APP, MODERN).await;
    let mut busy = Client::connect(port, APP, MODERN).await;
    busy.query("BEGIN").await;
    let drained = tokio::spawn(running.drain());
    // The idle client is sent away, which shows that the drain is on.
    assert!(idle.wire.read_payload(1 << 16).await.is_err());
    assert_eq!(busy.query("SELECT 1").await.len(), 4);
    assert_eq!(code(&busy.query("COMMIT").await[0]), 0);
    assert!(busy.wire.read_payload(1 << 16).await.is_err());
    drained.await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn without_a_writer_clients_log_in_at_a_reader_and_their_writes_get_an_error_at_once() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.backend.backends[0].address = nobody();
    let (running, port) = wire::proxy(config).await;
    let mut client = Client::connect(port, APP, MODERN).await;
    assert_eq!(code(&client.login), 0);
    let refused = client.query("INSERT INTO app.none VALUES (1)").await;
    assert_eq!(code(&refused[0]), 1836);
    assert!(client.query("SELECT 1").await.len() > 1);
    running.drain().await;
}

#[tokio::test]
async fn without_any_backend_a_login_gets_a_clear_error() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    for backend in &mut config.backend.backends {
        backend.address = nobody();
    }
    let (running, port) = wire::proxy(config).await;
    assert_eq!(code(&Client::connect(port, APP, MODERN).await.login), 1429);
    running.drain().await;
}

/// An address where nobody listens.
fn nobody() -> tidegate::net::Endpoint {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    format!("127.0.0.1:{port}").parse().unwrap()
}

#[tokio::test]
async fn malformed_bytes_harm_nobody_else_before_or_after_the_login() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut witness = Client::connect(port, APP, MODERN).await;
    let seed: u64 = rand::rng().random();
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..200 {
        let mut bytes = vec![0; random.random_range(0..300)];
        random.fill_bytes(&mut bytes);
        if round % 2 == 0 && bytes.len() > 4 {
            // A header that fits, so that more than framing is reached.
            bytes[0] = u8::try_from((bytes.len() - 4) % 256).unwrap();
            bytes[1..4].fill(0);
            bytes[3] = 1;
        }
        if round % 4 < 2 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            // The proxy may have closed it already.
            let _ = stream.write_all(&bytes).await;
        } else {
            let mut client = Client::connect(port, APP, MODERN).await;
            client.wire.output().extend_from_slice(&bytes);
            let _ = client.wire.flush().await;
        }
        assert_eq!(
            witness.query("SELECT 1").await.len(),
            4,
            "seed {seed}, round {round}"
        );
    }
    running.drain().await;
}
