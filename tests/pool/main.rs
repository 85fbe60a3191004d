//! Sessions that share backend connections: nothing of one is found by another, and each finds its
//! own again.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod as_it_was;
mod crowd;
mod giving_way;
mod leaks;
mod logins;
mod warming;

#[path = "../consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use std::time::Duration;

use tidegate::config::Config;
use tidegate::session::PoolPolicy;
use tidegate::telemetry::ConnectionState;

/// At most so many connections to each backend, which sessions share.
pub(crate) fn lending(connections: usize) -> impl FnOnce(&mut Config) {
    move |config| {
        config.session.pool = PoolPolicy::Lend;
        config.session.max_clients = 5000;
        config.session.limits.backend_connections = Some(connections);
        config.session.limits.connection_wait = Duration::from_secs(15);
        config.session.limits.queued_statements = 10_000;
    }
}

/// Waits until sessions have so many connections to the writer, and all others that it knows of are
/// there for whoever comes: who leaves is seen to have none before the next one finds it.
pub(crate) async fn is_settled(stage: &stage::Stage, active: i64) {
    const KNOWN: &str = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
        WHERE USER IN ('app', 'pooled', 'pool_roled', 'pool_root')";
    let connections = |state| stage.running.metrics.backend_connections(0, state).get();
    let settled = async {
        loop {
            let row = stage.lab.writer().row(KNOWN).await.unwrap();
            let known: i64 = row.expect("a count").get(0).unwrap();
            let idle = connections(ConnectionState::Idle);
            if connections(ConnectionState::Active) == active && known == idle + active {
                break;
            }
        }
    };
    let ended = tokio::time::timeout(stage::LIMIT, settled).await;
    ended.expect("nobody comes or leaves");
}
