//! The proxy's own connections to backends, as the monitor's account. They never carry a client's
//! statement.

use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder, Row, from_row_opt};
use tokio::time::timeout;

use super::flavour::Asked;
use super::{BackendConfig, Config, MonitorConfig};
use crate::gtid::Uuid;
use crate::net::Endpoint;
use crate::sql::Flavour;

/// A backend that has not answered for so long counts as down: it may be connected and hung.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What the server answers to an account that lacks a right, or asks for a table that this
/// version does not have: ER_DBACCESS_DENIED_ERROR, ER_UNKNOWN_TABLE, ER_TABLEACCESS_DENIED_ERROR,
/// ER_NO_SUCH_TABLE, ER_SPECIFIC_ACCESS_DENIED_ERROR.
const DENIED: [u16; 5] = [1044, 1109, 1142, 1146, 1227];

/// How one backend is reached.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) backend: BackendConfig,
    pub(super) account: MonitorConfig,
    connect_timeout: Duration,
}

/// One life of a server process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) server_uuid: Uuid,
    pub(super) flavour: Flavour,
    /// When the process was started, in seconds of its own clock; none where it does not say.
    pub(super) started: Option<i64>,
}

/// Why a connection was given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0}")]
    Client(#[from] mysql_async::Error),
    #[error("no answer in time")]
    Silent,
    #[error("the answer makes no sense")]
    Nonsense,
    #[error("another server, or another life of it, than the monitor's answers")]
    Stranger,
}

impl Client {
    /// A client for each configured backend.
    pub(super) fn all(config: &Config) -> impl Iterator<Item = Self> {
        config.backends.iter().map(|backend| Self {
            backend: backend.clone(),
            account: config.monitor.clone(),
            connect_timeout: config.connect_timeout,
        })
    }

    /// Connects and logs in.
    pub(super) async fn connect(&self) -> Result<Conn, Broken> {
        match timeout(self.connect_timeout, Conn::new(self.options())).await {
            Ok(connected) => Ok(connected?),
            Err(_) => Err(Broken::Silent),
        }
    }

    fn options(&self) -> OptsBuilder {
        let options = OptsBuilder::default()
            .user(Some(&self.account.user))
            .pass(Some(self.account.password.expose()))
            .prefer_socket(false);
        match &self.backend.address {
            Endpoint::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
            Endpoint::Unix(path) => options.socket(Some(path.to_string_lossy())),
        }
    }
}

impl Broken {
    /// The server's own error number, if it answered with an error.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Client(mysql_async::Error::Server(error)) => Some(error.code),
            _ => None,
        }
    }

    /// Whether the account may not ask this, or there is nothing of that name to ask.
    pub(super) fn is_denied(&self) -> bool {
        self.code().is_some_and(|code| DENIED.contains(&code))
    }
}

/// An answer, if it comes within [`ANSWER_LIMIT`].
pub(super) async fn answer<T>(
    asking: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, Broken> {
    match timeout(ANSWER_LIMIT, asking).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(Broken::Silent),
    }
}

/// The first row of the answer to a question, if there is one.
pub(super) async fn first<T: FromRow>(
    conn: &mut Conn,
    question: &str,
) -> Result<Option<T>, Broken> {
    let row: Option<Row> = answer(conn.query_first(question)).await?;
    row.map(read).transpose()
}

/// All rows of the answer to a question.
pub(super) async fn all<T: FromRow>(conn: &mut Conn, question: &str) -> Result<Vec<T>, Broken> {
    read_all(answer(conn.query(question)).await?)
}

/// Rows as they were asked for.
pub(super) fn read_all<T: FromRow>(rows: Vec<Row>) -> Result<Vec<T>, Broken> {
    rows.into_iter().map(read).collect()
}

/// A row as it was asked for. `Conn` reads rows, too, but panics at one of another form.
pub(super) fn read<T: FromRow>(row: Row) -> Result<T, Broken> {
    from_row_opt(row).map_err(|_| Broken::Nonsense)
}

/// Which life of which server is connected.
pub(super) async fn life(conn: &mut Conn) -> Result<Life, Broken> {
    let version: Option<String> = first(conn, "SELECT VERSION()").await?;
    let flavour = Flavour::of(&version.ok_or(Broken::Nonsense)?);
    let question = format!("SELECT {}", flavour.identity());
    let identity: Option<String> = first(conn, &question).await?;
    let identity = identity.and_then(|text| flavour.read_identity(&text));
    let started = match first(conn, flavour.started()).await {
        // Without that table nobody knows when it was started.
        Err(broken) if broken.is_denied() => None,
        told => told?,
    };
    Ok(Life {
        server_uuid: identity.ok_or(Broken::Nonsense)?,
        flavour,
        started,
    })
}
