//! One backend's monitor: connects, asks, connects again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::publish::{Answer, Publisher};
use crate::backend::{BackendConfig, MonitorConfig};
use crate::gtid::Set;
use crate::net::Endpoint;
use crate::routing::BackendId;

/// A backend that has not answered for so long counts as down: it may be connected and hung.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The pause after a connection that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// GTIDs that are being committed first, then those that are: what a read saw is in one of them,
/// whichever moment it read at.
const QUESTION: &str =
    "SELECT @@global.gtid_owned, @@global.gtid_executed, @@global.read_only, @@server_uuid";

/// What a monitor is to watch.
pub(super) struct Plan {
    pub(super) id: BackendId,
    pub(super) backend: BackendConfig,
    pub(super) account: MonitorConfig,
    pub(super) connect_timeout: Duration,
}

/// Why a monitor's connection was given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Client(#[from] mysql_async::Error),
    #[error("no answer in time")]
    Silent,
    #[error("the answer makes no sense")]
    Nonsense,
}

/// Watches until it is aborted.
pub(super) async fn run(plan: Plan, publisher: Arc<Publisher>, kick: Arc<Notify>) {
    let mut was_up = true;
    loop {
        let broken = watch(&plan, &publisher, &kick, &mut was_up).await;
        publisher.lost(plan.id);
        if was_up {
            // Once, not with each further attempt.
            tracing::warn!(backend = plan.backend.name, error = %broken, "backend down");
            was_up = false;
        }
        let _ = timeout(RETRY_PAUSE, kick.notified()).await;
    }
}

/// Asks on one connection until that breaks.
async fn watch(plan: &Plan, publisher: &Publisher, kick: &Notify, was_up: &mut bool) -> Broken {
    let connecting = timeout(plan.connect_timeout, Conn::new(options(plan)));
    let mut conn = match connecting.await {
        Ok(Ok(conn)) => conn,
        Ok(Err(error)) => return error.into(),
        Err(_) => return Broken::Silent,
    };
    let mut fresh = true;
    loop {
        match timeout(ANSWER_LIMIT, ask(&mut conn)).await {
            Ok(Ok(answer)) => publisher.learn(plan.id, answer, fresh),
            Ok(Err(broken)) => return broken,
            Err(_) => return Broken::Silent,
        }
        if !std::mem::replace(was_up, true) || fresh {
            tracing::info!(backend = plan.backend.name, "backend up");
        }
        fresh = false;
        // Whoever asks while a question is under way gets the next one.
        let _ = timeout(plan.account.interval, kick.notified()).await;
    }
}

async fn ask(conn: &mut Conn) -> Result<Answer, Broken> {
    let started = Instant::now();
    let row: Option<(String, String, bool, String)> = conn.query_first(QUESTION).await?;
    let (owned, executed, read_only, uuid) = row.ok_or(Broken::Nonsense)?;
    Ok(Answer {
        started,
        learned: Instant::now(),
        server_uuid: uuid.parse().map_err(|_| Broken::Nonsense)?,
        owned: Set::parse_owned(&owned).map_err(|_| Broken::Nonsense)?,
        executed: Set::parse(&executed).map_err(|_| Broken::Nonsense)?,
        read_only,
    })
}

fn options(plan: &Plan) -> OptsBuilder {
    let options = OptsBuilder::default()
        .user(Some(&plan.account.user))
        .pass(Some(plan.account.password.expose()))
        .prefer_socket(false);
    match &plan.backend.address {
        Endpoint::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
        Endpoint::Unix(path) => options.socket(Some(path.to_string_lossy())),
    }
}
