//! The operator's console and HTTP endpoint, as drivers and the stock client see them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod acts;
mod desk;
#[path = "../process/mod.rs"]
mod process;
mod shows;
#[path = "../consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;
