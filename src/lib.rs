//! Tidegate is a MySQL proxy that knows about replication lag: writes go to the writer, reads go
//! to the readers, and a session always reads its own writes.
//!
//! The modules form floors; each imports only from the floors above it in this list, and
//! `tests/floor_plan.rs` fails on an upward import. `docs/architecture.md` gives the reasons.

pub mod error;
pub mod gtid;
pub mod protocol;
pub mod slots;
pub mod sql;
pub mod telemetry;

pub mod routing;

pub mod net;

pub mod backend;

pub mod session;

pub mod admin;

pub mod config;

pub mod app;
pub mod cli;
pub mod lab;
