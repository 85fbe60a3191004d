//! Another server becomes the writer, and others do it: what clients see, on real servers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and the figures of a run are worth reading"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

mod bounded;
mod errant;
mod flows;
mod group;
mod hold;
mod lost;
mod majority;
#[path = "../checker/network.rs"]
mod network;
#[path = "../process/mod.rs"]
mod process;
mod promoted;
mod reload;
mod replaced;
mod roles;
mod sockets;
mod stage;
mod strong;
mod switchover;
