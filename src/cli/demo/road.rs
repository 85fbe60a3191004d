//! The roads from the application to MySQL.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::Error;
use crate::cli::local::{Proxy, Splitter, opts};
use crate::lab::{APP, APP_SCHEMA, Cluster};
use crate::routing::Scope;

/// How statements reach MySQL.
#[derive(Clone, Copy, Debug)]
pub(super) enum Road<'p> {
    /// What many applications have built in: reads to the readers in turn, all else to the writer.
    Splitter,
    /// Through Tidegate, with this scope.
    Tidegate(&'p Proxy, Scope),
}

/// One connection of the application's pool, by either road.
#[derive(Debug)]
pub(super) enum Connection {
    Split(Splitter),
    Whole(Conn),
}

impl Road<'_> {
    /// As the results call it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Splitter => "naive splitter".to_owned(),
            Self::Tidegate(_, scope) => format!("Tidegate, scope {}", scope.name()),
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(self, cluster: &Cluster) -> Result<Connection, Error> {
        if let Self::Tidegate(proxy, _) = self {
            let opts = opts(proxy.address(), APP.user, APP.password).db_name(Some(APP_SCHEMA));
            return Ok(Connection::Whole(Conn::new(opts).await?));
        }
        let mut readers = Vec::new();
        for reader in cluster.readers() {
            readers.push(Conn::new(reader.opts(APP)).await?);
        }
        let writer = Conn::new(cluster.writer().opts(APP)).await?;
        Ok(Connection::Split(Splitter::new(writer, readers)))
    }
}

impl Connection {
    /// The reads that readers answered, as far as this connection itself chose them.
    pub(super) fn at_readers(&self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Split(splitter) => splitter.at_readers(),
        }
    }

    /// What a pool does when it lends a connection (COM_RESET_CONNECTION).
    pub(super) async fn reset(&mut self) -> mysql_async::Result<()> {
        match self {
            Self::Whole(conn) => conn.reset().await.map(drop),
            Self::Split(splitter) => {
                for conn in splitter.all() {
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
            Self::Split(splitter) => {
                let is_read = sql.starts_with("SELECT");
                splitter.backend(is_read).query_first(sql).await
            }
        }
    }
}
