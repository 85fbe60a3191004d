//! P3, generated: random sequences of statements that make and read state, played directly on the
//! writer and through Tidegate, and compared answer by answer.
//!
//! `TIDEGATE_SEQUENCE_SEEDS` says how many sequences are played, `TIDEGATE_SEQUENCE_SEED` which is
//! the first. A failing one is shrunk to the shortest that fails, and printed as SQL.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and a long run says how far it is"
)]

mod binary;
mod found;
mod grammar;
mod play;
mod shrink;
mod step;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use std::env;

use play::Theatre;
use tidegate::session::PoolPolicy;

/// So many sequences are played in CI.
const SHORT: u64 = 160;

/// So many play at once, each in schemas of its own.
const STAGES: u64 = 4;

#[tokio::test]
async fn p3_any_sequence_of_statements_reads_the_same_through_tidegate() {
    play_all(PoolPolicy::Keep, 0).await;
}

#[tokio::test]
async fn p3_it_does_when_each_statement_gets_another_backend_connection() {
    play_all(PoolPolicy::Replace, 1 << 32).await;
}

#[tokio::test]
async fn p3_it_does_when_connections_change_hands_between_statements() {
    play_all(PoolPolicy::LendAtOnce, 1 << 33).await;
}

/// What random play has found once is played for ever.
#[tokio::test]
async fn p3_sequences_that_once_read_something_else_read_the_same() {
    for pool in [
        PoolPolicy::Keep,
        PoolPolicy::Replace,
        PoolPolicy::LendAtOnce,
    ] {
        let theatre = Theatre::open(pool).await;
        for steps in found::FOUND {
            let steps: Vec<_> = steps.iter().map(|step| step::parse(step)).collect();
            for form in 0..play::FORMS {
                let difference = theatre.compare(0, form, &steps).await;
                assert_eq!(difference, None, "{}", step::show(&steps));
            }
        }
        theatre.close().await;
    }
}

async fn play_all(pool: PoolPolicy, offset: u64) {
    let count = number("TIDEGATE_SEQUENCE_SEEDS").unwrap_or(SHORT) / 3;
    let first = number("TIDEGATE_SEQUENCE_SEED").unwrap_or(1) + offset;
    let theatre = Theatre::open(pool).await;
    let mut played = Vec::new();
    for stage in 0..STAGES {
        let theatre = theatre.clone();
        played.push(tokio::spawn(async move {
            let mut failures = Vec::new();
            for seed in (first..first + count).filter(|seed| seed % STAGES == stage) {
                let steps = grammar::sequence(seed, pool != PoolPolicy::Keep);
                if let Some(difference) = theatre.compare(stage, seed, &steps).await {
                    let shrunk = shrink::shrink(&theatre, stage, seed, steps, difference);
                    failures.push(shrunk.await);
                }
                if failures.len() >= 3 {
                    break;
                }
            }
            failures
        }));
    }
    let mut failures = Vec::new();
    for stage in played {
        failures.extend(stage.await.expect("a stage"));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
    theatre.close().await;
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
