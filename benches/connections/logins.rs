//! Clients that log in, ask once and leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use tidegate::lab::{APP, APP_SCHEMA, Cluster};
use tokio::task::JoinSet;

use crate::Error;

/// What each of them asks.
const SELECT: &str = "SELECT name FROM app.names WHERE id = 1";

/// Accounts of one statement.
const AT_ONCE: usize = 100;

/// What no server answers more than.
const MAX_PACKET: usize = 16 * 1024 * 1024;

/// How clients log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Way {
    /// The password itself, over TLS.
    Tls,
    /// The password under the server's RSA key.
    Rsa,
    /// A digest, by which the server recognises a password that it has verified before.
    Cached,
}

impl Way {
    /// How it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls => "by TLS",
            Self::Rsa => "by RSA",
            Self::Cached => "by cached fast auth",
        }
    }
}

/// Whose logins they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// One account, which the servers know.
    Known,
    /// Of so many accounts another each time, none of which the servers have verified before.
    New(usize),
}

/// What clients saw in one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// How many came and went.
    pub(crate) count: usize,
    /// In a second.
    pub(crate) rate: f64,
    /// The median of what each took, in milliseconds.
    pub(crate) p50_ms: f64,
    /// What one of a hundred exceeded, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// Makes accounts that may read the table.
pub(crate) fn accounts(count: usize) -> Vec<String> {
    let all: Vec<usize> = (0..count).collect();
    let some = all.chunks(AT_ONCE).flat_map(|chunk| {
        let list = |more: &str| {
            let each = chunk
                .iter()
                .map(|index| format!("'{}'{more}", name(*index)));
            each.collect::<Vec<_>>().join(", ")
        };
        let password = format!(
            " IDENTIFIED WITH caching_sha2_password BY '{}'",
            APP.password
        );
        [
            format!("CREATE USER {}", list(&password)),
            format!("GRANT SELECT ON {APP_SCHEMA}.* TO {}", list("")),
        ]
    });
    some.collect()
}

fn name(index: usize) -> String {
    format!("a{index}")
}

/// Makes the servers forget which passwords they have verified (MySQL manual, "Caching SHA-2
/// Pluggable Authentication", cache operation).
pub(crate) async fn forget(cluster: &Cluster) -> Result<(), Error> {
    for instance in cluster.instances() {
        instance
            .execute(["FLUSH NO_WRITE_TO_BINLOG PRIVILEGES"])
            .await?;
    }
    Ok(())
}

/// So many at a time, until the time is over or all accounts have been used.
pub(crate) async fn run(
    port: u16,
    way: Way,
    who: Who,
    clients: usize,
    limit: Duration,
) -> Result<Seen, Error> {
    let next = Arc::new(AtomicUsize::new(0));
    let since = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let next = Arc::clone(&next);
        tasks.spawn(async move {
            let mut took = Vec::new();
            while since.elapsed() < limit {
                let user = match who {
                    Who::Known => APP.user.to_owned(),
                    Who::New(count) => match next.fetch_add(1, Ordering::Relaxed) {
                        index if index < count => name(index),
                        _ => break,
                    },
                };
                let began = Instant::now();
                let conn = log_in(port, way == Way::Tls, user).await?;
                conn.disconnect().await?;
                took.push(began.elapsed());
            }
            Ok::<_, Error>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(some) = tasks.join_next().await {
        took.extend(some??);
    }
    let elapsed = since.elapsed();
    took.sort_unstable();
    let at = |percent: usize| {
        let place = (took.len() * percent).div_ceil(100).saturating_sub(1);
        let found = took.get(place).copied().unwrap_or_default();
        found.as_secs_f64() * 1e3
    };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = took.len() as f64 / elapsed.as_secs_f64();
    Ok(Seen {
        count: took.len(),
        rate,
        p50_ms: at(50),
        p99_ms: at(99),
    })
}

/// A client that has logged in and has its answer.
pub(crate) async fn log_in(port: u16, tls: bool, user: String) -> Result<Conn, Error> {
    let mut conn = Conn::new(opts(port, tls, user)).await?;
    ask(&mut conn).await?;
    Ok(conn)
}

/// Asks once.
pub(crate) async fn ask(conn: &mut Conn) -> Result<(), Error> {
    let name: Option<String> = conn.query_first(SELECT).await?;
    match name.as_deref() {
        Some("one") => Ok(()),
        _ => Err(format!("the answer was {name:?}").into()),
    }
}

/// With all that the driver would ask for by itself.
fn opts(port: u16, tls: bool, user: String) -> Opts {
    // The servers' certificates are made by themselves.
    let tls = tls.then(|| SslOpts::default().with_danger_accept_invalid_certs(true));
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(user))
        .pass(Some(APP.password))
        .db_name(Some(APP_SCHEMA))
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_PACKET))
        .wait_timeout(Some(28_800))
        .ssl_opts(tls)
        .into()
}
