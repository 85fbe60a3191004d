//! A cluster of its own for each test, any of whose members may be the writer, and a Tidegate in
//! front that finds out which is.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use tidegate::app::Running;
use tidegate::config::Config;
use tidegate::lab::{Cluster, Instance};
use tidegate::net::Endpoint;
use tidegate::routing::Role;

use crate::{support, wire};

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where every test writes.
pub(crate) const TABLE: &str = "CREATE TABLE app.kept (what VARCHAR(20) PRIMARY KEY)";

pub(crate) struct Stage {
    pub(crate) lab: Cluster,
    pub(crate) running: Running,
    config: Config,
    port: u16,
}

impl Stage {
    /// A table `app.kept`, and roles that are found out.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with a configuration of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::before(Self::lab(2).await, change).await
    }

    /// A cluster with that table, and so many readers.
    pub(crate) async fn lab(readers: usize) -> Cluster {
        let lab = Cluster::start(support::options(vec![0; readers]));
        let lab = lab.await.unwrap();
        support::name_backends(&lab).await;
        lab.writer().execute([TABLE]).await.unwrap();
        assert!(lab.settle(LIMIT).await.unwrap());
        lab
    }

    /// A Tidegate in front of a cluster that is there.
    pub(crate) async fn before(lab: Cluster, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = wire::config(&lab);
        for backend in &mut config.backend.backends {
            backend.role = None;
        }
        // Readers may be slow on a busy machine; nothing here is about that.
        config.session.policy.wait = LIMIT;
        // The first to log in waits for the key to be made.
        config.session.login_timeout = LIMIT;
        change(&mut config);
        let (running, port) = wire::proxy(config.clone()).await;
        Self {
            lab,
            running,
            config,
            port,
        }
    }

    /// Takes up another configuration while it runs.
    pub(crate) async fn reload(&self, change: impl FnOnce(&mut Config)) {
        let mut config = self.config.clone();
        change(&mut config);
        self.running.take_up(config).await.expect("a reload");
    }

    /// The same with other addresses for the backends, as many as there are.
    pub(crate) async fn reached_by(
        lab: Cluster,
        addresses: Vec<Endpoint>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let change = |config: &mut Config| {
            let backends = &mut config.backend.backends;
            backends.truncate(addresses.len());
            for (backend, address) in backends.iter_mut().zip(addresses) {
                backend.address = address;
            }
            change(config);
        };
        Self::before(lab, change).await
    }

    pub(crate) fn member(&self, index: usize) -> &Instance {
        self.lab.instances().nth(index).expect("a member")
    }

    /// The application's own connection, through the proxy.
    pub(crate) async fn client(&self) -> Conn {
        Conn::new(self.opts()).await.expect("a login")
    }

    /// The same of a driver that asks for nothing by itself.
    pub(crate) async fn silent_client(&self) -> Conn {
        let opts = self.opts();
        let opts = opts.max_allowed_packet(Some(1 << 24));
        let opts = opts.wait_timeout(Some(28_800));
        Conn::new(opts).await.expect("a login")
    }

    fn opts(&self) -> OptsBuilder {
        support::application(self.port)
    }

    /// How often a row is there, as the member says itself.
    pub(crate) async fn count(&self, member: usize, what: &str) -> u64 {
        let question = format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}'");
        let row = self.member(member).row(&question).await.unwrap();
        row.and_then(|row| row.get(0)).unwrap()
    }

    /// The value of a metric's sample.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let text = self.running.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(sample));
        let value = line.unwrap_or_else(|| panic!("no {sample} in\n{text}"));
        value.trim().parse().expect("a number")
    }

    pub(crate) async fn end(self) {
        self.running.drain().await;
        self.lab.stop().await;
    }
}

/// The first backend is the writer and stays it, the others are readers.
pub(crate) fn fixed(config: &mut Config) {
    for (index, backend) in config.backend.backends.iter_mut().enumerate() {
        let role = match index {
            0 => Role::Writer,
            _ => Role::Reader,
        };
        backend.role = Some(role);
    }
}

pub(crate) fn write(what: &str) -> String {
    format!("INSERT INTO app.kept (what) VALUES ('{what}')")
}

/// The server's error number; panics if the connection itself is lost.
pub(crate) async fn number(conn: &mut Conn, sql: &str) -> Result<(), u16> {
    match conn.query_drop(sql).await {
        Ok(()) => Ok(()),
        Err(Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// Writes until that succeeds; returns how long it took.
pub(crate) async fn until_written(conn: &mut Conn, what: &str) -> Duration {
    let since = Instant::now();
    while number(conn, &write(what)).await.is_err() {
        assert!(since.elapsed() < LIMIT, "no write is let through");
    }
    since.elapsed()
}

/// Writes until that is refused with this error.
pub(crate) async fn until_refused(conn: &mut Conn, what: &str, error: u16) {
    let since = Instant::now();
    while number(conn, &write(what)).await != Err(error) {
        assert!(
            since.elapsed() < LIMIT,
            "{what}: writes are still let through"
        );
    }
}

/// The member that answers a read of this session.
pub(crate) async fn served_by(conn: &mut Conn) -> String {
    let name = conn.query_first("SELECT name FROM app.whoami").await;
    name.expect("a read").expect("a row")
}

/// Reads until this member answers.
pub(crate) async fn until_served_by(conn: &mut Conn, wanted: &str) {
    let since = Instant::now();
    while served_by(conn).await != wanted {
        assert!(since.elapsed() < LIMIT, "{wanted} answers no read");
    }
}
