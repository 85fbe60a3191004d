//! How reads are treated: `[consistency]`, and the same for single accounts.

use std::time::Duration;

use super::super::Presence::{Default, Optional};
use super::super::{Key, Kind};
use super::key;

const LEVEL: Kind = Kind::Word {
    choices: &["writer", "strong", "session", "bounded", "eventual"],
};
const SCOPE: Kind = Kind::Word {
    choices: &["connection", "user", "key", "proxy"],
};
const WAIT: Kind = Kind::Span {
    min: Duration::ZERO,
    max: Duration::from_secs(60),
};
const ON_TIMEOUT: Kind = Kind::Word {
    choices: &["writer", "error"],
};
const READ_FROM: Kind = Kind::Word {
    choices: &["readers", "writer"],
};
const MAX_STALENESS: Kind = Kind::Span {
    min: Duration::ZERO,
    max: Duration::from_secs(24 * 60 * 60),
};
pub(super) const MAX_LAG: Kind = Kind::Span {
    min: Duration::from_millis(1),
    max: Duration::from_secs(7 * 24 * 60 * 60),
};

/// An account's own level.
pub const USER_LEVEL: Key = key(
    "user",
    "level",
    LEVEL,
    Optional {
        example: r#""eventual""#,
        absent: "as in [consistency]",
    },
    "This account's own level.",
)
.reloads();

/// Where an account's own reads run first.
pub const USER_READ_FROM: Key = key(
    "user",
    "read_from",
    READ_FROM,
    Optional {
        example: r#""writer""#,
        absent: "as in [consistency]",
    },
    "Where this account's reads run first.",
)
.reloads();

/// An account's own bound on staleness.
pub const USER_MAX_STALENESS: Key = key(
    "user",
    "max_staleness",
    MAX_STALENESS,
    Optional {
        example: r#""500ms""#,
        absent: "as in [consistency]",
    },
    "This account's own bound on staleness.",
)
.reloads();

/// An account's own scope.
pub const USER_SCOPE: Key = key(
    "user",
    "scope",
    SCOPE,
    Optional {
        example: r#""user""#,
        absent: "as in [consistency]",
    },
    "This account's own scope.",
)
.reloads();

/// An account's own wait.
pub const USER_WAIT: Key = key(
    "user",
    "wait",
    WAIT,
    Optional {
        example: r#""200ms""#,
        absent: "as in [consistency]",
    },
    "How long this account's reads may wait.",
)
.reloads();

/// What happens when an account's own wait ran out.
pub const USER_ON_TIMEOUT: Key = key(
    "user",
    "on_timeout",
    ON_TIMEOUT,
    Optional {
        example: r#""error""#,
        absent: "as in [consistency]",
    },
    "What happens when this account's wait ran out.",
)
.reloads();

/// An account's own bound on lag.
pub const USER_MAX_LAG: Key = key(
    "user",
    "max_lag",
    MAX_LAG,
    Optional {
        example: r#""5s""#,
        absent: "as in [consistency]",
    },
    "A reader further behind gets none of this account's reads.",
)
.reloads();

/// How fresh reads are.
pub const CONSISTENCY_LEVEL: Key = key(
    "consistency",
    "level",
    LEVEL,
    Default(r#""session""#),
    "How fresh a read is. writer: it runs on the writer. strong: it sees every write that was \
     acknowledged to anyone before it arrived, which costs a question to the writer, shared by \
     the reads of that moment. session: it sees every write and every read that its scope did \
     before. bounded: it sees everything that was committed max_staleness ago. eventual: it sees \
     whatever a healthy reader has. A session asks for another with SET @tidegate_level = \
     'strong', a statement with the comment /* tidegate: level=strong */.",
)
.reloads();

/// Whether reads are split.
pub const CONSISTENCY_READS: Key = key(
    "consistency",
    "reads",
    Kind::Word {
        choices: &["split", "writer", "mirror"],
    },
    Default(r#""split""#),
    "Where the switch for reads stands when Tidegate starts; PUT /reads of [http] moves it. split: \
     reads run where their level says. writer: all of them run on the writer. mirror: the same, \
     and tidegate_mirrored_reads_total counts where they would have run.",
)
.reloads();

/// Where reads run first.
pub const CONSISTENCY_READ_FROM: Key = key(
    "consistency",
    "read_from",
    READ_FROM,
    Default(r#""readers""#),
    "Where a read runs first. readers: on a reader that has what it must see, and on the writer if \
     there is none. writer: on the writer; while there is none, on a reader that has what the read \
     must see, as far as its level allows that.",
)
.reloads();

/// How stale a read may be.
pub const CONSISTENCY_MAX_STALENESS: Key = key(
    "consistency",
    "max_staleness",
    MAX_STALENESS,
    Optional {
        example: r#""500ms""#,
        absent: "no bound",
    },
    "A read at level bounded or session sees everything that was committed this long before it \
     arrived; level bounded needs it. Below [monitor] interval, most reads have to ask the writer \
     first.",
)
.reloads();

/// Whose writes count.
pub const CONSISTENCY_SCOPE: Key = key(
    "consistency",
    "scope",
    SCOPE,
    Default(r#""connection""#),
    "Whose writes and reads count. connection: this client connection's. user: those of every \
     connection of the same account, for apps that pool their connections. key: those of every \
     connection of the account that gives the same key (connection attribute tidegate_key, SET \
     @tidegate_key = '...', or a hint), and as connection without one. proxy: those of every \
     connection through this Tidegate.",
)
.reloads();

/// How long a read may wait for a reader.
pub const CONSISTENCY_WAIT: Key = key(
    "consistency",
    "wait",
    WAIT,
    Default(r#""50ms""#),
    "How long a read may wait for a reader that has what it must see; 0s: not at all.",
)
.reloads();

/// What happens when the wait ran out.
pub const CONSISTENCY_ON_TIMEOUT: Key = key(
    "consistency",
    "on_timeout",
    ON_TIMEOUT,
    Default(r#""writer""#),
    "What happens to a read whose wait ran out: it runs on the writer, or it gets an error.",
)
.reloads();

/// Beyond which lag a reader is left alone.
pub const CONSISTENCY_MAX_LAG: Key = key(
    "consistency",
    "max_lag",
    MAX_LAG,
    Default(r#""30s""#),
    "A reader further behind than this gets no new reads.",
)
.reloads();
