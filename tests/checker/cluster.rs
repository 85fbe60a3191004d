//! The cluster that is checked, with what the clients need in it.

use std::time::Duration;

use mysql_async::{Conn, OptsBuilder};
use tidegate::lab::{Account, Cluster};

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
    let mut statements: Vec<String> = vec![
        "DROP TABLE IF EXISTS app.counters, app.shadowed, app.fired".to_owned(),
        "CREATE TABLE app.counters (id INT PRIMARY KEY, v BIGINT)".to_owned(),
        "CREATE TABLE app.shadowed AS SELECT 'real' AS v".to_owned(),
        "CREATE TABLE app.fired (k INT)".to_owned(),
        "DROP PROCEDURE IF EXISTS app.bump".to_owned(),
        "DROP PROCEDURE IF EXISTS app.bump_and_fail".to_owned(),
        "DROP FUNCTION IF EXISTS app.bump_by_function".to_owned(),
        format!("CREATE PROCEDURE app.bump(k INT) {BUMP}"),
        format!(
            "CREATE PROCEDURE app.bump_and_fail(k INT) BEGIN {BUMP}; COMMIT; \
             SIGNAL SQLSTATE '45000'; END"
        ),
        // Has done its work long before it answers.
        "DROP PROCEDURE IF EXISTS app.bump_and_sleep".to_owned(),
        format!("CREATE PROCEDURE app.bump_and_sleep(k INT) BEGIN {BUMP}; DO SLEEP(0.05); END"),
        format!(
            "CREATE FUNCTION app.bump_by_function(k INT) RETURNS INT MODIFIES SQL DATA \
             BEGIN {BUMP}; RETURN k; END"
        ),
        format!(
            "CREATE TRIGGER app.bump_by_trigger AFTER INSERT ON app.fired FOR EACH ROW \
             BEGIN DECLARE k INT DEFAULT NEW.k; {BUMP}; END"
        ),
    ];
    for Account { user, password } in USERS {
        statements.push(format!(
            "CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{password}'"
        ));
        statements.push(format!("GRANT ALL ON app.* TO {user}"));
    }
    lab.writer().execute(statements).await.unwrap();
    allow_semi_sync(lab).await;
    for (instance, name) in lab.instances().zip(["w1", "r1", "r2"]) {
        let row = format!("REPLACE INTO app.whoami VALUES (1, '{name}')");
        let statements = [
            "SET sql_log_bin = 0",
            "SET @was = @@global.super_read_only",
            "SET GLOBAL super_read_only = OFF",
            "CREATE TABLE IF NOT EXISTS app.whoami (id INT PRIMARY KEY, name VARCHAR(9))",
            &row,
            "SET GLOBAL super_read_only = @was",
        ];
        instance.execute(statements).await.unwrap();
    }
    assert!(lab.settle(Duration::from_secs(60)).await.unwrap());
}

/// With the plugin commits can be held before they are acknowledged. It stays for the next play.
async fn allow_semi_sync(lab: &Cluster) {
    let installed = "SELECT COUNT(*) FROM information_schema.plugins \
                     WHERE plugin_name = 'rpl_semi_sync_source'";
    let row = lab.writer().row(installed).await.unwrap();
    if row.and_then(|mut row| row.take::<u64, _>(0)) == Some(0) {
        let install = [
            "SET sql_log_bin = 0",
            "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
            "SET GLOBAL rpl_semi_sync_source_timeout = 60000",
        ];
        lab.writer().execute(install).await.unwrap();
    }
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
