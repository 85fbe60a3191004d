//! The keys themselves, by section.

use std::time::Duration;

use super::Presence::{Default, Optional, Required};
use super::{Key, Kind};

/// MySQL's own limit for the name of an account (MySQL manual, "Account User Names, Passwords").
const USER_NAME_MAX: usize = 32;
const NAME_MAX: usize = 64;
/// Of a log filter and of an environment variable's name.
const TEXT_MAX: usize = 1024;
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
const MAX_STALENESS: Kind = Kind::Span {
    min: Duration::ZERO,
    max: Duration::from_secs(24 * 60 * 60),
};
const MAX_LAG: Kind = Kind::Span {
    min: Duration::from_millis(1),
    max: Duration::from_secs(7 * 24 * 60 * 60),
};
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
    // Nothing can be reloaded yet.
    Key {
        section,
        name,
        kind,
        presence,
        effect,
        reload: false,
    }
}

/// Where clients connect.
pub const LISTEN_ADDRESS: Key = key(
    "listen",
    "address",
    Kind::Addresses,
    Default(r#""127.0.0.1:3307""#),
    "Where clients connect, instead of to the database server.",
);

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

/// Where the HTTP endpoint listens.
pub const HTTP_ADDRESS: Key = key(
    "http",
    "address",
    Kind::Address,
    Required(r#""127.0.0.1:9307""#),
    "Where the HTTP endpoint listens. It has neither login nor TLS.",
);

/// Whether the HTTP endpoint may listen beyond loopback.
pub const HTTP_ALLOW_REMOTE: Key = key(
    "http",
    "allow_remote",
    Kind::Flag,
    Default("false"),
    "Whether [http] address may be one that other machines reach.",
);

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
);

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
);

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
);

/// A backend's name.
pub const BACKEND_NAME: Key = key(
    "backend",
    "name",
    Kind::Text { max: NAME_MAX },
    Required(r#""w1""#),
    "The name in logs and metrics: letters, digits, dots, dashes and underscores.",
);

/// A backend's address.
pub const BACKEND_ADDRESS: Key = key(
    "backend",
    "address",
    Kind::Address,
    Required(r#""127.0.0.1:4000""#),
    "Where the database server listens.",
);

/// A backend's role.
pub const BACKEND_ROLE: Key = key(
    "backend",
    "role",
    Kind::Word {
        choices: &["writer", "reader"],
    },
    Required(r#""writer""#),
    "The writer takes every write, and the reads that no reader may take; readers take reads.",
);

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
);

/// The monitor's account.
pub const MONITOR_USER: Key = key(
    "monitor",
    "user",
    Kind::Text { max: USER_NAME_MAX },
    Required(r#""tidegate""#),
    "The account's name; it must exist on every backend.",
);

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
);

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
);

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
);

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
);

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
);

/// An account's name.
pub const USER_NAME: Key = key(
    "user",
    "name",
    Kind::Text { max: USER_NAME_MAX },
    Required(r#""app""#),
    "The account's name, without a host.",
);

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
);

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
);

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
);

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
);

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
);

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
);

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
);

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
);

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
);

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
);

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
);

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
);

/// How long a read may wait for a reader.
pub const CONSISTENCY_WAIT: Key = key(
    "consistency",
    "wait",
    WAIT,
    Default(r#""50ms""#),
    "How long a read may wait for a reader that has what it must see; 0s: not at all.",
);

/// What happens when the wait ran out.
pub const CONSISTENCY_ON_TIMEOUT: Key = key(
    "consistency",
    "on_timeout",
    ON_TIMEOUT,
    Default(r#""writer""#),
    "What happens to a read whose wait ran out: it runs on the writer, or it gets an error.",
);

/// Beyond which lag a reader is left alone.
pub const CONSISTENCY_MAX_LAG: Key = key(
    "consistency",
    "max_lag",
    MAX_LAG,
    Default(r#""30s""#),
    "A reader further behind than this gets no new reads.",
);

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
);

/// How long a login may take.
pub const LIMITS_LOGIN_TIMEOUT: Key = key(
    "limits",
    "login_timeout",
    TIMEOUT,
    Default(r#""10s""#),
    "A client that has not logged in by then is disconnected.",
);

/// How long connecting to a backend may take.
pub const LIMITS_CONNECT_TIMEOUT: Key = key(
    "limits",
    "connect_timeout",
    TIMEOUT,
    Default(r#""5s""#),
    "How long connecting and logging in to a backend may take.",
);

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
);

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
);

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
);

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
);

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
);

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
);
