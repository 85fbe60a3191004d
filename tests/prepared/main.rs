//! Prepared statements of the binary protocol on real servers: each execution runs where its text
//! would, and the client never learns that backend connections come and go below it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod binary;
mod context;
mod cursors;
mod limits;
mod long_data;
mod routed;
#[path = "../consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
mod types;

#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;
