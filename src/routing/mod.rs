//! Where a statement goes and why: a pure function of the statement, the session and a snapshot of
//! the backends.

mod policy;

pub use policy::{BackendId, Level, OnTimeout, Policy, Role, Scope, UnknownChoice};
