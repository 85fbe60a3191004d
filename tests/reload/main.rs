//! Another configuration while sessions go on: taken up whole or not at all.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod backends;
#[path = "../process/mod.rs"]
mod process;
mod settings;
#[path = "../consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
mod storm;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;
