//! Chaos: a writer and two readers under load from a real driver, while backends die and hang, the
//! network is cut and slow, sessions are killed, appliers stop, the writer changes, and Tidegate
//! itself is restarted, dies, is replaced and reads other configurations. Each write has a number of its
//! own and is counted on the writer afterwards.
//!
//! `TIDEGATE_CHAOS_SECONDS` plays that long, with faults by chance from `TIDEGATE_CHAOS_SEED`; without
//! it nine of them come once each. `TIDEGATE_CHAOS_CLIENTS` is the size of the crowd.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and the figures of a run are worth reading"
)]

mod crowd;
mod faults;
mod front;
mod load;
#[path = "../checker/network.rs"]
mod network;
#[path = "../process/mod.rs"]
mod process;
#[path = "../support/mod.rs"]
mod support;
mod tally;
#[path = "../wire/mod.rs"]
mod wire;

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::Fault;
use front::Front;
use load::{AFTER_SILENCE, Load, WITNESS};
use network::Network;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tally::{Counts, Tally, Told};
use tidegate::lab::Cluster;
use tokio::sync::watch;
use tokio::task::JoinSet;

const READERS: usize = 8;
const WRITERS: u64 = 8;

pub(crate) fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p2_p4_nothing_is_lost_doubled_or_stale_whatever_breaks() {
    let lab = support::lab_alone().await;
    for reader in lab.readers() {
        reader.set_delay(0).await.unwrap();
    }
    let statements = [
        "DROP TABLE IF EXISTS app.chaos".to_owned(),
        "CREATE TABLE app.chaos (seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, \
         id BIGINT UNSIGNED NOT NULL, KEY (id))"
            .to_owned(),
        format!(
            "CREATE USER IF NOT EXISTS {} IDENTIFIED BY '{}'",
            WITNESS.user, WITNESS.password
        ),
        format!("GRANT SELECT ON app.* TO {}", WITNESS.user),
    ];
    lab.writer().execute(statements).await.unwrap();
    assert!(lab.settle(Duration::from_secs(60)).await.unwrap());
    let mut laid = wire::config(&lab);
    let network = Network::lay(&lab, &mut laid).await;
    let mut front = Front::start(&lab, &laid).await;
    let (stop, end) = watch::channel(false);
    let load = Load {
        port: front.port(),
        tally: Arc::new(Tally::default()),
        ids: Arc::default(),
        end,
    };
    load.tally.watch_the_machine();
    let mut clients = JoinSet::new();
    for _ in 0..READERS {
        clients.spawn(load.clone().read());
    }
    let seed = setting("TIDEGATE_CHAOS_SEED").unwrap_or(1);
    for number in 0..WRITERS {
        clients.spawn(load.clone().write(seed + number));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut chance = StdRng::seed_from_u64(seed);
    let tally = &load.tally;
    match setting::<u64>("TIDEGATE_CHAOS_SECONDS") {
        None => {
            for fault in Fault::SHORT {
                faults::play(fault, &lab, &network, &mut front, tally, &mut chance).await;
            }
        }
        Some(seconds) => {
            let until = Instant::now() + Duration::from_secs(seconds);
            while Instant::now() < until {
                let fault = *Fault::ALL.choose(&mut chance).expect("a fault");
                faults::play(fault, &lab, &network, &mut front, tally, &mut chance).await;
            }
        }
    }
    stop.send_replace(true);
    while let Some(client) = clients.join_next().await {
        client.expect("a client does not panic");
    }
    let counts = std::mem::take(&mut *tally.lock());
    println!("{counts}");
    judge(&lab, &counts).await;
    front.end().await;
}

/// Where threads are woken so late, Tidegate takes backends for gone that only wait for their turn,
/// and says that it does not know.
const STARVED: Duration = Duration::from_millis(150);

/// How it says so: not proven, lost with another writer, nobody there.
const REFUSALS: [&str; 3] = [": 1205 ", ": 1105 ", ": 1429 "];

/// What has to hold, counted on the writer itself.
async fn judge(lab: &Cluster, counts: &Counts) {
    assert!(counts.stale.is_empty(), "stale: {:?}", counts.stale);
    let mut conn = lab.writer().conn().await.unwrap();
    let sql = "SELECT id, COUNT(*) FROM app.chaos GROUP BY id";
    let rows: Vec<(u64, u64)> = mysql_async::prelude::Queryable::query(&mut conn, sql)
        .await
        .unwrap();
    let there: std::collections::HashMap<u64, u64> = rows.into_iter().collect();
    let (mut lost, mut doubled) = (Vec::new(), Vec::new());
    for (id, (told, rows)) in &counts.writes {
        let count = there.get(id).copied().unwrap_or_default();
        match told {
            Told::Done if count < *rows => lost.push((*id, count)),
            Told::Refused if count > 0 => doubled.push((*id, count)),
            Told::Unknown if count != 0 && count != *rows => lost.push((*id, count)),
            _ if count > *rows => doubled.push((*id, count)),
            _ => {}
        }
    }
    println!("writes lost {}, doubled {}", lost.len(), doubled.len());
    assert!(lost.is_empty(), "lost or torn: {lost:?}");
    assert!(
        doubled.is_empty(),
        "doubled, or run after a refusal: {doubled:?}"
    );
    // Reads that Tidegate may send elsewhere know no errors, but for what nobody can know.
    for ((kind, fault, error), count) in &counts.errors {
        let refused = error.contains(": 1205 ") && faults::takes_the_writer(fault);
        let lost = error.ends_with(": connection lost")
            && (faults::takes_tidegate(fault) || error.starts_with(AFTER_SILENCE));
        let starved = counts.late.get(fault).is_some_and(|late| *late >= STARVED)
            && REFUSALS.iter().any(|code| error.contains(code));
        let may_be = *kind != "read" || refused || lost || starved;
        assert!(may_be, "{count} errors of a {kind}, {fault}: {error}");
    }
}
