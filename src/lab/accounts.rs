//! The accounts that every lab has. They are part of the data directory that all instances are
//! copied from, so they exist everywhere before replication starts and whatever its delay.

use super::Flavour;

/// An account of a lab. The passwords are public on purpose: the instances listen on loopback
/// only and are thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub user: &'static str,
    /// The password; empty for none.
    pub password: &'static str,
}

/// All rights, from loopback only.
pub const ROOT: Account = Account {
    user: "root",
    password: "",
};

/// The application: all rights on [`APP_SCHEMA`] and on schemas whose name begins with `test`.
pub const APP: Account = Account {
    user: "app",
    password: "app",
};

/// The proxy's monitor, with the least rights that do its work.
pub const MONITOR: Account = Account {
    user: "tidegate",
    password: "tidegate",
};

/// The readers' account on the writer.
pub const REPLICATION: Account = Account {
    user: "replication",
    password: "replication",
};

/// The schema that exists from the start, empty.
pub const APP_SCHEMA: &str = "app";

/// Makes the accounts, one statement a line, as `--init-file` wants it
/// (MySQL manual, "Server Command Options").
pub(super) fn setup_sql(flavour: Flavour) -> String {
    let create = |account, host| create(flavour, account, host);
    let monitor = match flavour {
        Flavour::MySql => "GRANT REPLICATION CLIENT, PROCESS ON *.*",
        Flavour::MariaDb => "GRANT BINLOG MONITOR, SLAVE MONITOR, PROCESS ON *.*",
    };
    let mut statements = vec![
        create(ROOT, "127.0.0.1"),
        format!(
            "GRANT ALL ON *.* TO '{}'@'127.0.0.1' WITH GRANT OPTION",
            ROOT.user
        ),
        format!("CREATE DATABASE {APP_SCHEMA}"),
        create(APP, "%"),
        format!("GRANT ALL ON {APP_SCHEMA}.* TO '{}'@'%'", APP.user),
        format!("GRANT ALL ON `test%`.* TO '{}'@'%'", APP.user),
        create(MONITOR, "%"),
        format!("{monitor} TO '{}'@'%'", MONITOR.user),
        create(REPLICATION, "%"),
        format!(
            "GRANT REPLICATION SLAVE ON *.* TO '{}'@'%'",
            REPLICATION.user
        ),
    ];
    if flavour == Flavour::MariaDb {
        let user = MONITOR.user;
        statements.push(format!(
            "GRANT SELECT ON mysql.gtid_slave_pos TO '{user}'@'%'"
        ));
    }
    let lines = statements.iter().map(|statement| format!("{statement};\n"));
    lines.collect()
}

/// With the plugin that is the flavour's default.
fn create(flavour: Flavour, account: Account, host: &str) -> String {
    let Account { user, password } = account;
    // MariaDB's own tables begin with accounts of root's.
    let (create, plugin) = match flavour {
        Flavour::MySql => ("CREATE USER", "WITH caching_sha2_password "),
        Flavour::MariaDb => ("CREATE OR REPLACE USER", ""),
    };
    format!("{create} '{user}'@'{host}' IDENTIFIED {plugin}BY '{password}'")
}
