//! How sessions share backend connections.

use std::time::Duration;

use super::super::Presence::Default;
use super::super::{Key, Kind};
use super::key;

/// Whose a backend connection is.
pub const POOL_MODE: Key = key(
    "pool",
    "mode",
    Kind::Word {
        choices: &["session", "transaction"],
    },
    Default(r#""session""#),
    "session: a client keeps the backend connections that it has opened. transaction: at the limit of \
     backend_connections it keeps one inside a transaction only, and while it has something there \
     that can't be told to another one (see docs/pool.md).",
)
.reloads();

/// For how long one that nobody has is kept.
pub const POOL_IDLE_TIME: Key = key(
    "pool",
    "idle_time",
    Kind::Span {
        min: Duration::from_secs(1),
        max: Duration::from_secs(24 * 60 * 60),
    },
    Default(r#""1m""#),
    "In mode transaction, how long a connection that no client has is kept for the next one; shorter \
     than the servers' own wait_timeout.",
)
.reloads();

/// How old one may become.
pub const POOL_MAX_AGE: Key = key(
    "pool",
    "max_age",
    Kind::Span {
        min: Duration::from_secs(1),
        max: Duration::from_secs(7 * 24 * 60 * 60),
    },
    Default(r#""1h""#),
    "In mode transaction, how old a connection may be to be handed on; up to a tenth less by chance, \
     so that not all are opened anew at once.",
)
.reloads();

/// How many that nobody has are kept for longer.
pub const POOL_MIN_IDLE: Key = key(
    "pool",
    "min_idle",
    Kind::Count {
        min: 0,
        max: 10_000,
    },
    Default("0"),
    "In mode transaction, so many connections of each account to each backend are opened ahead, from \
     its first login on, and kept beyond idle_time, until max_age: after a quiet hour clients find \
     them, and nobody else does. Not more than backend_connections; where others need the room, they \
     are closed all the same.",
)
.reloads();

/// How many prepared statements stay with a connection.
pub const POOL_PREPARED_STATEMENTS: Key = key(
    "pool",
    "prepared_statements",
    Kind::Count { min: 0, max: 1_000 },
    Default("32"),
    "In mode transaction, so many prepared statements that no client uses any more stay with each \
     connection, where the next client that prepares the same text finds them; the one that rests \
     longest goes. They count for the servers' max_prepared_stmt_count, and 0 keeps none.",
)
.reloads();
