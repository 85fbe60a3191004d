//! The keys themselves, by section.

mod failover;
mod operators;
mod pool;
mod pressure;
mod reads;
mod wire;

use std::time::Duration;

use super::Presence::{Default, Optional, Required};
use super::{Key, Kind};

pub use self::failover::*;
pub use self::operators::*;
pub use self::pool::*;
pub use self::pressure::*;
pub use self::reads::*;
pub use self::wire::*;

/// MySQL's own limit for the name of an account (MySQL manual, "Account User Names, Passwords").
const USER_NAME_MAX: usize = 32;
const NAME_MAX: usize = 64;
/// Of a log filter and of an environment variable's name.
const TEXT_MAX: usize = 1024;
const TIMEOUT: Kind = Kind::Span {
    min: Duration::from_millis(100),
    max: Duration::from_secs(10 * 60),
};

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    presence: super::Presence,
    effect: &'static str,
) -> Key {
    Key {
        section,
        name,
        kind,
        presence,
        effect,
        reload: false,
    }
}

impl Key {
    /// The same, for one that a running Tidegate takes up.
    const fn reloads(mut self) -> Self {
        self.reload = true;
        self
    }
}

/// Where clients connect.
pub const LISTEN_ADDRESS: Key = key(
    "listen",
    "address",
    Kind::Addresses,
    Default(r#""127.0.0.1:3307""#),
    "Where clients connect, instead of to the database server.",
)
.reloads();

/// This Tidegate's part of its clients' ids.
pub const LISTEN_PROXY_ID: Key = key(
    "listen",
    "proxy_id",
    Kind::Count { min: 0, max: 1023 },
    Optional {
        example: "7",
        absent: "another one at each start, by chance",
    },
    "A number of this Tidegate's own, which is part of the ids that its clients know themselves by: \
     give each Tidegate of a cluster another, so that KILL can't mean a client of two.",
);

/// Where this Tidegate runs.
pub const LISTEN_ZONE: Key = key(
    "listen",
    "zone",
    Kind::Text { max: NAME_MAX },
    Optional {
        example: r#""eu-west-1a""#,
        absent: "readers of all zones are equal",
    },
    "The zone that this Tidegate runs in: readers of the same zone come first.",
)
.reloads();

/// The certificate shown to clients.
pub const TLS_MODE: Key = key(
    "tls",
    "mode",
    Kind::Word {
        choices: &["self-signed", "files", "off"],
    },
    Default(r#""self-signed""#),
    "The certificate shown to clients: one made at each start, which no client can verify; the \
     one in cert and key; or no TLS at all.",
)
.reloads();

/// The certificate chain.
pub const TLS_CERT: Key = key(
    "tls",
    "cert",
    Kind::Path,
    Optional {
        example: r#""/etc/tidegate/cert.pem""#,
        absent: "only for mode = \"files\"",
    },
    "PEM file with the certificate chain, the leaf first.",
)
.reloads();

/// The private key.
pub const TLS_KEY: Key = key(
    "tls",
    "key",
    Kind::Path,
    Optional {
        example: r#""/etc/tidegate/key.pem""#,
        absent: "only for mode = \"files\"",
    },
    "PEM file with the certificate's private key.",
)
.reloads();

/// A backend's name.
pub const BACKEND_NAME: Key = key(
    "backend",
    "name",
    Kind::Text { max: NAME_MAX },
    Required(r#""w1""#),
    "The name in logs and metrics: letters, digits, dots, dashes and underscores.",
)
.reloads();

/// A backend's address.
pub const BACKEND_ADDRESS: Key = key(
    "backend",
    "address",
    Kind::Address,
    Required(r#""127.0.0.1:4000""#),
    "Where the database server listens.",
)
.reloads();

/// A backend's role.
pub const BACKEND_ROLE: Key = key(
    "backend",
    "role",
    Kind::Word {
        choices: &["writer", "reader", "auto"],
    },
    Required(r#""writer""#),
    "The writer takes every write, and the reads that no reader may take; readers take reads. auto: \
     the one of them that is not read only and replicates from no other is the writer, and a \
     switchover by others is followed; docs/failover.md. Either one is the writer, or some are auto.",
)
.reloads();

/// A reader's share of the reads.
pub const BACKEND_WEIGHT: Key = key(
    "backend",
    "weight",
    Kind::Count {
        min: 0,
        max: 10_000,
    },
    Default("100"),
    "A reader's share of the reads, relative to the other readers' weights; 0: no reads.",
)
.reloads();

/// Beyond which lag a reader is left alone.
pub const BACKEND_MAX_LAG: Key = key(
    "backend",
    "max_lag",
    reads::MAX_LAG,
    Optional {
        example: r#""10s""#,
        absent: "as in [consistency]",
    },
    "A reader further behind than this gets no new reads before it is at half of it again; what it \
     is running goes on.",
)
.reloads();

/// Where a backend runs.
pub const BACKEND_ZONE: Key = key(
    "backend",
    "zone",
    Kind::Text { max: NAME_MAX },
    Optional {
        example: r#""eu-west-1a""#,
        absent: "in none",
    },
    "The zone that it runs in. Of the readers that may take a read, those in the zone of [listen] \
     come first.",
)
.reloads();

/// The monitor's account.
pub const MONITOR_USER: Key = key(
    "monitor",
    "user",
    Kind::Text { max: USER_NAME_MAX },
    Required(r#""tidegate""#),
    "The account's name; it must exist on every backend.",
)
.reloads();

/// The monitor's password.
pub const MONITOR_PASSWORD: Key = key(
    "monitor",
    "password",
    Kind::Secret,
    Optional {
        example: r#""secret""#,
        absent: "taken from password_env or password_file",
    },
    "The account's password.",
)
.reloads();

/// The monitor's password, from the environment.
pub const MONITOR_PASSWORD_ENV: Key = key(
    "monitor",
    "password_env",
    Kind::Text { max: TEXT_MAX },
    Optional {
        example: r#""TIDEGATE_MONITOR_PASSWORD""#,
        absent: "taken from password or password_file",
    },
    "The environment variable that holds the password.",
)
.reloads();

/// The monitor's password, from a file.
pub const MONITOR_PASSWORD_FILE: Key = key(
    "monitor",
    "password_file",
    Kind::Path,
    Optional {
        example: r#""/run/secrets/monitor-password""#,
        absent: "taken from password or password_env",
    },
    "The file whose only line is the password.",
)
.reloads();

/// How often backends are asked.
pub const MONITOR_INTERVAL: Key = key(
    "monitor",
    "interval",
    Kind::Span {
        min: Duration::from_millis(10),
        max: Duration::from_secs(60),
    },
    Default(r#""100ms""#),
    "How often each backend is asked; lag is known about this exactly.",
)
.reloads();

/// Who decides about a login.
pub const AUTH_MODE: Key = key(
    "auth",
    "mode",
    Kind::Word {
        choices: &["passthrough", "users"],
    },
    Default(r#""passthrough""#),
    "passthrough: the client's own name and password are handed on to the server, which decides. \
     users: the client must also match one of the [[user]] tables here.",
)
.reloads();

/// An account's name.
pub const USER_NAME: Key = key(
    "user",
    "name",
    Kind::Text { max: USER_NAME_MAX },
    Required(r#""app""#),
    "The account's name, without a host.",
)
.reloads();

/// An account's password.
pub const USER_PASSWORD: Key = key(
    "user",
    "password",
    Kind::Secret,
    Optional {
        example: r#""secret""#,
        absent: "only under [auth] mode = \"users\"",
    },
    "The account's password.",
)
.reloads();

/// An account's password, from the environment.
pub const USER_PASSWORD_ENV: Key = key(
    "user",
    "password_env",
    Kind::Text { max: TEXT_MAX },
    Optional {
        example: r#""APP_PASSWORD""#,
        absent: "only under [auth] mode = \"users\"",
    },
    "The environment variable that holds the password.",
)
.reloads();

/// An account's password, from a file.
pub const USER_PASSWORD_FILE: Key = key(
    "user",
    "password_file",
    Kind::Path,
    Optional {
        example: r#""/run/secrets/app-password""#,
        absent: "only under [auth] mode = \"users\"",
    },
    "The file whose only line is the password.",
)
.reloads();

/// How many clients there may be.
pub const LIMITS_CLIENTS: Key = key(
    "limits",
    "clients",
    Kind::Count {
        min: 1,
        max: 1_000_000,
    },
    Default("5000"),
    "Client connections at once; one more gets error 1040. Each needs up to three file \
     descriptors.",
)
.reloads();

/// How long a login may take.
pub const LIMITS_LOGIN_TIMEOUT: Key = key(
    "limits",
    "login_timeout",
    TIMEOUT,
    Default(r#""10s""#),
    "A client that has not logged in by then is disconnected.",
)
.reloads();

/// How many logins may fail.
pub const LIMITS_LOGIN_FAILURES: Key = key(
    "limits",
    "login_failures",
    Kind::Count {
        min: 0,
        max: 1_000_000,
    },
    Default("5"),
    "After so many failed logins of one account from one address, one is tried in each pause, of 1 s \
     at first and 1 min at last; others get error 1045, and no backend hears of them. A password \
     that was right before is tried at once. 0: never.",
)
.reloads();

/// How long connecting to a backend may take.
pub const LIMITS_CONNECT_TIMEOUT: Key = key(
    "limits",
    "connect_timeout",
    TIMEOUT,
    Default(r#""5s""#),
    "How long connecting and logging in to a backend may take.",
)
.reloads();

/// How long a drain may take.
pub const LIMITS_DRAIN_TIMEOUT: Key = key(
    "limits",
    "drain_timeout",
    Kind::Span {
        min: Duration::ZERO,
        max: Duration::from_secs(60 * 60),
    },
    Default(r#""30s""#),
    "After SIGTERM, how long running statements and transactions may take to end.",
)
.reloads();

/// How many reads the writer takes over.
pub const LIMITS_FALLBACK_READS: Key = key(
    "limits",
    "fallback_reads",
    Kind::Count {
        min: 0,
        max: 100_000,
    },
    Default("500"),
    "Reads that run on the writer at once because no reader is fit for them: a fleet that lags must \
     not drown it. More wait as long as a read may wait, and then get error 3024.",
)
.reloads();

/// How many scopes are kept that nobody uses.
pub const LIMITS_SCOPES: Key = key(
    "limits",
    "scopes",
    Kind::Count {
        min: 1,
        max: 10_000_000,
    },
    Default("10000"),
    "Accounts (at scope user) and keys whose writes are told apart. Beyond it those that were not \
     used for the longest are forgotten: they start again from all that any of them wrote.",
)
.reloads();

/// How many prepared statements there may be.
pub const LIMITS_PREPARED: Key = key(
    "limits",
    "prepared_statements",
    Kind::Count {
        min: 1,
        max: 10_000_000,
    },
    Default("16382"),
    "Prepared statements of all clients together; one more gets error 1461. A backend has a limit \
     of its own, max_prepared_stmt_count, and each may come to hold all of them.",
)
.reloads();

/// How many prepared statements one client may have.
pub const LIMITS_PREPARED_PER_CLIENT: Key = key(
    "limits",
    "prepared_statements_per_client",
    Kind::Count {
        min: 1,
        max: 10_000_000,
    },
    Default("16382"),
    "The same of one client connection, so that one alone can't use up all.",
)
.reloads();

/// How much SQL of prepared statements is kept.
pub const LIMITS_PREPARED_MIB: Key = key(
    "limits",
    "prepared_mib",
    Kind::Count {
        min: 1,
        max: 1_048_576,
    },
    Default("256"),
    "The SQL of all prepared statements together, in MiB: it is kept, since another backend \
     connection may need it. Beyond it, error 1461.",
)
.reloads();

/// How log lines look.
pub const LOG_FORMAT: Key = key(
    "log",
    "format",
    Kind::Word {
        choices: &["text", "json"],
    },
    Default(r#""text""#),
    "text: for people. json: one object a line.",
);

/// Which log lines are written.
pub const LOG_FILTER: Key = key(
    "log",
    "filter",
    Kind::Text { max: TEXT_MAX },
    Default(r#""info""#),
    "The least level that is logged (error, warn, info, debug, trace, off), also by module: \
     \"info,tidegate::session=debug\".",
)
.reloads();
