//! A connection by one of the roads, and the statements that go over it.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::time::timeout;

use super::workload::Form;
use crate::cli::local::Splitter;

/// A statement without an answer for so long has failed, and its connection is given up.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Where the connections of one target lead.
#[derive(Clone, Debug)]
pub(super) enum Road {
    /// To one address.
    Whole(Opts),
    /// To a writer, and to readers for reads.
    Split { writer: Opts, readers: Vec<Opts> },
}

/// One connection of an application.
#[derive(Debug)]
pub(super) enum Connection {
    Whole(Box<Conn>),
    Split(Box<Splitter>),
}

/// What one user sends.
#[derive(Clone, Debug)]
pub(super) struct Statements {
    form: Form,
    /// Up to the row's number, with the user's hint.
    read: String,
    update: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// As it is counted.
    pub(super) name: String,
    /// Whether the connection is of no use any more.
    pub(super) fatal: bool,
}

impl Road {
    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let open = async {
            match self {
                Self::Whole(opts) => {
                    Ok(Connection::Whole(Box::new(Conn::new(opts.clone()).await?)))
                }
                Self::Split { writer, readers } => {
                    let writer = Conn::new(writer.clone()).await?;
                    let mut to_readers = Vec::new();
                    for reader in readers {
                        to_readers.push(Conn::new(reader.clone()).await?);
                    }
                    let splitter = Splitter::new(writer, to_readers);
                    Ok(Connection::Split(Box::new(splitter)))
                }
            }
        };
        limited(open).await
    }

    /// The same for connections that keep so many prepared statements each.
    pub(super) fn keeping(self, statements: usize) -> Self {
        let keep = |opts: Opts| {
            OptsBuilder::from_opts(opts)
                .stmt_cache_size(statements)
                .into()
        };
        match self {
            Self::Whole(opts) => Self::Whole(keep(opts)),
            Self::Split { writer, readers } => Self::Split {
                writer: keep(writer),
                readers: readers.into_iter().map(keep).collect(),
            },
        }
    }
}

impl Statements {
    /// Those on a table; `hint` comes first in each.
    pub(super) fn new(table: &str, hint: &str, form: Form) -> Self {
        Self {
            form,
            read: format!("{hint}SELECT id, version FROM {table} WHERE id = "),
            update: format!("{hint}UPDATE {table} SET version = "),
        }
    }
}

impl Connection {
    /// The connection that a read or a write takes, which a pool would reset first.
    fn lent(&mut self, is_read: bool) -> &mut Conn {
        match self {
            Self::Whole(conn) => conn,
            Self::Split(splitter) => splitter.backend(is_read),
        }
    }

    /// Reads that this connection itself has sent to readers.
    pub(super) fn at_readers(&self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Split(splitter) => splitter.at_readers(),
        }
    }

    /// The id and the version of a row. `sent` is called right before the statement goes.
    pub(super) async fn read(
        &mut self,
        statements: &Statements,
        row: u32,
        reset: bool,
        sent: impl FnOnce(),
    ) -> Result<Option<(u32, u32)>, Failure> {
        let conn = self.lent(true);
        limited(async {
            if reset {
                conn.reset().await?;
            }
            sent();
            let start = &statements.read;
            match statements.form {
                Form::Text => conn.query_first(format!("{start}{row}")).await,
                Form::Prepared => conn.exec_first(format!("{start}?"), (row,)).await,
            }
        })
        .await
    }

    /// Gives a row a version.
    pub(super) async fn write(
        &mut self,
        statements: &Statements,
        (row, version): (u32, u32),
        reset: bool,
        sent: impl FnOnce(),
    ) -> Result<(), Failure> {
        let conn = self.lent(false);
        limited(async {
            if reset {
                conn.reset().await?;
            }
            sent();
            let start = &statements.update;
            match statements.form {
                Form::Text => {
                    let sql = format!("{start}{version} WHERE id = {row}");
                    conn.query_drop(sql).await
                }
                Form::Prepared => {
                    let sql = format!("{start}? WHERE id = ?");
                    conn.exec_drop(sql, (version, row)).await
                }
            }
        })
        .await
    }

    /// Ends it as an application does.
    pub(super) async fn close(self) {
        let closing = async {
            match self {
                Self::Whole(conn) => conn.disconnect().await,
                Self::Split(splitter) => {
                    for conn in splitter.into_all() {
                        conn.disconnect().await?;
                    }
                    Ok(())
                }
            }
        };
        // Nobody is left whom a failure would interest.
        let _ = limited(closing).await;
    }
}

async fn limited<T>(asking: impl Future<Output = mysql_async::Result<T>>) -> Result<T, Failure> {
    match timeout(ANSWER_LIMIT, asking).await {
        Ok(answered) => answered.map_err(|error| failure(&error)),
        Err(_) => Err(Failure {
            name: format!("no answer in {} s", ANSWER_LIMIT.as_secs()),
            fatal: true,
        }),
    }
}

fn failure(error: &mysql_async::Error) -> Failure {
    let (name, fatal) = match error {
        mysql_async::Error::Server(error) => {
            (format!("error {} ({})", error.code, error.state), false)
        }
        mysql_async::Error::Io(error) => (format!("connection: {error}"), true),
        other => (other.to_string(), true),
    };
    Failure { name, fatal }
}
