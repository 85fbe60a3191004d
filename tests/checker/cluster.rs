//! The cluster that is checked, with what the clients need in it.

use std::time::Duration;

use mysql_async::{Conn, OptsBuilder};
use tidegate::lab::{Account, Cluster};

use crate::support;

/// The accounts that play at scope `user`.
pub(crate) const USERS: [Account; 3] = [
    Account {
        user: "checker1",
        password: "one",
    },
    Account {
        user: "checker2",
        password: "two",
    },
    Account {
        user: "checker3",
        password: "three",
    },
];

/// Adds one; the row need not be there yet.
const BUMP: &str =
    "INSERT INTO app.counters VALUES (k, 1) ON DUPLICATE KEY UPDATE v = counters.v + 1";

/// Makes accounts, tables and routines, and lets the readers have them without delay.
pub(crate) async fn set_up(lab: &Cluster) {
    for reader in lab.readers() {
        reader.set_delay(0).await.unwrap();
    }
    let mut statements = Vec::new();
    for Account { user, password } in USERS {
        statements.push(format!(
            "CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{password}'"
        ));
        statements.push(format!("GRANT ALL ON app.* TO {user}"));
    }
    statements.extend(tables_and_routines());
    lab.writer().execute(statements).await.unwrap();
    for instance in lab.instances() {
        support::allow_semi_sync(instance).await;
    }
    support::name_backends(lab).await;
    assert!(lab.settle(Duration::from_secs(60)).await.unwrap());
}

/// The routines are of an account that a read-only server refuses, as it does not root on MariaDB.
fn tables_and_routines() -> Vec<String> {
    vec![
        "DROP TABLE IF EXISTS app.counters, app.lists, app.shadowed, app.fired".to_owned(),
        "CREATE TABLE app.lists (id INT PRIMARY KEY, l MEDIUMTEXT)".to_owned(),
        "CREATE TABLE app.counters (id INT PRIMARY KEY, v BIGINT)".to_owned(),
        "CREATE TABLE app.shadowed AS SELECT 'real' AS v".to_owned(),
        "CREATE TABLE app.fired (k INT)".to_owned(),
        "DROP PROCEDURE IF EXISTS app.bump".to_owned(),
        "DROP PROCEDURE IF EXISTS app.bump_and_fail".to_owned(),
        "DROP FUNCTION IF EXISTS app.bump_by_function".to_owned(),
        format!("CREATE DEFINER = checker1 PROCEDURE app.bump(k INT) {BUMP}"),
        format!(
            "CREATE DEFINER = checker1 PROCEDURE app.bump_and_fail(k INT) BEGIN {BUMP}; COMMIT; \
             SIGNAL SQLSTATE '45000'; END"
        ),
        // Has done its work long before it answers.
        "DROP PROCEDURE IF EXISTS app.bump_and_sleep".to_owned(),
        format!(
            "CREATE DEFINER = checker1 PROCEDURE app.bump_and_sleep(k INT) BEGIN {BUMP}; DO SLEEP(0.05); END"
        ),
        format!(
            "CREATE DEFINER = checker1 FUNCTION app.bump_by_function(k INT) RETURNS INT MODIFIES SQL DATA \
             BEGIN {BUMP}; RETURN k; END"
        ),
        format!(
            "CREATE DEFINER = checker1 TRIGGER app.bump_by_trigger AFTER INSERT ON app.fired FOR EACH ROW \
             BEGIN DECLARE k INT DEFAULT NEW.k; {BUMP}; END"
        ),
    ]
}

/// A connection through the proxy; `None` if that fails, since backends are being broken.
pub(crate) async fn connect(port: u16, account: Account) -> Option<Conn> {
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(account.user))
        .pass(Some(account.password))
        .prefer_socket(false)
        .db_name(Some("app"));
    Conn::new(opts).await.ok()
}
