//! Undoes what a test has left on the writer, which the readers follow.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, Error, Row};
use tidegate::lab::{Cluster, Instance};

/// Who stays connected: the proxy's monitor, the readers, and the server itself.
const STAYING: &str = "'tidegate', 'replication', 'system user', 'event_scheduler'";

/// Variables that can't be set back, or change by themselves.
const OWN: [&str; 6] = [
    "gtid_executed",
    "gtid_owned",
    "gtid_purged",
    "innodb_thread_sleep",
    "timestamp",
    "rand_seed1",
];

/// What the writer was like before the first test.
pub(crate) struct Baseline {
    variables: BTreeMap<String, String>,
    accounts: BTreeSet<(String, String)>,
    schemas: BTreeSet<String>,
}

impl Baseline {
    /// As it is now.
    pub(crate) async fn of(writer: &Instance) -> Self {
        let mut conn = writer.conn().await.expect("a connection");
        Self {
            variables: variables(&mut conn).await.expect("variables"),
            accounts: accounts(&mut conn).await,
            schemas: schemas(&mut conn).await,
        }
    }
}

async fn variables(conn: &mut Conn) -> Result<BTreeMap<String, String>, Error> {
    let all = "SELECT variable_name, variable_value FROM performance_schema.global_variables";
    let rows: Vec<(String, String)> = conn.query(all).await?;
    Ok(rows.into_iter().collect())
}

async fn accounts(conn: &mut Conn) -> BTreeSet<(String, String)> {
    let rows = told(conn, "SELECT user, host FROM mysql.user").await;
    rows.into_iter().collect()
}

async fn schemas(conn: &mut Conn) -> BTreeSet<String> {
    told(conn, "SHOW DATABASES").await.into_iter().collect()
}

/// Makes it so again.
///
/// # Errors
/// What is not as it was, and stays so.
pub(crate) async fn clean(cluster: &Cluster, baseline: &Baseline) -> Result<(), String> {
    let text = |error: tidegate::lab::Error| error.to_string();
    let mut conn = cluster.writer().conn().await.map_err(text)?;
    for statement in [
        "SET sql_log_bin = 1, lock_wait_timeout = 5, foreign_key_checks = 0, sql_mode = DEFAULT",
        "UNLOCK INSTANCE",
    ] {
        let _ = conn.query_drop(statement).await;
    }
    end_others(&mut conn).await;
    set_back(&mut conn, baseline).await?;
    drop_made(&mut conn, baseline).await?;
    for reader in cluster.readers() {
        follows(reader).await?;
    }
    Ok(())
}

/// Ends sessions and prepared XA transactions.
async fn end_others(conn: &mut Conn) {
    let others = format!(
        "SELECT id FROM information_schema.processlist \
         WHERE user NOT IN ({STAYING}) AND id <> CONNECTION_ID()"
    );
    for id in told::<u64>(conn, &others).await {
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
    type Prepared = (i64, usize, usize, String);
    for (format, global, branch, data) in told::<Prepared>(conn, "XA RECOVER CONVERT XID").await {
        let hex = data.trim_start_matches("0x");
        let (global, branch) = (
            hex.get(..2 * global),
            hex.get(2 * global..2 * (global + branch)),
        );
        let (global, branch) = (global.unwrap_or_default(), branch.unwrap_or_default());
        let statement = format!("XA ROLLBACK X'{global}', X'{branch}', {format}");
        let _ = conn.query_drop(statement).await;
    }
}

/// Gives the global variables the values that they had.
async fn set_back(conn: &mut Conn, baseline: &Baseline) -> Result<(), String> {
    let now = variables(conn).await.map_err(|error| error.to_string())?;
    let changed = |name: &String, value: &String| now.get(name) != Some(value);
    let due: Vec<_> = baseline
        .variables
        .iter()
        .filter(|(name, value)| !OWN.contains(&name.as_str()) && changed(name, value))
        .collect();
    for (name, value) in due {
        let bare = format!("SET GLOBAL {name} = {value}");
        let quoted = format!("SET GLOBAL {name} = '{}'", value.replace('\'', "''"));
        if conn.query_drop(bare).await.is_err() && conn.query_drop(quoted).await.is_err() {
            return Err(format!("{name} stays"));
        }
    }
    Ok(())
}

/// Drops schemas, accounts and what else is of the whole server.
async fn drop_made(conn: &mut Conn, baseline: &Baseline) -> Result<(), String> {
    let mut statements = Vec::new();
    for schema in schemas(conn).await {
        if !baseline.schemas.contains(&schema) || schema == "test" {
            statements.push(format!("DROP DATABASE `{}`", schema.replace('`', "``")));
        }
    }
    for (user, host) in accounts(conn).await.difference(&baseline.accounts) {
        let quoted = |text: &str| text.replace('\'', "''");
        statements.push(format!("DROP USER '{}'@'{}'", quoted(user), quoted(host)));
    }
    for (question, drop) in [
        (
            "SELECT name FROM information_schema.innodb_tablespaces \
             WHERE space_type = 'General' AND name <> 'mysql'",
            "DROP TABLESPACE",
        ),
        ("SELECT name FROM mysql.func", "DROP FUNCTION"),
        ("SELECT server_name FROM mysql.servers", "DROP SERVER"),
    ] {
        for name in told::<String>(conn, question).await {
            statements.push(format!("{drop} `{}`", name.replace('`', "``")));
        }
    }
    statements.push("CREATE DATABASE test".to_owned());
    for statement in statements {
        let done = conn.query_drop(&statement).await;
        done.map_err(|error| format!("{statement}: {error}"))?;
    }
    for statement in [
        "DELETE FROM mysql.tables_priv",
        "DELETE FROM mysql.columns_priv",
        "DELETE FROM mysql.db WHERE user = '' AND db NOT LIKE 'test%'",
        "FLUSH PRIVILEGES",
    ] {
        let _ = conn.query_drop(statement).await;
    }
    Ok(())
}

/// Does a reader still follow the writer? Tests reset logs, and make what can't be replicated.
async fn follows(reader: &Instance) -> Result<(), String> {
    let row = reader.row("SHOW REPLICA STATUS").await;
    let row = row
        .map_err(|error| error.to_string())?
        .ok_or("no replica")?;
    for thread in ["Replica_IO_Running", "Replica_SQL_Running"] {
        let state: String = row.get(thread).unwrap_or_default();
        if state != "Yes" {
            return Err(format!("{thread}: {state}"));
        }
    }
    Ok(())
}

/// All rows that can be had.
async fn told<T: FromRow + Send + 'static>(conn: &mut Conn, question: &str) -> Vec<T> {
    let rows: Vec<Row> = conn.query(question).await.unwrap_or_default();
    let read = |row| mysql_async::from_row_opt(row).ok();
    rows.into_iter().filter_map(read).collect()
}
