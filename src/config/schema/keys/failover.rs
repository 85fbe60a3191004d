//! What happens when another server becomes the writer.

use std::time::Duration;

use super::super::Presence::Default;
use super::super::{Key, Kind};
use super::key;

/// How long a statement waits for a writer.
pub const FAILOVER_HOLD: Key = key(
    "failover",
    "hold",
    Kind::Span {
        min: Duration::ZERO,
        max: Duration::from_secs(600),
    },
    Default(r#""10s""#),
    "How long a statement may wait while no backend is proven to be the writer, before it gets error \
     1836: one that was not sent yet, or a single write outside of a transaction that was refused \
     since the writer had become read only. 0s: not at all.",
)
.reloads();

/// How many do so at once.
pub const FAILOVER_HELD_STATEMENTS: Key = key(
    "failover",
    "held_statements",
    Kind::Count {
        min: 0,
        max: 1_000_000,
    },
    Default("1000"),
    "Statements that wait so at once; more get the error at once.",
)
.reloads();

/// What is told of writes that are lost.
pub const FAILOVER_ON_LOST_WRITES: Key = key(
    "failover",
    "on_lost_writes",
    Kind::Word {
        choices: &["error", "continue"],
    },
    Default(r#""error""#),
    "Whoever had written or seen what the new writer does not have: error: the next read gets error \
     1105, once. continue: it is counted and logged.",
)
.reloads();
