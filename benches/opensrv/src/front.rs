//! What a client says, said again to the reader.

use std::collections::HashMap;
use std::io;

use async_trait::async_trait;
use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Conn, Error, Params, QueryResult, Statement, Value};
use opensrv_mysql::{
    AsyncMysqlShim, Column, ErrorKind, InitWriter, OkResponse, ParamParser, QueryResultWriter,
    StatementMetaWriter, ValueInner,
};
use tokio::io::AsyncWrite;

/// One client's.
pub(crate) struct Front {
    reader: Conn,
    /// What the client has prepared, by the number that it got.
    statements: HashMap<u32, Statement>,
    next: u32,
}

impl Front {
    pub(crate) fn new(reader: Conn) -> Self {
        Self {
            reader,
            statements: HashMap::new(),
            next: 1,
        }
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> AsyncMysqlShim<W> for Front {
    type Error = io::Error;

    fn version(&self) -> String {
        let (major, minor, patch) = self.reader.server_version();
        format!("{major}.{minor}.{patch}")
    }

    async fn on_init<'a>(
        &'a mut self,
        schema: &'a str,
        answer: InitWriter<'a, W>,
    ) -> io::Result<()> {
        let quoted = schema.replace('`', "``");
        match self.reader.query_drop(format!("USE `{quoted}`")).await {
            Ok(()) => answer.ok().await,
            Err(error) => answer.error(UNKNOWN, text(error)?.as_bytes()).await,
        }
    }

    async fn on_query<'a>(
        &'a mut self,
        query: &'a str,
        answer: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        match self.reader.query_iter(query).await {
            Ok(found) => relay(found, answer).await,
            Err(error) => answer.error(UNKNOWN, text(error)?.as_bytes()).await,
        }
    }

    async fn on_prepare<'a>(
        &'a mut self,
        query: &'a str,
        answer: StatementMetaWriter<'a, W>,
    ) -> io::Result<()> {
        let statement = match self.reader.prep(query).await {
            Ok(statement) => statement,
            Err(error) => return answer.error(UNKNOWN, text(error)?.as_bytes()).await,
        };
        let id = self.next;
        self.next = id.wrapping_add(1);
        let [params, columns] = [statement.params(), statement.columns()].map(described);
        self.statements.insert(id, statement);
        answer.reply(id, &params, &columns).await
    }

    async fn on_execute<'a>(
        &'a mut self,
        id: u32,
        params: ParamParser<'a>,
        answer: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        let Some(statement) = self.statements.get(&id) else {
            return answer.error(UNKNOWN, b"no such statement").await;
        };
        let values: io::Result<Vec<Value>> = params
            .into_iter()
            .map(|param| value(param.value.into_inner()))
            .collect();
        let params = match values? {
            values if values.is_empty() => Params::Empty,
            values => Params::Positional(values),
        };
        match self.reader.exec_iter(statement, params).await {
            Ok(found) => relay(found, answer).await,
            Err(error) => answer.error(UNKNOWN, text(error)?.as_bytes()).await,
        }
    }

    async fn on_close<'a>(&'a mut self, id: u32)
    where
        W: 'async_trait,
    {
        if let Some(statement) = self.statements.remove(&id) {
            // The reader answers nothing to this.
            let _ = self.reader.close(statement).await;
        }
    }
}

/// opensrv-mysql panics on numbers of errors that it doesn't know, so the text has to do.
const UNKNOWN: ErrorKind = ErrorKind::ER_UNKNOWN_ERROR;

/// What the reader refused a statement with; any other error ends the client.
fn text(error: Error) -> io::Result<String> {
    match error {
        Error::Server(refused) => Ok(refused.to_string()),
        other => Err(io::Error::other(other)),
    }
}

/// The first result, row by row.
async fn relay<P: Protocol, W: AsyncWrite + Send + Unpin>(
    mut found: QueryResult<'_, '_, P>,
    answer: QueryResultWriter<'_, W>,
) -> io::Result<()> {
    let columns = described(found.columns_ref());
    if columns.is_empty() {
        let done = OkResponse {
            affected_rows: found.affected_rows(),
            last_insert_id: found.last_insert_id().unwrap_or_default(),
            ..OkResponse::default()
        };
        found.drop_result().await.map_err(io::Error::other)?;
        return answer.completed(done).await;
    }
    let mut rows = answer.start(&columns).await?;
    while let Some(row) = found.next().await.map_err(io::Error::other)? {
        rows.write_row(row.unwrap()).await?;
    }
    found.drop_result().await.map_err(io::Error::other)?;
    rows.finish().await
}

/// Columns as opensrv-mysql describes them.
fn described(columns: &[mysql_async::Column]) -> Vec<Column> {
    let column = |it: &mysql_async::Column| Column {
        table: it.table_str().into_owned(),
        column: it.name_str().into_owned(),
        coltype: it.column_type(),
        colflags: it.flags(),
    };
    columns.iter().map(column).collect()
}

/// A parameter as mysql_async sends it.
fn value(param: ValueInner<'_>) -> io::Result<Value> {
    Ok(match param {
        ValueInner::NULL => Value::NULL,
        ValueInner::Bytes(bytes) => Value::Bytes(bytes.to_owned()),
        ValueInner::Int(number) => Value::Int(number),
        ValueInner::UInt(number) => Value::UInt(number),
        ValueInner::Double(number) => Value::Double(number),
        ValueInner::Date(_) | ValueInner::Time(_) | ValueInner::Datetime(_) => {
            return Err(io::Error::other("times are not in what is compared"));
        }
    })
}
