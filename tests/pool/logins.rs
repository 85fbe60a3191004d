//! Who logs in on a warm connection, alone or in a crowd, has the backend's own word of now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tidegate::config::Config;
use tidegate::lab::{Account, Flavour};
use tidegate::protocol::{Capabilities, Command, ErrPacket};
use tidegate::telemetry::{ConnectionState, Handover};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage, on_a_reader};
use crate::wire::compare::texts;
use crate::wire::{Client, MODERN};
use crate::{is_settled, lending};

/// Clients that log in at a time.
const CROWD: usize = 12;

const USER: &str = "pooled";

/// A stage with an account that may do no more than others, and a pool that is warm.
async fn stage() -> Stage {
    stage_with(|_| {}).await
}

async fn stage_with(change: impl FnOnce(&mut Config)) -> Stage {
    let stage = Stage::with(|config| {
        lending(4)(config);
        change(config);
        // Wrong passwords are tried on purpose.
        config.session.limits.login_failures = 0;
    })
    .await;
    stage
        .prepare([
            "DROP USER IF EXISTS pooled",
            "CREATE USER pooled IDENTIFIED BY 'one'",
            "GRANT ALL ON app.* TO pooled",
        ])
        .await;
    for _ in 0..2 {
        assert_eq!(log_in(stage.port, "one").await, 0);
    }
    stage
}

async fn client(port: u16, password: &'static str, wanted: Capabilities) -> Client {
    let account = Account {
        user: USER,
        password,
    };
    Client::connect(port, account, wanted).await
}

/// The error number that a packet has, or 0.
fn code(packet: &[u8]) -> u16 {
    match packet.first() {
        Some(&ErrPacket::HEADER) => ErrPacket::parse(packet).unwrap().code,
        _ => 0,
    }
}

/// How a login ends.
async fn log_in(port: u16, password: &'static str) -> u16 {
    let mut client = client(port, password, MODERN).await;
    let ended = code(&client.login);
    if ended == 0 {
        client.send(Command::Quit, b"").await;
    }
    ended
}

/// The same, and who is in can ask who it is.
async fn ask_once(port: u16, password: &'static str) -> u16 {
    let mut client = client(port, password, MODERN).await;
    let ended = code(&client.login);
    if ended == 0 {
        let answer = client.query("SELECT CURRENT_USER()").await;
        assert_eq!(texts(&answer)[2], "\\x08pooled@%");
        client.send(Command::Quit, b"").await;
    }
    ended
}

fn handed(stage: &Stage, outcome: Handover) -> u64 {
    stage.running.metrics.handovers(0, outcome).get()
}

/// Connections to the writer in this state.
fn connections(stage: &Stage, state: ConnectionState) -> i64 {
    stage.running.metrics.backend_connections(0, state).get()
}

#[tokio::test]
async fn p3_a_login_on_a_warm_connection_is_the_backends_word() {
    let stage = stage().await;
    for _ in 0..2 {
        assert_eq!(log_in(stage.port, "one").await, 0);
        is_settled(&stage, 0).await;
        assert_eq!(log_in(stage.port, "wrong").await, 1045);
    }
    stage
        .prepare(["ALTER USER pooled IDENTIFIED BY 'two'"])
        .await;
    assert_eq!(log_in(stage.port, "one").await, 1045);
    assert_eq!(log_in(stage.port, "two").await, 0);
    stage.prepare(["DROP USER pooled"]).await;
    assert_eq!(log_in(stage.port, "two").await, 1045);
    for (outcome, missing) in [
        (Handover::Done, "no login was on a warm connection"),
        (Handover::Refused, "no warm connection was refused"),
    ] {
        assert!(handed(&stage, outcome) > 0, "{missing}");
    }
    stage.end().await;
}

/// Waits until one of a crowd has got what another one asked for.
async fn is_shared(stage: &Stage) {
    let shared = async {
        while stage.running.metrics.logins_shared().get() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, shared).await.expect("a word that is shared");
}

#[tokio::test]
async fn p10_each_of_a_crowd_is_told_what_the_backend_says_of_it() {
    let stage = stage().await;
    let port = stage.port;
    let over = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    for n in 0..CROWD {
        let over = Arc::clone(&over);
        let (password, expected) = match n % 4 {
            3 => ("wrong", 1045),
            _ => ("one", 0),
        };
        crowd.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(ask_once(port, password).await, expected);
            }
        });
    }
    is_shared(&stage).await;
    over.store(true, Ordering::Relaxed);
    crowd.join_all().await;
    stage.end().await;
}

#[tokio::test]
async fn p10_a_password_that_was_changed_counts_at_once_in_a_crowd() {
    let stage = stage().await;
    let port = stage.port;
    let [changed, over] = [false, false].map(|no| Arc::new(AtomicBool::new(no)));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (changed, over) = (Arc::clone(&changed), Arc::clone(&over));
        crowd.spawn(async move {
            while !over.load(Ordering::Acquire) {
                let late = changed.load(Ordering::Acquire);
                let ended = log_in(port, "one").await;
                assert!(ended == 1045 || ended == 0 && !late, "{ended}, {late}");
            }
        });
    }
    is_shared(&stage).await;
    let writer = stage.lab.writer();
    let change = "ALTER USER pooled IDENTIFIED BY 'two'";
    writer.execute([change]).await.unwrap();
    changed.store(true, Ordering::Release);
    for _ in 0..3 {
        assert_eq!(log_in(port, "two").await, 0);
        assert_eq!(log_in(port, "one").await, 1045);
    }
    over.store(true, Ordering::Release);
    crowd.join_all().await;
    stage.end().await;
}

