//! The roads from the application to MySQL.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::Error;
use super::proxy::Proxy;
use crate::lab::{APP, Cluster};

/// How statements reach MySQL.
#[derive(Clone, Copy, Debug)]
pub(super) enum Road<'p> {
    /// What many applications have built in: reads to the readers in turn, all else to the writer.
    Splitter,
    /// Through Tidegate.
    Tidegate(&'p Proxy),
}

/// One connection of the application's pool, by either road.
#[derive(Debug)]
pub(super) enum Connection {
    Split(Splitter),
    Whole(Conn),
}

/// A connection to every backend, taken for one.
#[derive(Debug)]
pub(super) struct Splitter {
    writer: Conn,
    readers: Vec<Conn>,
    /// Reads sent to readers so far.
    reads: usize,
}

impl Road<'_> {
    /// As the results call it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Splitter => "naive splitter".to_owned(),
            Self::Tidegate(proxy) => format!("Tidegate, scope {}", proxy.scope().name()),
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(self, cluster: &Cluster) -> Result<Connection, Error> {
        if let Self::Tidegate(proxy) = self {
            return Ok(Connection::Whole(proxy.connect().await?));
        }
        let mut readers = Vec::new();
        for reader in cluster.readers() {
            readers.push(Conn::new(reader.opts(APP)).await?);
        }
        Ok(Connection::Split(Splitter {
            writer: Conn::new(cluster.writer().opts(APP)).await?,
            readers,
            reads: 0,
        }))
    }
}

impl Connection {
    /// The reads that readers answered, as far as this connection itself chose them.
    pub(super) fn at_readers(&self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Split(splitter) => splitter.reads,
        }
    }

    /// What a pool does when it lends a connection (COM_RESET_CONNECTION).
    pub(super) async fn reset(&mut self) -> mysql_async::Result<()> {
        match self {
            Self::Whole(conn) => conn.reset().await.map(drop),
            Self::Split(splitter) => {
                for conn in splitter.readers.iter_mut().chain([&mut splitter.writer]) {
                    conn.reset().await?;
                }
                Ok(())
            }
        }
    }

    /// Runs a statement and gives back the first column of its first row, if it has one.
    pub(super) async fn query(&mut self, sql: &str) -> mysql_async::Result<Option<String>> {
        match self {
            Self::Whole(conn) => conn.query_first(sql).await,
            Self::Split(splitter) => splitter.backend(sql).query_first(sql).await,
        }
    }
}

impl Splitter {
    /// All there is to it.
    fn backend(&mut self, sql: &str) -> &mut Conn {
        let count = self.readers.len().max(1);
        match self.readers.get_mut(self.reads % count) {
            Some(reader) if sql.starts_with("SELECT") => {
                self.reads += 1;
                reader
            }
            _ => &mut self.writer,
        }
    }
}
