//! The proxy's own connections to backends, as the monitor's account. They never carry a client's
//! statement.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{ClientIdentity, Conn, DriverError, OptsBuilder, Row, SslOpts, from_row_opt};
use tokio::time::timeout;

use super::flavour::Asked;
use super::{BackendConfig, Config, MonitorConfig};
use crate::gtid::Uuid;
use crate::net::{BackendTls, Endpoint, TlsMode};
use crate::sql::Flavour;

/// A backend that has not answered for so long counts as down: it may be connected and hung.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What the server answers to an account that lacks a right, or asks for a table that this
/// version does not have: ER_DBACCESS_DENIED_ERROR, ER_UNKNOWN_TABLE, ER_TABLEACCESS_DENIED_ERROR,
/// ER_NO_SUCH_TABLE, ER_SPECIFIC_ACCESS_DENIED_ERROR.
const DENIED: [u16; 5] = [1044, 1109, 1142, 1146, 1227];

/// With which account, and how patiently. It may change: connections that are there stay.
pub(super) type Access = Arc<ArcSwap<(MonitorConfig, Duration)>>;

/// How one backend is reached.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) backend: BackendConfig,
    access: Access,
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
    pub(super) fn all(config: &Config) -> std::vec::IntoIter<Self> {
        Self::with(config, &Self::access(config))
    }

    /// The same, with an access that may change.
    pub(super) fn with(config: &Config, access: &Access) -> std::vec::IntoIter<Self> {
        let client = |backend: &BackendConfig| Self {
            backend: backend.clone(),
            access: Arc::clone(access),
        };
        let clients: Vec<_> = config.backends.iter().map(client).collect();
        clients.into_iter()
    }

    /// The access that a configuration gives.
    pub(super) fn access(config: &Config) -> Access {
        let access = (config.monitor.clone(), config.connect_timeout);
        Arc::new(ArcSwap::from_pointee(access))
    }

    /// How often an idle backend is asked.
    pub(super) fn interval(&self) -> Duration {
        self.access.load().0.interval
    }

    /// Connects and logs in.
    pub(super) async fn connect(&self) -> Result<Conn, Broken> {
        let limit = self.access.load().1;
        let tls = ssl_opts(&self.backend.tls);
        let optional = self.backend.tls.mode == TlsMode::Preferred;
        match timeout(limit, Conn::new(self.options(tls))).await {
            Ok(Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)))
                if optional =>
            {
                let plain = Conn::new(self.options(None));
                let connected = timeout(limit, plain).await;
                Ok(connected.map_err(|_| Broken::Silent)??)
            }
            Ok(connected) => Ok(connected?),
            Err(_) => Err(Broken::Silent),
        }
    }

    fn options(&self, tls: Option<SslOpts>) -> OptsBuilder {
        let access = self.access.load();
        let account = &access.0;
        let options = OptsBuilder::default()
            .user(Some(&account.user))
            .pass(Some(account.password.expose()))
            .ssl_opts(tls)
            .prefer_socket(false);
        match &self.backend.address {
            Endpoint::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
            Endpoint::Unix(path) => options.socket(Some(path.to_string_lossy())),
        }
    }
}

/// A name that no certificate is for. [`mysql_async`] forgives a wrong name if this word stands in
/// the error that rustls gives, which names it (both as of their present versions; a test holds it).
const ANY_NAME: &str = "NotValidForName.invalid";

/// The same TLS as on data connections.
fn ssl_opts(tls: &BackendTls) -> Option<SslOpts> {
    let identity = tls.identity.clone();
    let identity = identity.map(|(cert, key)| ClientIdentity::new(cert.into(), key.into()));
    let roots = tls.ca.iter().cloned().map(Into::into).collect();
    let options = SslOpts::default().with_client_identity(identity);
    let verifying = |options: SslOpts| {
        let options = options.with_root_certs(roots);
        options.with_disable_built_in_roots(true)
    };
    match tls.mode {
        TlsMode::Disabled => None,
        TlsMode::Preferred | TlsMode::Required => {
            Some(options.with_danger_accept_invalid_certs(true))
        }
        TlsMode::VerifyCa => Some(
            verifying(options)
                .with_danger_skip_domain_validation(true)
                .with_danger_tls_hostname_override(Some(ANY_NAME)),
        ),
        TlsMode::VerifyIdentity => Some(verifying(options)),
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