#[tokio::test]
async fn p7_what_a_backend_does_at_a_login_is_done_for_each() {
    let stage = stage().await;
    is_settled(&stage, 0).await;
    let writer = stage.lab.writer();
    let does = "SET GLOBAL init_connect = 'SET SESSION group_concat_max_len = 77'";
    writer.execute([does]).await.unwrap();
    for _ in 0..3 {
        let mut client = client(stage.port, "one", MODERN).await;
        assert_eq!(code(&client.login), 0);
        let answer = client.query("SELECT @@group_concat_max_len").await;
        assert_eq!(texts(&answer)[2], "\\x0277");
    }
    assert!(handed(&stage, Handover::Failed) > 0, "it was not warm");
    writer
        .execute(["SET GLOBAL init_connect = ''"])
        .await
        .unwrap();
    stage.end().await;
}

#[tokio::test]
async fn p3_a_password_that_has_expired_can_be_changed_on_a_warm_connection() {
    let stage = stage().await;
    let writer = stage.lab.writer();
    let (can, change) = match writer.flavour() {
        Flavour::MySql => (
            MODERN | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS,
            "ALTER USER USER() IDENTIFIED BY 'two'",
        ),
        // It lets in every client.
        Flavour::MariaDb => (MODERN, "SET PASSWORD = PASSWORD('two')"),
    };
    let mut before = client(stage.port, "one", can).await;
    assert_eq!(code(&before.query("DO 1").await[0]), 0);
    before.send(Command::Quit, b"").await;
    is_settled(&stage, 0).await;
    writer
        .execute(["ALTER USER pooled PASSWORD EXPIRE"])
        .await
        .unwrap();
    let refused = handed(&stage, Handover::Refused);
    let mut client = client(stage.port, "one", can).await;
    assert_eq!(code(&client.login), 0);
    for (sql, expected) in [("SELECT 1", 1820), (change, 0), ("SELECT 1", 0)] {
        assert_eq!(code(&client.query(sql).await[0]), expected, "{sql}");
    }
    assert!(
        handed(&stage, Handover::Refused) > refused,
        "it was not warm"
    );
    for (password, expected) in [("one", 1045), ("two", 0)] {
        assert_eq!(log_in(stage.port, password).await, expected);
    }
    stage.end().await;
}

#[tokio::test]
async fn p10_a_wrong_password_is_tried_on_one_warm_connection_and_no_other() {
    let stage = stage().await;
    let mut both = [
        client(stage.port, "one", MODERN).await,
        client(stage.port, "one", MODERN).await,
    ];
    for client in &mut both {
        assert_eq!(code(&client.query("DO 1").await[0]), 0);
    }
    for client in &mut both {
        client.send(Command::Quit, b"").await;
    }
    is_settled(&stage, 0).await;
    let idle = || connections(&stage, ConnectionState::Idle);
    let (before, refused) = (idle(), handed(&stage, Handover::Refused));
    assert_eq!(log_in(stage.port, "wrong").await, 1045);
    assert_eq!(handed(&stage, Handover::Refused), refused + 1);
    assert_eq!(idle(), before - 1);
    stage.end().await;
}

#[tokio::test]
async fn p7_who_is_let_in_and_can_not_be_served_reads_why() {
    let stage = stage().await;
    is_settled(&stage, 0).await;
    let writer = stage.lab.writer();
    let fails = "SET GLOBAL init_connect = 'SELECT nothing FROM nowhere.nothing'";
    writer.execute([fails]).await.unwrap();
    let mut let_in = 0;
    // There are a few warm connections at most.
    let refused = loop {
        let mut client = client(stage.port, "one", MODERN).await;
        if code(&client.login) != 0 {
            break code(&client.login);
        }
        let_in += 1;
        assert_eq!(code(&client.query("SELECT 1").await[0]), 1184);
        let more = client.try_answer(Command::Query).await;
        assert!(more.is_err(), "it ends");
    };
    assert!(let_in > 0, "as MySQL itself lets in");
    assert_eq!(refused, 1184, "once it is known, at the login");
    writer
        .execute(["SET GLOBAL init_connect = ''"])
        .await
        .unwrap();
    assert_eq!(ask_once(stage.port, "one").await, 0);
    stage.end().await;
}

#[tokio::test]
async fn p7_who_was_let_in_is_served_however_long_the_writer_takes_for_the_rest() {
    let stage = stage_with(|config| {
        config.session.login_timeout = Duration::from_secs(3);
        config.backend.connect_timeout = LIMIT;
    })
    .await;
    is_settled(&stage, 0).await;
    let writer = stage.lab.writer();
    // A warm connection tells that there is one, and so another one is opened, behind the OK.
    let slow = "SET GLOBAL init_connect = 'DO SLEEP(5)'";
    writer.execute([slow]).await.unwrap();
    let mut client = client(stage.port, "one", MODERN).await;
    assert_eq!(code(&client.login), 0);
    let answer = client.query("SELECT 1").await;
    assert_eq!(code(&answer[0]), 0, "{answer:?}");
    writer
        .execute(["SET GLOBAL init_connect = ''"])
        .await
        .unwrap();
    stage.end().await;
}

#[tokio::test]
async fn p9_while_the_writer_is_full_who_logs_in_goes_on_to_a_reader() {
    let stage = Stage::with(|config| {
        lending(1)(config);
        config.session.limits.connection_wait = Duration::from_millis(200);
    })
    .await;
    let mut holder = stage.client().await;
    holder.query_drop("BEGIN").await.unwrap();
    holder.query_drop("SELECT 1 FOR UPDATE").await.unwrap();
    let mut other = stage.client().await;
    on_a_reader(&mut other).await;
    holder.query_drop("COMMIT").await.unwrap();
    other.query_drop("DO 1").await.unwrap();
    stage.end().await;
}
