//! A seeded simulation of decisions, causality and lag clock in virtual time, on servers that lag,
//! stop, restart, are restored from old copies and hold their commits back. The oracle: no read is
//! older than what its scope wrote or was shown before (P1, P2). Broken on purpose in one way at a
//! time, the proxy must be caught.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

mod chance;
mod client;
mod deciding;
mod monitor;
mod mutation;
mod probing;
mod scope;
mod serving;
mod simulation;
mod truth;
mod writing;

use mutation::Mutation;
use simulation::{Report, run};

/// Schedules played by each test; more with `TIDEGATE_SCHEDULES`.
fn schedules() -> u64 {
    let set = std::env::var("TIDEGATE_SCHEDULES");
    set.ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

#[test]
fn p1_p2_no_read_is_older_than_its_token_and_none_goes_backwards() {
    let mut total = Report::default();
    for seed in 0..schedules() {
        let report = run(seed, Mutation::None);
        assert_eq!(report.violations, Vec::<String>::new(), "seed {seed}");
        total.reads_on_readers += report.reads_on_readers;
        total.reads_on_writer += report.reads_on_writer;
        total.refused += report.refused;
        total.probes += report.probes;
        total.waits += report.waits;
        total.retries += report.retries;
        total.gates += report.gates;
        total.errant += report.errant;
        total.most_rounds = total.most_rounds.max(report.most_rounds);
    }
    println!("{total:?}");
    // Otherwise the oracle would have had nothing to look at.
    let reads = total.reads_on_readers + total.reads_on_writer;
    assert!(total.reads_on_readers * 4 > reads, "{total:?}");
    assert!(
        total.refused < reads && total.most_rounds < 100,
        "{total:?}"
    );
    for seen in [
        total.probes,
        total.waits,
        total.retries,
        total.gates,
        total.errant,
    ] {
        assert!(seen > 0, "{total:?}");
    }
}

/// The seed of the first schedule that catches the mutation.
fn caught(mutation: Mutation) -> Option<u64> {
    let caught = (0..schedules()).find(|seed| !run(*seed, mutation).violations.is_empty());
    println!("{mutation:?}: {caught:?}");
    caught
}

#[test]
fn each_mutation_is_caught() {
    for mutation in [
        Mutation::DropTokenOnReset,
        Mutation::ExecutedAsSeen,
        Mutation::BelieveTheBinlog,
        Mutation::ForgetSawWriter,
        Mutation::ForgetSawReader,
        Mutation::ForgetPin,
        Mutation::IgnoreError,
        Mutation::IgnoreThread,
        Mutation::TrustTheAddress,
        Mutation::EndTooEarly,
    ] {
        assert!(caught(mutation).is_some(), "{mutation:?} is not caught");
    }
}
