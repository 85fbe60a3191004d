//! MySQL or MariaDB, and what a lab has to do differently for each.

use std::fmt;

use super::accounts::REPLICATION;
use crate::routing::Role;

/// Whose servers a lab runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Flavour {
    /// MySQL.
    #[default]
    #[value(name = "mysql")]
    MySql,
    /// MariaDB.
    #[value(name = "mariadb")]
    MariaDb,
}

/// The options of every MySQL. The values that differ from the defaults make it start fast and let
/// tests do what they have to, except those that replication by GTID needs.
const MYSQL: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--skip-name-resolve=ON",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--log-replica-updates=ON",
    "--replica-preserve-commit-order=ON",
    "--replica-net-timeout=10",
    "--relay-log=relay",
    "--relay-log-recovery=ON",
    "--log-bin-trust-function-creators=1",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    "--performance-schema=ON",
    "--max-connections=2500",
    "--local-infile=ON",
    "--log-error-verbosity=3",
];

/// The same for MariaDB. Its strict mode is what makes GTIDs comparable, and is off by default.
const MARIADB: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--skip-name-resolve=ON",
    "--gtid-strict-mode=ON",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--log-slave-updates=ON",
    "--slave-parallel-threads=2",
    "--slave-net-timeout=10",
    "--relay-log=relay",
    "--relay-log-recovery=ON",
    "--log-bin-trust-function-creators=1",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=2500",
    "--max-allowed-packet=64M",
    "--local-infile=ON",
    "--log-warnings=3",
];

/// Options that shape a data directory, or that speed both its making and its use: what a lab
/// holds need not survive a power cut.
const MYSQL_STORAGE: &[&str] = &[
    "--innodb-buffer-pool-size=64M",
    "--loose-innodb-redo-log-capacity=64M",
    "--innodb-flush-method=fsync",
    "--innodb-use-native-aio=OFF",
    "--mysqlx=OFF",
];

const MARIADB_STORAGE: &[&str] = &[
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=64M",
    "--innodb-flush-method=fsync",
    "--innodb-use-native-aio=OFF",
];

impl Flavour {
    /// As its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        }
    }

    /// The file name of the server.
    pub(super) fn server(self) -> &'static str {
        match self {
            Self::MySql => "mysqld",
            Self::MariaDb => "mariadbd",
        }
    }

    /// The file name of the command line client.
    pub(super) fn client(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
        }
    }

    /// The environment variable that names the server to run.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::MySql => "TIDEGATE_MYSQLD",
            Self::MariaDb => "TIDEGATE_MARIADBD",
        }
    }

    /// The oldest version whose statements and options the lab uses: MySQL has had the names
    /// `replica_preserve_commit_order` and `log_replica_updates` since then.
    pub(super) fn oldest(self) -> (u32, u32, u32) {
        match self {
            Self::MySql => (8, 0, 26),
            Self::MariaDb => (10, 11, 0),
        }
    }

    pub(super) fn storage(self) -> &'static [&'static str] {
        match self {
            Self::MySql => MYSQL_STORAGE,
            Self::MariaDb => MARIADB_STORAGE,
        }
    }

    pub(super) fn options(self) -> &'static [&'static str] {
        match self {
            Self::MySql => MYSQL,
            Self::MariaDb => MARIADB,
        }
    }

    /// The variable that keeps a reader from being written to, as far as the flavour can: in
    /// MariaDB accounts with READ ONLY ADMIN are not bound by it.
    pub fn read_only_variable(self) -> &'static str {
        match self {
            Self::MySql => "super_read_only",
            Self::MariaDb => "read_only",
        }
    }

    pub(super) fn read_only_option(self, role: Role) -> String {
        let name = self.read_only_variable().replace('_', "-");
        let value = if role == Role::Reader { "ON" } else { "OFF" };
        format!("--{name}={value}")
    }

    /// How to ask for what is executed.
    pub(super) fn executed(self, role: Role) -> &'static str {
        match (self, role) {
            (Self::MySql, _) => "SELECT @@global.gtid_executed",
            (Self::MariaDb, Role::Writer) => "SELECT @@global.gtid_binlog_pos",
            (Self::MariaDb, Role::Reader) => "SELECT @@global.gtid_slave_pos",
        }
    }

    /// Waits for what [`Flavour::executed`] told; answers 0 when it is there.
    pub(super) fn wait_executed(self, set: &str, seconds: f64) -> String {
        match self {
            Self::MySql => {
                let set = set.replace('\n', "");
                format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{set}', {seconds})")
            }
            Self::MariaDb => format!("SELECT MASTER_GTID_WAIT('{set}', {seconds})"),
        }
    }

    /// Makes a reader follow the writer at this port of loopback.
    pub(super) fn follow(self, port: u16, delay_secs: u32) -> String {
        let (user, password) = (REPLICATION.user, REPLICATION.password);
        match self {
            Self::MySql => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, \
                 SOURCE_USER = '{user}', SOURCE_PASSWORD = '{password}', \
                 SOURCE_AUTO_POSITION = 1, SOURCE_DELAY = {delay_secs}, \
                 GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400"
            ),
            Self::MariaDb => format!(
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, \
                 MASTER_USER = '{user}', MASTER_PASSWORD = '{password}', \
                 MASTER_USE_GTID = slave_pos, MASTER_DELAY = {delay_secs}, \
                 MASTER_CONNECT_RETRY = 1"
            ),
        }
    }

    /// Asks what each thread of the applier does, and how the last one ended.
    pub(super) fn workers(self) -> &'static str {
        match self {
            Self::MySql => "SELECT * FROM performance_schema.replication_applier_status_by_worker",
            Self::MariaDb => {
                "SELECT * FROM information_schema.processlist WHERE user = 'system user'"
            }
        }
    }

    /// Changes how far a reader whose applier is stopped stays behind.
    pub(super) fn delay(self, delay_secs: u32) -> String {
        match self {
            Self::MySql => {
                format!("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {delay_secs}")
            }
            Self::MariaDb => format!("CHANGE MASTER TO MASTER_DELAY = {delay_secs}"),
        }
    }

    /// What an error log says if somebody else has the port.
    pub(super) fn port_taken(self) -> &'static str {
        match self {
            Self::MySql => "MY-010262",
            Self::MariaDb => "Bind on TCP/IP port",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
