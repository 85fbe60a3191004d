//! The proxy as it is keeps its promises, on every schedule.

use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use crate::mutation::Mutation;
use crate::report::Report;
use crate::scope::Promise;
use crate::seeds;
use crate::simulation::{Weather, run};

/// Calm schedules tell much the same, so that a few are enough.
const CALM: u64 = 20;

/// Every schedule's report, with its seed.
static STORMS: LazyLock<Vec<(u64, Report)>> = LazyLock::new(|| {
    let began = Instant::now();
    let (from, to) = (seeds().start, seeds().end);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let play = |first: usize| {
        let seeds = (from..to).skip(first).step_by(threads);
        let reports = seeds.map(|seed| (seed, run(seed, Mutation::None, Weather::Storm)));
        reports.collect::<Vec<_>>()
    };
    let mut storms: Vec<_> = thread::scope(|scope| {
        let players: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || play(first)))
            .collect();
        let played = players.into_iter().flat_map(|it| it.join().unwrap());
        played.collect()
    });
    storms.sort_by_key(|(seed, _)| *seed);
    let (count, took) = (storms.len(), began.elapsed());
    println!("{count} schedules in {took:?} on {threads} threads");
    storms
});

#[track_caller]
fn assert_kept(promise: Promise) {
    for (seed, report) in STORMS.iter() {
        let violation = report.first_against(promise);
        assert_eq!(
            violation, None,
            "play it again with TIDEGATE_SIM_SEED={seed}"
        );
    }
}

#[test]
fn p1_no_read_is_older_than_what_its_scope_wrote() {
    assert_kept(Promise::P1);
}

#[test]
fn p2_no_read_goes_back_behind_what_its_scope_was_shown() {
    assert_kept(Promise::P2);
}

#[test]
fn p4_no_write_runs_twice() {
    assert_kept(Promise::P4);
}

#[test]
fn p5_no_write_runs_anywhere_but_on_the_writer() {
    assert_kept(Promise::P5);
}

/// Otherwise the oracle has nothing to look at.
#[test]
fn the_schedules_go_through_every_kind_of_trouble() {
    let mut total = Report::default();
    STORMS.iter().for_each(|(_, report)| total.add(report));
    println!("{total:?}");
    if STORMS.len() < 100 {
        return;
    }
    let seen = [
        total.probes,
        total.waits,
        total.retries,
        total.gates,
        total.errant,
        total.alarms,
        total.reconnects,
        total.carried,
        total.followed,
        total.refused_unserved,
        total.refused_otherwise,
    ];
    assert!(seen.iter().all(|times| *times > 20), "{total:?}");
    let refused = total.refused_unserved + total.refused_otherwise;
    assert!(refused * 2 < total.statements, "{total:?}");
    assert!(total.reads_on_readers * 4 > total.reads(), "{total:?}");
    assert!(total.most_rounds < 50, "{total:?}");
}

/// How many of a hundred reads readers answer, while all of them keep up.
fn share_in_calm_weather(mutation: Mutation) -> u64 {
    let mut total = Report::default();
    (0..CALM).for_each(|seed| total.add(&run(seed, mutation, Weather::Calm)));
    println!("{mutation:?} {total:?}");
    total.reads_on_readers * 100 / total.reads()
}

#[test]
fn readers_that_keep_up_answer_most_reads() {
    let share = share_in_calm_weather(Mutation::None);
    assert!(share >= 75, "{share} of a hundred");
}

#[test]
fn a_proxy_that_always_asks_the_writer_is_caught_by_its_share() {
    assert!(share_in_calm_weather(Mutation::WriterAlways) < 75);
}

#[test]
fn a_seed_always_plays_the_same_schedule() {
    let play = |seed| run(seed, Mutation::None, Weather::Storm).fingerprint;
    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
}
