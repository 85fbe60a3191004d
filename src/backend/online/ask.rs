//! Collecting what the backends say.

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row};

use super::facts::{Channel, Facts, Told};
use crate::backend::client::{Broken, Client, answer, first};
use crate::backend::flavour::Asked;
use crate::gtid::Set;
use crate::routing::Role;
use crate::sql::Flavour;

/// Settings whose difference changes what a statement means, since a session's own are followed
/// only where it sets them.
const DEFAULTS: [&str; 7] = [
    "sql_mode",
    "time_zone",
    "system_time_zone",
    "character_set_server",
    "collation_server",
    "lower_case_table_names",
    "group_concat_max_len",
];

const MYSQL: &str = "SELECT @@server_uuid, @@version, @@server_id, @@gtid_mode, @@log_bin, \
    @@replica_preserve_commit_order, @@replica_parallel_workers, @@global.read_only, \
    @@global.super_read_only";

/// Newer versions have several ways of being read only.
const MARIADB: &str = "@@version, @@server_id, IF(@@global.gtid_strict_mode, 'ON', 'OFF'), \
    @@log_bin, 1, @@global.slave_parallel_threads, @@global.read_only NOT IN ('0', 'OFF'), \
    @@global.read_only NOT IN ('0', 'OFF')";

/// Fails without the right to read what the applier writes down.
const APPLIED: &str = "SELECT COUNT(*) FROM mysql.gtid_slave_pos";

/// Tells who is the writer where that is found out.
const READ_ONLY: &str = "SELECT CAST(@@global.read_only AS CHAR)";

/// Fails without the PROCESS privilege.
const PROCESS: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TRX";

/// Asks one backend.
pub(super) async fn ask(client: &Client) -> Facts {
    let mut role = client.backend.role;
    let asking = async {
        let mut conn = client.connect().await?;
        if role.is_none() {
            let read_only: Option<String> = first(&mut conn, READ_ONLY).await?;
            let writes = read_only.is_some_and(|told| matches!(told.as_str(), "0" | "OFF"));
            role = writes.then_some(Role::Writer);
        }
        told(&mut conn, role.unwrap_or(Role::Reader)).await
    };
    let told = asking.await;
    Facts {
        name: client.backend.name.clone(),
        role: role.unwrap_or(Role::Reader),
        told: told.map_err(|broken| broken.to_string()),
    }
}

/// Asks a writer again what is executed or being committed there.
pub(super) async fn executed_by_now(client: &Client, facts: &mut Facts) {
    let Ok(told) = &mut facts.told else {
        return;
    };
    let flavour = told.flavour;
    let asking = async {
        let mut conn = client.connect().await?;
        executed(&mut conn, flavour).await
    };
    match asking.await {
        Ok(set) => told.executed = set,
        Err(broken) => facts.told = Err(broken.to_string()),
    }
}

async fn told(conn: &mut Conn, role: Role) -> Result<Told, Broken> {
    let version: Option<String> = first(conn, "SELECT VERSION()").await?;
    let flavour = Flavour::of(&version.ok_or(Broken::Nonsense)?);
    let mut told = settings(conn, flavour).await?;
    told.executed = executed(conn, flavour).await?;
    let isolation = match flavour {
        Flavour::MySql => "transaction_isolation",
        Flavour::MariaDb => "tx_isolation",
    };
    for name in DEFAULTS.into_iter().chain([isolation]) {
        let value = first(conn, &format!("SELECT @@global.{name}")).await?;
        told.defaults.push((name, value.unwrap_or_default()));
    }
    if answer(conn.query_drop(PROCESS)).await.is_err() {
        told.missing_grants.push("PROCESS");
    }
    let (status, grant) = match role {
        Role::Writer => (binary_log(conn, &mut told).await, "BINLOG MONITOR"),
        Role::Reader => (channels(conn, &mut told).await, "SLAVE MONITOR"),
    };
    match status {
        Err(broken) if broken.is_denied() => told.missing_grants.push(match flavour {
            Flavour::MySql => "REPLICATION CLIENT",
            Flavour::MariaDb => grant,
        }),
        other => other?,
    }
    if (role, flavour) == (Role::Reader, Flavour::MariaDb) {
        match answer(conn.query_drop(APPLIED)).await {
            Err(broken) if broken.is_denied() => {
                told.missing_grants.push("SELECT ON mysql.gtid_slave_pos");
            }
            other => other?,
        }
    }
    Ok(told)
}

