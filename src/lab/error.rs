//! What can go wrong with a lab, each with the way out.

use std::io;
use std::path::{Path, PathBuf};

use super::Flavour;

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
    /// The server that was named can't be used.
    #[error("{path}: {why}; the lab needs {flavour} {oldest} or later", path = .path.display(), oldest = oldest(*.flavour))]
    Unsuitable {
        /// What is wanted.
        flavour: Flavour,
        /// The program.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// No server was found on this machine, and none could be fetched.
    #[error(
        "no {flavour} server on this machine, and fetching one failed: {why}\n\
         way out: install {flavour} {oldest} or later and put {server} on PATH, or name it \
         ({variable}=/path/to/{server})",
        oldest = oldest(*.flavour), server = .flavour.server(), variable = .flavour.variable()
    )]
    Server {
        /// What is wanted.
        flavour: Flavour,
        /// The step that failed, with the end of its output.
        why: String,
    },
    /// Something could not be fetched.
    #[error("fetching from the system's package archive failed: {why}")]
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

fn oldest(flavour: Flavour) -> String {
    let (major, minor, patch) = flavour.oldest();
    match patch {
        0 => format!("{major}.{minor}"),
        _ => format!("{major}.{minor}.{patch}"),
    }
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
