//! Peers that hang, vanish, come in crowds or send anything: what Tidegate bears, and what it costs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod attack;
mod crowds;
mod gone;
mod hostile;
mod hung;
mod pace;
mod stalled;
mod wrapped;

#[path = "../consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// How many panics there have been in this process so far.
pub(crate) fn panics() -> impl Fn() -> u64 {
    static PANICS: AtomicU64 = AtomicU64::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |what| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(what);
        }));
    });
    || PANICS.load(Ordering::Relaxed)
}

/// How much memory this process has in use.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = status.split(' ').nth(1).and_then(|text| text.parse().ok());
    pages.map_or(0, |pages: u64| pages * 4096)
}
