//! A cluster whose backends can be told apart by what they answer, and a Tidegate in front.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use tidegate::app::Running;
use tidegate::config::Config;
use tidegate::lab::{APP, Account};

use crate::support::{self, Alone};
use crate::wire;

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The error of a read that found neither a reader nor room at the writer.
pub(crate) const SHED: u16 = 3024;
/// What a read at the writer answers to [`Stage::SERVED_BY`].
pub(crate) const WRITER: &str = "w1";

/// The cluster and the proxy.
pub(crate) struct Stage {
    pub(crate) lab: Alone,
    pub(crate) running: Running,
    pub(crate) port: u16,
}

impl Stage {
    /// A read of a table that holds another row on each backend.
    pub(crate) const SERVED_BY: &str = "SELECT name FROM app.whoami";

    /// Readers without delay that have everything, and a proxy with the default policy.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with a configuration of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let lab = support::lab_alone().await;
        for reader in lab.readers() {
            reader.set_delay(0).await.unwrap();
        }
        support::name_backends(&lab).await;
        assert!(lab.settle(LIMIT).await.unwrap());
        let mut config = wire::config(&lab);
        change(&mut config);
        let (running, port) = wire::proxy(config).await;
        let stage = Self { lab, running, port };
        stage.all_known().await;
        stage
    }

    /// Runs statements at the writer, past the proxy, and waits until every reader has them.
    pub(crate) async fn prepare<S: AsRef<str>>(&self, statements: impl IntoIterator<Item = S>) {
        self.lab.writer().execute(statements).await.unwrap();
        assert!(self.lab.settle(LIMIT).await.unwrap());
    }

    /// Lets no reader execute anything more.
    pub(crate) async fn freeze(&self) {
        for reader in self.lab.readers() {
            reader.stop_applier().await.unwrap();
        }
    }

    /// Lets the readers go on, and waits until they have everything.
    pub(crate) async fn thaw(&self) {
        for reader in self.lab.readers() {
            reader.start_applier().await.unwrap();
        }
        assert!(self.lab.settle(LIMIT).await.unwrap());
    }

    /// The application's own connection, through the proxy.
    pub(crate) async fn client(&self) -> Conn {
        self.client_as(APP).await
    }

    /// A connection of some account, through the proxy.
    pub(crate) async fn client_as(&self, account: Account) -> Conn {
        self.client_at(self.port, account).await
    }

    /// The same through a port of its own choice, such as a backend's.
    pub(crate) async fn client_at(&self, port: u16, account: Account) -> Conn {
        let opts = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some(account.user))
            .pass(Some(account.password).filter(|password| !password.is_empty()))
            .prefer_socket(false)
            .db_name(Some("app"));
        Conn::new(opts).await.expect("a login")
    }

    /// Ends the proxy.
    pub(crate) async fn end(self) {
        self.running.drain().await;
    }

    /// Waits until the proxy uses the readers.
    async fn all_known(&self) {
        let mut conn = self.client().await;
        readers_again(&mut conn, "the start").await;
    }
}

/// The backend that answers a read of this session now.
pub(crate) async fn served_by(conn: &mut Conn) -> String {
    let name = conn.query_first(Stage::SERVED_BY).await;
    name.expect("a read").expect("a row")
}

/// Reads until a reader answers, and returns which.
pub(crate) async fn on_a_reader(conn: &mut Conn) -> String {
    back_on_a_reader(conn, "a new session").await
}

/// The same, after something that must not keep the session from the readers.
pub(crate) async fn back_on_a_reader(conn: &mut Conn, after: &str) -> String {
    reads_until(conn, after, |name| name != WRITER).await
}

/// Reads until a reader answers, where the configuration lets a read be shed until then.
pub(crate) async fn readers_again(conn: &mut Conn, after: &str) {
    let reading = async {
        loop {
            match conn.query_first::<String, _>(Stage::SERVED_BY).await {
                Ok(Some(name)) if name != WRITER => return,
                Ok(Some(_)) => {}
                Err(Error::Server(error)) if error.code == SHED => {}
                other => panic!("{after}: {other:?}"),
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, reading).await;
    assert!(ended.is_ok(), "{after}: no reader answers");
}

/// Reads until a backend like this answers.
pub(crate) async fn reads_until(
    conn: &mut Conn,
    after: &str,
    wanted: impl Fn(&str) -> bool,
) -> String {
    let began = Instant::now();
    let mut last = served_by(conn).await;
    while !wanted(&last) {
        if began.elapsed() > LIMIT {
            let explain = format!("/* tidegate: explain */ {}", Stage::SERVED_BY);
            let why: Vec<(String, String)> = conn.query(explain).await.expect("an explanation");
            panic!("{after}: reads still run on {last}: {why:?}");
        }
        last = served_by(conn).await;
    }
    last
}
