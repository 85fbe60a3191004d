//! What goes wrong meanwhile: appliers stop and lag, connections are killed, readers die, hang,
//! forget, come back from old copies, the network is cut, acknowledgements are held back, and
//! Tidegate is replaced.

use std::path::Path;
use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rand::Rng;
use rand::rngs::StdRng;
use tidegate::lab::{Cluster, Flavour, Instance};
use tokio::sync::{Mutex, watch};

use crate::history::What;
use crate::house::House;
use crate::network::Network;
use crate::record::Record;
use crate::support;

/// A reader forgets its GTIDs.
pub(crate) const FORGETS: &str = "reader forgot its GTIDs";

/// Breaks things until it is told to end, then mends them. Each is done in a turn of its own.
pub(crate) async fn rage(
    lab: &Cluster,
    turn: &Mutex<()>,
    house: &House,
    network: &Network,
    record: &Record,
    mut chance: StdRng,
    mut end: watch::Receiver<bool>,
) {
    let own_turn = turn.lock().await;
    let mut left = Costly::new(lab, &mut chance).await;
    drop(own_turn);
    while !*end.borrow_and_update() {
        let reader = &lab.readers()[chance.random_range(0..lab.readers().len())];
        let own_turn = turn.lock().await;
        let deed = match chance.random_range(0..29) {
            0..5 => {
                reader.stop_applier().await.unwrap();
                "applier stopped"
            }
            5..10 => {
                reader.start_applier().await.unwrap();
                "applier started"
            }
            10..15 => kill_a_session(lab.writer(), &mut chance).await,
            15..18 => kill_a_session(reader, &mut chance).await,
            18 => {
                reader.set_delay(chance.random_range(0..2)).await.unwrap();
                "delay set"
            }
            19..21 => hold_acks(lab, &mut chance).await,
            21..23 => hang(reader, &mut chance).await,
            23 => {
                forget_gtids(reader).await;
                FORGETS
            }
            24 => {
                house.replace(record).await;
                "Tidegate replaced"
            }
            25..28 => network.cut(&mut chance).await,
            _ => left.costly_deed(reader, lab).await,
        };
        drop(own_turn);
        record.did(deed);
        // The chaos has a rhythm of its own; nobody waits for it.
        let pause = Duration::from_millis(chance.random_range(10..150));
        let _ = tokio::time::timeout(pause, end.wait_for(|end| *end)).await;
    }
    for reader in lab.readers() {
        reader.set_delay(0).await.unwrap();
        reader.start_applier().await.unwrap();
    }
}

/// What takes long, and so is done once in a play.
struct Costly {
    /// A copy of a reader's data, from before the play.
    copy: Option<tempfile::TempDir>,
    restart: bool,
}

impl Costly {
    async fn new(lab: &Cluster, chance: &mut StdRng) -> Self {
        let copy = match chance.random_bool(0.5) {
            true => Some(copy_of(&lab.readers()[0]).await),
            false => None,
        };
        Self {
            copy,
            restart: true,
        }
    }

    async fn costly_deed(&mut self, reader: &Instance, lab: &Cluster) -> &'static str {
        if let Some(copy) = self.copy.take() {
            let reader = &lab.readers()[0];
            reader.kill9().await.unwrap();
            std::fs::remove_dir_all(reader.data()).unwrap();
            copy_tree(&copy.path().join("data"), &reader.data()).await;
            reader.restart().await.unwrap();
            return "reader restored from an old copy";
        }
        if std::mem::take(&mut self.restart) {
            reader.kill9().await.unwrap();
            reader.restart().await.unwrap();
            return "reader restarted";
        }
        "nothing"
    }
}

/// A copy as a crash would leave it.
async fn copy_of(reader: &Instance) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    reader.kill9().await.unwrap();
    copy_tree(&reader.data(), &copy.path().join("data")).await;
    reader.restart().await.unwrap();
    copy
}

async fn copy_tree(from: &Path, to: &Path) {
    let copied = tokio::process::Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .args([from, to])
        .status();
    assert!(copied.await.unwrap().success());
}

/// The writer waits for acknowledgements that do not come, with all that commits meanwhile, and the
/// readers show it already.
async fn hold_acks(lab: &Cluster, chance: &mut StdRng) -> &'static str {
    support::hold_acknowledgements(lab, true).await;
    tokio::time::sleep(Duration::from_millis(chance.random_range(20..300))).await;
    support::hold_acknowledgements(lab, false).await;
    "acknowledgements held"
}

/// It stands still with all its connections open.
async fn hang(reader: &Instance, chance: &mut StdRng) -> &'static str {
    reader.pause().await.unwrap();
    tokio::time::sleep(Duration::from_millis(chance.random_range(50..600))).await;
    reader.resume().await.unwrap();
    "reader hung"
}

/// RESET BINARY LOGS AND GTIDS, and then it is told what it has.
async fn forget_gtids(reader: &Instance) {
    let (executed, reset, has) = match support::flavour() {
        Flavour::MySql => (
            "SELECT @@gtid_executed",
            ["RESET BINARY LOGS AND GTIDS", "DO 0"],
            "gtid_purged",
        ),
        Flavour::MariaDb => (
            "SELECT @@gtid_slave_pos",
            ["RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"],
            "gtid_slave_pos",
        ),
    };
    let read_only = support::flavour().read_only_variable();
    let mut conn = reader.conn().await.unwrap();
    let writable = format!("SET GLOBAL {read_only} = OFF");
    for sql in ["STOP REPLICA", &writable] {
        conn.query_drop(sql).await.unwrap();
    }
    let executed: Option<String> = conn.query_first(executed).await.unwrap();
    let executed = executed.unwrap().replace('\n', "");
    for sql in [
        reset[0],
        reset[1],
        &format!("SET GLOBAL {has} = '{executed}'"),
        &format!("SET GLOBAL {read_only} = ON"),
        "START REPLICA",
    ] {
        conn.query_drop(sql).await.unwrap();
    }
}

async fn kill_a_session(instance: &Instance, chance: &mut StdRng) -> &'static str {
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

/// Somebody who is no client of the proxy counts in rows that everybody reads.
pub(crate) async fn stranger(
    lab: &Cluster,
    record: &Record,
    rows: Vec<u32>,
    mut end: watch::Receiver<bool>,
) {
    let scope = record.new_scope();
    let mut conn = lab.writer().conn().await.unwrap();
    while !*end.borrow_and_update() {
        for row in &rows {
            let bump = format!(
                "INSERT INTO app.counters VALUES ({row}, 1) ON DUPLICATE KEY UPDATE v = v + 1"
            );
            let sent = record.now();
            conn.query_drop(bump).await.unwrap();
            record.add(scope, *row, sent, What::Bumped, "the stranger");
            // Readers on a slow disk have to keep up.
            let pause = Duration::from_millis(10);
            let _ = tokio::time::timeout(pause, end.wait_for(|end| *end)).await;
        }
    }
}
