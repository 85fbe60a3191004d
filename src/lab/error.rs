//! What can go wrong with a lab, each with the way out.

use std::io;
use std::path::{Path, PathBuf};

/// The oldest MySQL whose statements and options the lab uses (`replica_preserve_commit_order`
/// and `log_replica_updates` have had their names since then).
pub(super) const OLDEST: (u32, u32, u32) = (8, 0, 26);

/// A lab that could not be made, used or ended. The text names the place and what would help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path or the program.
        what: String,
        /// The refusal.
        source: io::Error,
    },
    /// The mysqld that was named can't be used.
    #[error("{path}: {why}; the lab needs a MySQL server of version 8.0.26 or later", path = .path.display())]
    Unsuitable {
        /// The program.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// No mysqld was found on this machine, and none could be fetched.
    #[error(
        "no MySQL server on this machine, and fetching one failed: {why}\n\
         way out: install MySQL 8.0.26 or later and put mysqld on PATH, or name it \
         (TIDEGATE_MYSQLD=/path/to/mysqld)"
    )]
    Fetch {
        /// The step that failed, with the end of its output.
        why: String,
    },
    /// A program beside MySQL's is not on this machine, and could not be fetched.
    #[error("no {name} on this machine, and fetching it failed: {why}\nway out: install {name}")]
    Package {
        /// The program and its package.
        name: String,
        /// The step that failed, with the end of its output.
        why: String,
    },
    /// A mysqld did not come up.
    #[error("{name} did not start: {why}\n{log}")]
    Start {
        /// The instance.
        name: String,
        /// How it was noticed.
        why: String,
        /// The end of its error log.
        log: String,
    },
    /// A statement failed on an instance.
    #[error("{name}: {source}")]
    Query {
        /// The instance.
        name: String,
        /// The error from the server or the connection.
        source: mysql_async::Error,
    },
    /// The directory can't hold a lab.
    #[error("{path}: {why}", path = .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The caller asked for something that makes no sense.
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// For `map_err`: says what was tried when the operating system refused.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// For `map_err`: the same for an operation on a path.
    pub(super) fn path(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} {}", path.display()))
    }
}
