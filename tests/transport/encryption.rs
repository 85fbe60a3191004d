//! TLS towards backends.

use std::path::PathBuf;

use tidegate::config::Config;
use tidegate::lab::{APP, Account, Cluster, Flavour};
use tidegate::net::{BackendTls, TlsMode};

use crate::wire::{Client, MODERN};
use crate::{cell, code, support, wire};

const X509: Account = Account {
    user: "shows_x509",
    password: "shows_x509",
};

/// Everything about the lab, with this TLS to all of its backends.
fn config(lab: &Cluster, tls: &BackendTls) -> Config {
    let mut config = wire::config(lab);
    for backend in &mut config.backend.backends {
        backend.tls = tls.clone();
    }
    config
}

/// The certificate of MySQL's own making that vouches for its server's; each instance is a copy of
/// one data directory.
fn own_ca(lab: &Cluster) -> PathBuf {
    lab.writer().data().join("ca.pem")
}

/// A CA that vouches for nobody here.
fn other_ca(directory: &std::path::Path) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = directory.join("ca.pem");
    std::fs::write(&path, made.cert.pem()).unwrap();
    path
}

fn tls(mode: TlsMode, ca: Option<PathBuf>) -> BackendTls {
    BackendTls {
        mode,
        ca,
        identity: None,
    }
}

async fn cipher(client: &mut Client) -> String {
    let status = client.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'").await;
    let row = &status[status.len() - 2];
    String::from_utf8_lossy(row).replace(|c: char| c.is_control(), "")
}

#[tokio::test]
async fn backends_are_reached_by_tls_where_it_is_asked_for() {
    let lab = support::lab_alone().await;
    if support::skips(
        Flavour::MySql,
        "this MariaDB makes no certificate of its own",
    ) {
        return;
    }
    for (tls, expected) in [
        (tls(TlsMode::Disabled, None), false),
        (tls(TlsMode::Preferred, None), true),
        (tls(TlsMode::Required, None), true),
        (tls(TlsMode::VerifyCa, Some(own_ca(&lab))), true),
    ] {
        let (running, port) = wire::proxy(config(&lab, &tls)).await;
        let mut client = Client::connect(port, APP, MODERN).await;
        assert_eq!(code(&client.login), 0, "{tls:?}");
        let cipher = cipher(&mut client).await;
        assert_eq!(cipher.contains("TLS_"), expected, "{tls:?}: {cipher}");
        // The monitor has reached a reader in the same way, or no read would run there.
        support::name_backends(&lab).await;
        let read = "/* tidegate: level=eventual */ SELECT name FROM app.whoami";
        let mut ran_on = String::new();
        for _ in 0..200 {
            ran_on = cell(&client.query(read).await);
            if ran_on != "w1" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_ne!(ran_on, "w1", "{tls:?}");
        let monitor = "SELECT GROUP_CONCAT(DISTINCT CONNECTION_TYPE) FROM performance_schema.threads \
                       WHERE PROCESSLIST_USER = 'tidegate'";
        // Those of the proxy before may take a moment to go.
        let mut kinds = String::new();
        for _ in 0..500 {
            let row = lab.writer().row(monitor).await.unwrap();
            let told: Option<String> = row.and_then(|mut row| row.take(0)).unwrap();
            kinds = told.unwrap_or_default();
            if kinds == if expected { "SSL/TLS" } else { "TCP/IP" } {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(
            kinds,
            if expected { "SSL/TLS" } else { "TCP/IP" },
            "{tls:?}"
        );
        running.drain().await;
    }
}

#[tokio::test]
async fn p10_a_backend_that_does_not_prove_itself_gets_no_password() {
    let lab = support::lab().await;
    if support::skips(
        Flavour::MySql,
        "this MariaDB makes no certificate of its own",
    ) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for tls in [
        tls(TlsMode::VerifyCa, Some(other_ca(directory.path()))),
        // Its certificate names no host.
        tls(TlsMode::VerifyIdentity, Some(own_ca(&lab))),
    ] {
        let (running, port) = wire::proxy(config(&lab, &tls)).await;
        let client = Client::connect(port, APP, MODERN).await;
        assert_eq!(code(&client.login), 1429, "{tls:?}");
        running.drain().await;
    }
}

#[tokio::test]
async fn p10_where_tls_is_required_a_backend_without_it_is_not_used() {
    let lab = support::lab().await;
    if support::skips(Flavour::MariaDb, "MySQL always has a certificate") {
        return;
    }
    let (running, port) = wire::proxy(config(&lab, &tls(TlsMode::Required, None))).await;
    let client = Client::connect(port, APP, MODERN).await;
    assert_eq!(code(&client.login), 1429);
    running.drain().await;
    let (running, port) = wire::proxy(config(&lab, &tls(TlsMode::Preferred, None))).await;
    let client = Client::connect(port, APP, MODERN).await;
    assert_eq!(code(&client.login), 0);
    running.drain().await;
}

#[tokio::test]
async fn accounts_that_require_tls_or_a_certificate_log_in() {
    let lab = support::lab().await;
    if support::skips(
        Flavour::MySql,
        "this MariaDB makes no certificate of its own",
    ) {
        return;
    }
    let create = format!(
        "CREATE USER {0} IDENTIFIED BY '{0}' REQUIRE X509",
        X509.user
    );
    let grant = format!("GRANT ALL ON app.* TO {}", X509.user);
    lab.writer().execute([create, grant]).await.unwrap();
    let data = lab.writer().data();
    let without = tls(TlsMode::VerifyCa, Some(own_ca(&lab)));
    let with = BackendTls {
        identity: Some((data.join("client-cert.pem"), data.join("client-key.pem"))),
        ..without.clone()
    };
    for (tls, expected) in [(without, 1045), (with, 0)] {
        let (running, port) = wire::proxy(config(&lab, &tls)).await;
        let client = Client::connect(port, X509, MODERN).await;
        assert_eq!(code(&client.login), expected, "{tls:?}");
        running.drain().await;
    }
}
