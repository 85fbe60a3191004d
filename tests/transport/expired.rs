//! Accounts whose password has expired.

use std::time::Duration;

use tidegate::lab::{Account, Flavour};
use tidegate::protocol::{Capabilities, Command};

use crate::wire::compare::{comparable, texts};
use crate::wire::{Client, MODERN};
use crate::{code, support, wire};

const LIMIT: Duration = Duration::from_secs(30);

/// Asks both clients the same, and holds one answer against the other; its error number, or 0.
async fn same(both: &mut [Client; 2], command: Command, sql: &str) -> u16 {
    let [direct, through] = both;
    let expected = direct.ask(command, sql.as_bytes()).await;
    let found = through.ask(command, sql.as_bytes()).await;
    let [expected, found] = [expected, found].map(|it| comparable(it, MODERN));
    assert_eq!(texts(&expected), texts(&found), "{command:?} {sql}");
    code(&found[0])
}

#[tokio::test]
async fn p3_an_expired_password_can_be_changed_and_the_session_goes_on() {
    let lab = support::lab().await;
    let (can, change) = match lab.writer().flavour() {
        Flavour::MySql => (
            MODERN | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS,
            "ALTER USER USER() IDENTIFIED BY 'new word'",
        ),
        // It lets in every client.
        Flavour::MariaDb => (MODERN, "SET PASSWORD = PASSWORD('new word')"),
    };
    let accounts = ["stale_1", "stale_2"].map(|name| Account {
        user: name,
        password: "old word",
    });
    for Account { user, password } in accounts {
        lab.writer()
            .execute([
                format!("CREATE USER {user} IDENTIFIED BY '{password}' PASSWORD EXPIRE"),
                format!("GRANT ALL ON app.* TO {user}"),
                "CREATE TABLE IF NOT EXISTS app.renewed (n INT)".to_owned(),
            ])
            .await
            .unwrap();
    }
    let executed = lab.writer().executed().await.unwrap();
    for reader in lab.readers() {
        assert!(reader.wait_executed(&executed, LIMIT).await.unwrap());
    }
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let [one, other] = accounts;
    let direct = Client::connect(lab.writer().port(), one, can).await;
    let through = Client::connect(port, other, can).await;
    assert_eq!(code(&through.login), 0, "{}", through.login.escape_ascii());
    let both = &mut [direct, through];
    for sql in [
        "SELECT 1",
        "BEGIN",
        "INSERT INTO renewed VALUES (1)",
        "SELEC",
    ] {
        same(both, Command::Query, sql).await;
    }
    assert_eq!(same(both, Command::Query, "SELECT 1").await, 1820);
    same(both, Command::Ping, "").await;
    same(both, Command::InitDb, "app").await;
    assert_eq!(same(both, Command::Query, change).await, 0);
    for n in 1..10 {
        same(both, Command::Query, &format!("SET @n = {n}")).await;
        same(both, Command::Query, "INSERT INTO renewed VALUES (@n)").await;
        let read = "SELECT MAX(n), @n, DATABASE() FROM renewed";
        same(both, Command::Query, read).await;
    }
    same(both, Command::Query, "SELECT 1; SELECT 2").await;
    let anew = Account {
        password: "new word",
        ..other
    };
    for (account, expected) in [(anew, 0), (other, 1045)] {
        let login = Client::connect(port, account, can).await.login;
        assert_eq!(code(&login), expected);
    }
    running.drain().await;
}
