//! Why there is no benchmark, each with the way out.

use std::path::PathBuf;

use crate::app::StartError;
use crate::lab;
use crate::net::Endpoint;

/// What ends a benchmark before its time.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The lab did not start, or a statement failed on it.
    #[error(transparent)]
    Lab(#[from] lab::Error),
    /// Tidegate did not start.
    #[error(transparent)]
    Proxy(#[from] StartError),
    /// Nobody answers there, or the account may not log in.
    #[error("{what} at {address}: {why}; check the address, --user and its password")]
    Unreachable {
        /// What is expected there.
        what: String,
        address: Endpoint,
        why: String,
    },
    /// A statement of the preparation failed.
    #[error("{what}: {source}")]
    Statement {
        /// What it was to do.
        what: String,
        source: mysql_async::Error,
    },
    /// A reader does not get what was written.
    #[error(
        "the reader at {0} has not got the tables within {secs} s: does it replicate from the \
         writer?", secs = super::schema::PATIENCE.as_secs()
    )]
    NotSettled(Endpoint),
    /// The cluster breaks promises that Tidegate needs.
    #[error(
        "Tidegate can't keep its promises on this cluster:\n{0}\n\
         way out: mend that, or compare without it (--targets direct,naive)"
    )]
    Unfit(String),
    /// The user has said no, or can't be asked.
    #[error("{0}")]
    Refused(String),
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A bug, if ever.
    #[error("a histogram can't be made: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// A signal came.
    #[error("interrupted; nothing is left behind")]
    Interrupted,
    /// A signal came when some of it was measured.
    #[error("interrupted: the report has what was complete by then; nothing is left behind")]
    Partial,
}

impl Error {
    /// For `map_err`: says what a statement was to do.
    pub(super) fn statement(what: impl Into<String>) -> impl FnOnce(mysql_async::Error) -> Self {
        let what = what.into();
        move |source| Self::Statement { what, source }
    }

    /// For `map_err`: says which file.
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
