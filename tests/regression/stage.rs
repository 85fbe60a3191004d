//! A writer, two readers of which one lags, and Tidegate before them, as MySQL's tests want them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use tidegate::app::Running;
use tidegate::lab::fetch::TestSuite;
use tidegate::lab::{Cluster, Options};
use tidegate::net::Endpoint;
use tidegate::routing::Scope;

use super::clean::{Baseline, clean};
use super::player::Road;
use super::wire;

/// How far the readers stay behind, in seconds.
const DELAYS: [u32; 2] = [0, 1];

/// Beside what every lab has: files may be anywhere, as tests write them.
const OPTIONS: [&str; 4] = [
    "--secure-file-priv=",
    "--innodb-flush-log-at-trx-commit=0",
    "--loose-innodb-doublewrite=OFF",
    "--connect-timeout=60",
];

/// The tables, accounts and routines that tests take for granted.
const SETUP: [&str; 6] = [
    "CREATE DATABASE mtr",
    "CREATE PROCEDURE mtr.add_suppression(pattern VARCHAR(255)) DO 0",
    "CREATE DATABASE test",
    "INSERT INTO mysql.db SELECT '%', 'test', '', 'Y', 'Y', 'Y', 'Y', 'Y', 'Y', 'N', 'Y', 'Y', 'Y', \
     'Y', 'Y', 'Y', 'Y', 'Y', 'N', 'N', 'Y', 'Y'",
    "INSERT INTO mysql.db SELECT '%', 'test\\_%', '', 'Y', 'Y', 'Y', 'Y', 'Y', 'Y', 'N', 'Y', 'Y', \
     'Y', 'Y', 'Y', 'Y', 'Y', 'Y', 'N', 'N', 'Y', 'Y'",
    "FLUSH PRIVILEGES",
];

/// The cluster, with what it was like before the first test.
pub(crate) struct Stage {
    cluster: Option<Cluster>,
    running: Option<Running>,
    port: u16,
    baseline: Baseline,
}

impl Stage {
    /// Starts it.
    pub(crate) async fn open(suite: &TestSuite) -> Self {
        let mysqld_args = OPTIONS.map(str::to_owned).to_vec();
        let options = Options {
            mysqld_args,
            ..Options::with_delays(DELAYS)
        };
        let cluster = Cluster::start(options).await.expect("a lab");
        for instance in cluster.instances() {
            set_up(instance, suite).await;
        }
        let baseline = Baseline::of(cluster.writer()).await;
        let mut stage = Self {
            cluster: Some(cluster),
            running: None,
            port: 0,
            baseline,
        };
        let variable = stage.variable();
        for folder in ["tmp", "log", "run", "bin"] {
            fs::create_dir_all(variable.join(folder)).expect("a folder");
        }
        symlink(
            suite.directory().join("std_data"),
            variable.join("std_data"),
        )
        .expect("a link");
        stage.start_proxy().await;
        stage
    }

    /// Undoes what a test has left. Where that can't be done, everything is made anew.
    pub(crate) async fn clean(&mut self, suite: &TestSuite) {
        let cluster = self.cluster.as_ref().expect("a cluster");
        let limit = Duration::from_secs(60);
        let cleaned = tokio::time::timeout(limit, clean(cluster, &self.baseline)).await;
        if let Ok(Ok(())) = cleaned {
            return;
        }
        self.shut().await;
        *self = Self::open(suite).await;
    }

    /// Ends it.
    pub(crate) async fn close(mut self) {
        self.shut().await;
    }

    async fn shut(&mut self) {
        if let Some(running) = self.running.take() {
            running.drain().await;
        }
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        }
    }

    fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("a cluster")
    }

    /// What tests call `var`: relative paths from the server's data lead to it.
    pub(crate) fn variable(&self) -> PathBuf {
        self.cluster().directory().to_owned()
    }

    /// The socket that every test is told.
    pub(crate) fn socket(&self) -> PathBuf {
        self.variable().join("s.sock")
    }

    fn front(&self) -> PathBuf {
        self.variable().join("t.sock")
    }

    /// Has that socket lead to the writer or to Tidegate; the port of the same.
    pub(crate) fn point_to(&self, road: Road) -> u16 {
        let writer = self.cluster().writer();
        let (socket, port) = match road {
            Road::Direct => (writer.socket().to_owned(), writer.port()),
            Road::Tidegate => (self.front(), self.port),
        };
        let _ = fs::remove_file(self.socket());
        symlink(socket, self.socket()).expect("a link");
        port
    }

    /// A program of the suite's as a script that anybody may run.
    pub(crate) fn script(&self, suite: &TestSuite, name: &str) -> PathBuf {
        let path = self.variable().join("bin").join(name);
        if !path.exists() {
            fs::write(&path, suite.client(name).script()).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script");
        }
        path
    }

    async fn start_proxy(&mut self) {
        let mut config = wire::config(self.cluster());
        // Accounts are of localhost, so backends are reached by their sockets.
        let instances = self.cluster().instances();
        for (backend, instance) in config.backend.backends.iter_mut().zip(instances) {
            backend.address = Endpoint::Unix(instance.socket().to_owned());
        }
        config.listen.addresses.push(Endpoint::Unix(self.front()));
        // A test writes on one connection and reads on another.
        config.session.policy.scope = Scope::Proxy;
        config.session.policy.wait = Duration::from_secs(5);
        let (running, port) = wire::proxy(config).await;
        self.running = Some(running);
        self.port = port;
    }
}

/// Gives an instance what tests take for granted, on its own: a test may begin at once.
async fn set_up(instance: &tidegate::lab::Instance, suite: &TestSuite) {
    let zones = suite.directory().join("include/mtr_test_data_timezone.sql");
    let zones = fs::read_to_string(zones).expect("time zones");
    let read_only = instance.flavour().read_only_variable();
    let mut conn = instance.conn().await.expect("a connection");
    let before = [
        "SET sql_log_bin = 0".to_owned(),
        format!("SET GLOBAL {read_only} = OFF"),
        "USE mysql".to_owned(),
    ];
    let zones = zones.split(";\n").map(str::trim).map(str::to_owned);
    let zones = zones.filter(|statement| !statement.is_empty() && !is_comment(statement));
    let setup = SETUP.map(str::to_owned);
    let role = instance.role();
    let last =
        (role == tidegate::routing::Role::Reader).then(|| format!("SET GLOBAL {read_only} = ON"));
    for statement in before.into_iter().chain(zones).chain(setup).chain(last) {
        let done = conn.query_drop(&statement).await;
        done.unwrap_or_else(|error| panic!("{error}: {statement:.100}"));
    }
    conn.disconnect().await.expect("an end");
}

fn is_comment(statement: &str) -> bool {
    statement
        .lines()
        .all(|line| line.starts_with("--") || line.is_empty())
}
