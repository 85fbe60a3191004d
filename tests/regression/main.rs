//! P1 and P3 by MySQL's own regression tests: each is played by MySQL's own driver on the writer
//! itself and through Tidegate, whose readers lag, and must print the same.
//!
//! `TIDEGATE_REGRESSION=all` plays all that are listed (`make regression`), a list of names plays
//! those; otherwise it is a few that are quick. `TIDEGATE_REGRESSION_PROTOCOL` has the driver use
//! another protocol: `ps`, `view` or `sp`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a panic is how a test fails, and each test program uses its own part of what is shared"
)]

mod clean;
mod compare;
mod listed;
mod player;
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;

use compare::{Outcome, compare};
use listed::{Protocol, chosen};
use stage::Stage;
use tidegate::lab::fetch::{TestSuite, test_suite};
use tidegate::lab::{Error, Flavour};
use tokio::runtime::{Builder, Runtime};

/// So many are played at once in the long form, each on a cluster of its own.
const LANES: usize = 2;

/// Tests come and go, and print something else, from one major version of MySQL to the next.
const LISTED_FOR: u32 = 9;

type Queue = Arc<Mutex<VecDeque<String>>>;

#[test]
fn p1_p3_mysqls_own_tests_print_through_tidegate_what_they_print_directly() {
    if support::skips(Flavour::MySql, "these are the tests of MySQL") {
        return;
    }
    let suite = match runtime().block_on(test_suite()) {
        Ok(suite) => suite,
        Err(error @ (Error::Fetch { .. } | Error::Unsuitable { .. })) => {
            println!("skipped: MySQL's regression tests can't be had here: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let version = runtime().block_on(suite.mysqltest().version(Flavour::MySql));
    let version = version.expect("a version");
    if version.number.0 != LISTED_FOR {
        println!("skipped: the tests are listed for MySQL {LISTED_FOR}, and here are {version}'s");
        return;
    }
    let (tests, all) = chosen();
    let protocol = Protocol::chosen();
    let queue: Queue = Arc::new(Mutex::new(tests.into()));
    let lanes = if all { LANES } else { 1 };
    let lanes: Vec<_> = (0..lanes)
        .map(|_| {
            let (suite, queue) = (suite.clone(), Arc::clone(&queue));
            thread::spawn(move || runtime().block_on(play_all(suite, protocol, queue)))
        })
        .collect();
    let outcomes = lanes
        .into_iter()
        .flat_map(|lane| lane.join().expect("a lane"));
    let outcomes: Vec<_> = outcomes.collect();
    println!("\n{}", compare::summary(&outcomes));
    let faults: Vec<_> = outcomes.iter().filter_map(compare::fault).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let played = |(_, outcome): &(String, Outcome)| !matches!(outcome, Outcome::Skipped(_));
    assert!(outcomes.iter().any(played), "nothing was played");
}

/// A lane's own: a cluster belongs to the runtime that it was started on.
fn runtime() -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    runtime
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Plays the tests of the queue, one after the other.
async fn play_all(suite: TestSuite, protocol: Protocol, queue: Queue) -> Vec<(String, Outcome)> {
    let mut stage = Stage::open(&suite).await;
    let mut outcomes = Vec::new();
    loop {
        let Some(test) = queue.lock().unwrap().pop_front() else {
            break;
        };
        let outcome = compare(&mut stage, &suite, &test, protocol).await;
        println!("{test}: {outcome}");
        outcomes.push((test, outcome));
    }
    stage.close().await;
    outcomes
}
