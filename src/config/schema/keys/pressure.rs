//! What Tidegate bears and how long it waits: the part of `[limits]` that guards against peers that
//! hang, vanish or come in crowds.

use std::time::Duration;

use super::super::Presence::{Default, Optional};
use super::super::{Key, Kind};
use super::key;

const CROWD: Kind = Kind::Count {
    min: 1,
    max: 1_000_000,
};
const PATIENCE: Kind = Kind::Span {
    min: Duration::from_millis(100),
    max: Duration::from_secs(24 * 60 * 60),
};

/// How many clients one account may have.
pub const LIMITS_CLIENTS_PER_USER: Key = key(
    "limits",
    "clients_per_user",
    CROWD,
    Optional {
        example: "1000",
        absent: "as many as clients",
    },
    "Client connections of one account at once; one more gets error 1203.",
)
.reloads();

/// How many connections a backend gets.
pub const LIMITS_BACKEND_CONNECTIONS: Key = key(
    "limits",
    "backend_connections",
    CROWD,
    Optional {
        example: "1000",
        absent: "as many as clients need",
    },
    "Connections that serve clients at each backend. At the limit, idle clients give theirs back \
     where nothing depends on it, and a statement waits for one.",
);

/// How many connections all backends get.
pub const LIMITS_BACKEND_CONNECTIONS_TOTAL: Key = key(
    "limits",
    "backend_connections_total",
    CROWD,
    Optional {
        example: "2500",
        absent: "as many as clients need",
    },
    "The same for all backends together.",
);

/// How long a statement waits for a connection.
pub const LIMITS_CONNECTION_WAIT: Key = key(
    "limits",
    "connection_wait",
    Kind::Span {
        min: Duration::ZERO,
        max: Duration::from_secs(10 * 60),
    },
    Default(r#""1s""#),
    "How long a statement or a login waits for a backend connection while the limit on them is \
     reached; then it gets error 1040, or a read of a reader goes on to another backend.",
)
.reloads();

/// How many statements wait.
pub const LIMITS_QUEUED_STATEMENTS: Key = key(
    "limits",
    "queued_statements",
    CROWD,
    Default("10000"),
    "Statements that wait at once: for a reader that is behind, for room at the writer, for a \
     backend connection. One more does not wait, and gets error 3024.",
)
.reloads();

/// How many statements of one account wait.
pub const LIMITS_QUEUED_STATEMENTS_PER_USER: Key = key(
    "limits",
    "queued_statements_per_user",
    CROWD,
    Optional {
        example: "1000",
        absent: "as many as queued_statements",
    },
    "The same of one account, so that it alone can't fill the queue; one more gets error 1226.",
)
.reloads();

/// How long a read waits for the first byte of a reader that seems dead.
pub const LIMITS_FIRST_BYTE_TIMEOUT: Key = key(
    "limits",
    "first_byte_timeout",
    PATIENCE,
    Default(r#""2s""#),
    "A read of which nothing has reached the client runs elsewhere once its reader has answered \
     neither it nor the monitor for so long. While the monitor gets answers a read may take any \
     time.",
)
.reloads();

/// How long a statement waits for a backend that seems dead.
pub const LIMITS_SILENT_TIMEOUT: Key = key(
    "limits",
    "silent_timeout",
    PATIENCE,
    Default(r#""30s""#),
    "Any other statement whose backend has answered neither it nor the monitor for so long ends with \
     an error, which says that it may or may not have run.",
)
.reloads();

/// How long a client may be idle.
pub const LIMITS_IDLE_TIMEOUT: Key = key(
    "limits",
    "idle_timeout",
    PATIENCE,
    Optional {
        example: r#""8h""#,
        absent: "only the servers' own wait_timeout counts",
    },
    "A client that sends no command for so long gets error 4031 and is disconnected, whatever it \
     holds.",
)
.reloads();

/// How long a client may stop in the middle of a command.
pub const LIMITS_READ_TIMEOUT: Key = key(
    "limits",
    "read_timeout",
    PATIENCE,
    Default(r#""30s""#),
    "A client that stops in the middle of a command for so long is disconnected.",
)
.reloads();

/// How long a client may leave its answer unread.
pub const LIMITS_WRITE_TIMEOUT: Key = key(
    "limits",
    "write_timeout",
    PATIENCE,
    Default(r#""60s""#),
    "A client that takes nothing of its answer for so long is disconnected. Until then it costs one \
     buffer, and its backend waits.",
)
.reloads();

/// How long a peer's machine may be unreachable.
pub const LIMITS_DEAD_PEER_TIMEOUT: Key = key(
    "limits",
    "dead_peer_timeout",
    Kind::Span {
        min: Duration::from_secs(4),
        max: Duration::from_secs(24 * 60 * 60),
    },
    Default(r#""60s""#),
    "A client or backend whose machine does not answer for so long counts as gone, also while nothing \
     is sent (TCP keepalive and TCP_USER_TIMEOUT).",
);

/// What becomes of what a lost client was running.
pub const LIMITS_ON_CLIENT_GONE: Key = key(
    "limits",
    "on_client_gone",
    Kind::Word {
        choices: &["finish", "kill"],
    },
    Default(r#""finish""#),
    "What a client was reading when it went away is killed on the backend. What may write is left to \
     finish, as MySQL does, or killed as well.",
)
.reloads();

/// How slowly a reader that was down gets its share back.
pub const LIMITS_SLOW_START: Key = key(
    "limits",
    "slow_start",
    Kind::Span {
        min: Duration::ZERO,
        max: Duration::from_secs(60 * 60),
    },
    Default(r#""30s""#),
    "A reader that was down and comes back begins with a tenth of its weight, and has all of it \
     after so long.",
)
.reloads();
