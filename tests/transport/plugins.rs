//! Accounts with every plugin that a server has, and with expired passwords.

use std::process::Stdio;

use tidegate::lab::{APP, Account, Flavour};
use tidegate::net::{BackendTls, TlsMode};

use crate::wire::{Client, MODERN};
use crate::{cell, code, support, wire};

async fn logs_in(port: u16, account: Account) {
    for _ in 0..2 {
        let mut client = Client::connect(port, account, MODERN).await;
        assert_eq!(code(&client.login), 0, "{}", client.login.escape_ascii());
        let user = cell(&client.query("SELECT CURRENT_USER()").await);
        assert_eq!(user, format!("{}@%", account.user));
    }
    let wrong = Account {
        password: "wrong",
        ..account
    };
    assert_eq!(
        code(&Client::connect(port, wrong, MODERN).await.login),
        1045
    );
}

#[tokio::test]
async fn accounts_log_in_whatever_their_plugin() {
    let lab = support::lab().await;
    let plugins: &[(&str, &'static str)] = match support::flavour() {
        Flavour::MySql => &[
            (
                "IDENTIFIED WITH caching_sha2_password BY 'pass word'",
                "sha2",
            ),
            ("IDENTIFIED WITH sha256_password BY 'pass word'", "sha1st"),
            (
                "IDENTIFIED WITH mysql_native_password BY 'pass word'",
                "native",
            ),
        ],
        Flavour::MariaDb => &[
            (
                "IDENTIFIED VIA mysql_native_password USING PASSWORD('pass word')",
                "native",
            ),
            (
                "IDENTIFIED VIA ed25519 USING PASSWORD('pass word')",
                "ed25519",
            ),
            (
                "IDENTIFIED VIA parsec USING PASSWORD('pass word')",
                "parsec",
            ),
        ],
    };
    let mut secure = wire::config(&lab);
    for backend in &mut secure.backend.backends {
        backend.tls = BackendTls {
            mode: TlsMode::Preferred,
            ..BackendTls::default()
        };
    }
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let (encrypted, secure) = wire::proxy(secure).await;
    if support::flavour() == Flavour::MariaDb {
        for plugin in ["auth_ed25519", "auth_parsec"] {
            // Where the server does not come with it, the account below is skipped.
            let _ = lab
                .writer()
                .execute([format!("INSTALL SONAME '{plugin}'")])
                .await;
        }
    }
    let mut played = 0;
    for (clause, user) in plugins {
        let create = format!("CREATE USER {user} {clause}");
        if let Err(error) = lab.writer().execute([&create]).await {
            println!("skipped: {user}: {error}");
            continue;
        }
        let account = Account {
            user,
            password: "pass word",
        };
        let grant = format!("GRANT ALL ON app.* TO {user}");
        lab.writer().execute([&grant]).await.unwrap();
        logs_in(port, account).await;
        logs_in(secure, account).await;
        played += 1;
    }
    assert!(played > 0);
    running.drain().await;
    encrypted.drain().await;
}

#[tokio::test]
async fn p10_a_password_in_clear_text_is_taken_over_tls_and_not_without() {
    let lab = support::lab().await;
    if support::skips(Flavour::MySql, "MariaDB's client has no choice of plugin") {
        return;
    }
    let Some(line) = lab.mysql_line(0) else {
        println!("skipped: no mysql client beside the server");
        return;
    };
    let (running, port) = wire::proxy(wire::config(&lab)).await;
    let program = line.split_whitespace().next().unwrap().to_owned();
    let log_in = async |tls: &str, password: &str| {
        let client = tokio::process::Command::new(&program)
            .args(["--no-defaults", "--host=127.0.0.1", "--user=app", "--batch"])
            .arg(format!("--port={port}"))
            .arg(format!("--password={password}"))
            .args(["--default-auth=mysql_clear_password", tls])
            .args(["--enable-cleartext-plugin", "--get-server-public-key"])
            .args(["--skip-column-names", "-e", "SELECT CURRENT_USER()"])
            .stdin(Stdio::null())
            .output();
        let client = client.await.unwrap();
        let texts = [client.stdout, client.stderr];
        texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    for tls in ["--ssl-mode=REQUIRED", "--ssl-mode=DISABLED"] {
        let [said, errors] = log_in(tls, APP.password).await;
        assert_eq!(said, "app@%\n", "{tls}: {errors}");
        let [said, errors] = log_in(tls, "wrong").await;
        assert_eq!(said, "", "{tls}");
        assert!(errors.contains("1045"), "{tls}: {errors}");
    }
    running.drain().await;
}
