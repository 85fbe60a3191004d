//! The checker: seeded clients through Tidegate on a real cluster whose appliers stop, start and
//! lag, whose network is cut, whose connections are killed, whose readers die and whose writer
//! changes, at every scope and every level. Every history must keep P1, P2 and P4.
//!
//! `TIDEGATE_CHECKER_SEED` plays one seed, `TIDEGATE_CHECKER_SEEDS` so many from 1 on, and more of
//! them until at each scope `TIDEGATE_CHECKER_READS` reads were checked; `TIDEGATE_CHECKER_STEPS`
//! sets the length of each client's play, `TIDEGATE_CHECKER_CLIENTS` how many there are, and
//! `TIDEGATE_CHECKER_BURST` how many reads come one after the other. The history of a row that broke
//! a promise is written to a file.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and the figures of a run are worth reading"
)]

mod appends;
mod client;
mod cluster;
mod deeds;
mod figures;
mod fleet;
mod history;
mod house;
mod lists;
mod nemesis;
mod network;
mod record;
mod stranger;
mod ways;

#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use cluster::USERS;
use fleet::Fleet;
use house::House;
use nemesis::Nemesis;
use network::Network;
use rand::SeedableRng;
use rand::rngs::StdRng;
use record::Record;
use tidegate::lab::APP;
use tidegate::routing::Scope;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// Rows that a stranger counts in.
const SHARED: [u32; 3] = [1, 2, 3];

/// Clients that play at once.
const CLIENTS: u64 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p2_no_history_at_scope_connection_has_a_stale_or_backward_read() {
    check(Scope::Connection).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p2_no_history_at_scope_user_has_a_stale_or_backward_read() {
    check(Scope::User).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p2_no_history_at_scope_key_has_a_stale_or_backward_read() {
    check(Scope::Key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p2_no_history_at_scope_proxy_has_a_stale_or_backward_read() {
    check(Scope::Proxy).await;
}

async fn check(scope: Scope) {
    if let Some(seed) = setting("TIDEGATE_CHECKER_SEED") {
        play(scope, seed).await;
        return;
    }
    let seeds: u64 = setting("TIDEGATE_CHECKER_SEEDS").unwrap_or(1);
    let reads: u64 = setting("TIDEGATE_CHECKER_READS").unwrap_or(0);
    let (mut seed, mut checked) = (1, 0);
    while seed <= seeds || checked < reads {
        checked += play(scope, seed).await;
        seed += 1;
    }
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays a seed, and says how many reads were checked.
async fn play(scope: Scope, seed: u64) -> u64 {
    let lab = support::lab_alone().await;
    cluster::set_up(&lab).await;
    let mut config = wire::config(&lab);
    for backend in &mut config.backend.backends {
        backend.role = None;
    }
    config.session.policy.scope = scope;
    // Long enough for some that come while nobody takes writes.
    config.session.hold.time = Duration::from_millis(300);
    let network = Network::lay(&lab, &mut config).await;
    let house = House::open(config).await;
    let port = house.port;
    let record = Arc::new(Record::default());
    let fleet = Arc::new(Fleet::new(lab.cluster()));
    let turn = Arc::new(Mutex::new(()));
    let steps = setting("TIDEGATE_CHECKER_STEPS").unwrap_or(500);
    let (end, ending) = watch::channel(false);
    let mut clients = JoinSet::new();
    let scopes: Vec<u32> = USERS.iter().map(|_| record.new_scope()).collect();
    for number in 0..setting("TIDEGATE_CHECKER_CLIENTS").unwrap_or(CLIENTS) {
        let team = usize::try_from(number).unwrap() % USERS.len();
        let (accounts, fixed_scope) = match scope {
            Scope::User => (vec![USERS[team]], Some(scopes[team])),
            Scope::Key => (vec![APP], Some(scopes[team])),
            Scope::Proxy => (USERS.to_vec(), Some(scopes[0])),
            Scope::Connection => ([&[APP][..], &USERS].concat(), None),
        };
        let asks_for_key = scope == Scope::Key;
        let begins = match asks_for_key {
            true => vec![format!("SET @tidegate_key = 'team {team}'")],
            false => Vec::new(),
        };
        let client = Client {
            port,
            fleet: Arc::clone(&fleet),
            turn: Arc::clone(&turn),
            accounts,
            record: Arc::clone(&record),
            chance: StdRng::seed_from_u64(seed.wrapping_mul(1000).wrapping_add(number)),
            shared: SHARED.to_vec(),
            burst: setting("TIDEGATE_CHECKER_BURST").unwrap_or(1),
            fixed_scope,
            begins,
        };
        clients.spawn(client.play(steps));
    }
    let played = async {
        while let Some(client) = clients.join_next().await {
            client.expect("a client does not panic");
        }
        end.send_replace(true);
    };
    let nemesis = Nemesis {
        fleet: &fleet,
        turn: &turn,
        house: &house,
        network: &network,
        record: &record,
        chance: StdRng::seed_from_u64(seed),
    };
    let stranger = stranger::stranger(&fleet, &record, SHARED.to_vec(), ending.clone());
    tokio::join!(played, nemesis.rage(ending), stranger);
    let figures = record.figures();
    println!("{scope:?}, seed {seed}: {figures}\n  {}", record.summary());
    let violations = record.violations();
    let first: Vec<String> = violations
        .iter()
        .take(20)
        .map(ToString::to_string)
        .collect();
    if let Some(key) = violations.first().and_then(|it| it.key) {
        let file = std::env::temp_dir().join(format!("tidegate-history-{scope:?}-{seed}.txt"));
        std::fs::write(&file, record.story(key)).unwrap();
        println!("what happened to row {key} is in {}", file.display());
    }
    assert!(
        violations.is_empty(),
        "Tidegate broke {} promises at scope {scope:?}, seed {seed} (play it again with \
         TIDEGATE_CHECKER_SEED={seed}):\n{}",
        violations.len(),
        first.join("\n")
    );
    nothing_lost_or_twice(&lab, &record).await;
    let (all, on_readers) = (figures.checked(), figures.by_readers);
    // Otherwise a proxy that always asks the writer would pass, and one that believes too much of its
    // readers, finds their answers wrong and shuns them.
    assert!(
        on_readers * 20 > all,
        "Tidegate broke its purpose, hardly a read ran on a reader: {figures}"
    );
    house.close(&record).await;
    println!("all plays so far: {}", figures.of_run());
    figures.checked()
}

/// What stands in the writer's rows in the end is what was acknowledged, and at most what was sent.
async fn nothing_lost_or_twice(lab: &tidegate::lab::Cluster, record: &Record) {
    for (key, (acknowledged, sent)) in record.bumps() {
        let sql = format!("SELECT v FROM app.counters WHERE id = {key}");
        let row = lab.writer().row(&sql).await.unwrap();
        let value: u64 = row.and_then(|mut row| row.take(0)).unwrap_or_default();
        assert!(
            (acknowledged..=sent).contains(&value),
            "Tidegate broke row {key}: {value} of {acknowledged} acknowledged and {sent} sent bumps"
        );
    }
}
