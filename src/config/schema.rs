//! The one table of what a configuration file may say. The parser, the suggestions for misspelt
//! keys, the example file and the manual's tables all follow it.

pub mod keys;

use std::time::Duration;

use self::keys::*;

/// One key of the file.
#[derive(Debug)]
pub struct Key {
    /// The table that it belongs to.
    pub section: &'static str,
    /// Its name within the table.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds without it.
    pub presence: Presence,
    /// What it does.
    pub effect: &'static str,
    /// Whether a running Tidegate takes up a change of it.
    pub reload: bool,
}

impl Key {
    /// The key as faults name it: `section.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// What holds where a key is left out. Values are TOML literals.
#[derive(Debug)]
pub enum Presence {
    /// This value.
    Default(&'static str),
    /// It may not be left out; the value is an example.
    Required(&'static str),
    /// It has no value, which means `absent`; the value is an example.
    Optional {
        /// An example.
        example: &'static str,
        /// What holds without it.
        absent: &'static str,
    },
}

impl Presence {
    /// The default, or an example where there is none.
    pub fn literal(&self) -> &'static str {
        match self {
            Self::Default(literal) | Self::Required(literal) => literal,
            Self::Optional { example, .. } => example,
        }
    }
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string of 1 to `max` characters.
    Text {
        /// In characters.
        max: usize,
    },
    /// A string that is never shown.
    Secret,
    /// The path of a file; a relative one starts at the configuration file's directory.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A string with a number and its unit.
    Span {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// One of a few words.
    Word {
        /// Which.
        choices: &'static [&'static str],
    },
    /// `host:port`, `[ipv6]:port` or `unix:/path`.
    Address,
    /// An address, or an array of them.
    Addresses,
    /// An IP address or a network, or an array of them.
    Networks,
}

impl Kind {
    /// What it takes, for people: type, unit and limits.
    pub fn describe(self) -> String {
        let span = humantime::format_duration;
        match self {
            Self::Text { max } => format!("string of at most {max} characters"),
            Self::Secret => "string, never shown".to_owned(),
            Self::Path => "path, from the directory of this file".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Count { min, max } => format!("whole number, {min} to {max}"),
            Self::Span { min, max } => {
                format!("duration with its unit, {} to {}", span(min), span(max))
            }
            Self::Word { choices } => format!("one of {}", choices.join(", ")),
            Self::Address => "host:port, [ipv6]:port or unix:/path".to_owned(),
            Self::Addresses => "host:port, [ipv6]:port or unix:/path, or a list".to_owned(),
            Self::Networks => "IP address or network, or a list".to_owned(),
        }
    }
}

/// One table of the file.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// Whether it is written `[[name]]`, once for each.
    pub list: bool,
    /// What it is about.
    pub about: &'static str,
    /// Its keys, in the order of the documentation.
    pub keys: &'static [&'static Key],
}

impl Section {
    /// The header as it stands in a file.
    pub fn header(&self) -> String {
        match self.list {
            true => format!("[[{}]]", self.name),
            false => format!("[{}]", self.name),
        }
    }
}

/// Every table, in the order of the documentation.
pub const SECTIONS: &[&Section] = &[
    &LISTEN,
    &HTTP,
    &CONSOLE,
    &TLS,
    &BACKEND,
    &MONITOR,
    &REPLICATION,
    &AUTH,
    &USER,
    &CONSISTENCY,
    &FAILOVER,
    &POOL,
    &LIMITS,
    &LOG,
];

/// Another server becomes the writer.
pub const FAILOVER: Section = Section {
    name: "failover",
    list: false,
    about: "What happens while another server becomes the writer.",
    keys: &[
        &FAILOVER_HOLD,
        &FAILOVER_HELD_STATEMENTS,
        &FAILOVER_ON_LOST_WRITES,
    ],
};

/// Where clients connect.
pub const LISTEN: Section = Section {
    name: "listen",
    list: false,
    about: "Where clients connect.",
    keys: &[
        &LISTEN_ADDRESS,
        &LISTEN_PROXY_ID,
        &LISTEN_ZONE,
        &LISTEN_COMPRESSION,
        &LISTEN_PROXY_PROTOCOL_FROM,
    ],
};

/// The HTTP endpoint.
pub const HTTP: Section = Section {
    name: "http",
    list: false,
    about: "The HTTP endpoint with /metrics, /healthz and /readyz. Without this table there is none.",
    keys: &[
        &HTTP_ADDRESS,
        &HTTP_ALLOW_REMOTE,
        &HTTP_USER,
        &HTTP_PASSWORD,
        &HTTP_PASSWORD_ENV,
        &HTTP_PASSWORD_FILE,
    ],
};

/// The console.
pub const CONSOLE: Section = Section {
    name: "console",
    list: false,
    about: "The operator's console, which speaks MySQL: mysql -h 127.0.0.1 -P 6032 -u tidegate, then \
            SHOW HELP. Without this table there is none. Its password, if it has one, comes from one of \
            password, password_env and password_file.",
    keys: &[
        &CONSOLE_ADDRESS,
        &CONSOLE_USER,
        &CONSOLE_PASSWORD,
        &CONSOLE_PASSWORD_ENV,
        &CONSOLE_PASSWORD_FILE,
    ],
};

