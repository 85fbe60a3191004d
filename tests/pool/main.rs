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
