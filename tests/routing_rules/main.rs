//! The rules of routing, one by one: what a statement, a session and a state of the backends lead
//! to, and why.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

mod causality;
mod errant;
mod failures;
mod fresh;
mod inherited;
mod lag;
mod levels;
mod lost_writes;
mod pins;
mod read_only;
mod reason;
mod spread;
mod stage;
mod user_scope;
mod waiting;
mod writer_gate;
mod writes;
