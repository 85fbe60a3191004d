//! What clients of their own kinds rely on: pipelining, attributes, timeouts, files, expiry.

use tidegate::lab::{APP, Account, Flavour};
use tidegate::protocol::{Capabilities, Command, put_lenenc_bytes};

use crate::wire::{Client, MODERN};
use crate::{cell, code, support, wire};

#[tokio::test]
async fn p3_commands_sent_in_one_go_are_answered_in_order() {
    let lab = support::lab().await;
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    for compression in [None, Some(Capabilities::COMPRESS)] {
        let flags = MODERN | compression.unwrap_or_default();
        let mut client = Client::connect(port, APP, flags).await;
        if let Some(algorithm) = tidegate::protocol::compression::Algorithm::agreed(flags, None) {
            client.wire.compress(algorithm);
        }
        client.query("DROP TABLE IF EXISTS app.piped").await;
        client.query("CREATE TABLE app.piped (id INT)").await;
        for number in 0..60 {
            let sql = match number % 3 {
                0 => format!("INSERT INTO app.piped VALUES ({number})"),
                1 => format!("SELECT {number}, MAX(id) FROM app.piped"),
                _ => format!("SELECT nonsense_{number}"),
            };
            client.wire.set_sequence(0);
            client
                .wire
                .queue(&[&[Command::Query as u8], sql.as_bytes()].concat());
        }
        client.wire.flush().await.unwrap();
        for number in 0..60 {
            client.wire.set_sequence(1);
            let answer = client.answer(Command::Query).await;
            match number % 3 {
                0 => assert_eq!(code(&answer[0]), 0, "insert {number}"),
                1 => {
                    let row = &answer[answer.len() - 2];
                    let expected = format!("{number}\t{}", number - 1);
                    let mut reader = tidegate::protocol::Reader::new(row);
                    let mut next = || {
                        let cell = reader.lenenc_bytes("cell").unwrap();
                        String::from_utf8_lossy(cell).into_owned()
                    };
                    assert_eq!(format!("{}\t{}", next(), next()), expected);
                }
                _ => assert_eq!(code(&answer[0]), 1054),
            }
        }
    }
    running.drain().await;
}

#[tokio::test]
async fn connection_attributes_and_the_interactive_timeout_reach_the_backend() {
    let lab = support::lab().await;
    let global = "SET GLOBAL interactive_timeout = 1234";
    lab.writer().execute([global]).await.unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let mut attributes = Vec::new();
    put_lenenc_bytes(&mut attributes, b"program_name");
    put_lenenc_bytes(&mut attributes, b"tide tables");
    let flags = MODERN | Capabilities::INTERACTIVE | Capabilities::CONNECT_ATTRS;
    let mut client = Client::with_attributes(port, APP, flags, attributes).await;
    let timeout = client.query("SELECT @@session.wait_timeout").await;
    assert_eq!(cell(&timeout), "1234");
    if support::flavour() == Flavour::MySql {
        let told = "SELECT ATTR_VALUE FROM performance_schema.session_account_connect_attrs \
                    WHERE ATTR_NAME = 'program_name' AND PROCESSLIST_ID = @@pseudo_thread_id";
        assert_eq!(cell(&client.query(told).await), "tide tables");
    }
    let mut other = Client::connect(port, APP, MODERN).await;
    let timeout = other.query("SELECT @@session.wait_timeout").await;
    assert_ne!(cell(&timeout), "1234");
    running.drain().await;
}

#[tokio::test]
async fn p3_a_file_that_is_refused_is_refused_as_by_the_server() {
    let lab = support::lab_alone().await;
    let writer = lab.writer();
    let create = "CREATE TABLE IF NOT EXISTS app.filed (id INT, name TEXT)";
    writer
        .execute([create, "SET GLOBAL local_infile = OFF"])
        .await
        .unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let load = "LOAD DATA LOCAL INFILE 'any' INTO TABLE app.filed";
    for flags in [MODERN, MODERN.without(Capabilities::LOCAL_FILES)] {
        let mut direct = Client::connect(writer.port(), APP, flags).await;
        let mut through = Client::connect(port, APP, flags).await;
        let (one, other) = (direct.query(load).await, through.query(load).await);
        assert_ne!(code(&one[0]), 0);
        assert_eq!(one, other);
        assert_eq!(through.query("SELECT 1").await.len(), 4);
    }
    writer
        .execute(["SET GLOBAL local_infile = ON"])
        .await
        .unwrap();
    let mut through = Client::connect(port, APP, MODERN).await;
    assert_eq!(code(through.query(load).await.last().unwrap()), 0);
    running.drain().await;
}

#[tokio::test]
async fn an_expired_password_is_error_1862_as_for_any_client_that_can_not_change_it() {
    let lab = support::lab().await;
    if support::skips(
        Flavour::MySql,
        "MariaDB lets it log in, for nothing but a new password",
    ) {
        return;
    }
    let stale = Account {
        user: "gone_stale",
        password: "gone_stale",
    };
    let create = format!(
        "CREATE USER {0} IDENTIFIED BY '{0}' PASSWORD EXPIRE",
        stale.user
    );
    lab.writer().execute([create]).await.unwrap();
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let refused = Client::connect(port, stale, MODERN).await.login;
    assert_eq!(code(&refused), 1862);
    let reset = format!("ALTER USER {0} IDENTIFIED BY '{0}'", stale.user);
    let grant = format!("GRANT ALL ON app.* TO {}", stale.user);
    lab.writer().execute([reset, grant]).await.unwrap();
    assert_eq!(code(&Client::connect(port, stale, MODERN).await.login), 0);
    running.drain().await;
}