async fn settings(conn: &mut Conn, flavour: Flavour) -> Result<Told, Broken> {
    let question = match flavour {
        Flavour::MySql => MYSQL.to_owned(),
        Flavour::MariaDb => format!("SELECT {}, {MARIADB}", flavour.identity()),
    };
    let row: Option<Row> = answer(conn.query_first(question)).await?;
    let row = row.ok_or(Broken::Nonsense)?;
    Ok(Told {
        flavour,
        uuid: flavour.read_identity(&cell::<String>(&row, 0)?),
        version: cell(&row, 1)?,
        server_id: cell(&row, 2)?,
        gtid_mode: cell(&row, 3)?,
        log_bin: cell(&row, 4)?,
        preserves_commit_order: cell(&row, 5)?,
        parallel_workers: cell(&row, 6)?,
        read_only: cell(&row, 7)?,
        super_read_only: cell(&row, 8)?,
        ..Told::default()
    })
}

/// What is being committed, then what is executed: in this order nothing falls between.
async fn executed(conn: &mut Conn, flavour: Flavour) -> Result<Set, Broken> {
    let owned = match flavour {
        Flavour::MySql => "@@global.gtid_owned",
        Flavour::MariaDb => "''",
    };
    let question = format!("SELECT {owned}, {}", flavour.history());
    let row: Option<(String, String)> = first(conn, &question).await?;
    let (owned, executed) = row.ok_or(Broken::Nonsense)?;
    let mut set = Set::parse_owned(&owned).map_err(|_| Broken::Nonsense)?;
    set.union(&Set::parse(&executed).map_err(|_| Broken::Nonsense)?);
    Ok(set)
}

/// What the writer leaves out of its binary log.
async fn binary_log(conn: &mut Conn, told: &mut Told) -> Result<(), Broken> {
    // The statement's name changed with 8.2.
    let rows: Vec<Row> = match answer(conn.query("SHOW BINARY LOG STATUS")).await {
        Err(broken) if broken.code() == Some(PARSE_ERROR) => {
            answer(conn.query("SHOW MASTER STATUS")).await?
        }
        rows => rows?,
    };
    for row in &rows {
        note_filters(row, &["Binlog_Do_DB", "Binlog_Ignore_DB"], told);
    }
    Ok(())
}

/// MySQL's error for a syntax that it does not understand.
const PARSE_ERROR: u16 = 1064;

async fn channels(conn: &mut Conn, told: &mut Told) -> Result<(), Broken> {
    let rows: Vec<Row> = answer(conn.query("SHOW REPLICA STATUS")).await?;
    for row in &rows {
        let filters = [
            "Replicate_Do_DB",
            "Replicate_Ignore_DB",
            "Replicate_Do_Table",
            "Replicate_Ignore_Table",
            "Replicate_Wild_Do_Table",
            "Replicate_Wild_Ignore_Table",
            "Replicate_Rewrite_DB",
        ];
        note_filters(row, &filters, told);
        let errors = ["Last_IO_Error", "Last_SQL_Error"].map(|name| text(row, name));
        told.channels.push(Channel {
            source: text(row, "Source_UUID").parse().ok(),
            source_id: source_id(row),
            receives: either(row, ["Replica_IO_Running", "Slave_IO_Running"]) != "No",
            applies: either(row, ["Replica_SQL_Running", "Slave_SQL_Running"]) == "Yes",
            error: errors.join(" ").trim().to_owned(),
        });
    }
    Ok(())
}

/// Of MariaDB, which has kept the old names of the columns.
fn source_id(row: &Row) -> Option<u32> {
    let id = text(row, "Master_Server_Id").parse().ok();
    id.filter(|id| *id != 0)
}

/// The one of two cells that there is.
fn either(row: &Row, names: [&str; 2]) -> String {
    let cells = names.map(|name| text(row, name));
    cells.concat()
}

fn note_filters(row: &Row, names: &[&str], told: &mut Told) {
    for name in names {
        let value = text(row, name);
        if !value.is_empty() {
            told.filters.push(format!("{name}={value}"));
        }
    }
}

/// A cell by name; empty if there is none.
fn text(row: &Row, name: &str) -> String {
    let value = row.get_opt::<Option<String>, _>(name);
    value.and_then(Result::ok).flatten().unwrap_or_default()
}

fn cell<T: FromValue>(row: &Row, index: usize) -> Result<T, Broken> {
    let value = row.get_opt(index).and_then(Result::ok);
    value.ok_or(Broken::Nonsense)
}