/// TLS towards clients.
pub const TLS: Section = Section {
    name: "tls",
    list: false,
    about: "TLS towards clients.",
    keys: &[
        &TLS_MODE,
        &TLS_CERT,
        &TLS_KEY,
        &TLS_REQUIRED,
        &TLS_MIN_VERSION,
        &TLS_CLIENT_CERT,
        &TLS_CLIENT_CA,
    ],
};

/// The backends.
pub const BACKEND: Section = Section {
    name: "backend",
    list: true,
    about: "The database servers: one table for each. One of them is the writer, named or found out.",
    keys: &[
        &BACKEND_NAME,
        &BACKEND_ADDRESS,
        &BACKEND_ROLE,
        &BACKEND_WEIGHT,
        &BACKEND_MAX_LAG,
        &BACKEND_ZONE,
        &BACKEND_TLS,
        &BACKEND_TLS_CA,
        &BACKEND_TLS_CERT,
        &BACKEND_TLS_KEY,
        &BACKEND_PROXY_PROTOCOL,
    ],
};

/// The monitor.
pub const MONITOR: Section = Section {
    name: "monitor",
    list: false,
    about: "The account that watches the backends: their health, their roles, how far they are. \
            Its password comes from exactly one of password, password_env and password_file.",
    keys: &[
        &MONITOR_USER,
        &MONITOR_PASSWORD,
        &MONITOR_PASSWORD_ENV,
        &MONITOR_PASSWORD_FILE,
        &MONITOR_INTERVAL,
    ],
};

/// Replication clients.
pub const REPLICATION: Section = Section {
    name: "replication",
    list: false,
    about: "Clients that read the binary log.",
    keys: &[&REPLICATION_BACKEND],
};

/// Logins.
pub const AUTH: Section = Section {
    name: "auth",
    list: false,
    about: "Who decides about a login.",
    keys: &[&AUTH_MODE],
};

/// Accounts with settings of their own.
pub const USER: Section = Section {
    name: "user",
    list: true,
    about: "Accounts with settings of their own: one table for each. Under [auth] mode = \"users\" \
            each has its password, from exactly one of password, password_env and password_file.",
    keys: &[
        &USER_NAME,
        &USER_PASSWORD,
        &USER_PASSWORD_ENV,
        &USER_PASSWORD_FILE,
        &USER_LEVEL,
        &USER_READ_FROM,
        &USER_MAX_STALENESS,
        &USER_SCOPE,
        &USER_WAIT,
        &USER_ON_TIMEOUT,
        &USER_MAX_LAG,
    ],
};

/// How fresh reads are.
pub const CONSISTENCY: Section = Section {
    name: "consistency",
    list: false,
    about: "What a read must see, and what happens while no reader has it.",
    keys: &[
        &CONSISTENCY_READS,
        &CONSISTENCY_LEVEL,
        &CONSISTENCY_READ_FROM,
        &CONSISTENCY_MAX_STALENESS,
        &CONSISTENCY_SCOPE,
        &CONSISTENCY_WAIT,
        &CONSISTENCY_ON_TIMEOUT,
        &CONSISTENCY_MAX_LAG,
    ],
};

/// How sessions share connections.
pub const POOL: Section = Section {
    name: "pool",
    list: false,
    about: "How clients share backend connections.",
    keys: &[
        &POOL_MODE,
        &POOL_IDLE_TIME,
        &POOL_MAX_AGE,
        &POOL_MIN_IDLE,
        &POOL_PREPARED_STATEMENTS,
    ],
};

/// Named limits.
pub const LIMITS: Section = Section {
    name: "limits",
    list: false,
    about: "Everything has a limit; these can be moved.",
    keys: &[
        &LIMITS_CLIENTS,
        &LIMITS_LOGIN_TIMEOUT,
        &LIMITS_LOGIN_FAILURES,
        &LIMITS_CONNECT_TIMEOUT,
        &LIMITS_DRAIN_TIMEOUT,
        &LIMITS_FALLBACK_READS,
        &LIMITS_SCOPES,
        &LIMITS_PREPARED,
        &LIMITS_PREPARED_PER_CLIENT,
        &LIMITS_PREPARED_MIB,
        &LIMITS_CLIENTS_PER_USER,
        &LIMITS_BACKEND_CONNECTIONS,
        &LIMITS_BACKEND_CONNECTIONS_TOTAL,
        &LIMITS_CONNECTION_WAIT,
        &LIMITS_QUEUED_STATEMENTS,
        &LIMITS_QUEUED_STATEMENTS_PER_USER,
        &LIMITS_FIRST_BYTE_TIMEOUT,
        &LIMITS_SILENT_TIMEOUT,
        &LIMITS_IDLE_TIMEOUT,
        &LIMITS_READ_TIMEOUT,
        &LIMITS_WRITE_TIMEOUT,
        &LIMITS_DEAD_PEER_TIMEOUT,
        &LIMITS_ON_CLIENT_GONE,
        &LIMITS_SLOW_START,
    ],
};

/// Logging.
pub const LOG: Section = Section {
    name: "log",
    list: false,
    about: "Log lines, on standard error. No password and no literal of a statement is in any.",
    keys: &[&LOG_FORMAT, &LOG_FILTER],
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_key_says_to_which_section_it_belongs_and_is_there_once() {
        let mut seen = HashSet::new();
        for section in SECTIONS {
            for key in section.keys {
                assert_eq!(key.section, section.name, "{}", key.name);
                assert!(seen.insert(key.path()), "{} is there twice", key.path());
            }
        }
    }
}
