//! What is compared: the roads to the cluster. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::net::Endpoint;
use crate::routing::{Level, Policy, Scope};

/// One road.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Everything to the writer, without a proxy.
    Direct,
    /// Writes to the writer, reads to the readers in turn.
    Naive,
    /// A Tidegate that this program starts.
    Tidegate {
        /// How fresh its reads are.
        level: Level,
        /// Whose writes count.
        scope: Scope,
    },
    /// Whatever answers there.
    Other {
        /// As the report calls it.
        name: String,
        /// Where.
        address: Endpoint,
    },
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such target: direct, naive, writer, strong, bounded, eventual, session (as \
     session/connection), session/user, session/key, session/proxy, or NAME=HOST:PORT for any \
     other address"
)]
pub(super) struct UnknownTarget;

impl Target {
    /// Those that are compared unless others are named.
    pub(super) fn defaults() -> Vec<Self> {
        let session = |scope| Self::tidegate(Level::Session, scope);
        let mut all = vec![
            Self::Direct,
            Self::Naive,
            Self::tidegate(Level::Writer, Scope::Connection),
            Self::tidegate(Level::Strong, Scope::Connection),
        ];
        all.extend([Scope::Connection, Scope::User, Scope::Key, Scope::Proxy].map(session));
        all.extend(
            [Level::Bounded, Level::Eventual].map(|level| Self::tidegate(level, Scope::Connection)),
        );
        all
    }

    fn tidegate(level: Level, scope: Scope) -> Self {
        Self::Tidegate { level, scope }
    }

    /// Whether this program starts a Tidegate for it.
    pub(super) fn is_tidegate(&self) -> bool {
        matches!(self, Self::Tidegate { .. })
    }

    /// The policy of its Tidegate; none without one.
    pub(super) fn policy(&self, base: Policy, max_staleness: Duration) -> Option<Policy> {
        let Self::Tidegate { level, scope } = *self else {
            return None;
        };
        Some(Policy {
            level,
            scope,
            max_staleness: (level == Level::Bounded).then_some(max_staleness),
            ..base
        })
    }

    /// The hint that its statements carry, and nothing for most.
    pub(super) fn hint(&self, user: u32) -> String {
        match self {
            Self::Tidegate {
                scope: Scope::Key, ..
            } => format!("/* tidegate: key='user {user}' */ "),
            _ => String::new(),
        }
    }

    /// One sentence for the report.
    pub(super) fn meaning(&self, max_staleness: Duration) -> String {
        match self {
            Self::Direct => "all statements to the writer, without a proxy".to_owned(),
            Self::Naive => "writes to the writer, reads to the readers in turn, whatever they lag \
                            by"
            .to_owned(),
            Self::Other { address, .. } => format!("what answers at {address}"),
            Self::Tidegate { level, scope } => match level {
                Level::Writer => "Tidegate; all reads run on the writer".to_owned(),
                Level::Strong => {
                    "Tidegate; a read sees everything acknowledged to anybody before it".to_owned()
                }
                Level::Bounded => {
                    format!("Tidegate; a read sees everything that was there {max_staleness:?} ago")
                }
                Level::Eventual => "Tidegate; a read sees what any healthy reader has".to_owned(),
                Level::Session => format!(
                    "Tidegate; a read sees what was written and read before by {}",
                    match scope {
                        Scope::Connection => "its connection",
                        Scope::User => "any connection of its account",
                        Scope::Key => "any connection for the same user (a key)",
                        Scope::Proxy => "anybody",
                    }
                ),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Naive => f.write_str("naive"),
            Self::Other { name, .. } => f.write_str(name),
            Self::Tidegate {
                level: Level::Session,
                scope,
            } => write!(f, "session/{}", scope.name()),
            Self::Tidegate { level, .. } => f.write_str(level.name()),
        }
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let session = |scope| Ok(Self::tidegate(Level::Session, scope));
        match text {
            "direct" => return Ok(Self::Direct),
            "naive" => return Ok(Self::Naive),
            "session" => return session(Scope::Connection),
            _ => {}
        }
        if let Some((name, address)) = text.split_once('=') {
            let address = address.parse().map_err(|_| UnknownTarget)?;
            let name = name.trim().to_owned();
            return match name.is_empty() {
                true => Err(UnknownTarget),
                false => Ok(Self::Other { name, address }),
            };
        }
        if let Some(scope) = text.strip_prefix("session/") {
            return session(scope.parse().map_err(|_| UnknownTarget)?);
        }
        let level = text.parse().map_err(|_| UnknownTarget)?;
        Ok(Self::tidegate(level, Scope::Connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_written_as_it_is_read() {
        for target in Target::defaults() {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        let session: Target = "session".parse().unwrap();
        assert_eq!(session.to_string(), "session/connection");
        let other: Target = "haproxy=[::1]:3306".parse().unwrap();
        assert_eq!(other.to_string(), "haproxy");
    }

    #[test]
    fn what_names_no_target_is_refused() {
        for text in [
            "",
            "sessions",
            "session/",
            "session/x",
            "=1:2",
            "x=y",
            "x=:1",
        ] {
            assert_eq!(text.parse::<Target>(), Err(UnknownTarget), "{text}");
        }
    }

    #[test]
    fn every_level_and_scope_is_among_the_defaults() {
        let all = Target::defaults();
        for level in Level::NAMES {
            let found = all.iter().any(|it| it.to_string().starts_with(level));
            assert!(found, "{level}");
        }
        for scope in Scope::NAMES {
            let found = all.iter().any(|it| it.to_string().ends_with(scope));
            assert!(found, "{scope}");
        }
    }
}
