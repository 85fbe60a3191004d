//! A seeded simulation of decisions, causality and lag clock in virtual time, on servers that lag,
//! stop, restart, are restored from old copies, replaced, and hold their commits back. The oracle:
//! no read is older than what its scope wrote or was shown before (P1, P2), no write runs twice
//! (P4) or anywhere but on the writer (P5). Broken on purpose in one way at a time, the proxy must be
//! caught.
//!
//! `TIDEGATE_SIM_SEEDS` says how many schedules are played, `TIDEGATE_SIM_SEED` plays just one.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

mod account;
mod chance;
mod client;
mod connection;
mod deciding;
mod ending;
mod monitor;
mod mutation;
mod mutations;
mod promises;
mod publisher;
mod report;
mod scope;
mod serving;
mod simulation;
mod trail;
mod truth;
mod writing;

use std::ops::Range;

/// Schedules played, unless the environment says otherwise.
const SEEDS: u64 = 400;

/// The seeds of the schedules to play.
fn seeds() -> Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().expect("a number"))
    };
    match number("TIDEGATE_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TIDEGATE_SIM_SEEDS").unwrap_or(SEEDS),
    }
}
