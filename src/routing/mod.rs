//! Where a statement goes and why: a pure function of the statement, the session and a snapshot of
//! the backends.
//!
//! [`decide`] chooses; [`Causality`] remembers what a scope must see (P1) and has seen (P2);
//! [`LagClock`] tells how stale a reader is; a [`Snapshot`] is what is known of the backends.

mod causality;
mod decide;
mod lag;
mod policy;
mod reason;
mod snapshot;
mod world;

pub use causality::{
    Causality, LostWrites, MAX_LOST_THREADS, MAX_TOKEN_INTERVALS, ReadMark, UnknownCause,
};
pub use decide::{
    BUSY, Decision, Exclusion, Isolation, Kind, Need, RefuseKind, SessionFacts, Transaction,
    WRITER_GATE_PATIENCE, Waiting, decide,
};
pub use lag::{LagClock, MAX_SAMPLED_INTERVALS, MAX_SAMPLES, Sample};
pub use policy::{
    Asks, BackendId, Level, OnLostWrites, OnTimeout, Policy, ReadFrom, Reads, Role, Scope,
    UnknownChoice,
};
pub use reason::Reason;
pub use snapshot::{BackendView, Lag, Load, Place, Probe, Replication, Routines, Seat, Snapshot};
