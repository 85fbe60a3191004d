//! Peers that hang, vanish, come in crowds or send anything: what Tidegate bears, and what it costs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod crowds;
mod gone;
mod hung;
mod stalled;

#[path = "../consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use std::time::Duration;

use tidegate::lab::Instance;

use crate::stage::LIMIT;

/// Waits until something holds, and says what if it never does.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let holding = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let held = tokio::time::timeout(LIMIT, holding).await;
    assert!(held.is_ok(), "never: {what}");
}

/// Does a backend run a statement with this in it?
pub(crate) async fn runs(instance: &Instance, text: &str) -> bool {
    let sql = format!(
        "SELECT 1 FROM information_schema.processlist WHERE info LIKE '%{text}%' \
         AND id <> CONNECTION_ID() LIMIT 1"
    );
    instance.row(&sql).await.unwrap().is_some()
}
