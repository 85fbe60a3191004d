//! P1 and P2 on real servers, while appliers stand still: whatever a session did before, and by
//! whatever way it wrote, its next read shows it. Every test proves as well that its reads do run
//! on readers when nothing is against it, for a proxy that always asks the writer would pass.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod again;
mod backwards;
mod defaults;
mod gone;
mod keys;
mod lag;
mod levels;
mod lost_connection;
mod own_writes;
mod roles;
mod session_state;
mod sizes;
mod stage;
mod steps;
mod switch;
mod telling;
mod transactions;
mod user_scope;
mod waiting;
mod ways;

#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;
