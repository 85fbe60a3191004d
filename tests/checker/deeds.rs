//! What can be done to one server.

use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rand::Rng;
use rand::rngs::StdRng;
use tidegate::lab::{Flavour, Instance};

use crate::support;

/// A copy as a crash would leave it.
pub(crate) async fn copy_of(reader: &Instance) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    reader.kill9().await.unwrap();
    support::copy_tree(&reader.data(), &copy.path().join("data")).await;
    reader.restart().await.unwrap();
    copy
}

/// The writer waits for acknowledgements that do not come, with all that commits meanwhile, and the
/// readers show it already.
pub(crate) async fn hold_acks(writer: &Instance, chance: &mut StdRng) -> &'static str {
    support::hold_acknowledgements(writer, true).await;
    tokio::time::sleep(Duration::from_millis(chance.random_range(20..300))).await;
    support::hold_acknowledgements(writer, false).await;
    "acknowledgements held"
}

/// It stands still with all its connections open.
pub(crate) async fn hang(reader: &Instance, chance: &mut StdRng) -> &'static str {
    reader.pause().await.unwrap();
    tokio::time::sleep(Duration::from_millis(chance.random_range(50..600))).await;
    reader.resume().await.unwrap();
    "reader hung"
}

/// Its GTIDs are reset, and then it is told what it has. Meanwhile it says that it is read only, or
/// it would pass for one that was promoted.
pub(crate) async fn forget_gtids(reader: &Instance) {
    let mut conn = reader.conn().await.unwrap();
    let ask = match support::flavour() {
        Flavour::MySql => "SELECT @@global.gtid_executed, ''",
        Flavour::MariaDb => "SELECT @@global.gtid_slave_pos, @@global.gtid_binlog_state",
    };
    conn.query_drop("STOP REPLICA").await.unwrap();
    if support::flavour() == Flavour::MySql {
        // What has come but is not executed goes, and comes again: of an XA transaction that ends in
        // the middle MySQL's applier makes a ROLLBACK, which fails with 1399 each time that it starts
        // (MySQL's bug 87385).
        conn.query_drop("RESET REPLICA").await.unwrap();
    }
    let had: Option<(String, String)> = conn.query_first(ask).await.unwrap();
    let (executed, logged) = had.unwrap();
    let executed = executed.replace('\n', "");
    let forget = match support::flavour() {
        Flavour::MySql => vec![
            // Without `super`, which binds root as well.
            "SET GLOBAL super_read_only = OFF".to_owned(),
            "RESET BINARY LOGS AND GTIDS".to_owned(),
            format!("SET GLOBAL gtid_purged = '{executed}'"),
            "SET GLOBAL super_read_only = ON".to_owned(),
        ],
        Flavour::MariaDb => vec![
            "RESET MASTER".to_owned(),
            "SET GLOBAL gtid_slave_pos = ''".to_owned(),
            format!("SET GLOBAL gtid_slave_pos = '{executed}'"),
            // Otherwise nobody could ever follow it.
            format!("SET GLOBAL gtid_binlog_state = '{logged}'"),
        ],
    };
    for sql in forget {
        conn.query_drop(sql).await.unwrap();
    }
    conn.query_drop("START REPLICA").await.unwrap();
}

pub(crate) async fn kill_a_session(instance: &Instance, chance: &mut StdRng) -> &'static str {
    let mut conn = instance.conn().await.unwrap();
    // Rather those that are in the middle of something, best of all behind its effect. A
    // procedure runs under the name of who made it.
    let sessions = "SELECT id FROM information_schema.processlist \
                    WHERE (user LIKE 'checker%' OR user = 'app' OR info LIKE '%SLEEP%') \
                    AND id <> CONNECTION_ID() \
                    ORDER BY info LIKE '%SLEEP%' DESC, command <> 'Query' LIMIT 2";
    let ids: Vec<u64> = conn.query(sessions).await.unwrap();
    if ids.is_empty() {
        return "nobody to kill";
    }
    let id = ids[chance.random_range(0..ids.len())];
    // It may be gone by now.
    match conn.query_first::<Row, _>(format!("KILL {id}")).await {
        Ok(_) => "session killed",
        Err(_) => "session gone",
    }
}
