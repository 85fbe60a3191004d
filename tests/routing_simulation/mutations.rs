//! Each way to break the proxy breaks a promise on some schedule, which is kept without it.

use crate::mutation::Mutation;
use crate::scope::Promise;
use crate::simulation::{Weather, run};
use crate::{SEEDS, seeds};

#[track_caller]
fn assert_caught(mutation: Mutation, promises: &[Promise]) {
    let seeds = if seeds().end - seeds().start < SEEDS {
        0..SEEDS
    } else {
        seeds()
    };
    let breaks = |seed: &u64| {
        let report = run(*seed, mutation, Weather::Storm);
        let violation = promises.iter().find_map(|it| report.first_against(*it));
        violation.inspect(|it| println!("{mutation:?}: seed {seed}: {it:?}"));
        violation.is_some()
    };
    let seed = seeds
        .clone()
        .find(breaks)
        .expect("a schedule that catches it");
    let clean = run(seed, Mutation::None, Weather::Storm);
    assert_eq!(clean.violations, [], "seed {seed}");
}

const READS: &[Promise] = &[Promise::P1, Promise::P2];

#[test]
fn p1_a_token_that_is_dropped_on_reset_is_missed() {
    assert_caught(Mutation::DropTokenOnReset, &[Promise::P1]);
}

#[test]
fn p1_a_token_that_is_dropped_on_change_user_is_missed() {
    assert_caught(Mutation::ForgetOldUser, &[Promise::P1]);
}

#[test]
fn p2_the_executed_set_of_a_read_is_less_than_it_saw() {
    assert_caught(Mutation::ExecutedAsSeen, &[Promise::P2]);
}

#[test]
fn p2_a_probe_without_what_is_owned_is_less_than_was_seen() {
    assert_caught(Mutation::ProbeWithoutOwned, &[Promise::P2]);
}

#[test]
fn p1_what_a_reader_has_received_can_not_be_seen_yet() {
    assert_caught(Mutation::BelieveTheBinlog, &[Promise::P1]);
}

#[test]
fn p2_a_read_on_the_writer_that_leaves_no_mark_is_missed() {
    assert_caught(Mutation::ForgetSawWriter, &[Promise::P2]);
}

#[test]
fn p2_a_read_on_a_reader_that_leaves_no_mark_is_missed() {
    assert_caught(Mutation::ForgetSawReader, &[Promise::P2]);
}

#[test]
fn p2_a_read_that_counts_as_ended_when_it_is_sent_is_missed() {
    assert_caught(Mutation::EndTooEarly, &[Promise::P2]);
}

#[test]
fn p1_a_pin_that_is_forgotten_is_missed() {
    assert_caught(Mutation::ForgetPin, &[Promise::P1]);
}

#[test]
fn p1_an_error_that_is_ignored_hides_a_write() {
    assert_caught(Mutation::IgnoreError, &[Promise::P1]);
}

#[test]
fn p1_a_thread_that_is_not_awaited_commits_unseen() {
    assert_caught(Mutation::IgnoreThread, &[Promise::P1]);
}

#[test]
fn p1_p2_an_address_is_not_a_server() {
    assert_caught(Mutation::TrustTheAddress, READS);
}

#[test]
fn p5_a_write_where_the_session_reads_is_seen() {
    assert_caught(Mutation::WriteAtHome, &[Promise::P5]);
}

#[test]
fn p4_a_write_that_is_sent_again_is_seen() {
    assert_caught(Mutation::SendAgain, &[Promise::P4]);
}

#[test]
fn p1_p2_a_scope_that_its_connections_do_not_share_is_missed() {
    assert_caught(Mutation::ScopePerConnection, READS);
}

#[test]
fn p1_p2_a_carried_token_that_is_left_aside_is_missed() {
    assert_caught(Mutation::IgnoreCarried, READS);
}

#[test]
fn p1_an_older_fetch_is_not_enough_for_a_strong_read() {
    assert_caught(Mutation::OldFetch, READS);
}

#[test]
fn p1_a_bound_that_is_not_kept_is_missed() {
    assert_caught(Mutation::SlackBound, &[Promise::P1]);
}
