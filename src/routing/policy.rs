//! What the operator asks for: level, scope and how long a read may wait.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Position of a backend in the configuration; stable while the configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendId(pub u16);

impl BackendId {
    /// The id as an index into the configured backends.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What a backend is: as the configuration says, or as its monitor finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Takes every write, and reads that no reader may take.
    Writer,
    /// Takes reads.
    Reader,
}

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Every read runs on the writer.
    Writer,
    /// A read sees every write acknowledged to anyone before it arrived.
    Strong,
    /// A read sees every write and every read that its scope did before.
    Session,
    /// A read sees everything committed up to a bound ago.
    Bounded,
    /// A read sees whatever a healthy reader has.
    Eventual,
}

/// Whose writes and reads count for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This client connection's own.
    Connection,
    /// Those of every connection of the same MySQL account.
    User,
    /// Those of every connection that gives the same key.
    Key,
    /// Those of every connection through this proxy.
    Proxy,
}

/// What happens to a read whose wait ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnTimeout {
    /// It runs on the writer.
    Writer,
    /// It gets an error.
    Error,
}

/// Where a read that a reader might take runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadFrom {
    /// On a reader; on the writer if none is fit for it.
    Readers,
    /// On the writer; on a reader, as far as the level allows, while there is no writer.
    Writer,
}

/// What a session is told of writes that a failover has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnLostWrites {
    /// Its next read gets an error, once.
    #[default]
    Error,
    /// Nothing: they are logged and counted.
    Continue,
}

/// Whether reads are split at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reads {
    /// Between writer and readers, as their levels say.
    #[default]
    Split,
    /// All of them run on the writer.
    Writer,
    /// All of them run on the writer, and it is counted where they would have run.
    Mirror,
}

/// How one session's reads are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How fresh a read has to be.
    pub level: Level,
    /// Where a read runs first.
    pub read_from: ReadFrom,
    /// Whose writes and reads count.
    pub scope: Scope,
    /// A read at level `session` or `bounded` sees everything that was committed this long before
    /// it arrived; none: no such bound.
    pub max_staleness: Option<Duration>,
    /// How long a read may wait for a reader that has caught up.
    pub wait: Duration,
    /// What happens when `wait` ran out.
    pub on_timeout: OnTimeout,
    /// A reader further behind than this gets no reads.
    pub max_lag: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            level: Level::Session,
            read_from: ReadFrom::Readers,
            scope: Scope::Connection,
            max_staleness: None,
            wait: Duration::from_millis(50),
            on_timeout: OnTimeout::Writer,
            max_lag: Duration::from_secs(30),
        }
    }
}

/// What a place narrower than the configuration asks for: a session, or a statement's own hint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Another level.
    pub level: Option<Level>,
    /// Another bound on staleness.
    pub max_staleness: Option<Duration>,
}

impl Asks {
    /// The same, where a narrower place asks for something.
    #[must_use]
    pub fn narrowed(self, by: Self) -> Self {
        // A bound beside a level that promises nothing is a level of its own.
        let bound = matches!(by.level.or(self.level), Some(Level::Eventual));
        let bounds = by.level.is_none() && by.max_staleness.is_some() && bound;
        Self {
            level: if bounds {
                Some(Level::Bounded)
            } else {
                by.level.or(self.level)
            },
            max_staleness: by.max_staleness.or(self.max_staleness),
        }
    }
}

impl Policy {
    /// What holds where a narrower place asks for something.
    #[must_use]
    pub fn narrowed(self, by: Asks) -> Self {
        let own = Asks {
            level: Some(self.level),
            max_staleness: self.max_staleness,
        };
        let narrowed = own.narrowed(by);
        Self {
            level: narrowed.level.unwrap_or(self.level),
            max_staleness: narrowed.max_staleness,
            ..self
        }
    }

    /// How old what a read shows may be, where its level has such a bound. At level `bounded` one
    /// that nobody gave is zero.
    pub fn bound(&self) -> Option<Duration> {
        match self.level {
            Level::Bounded => Some(self.max_staleness.unwrap_or_default()),
            Level::Session => self.max_staleness,
            Level::Writer | Level::Strong | Level::Eventual => None,
        }
    }
}

/// A word that names none of the choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownChoice {
    /// The choices there are.
    pub choices: &'static [&'static str],
}

impl fmt::Display for UnknownChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected one of {}", self.choices.join(", "))
    }
}

impl std::error::Error for UnknownChoice {}

/// Gives an enum of plain choices its names, in both directions.
macro_rules! choices {
    ($type:ty { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every name, in the order of the documentation.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name used in the configuration, logs and metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl FromStr for $type {
            type Err = UnknownChoice;

            fn from_str(text: &str) -> Result<Self, UnknownChoice> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(UnknownChoice { choices: Self::NAMES }),
                }
            }
        }
    };
}

choices!(Role { Writer = "writer", Reader = "reader" });
choices!(Level {
    Writer = "writer",
    Strong = "strong",
    Session = "session",
    Bounded = "bounded",
    Eventual = "eventual",
});
choices!(Scope { Connection = "connection", User = "user", Key = "key", Proxy = "proxy" });
choices!(OnTimeout { Writer = "writer", Error = "error" });
choices!(ReadFrom { Readers = "readers", Writer = "writer" });
choices!(OnLostWrites { Error = "error", Continue = "continue" });
choices!(Reads { Split = "split", Writer = "writer", Mirror = "mirror" });
