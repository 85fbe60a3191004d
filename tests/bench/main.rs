//! The benchmark as a person runs it: what it finds in a lab and on a cluster of one's own, what it
//! says when it can't, and that it leaves nothing behind. Its page is looked at by a browser.

#![cfg(test)]

mod browser;
mod own;
mod play;
#[path = "../support/mod.rs"]
mod support;

use play::{Bench, Found};

/// The least that shows something.
pub(crate) const SHORT: [&str; 5] = [
    "--duration=400ms",
    "--warm-up=100ms",
    "--threads=4",
    "--think=10ms",
    "--rows=40",
];

#[test]
fn p1_a_lab_shows_what_each_road_gets_wrong_and_the_page_can_be_read() {
    let bench = Bench::start(&[
        &SHORT[..],
        &[
            "--rounds=2",
            "--lag=0,1",
            "--targets=direct,naive,session/user,eventual",
        ],
        &["--json=found.json", "--html=found.html"],
    ]);
    let (ended, left) = bench.end_keeping(&["found.json", "found.html"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(left, [""; 0]);
    let found = Found::read(&ended);

    assert_eq!(found.slices(), 2 * 2 * 4);
    for (lag, target) in found.all() {
        let cell = found.cell(lag, &target);
        // A busy machine sends less than was asked for; what it sent was answered well.
        assert!(cell["reads"].as_u64().unwrap() > 0, "{target}: {cell}");
        assert_eq!(cell["wrong"], 0, "{target}");
        assert_eq!(cell["errors"], serde_json::json!({}), "{target}");
        assert!(cell["classes"][0]["response"]["p50"].as_f64().unwrap() > 0.0);
        assert!(cell["classes"][0]["p50_ratio"]["interval"].is_array());
    }
    let stale = |target: &str| found.cell(1, target)["stale"].as_u64().unwrap();
    assert_eq!((stale("direct"), stale("session/user")), (0, 0));
    assert_eq!(found.cell(1, "session/user")["backwards"], 0, "p2");
    assert!(stale("naive") > 0 && stale("eventual") > 0);
    let at_readers = |target: &str| {
        let share = &found.cell(1, target)["at_readers"]["value"];
        share.as_f64().unwrap()
    };
    assert_eq!((at_readers("direct"), at_readers("naive")), (0.0, 1.0));
    assert!(at_readers("eventual") > 0.9);
    let (behind, most) = found.lag(1, "eventual");
    assert!(behind > 0.8 && most >= behind, "{behind} {most}");
    assert!(found.has_reason("session/user", "write"));

    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(
        text.contains("session/user") && text.contains("p50 ratio"),
        "{text}"
    );
    browser::look(&ended.file("found.html"), &["direct", "session/user"]);
}

#[test]
fn interrupted_it_reports_what_was_complete_and_leaves_nothing_behind() {
    let mut bench = Bench::start(&[
        &SHORT[..],
        &["--rounds=100", "--lag=0", "--targets=direct,naive"],
        &["--json=found.json"],
    ]);
    bench.await_progress("bench: 3 of 200");
    bench.signal("INT");
    let (ended, left) = bench.end_keeping(&["found.json"]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(left, [""; 0]);
    let found = Found::read(&ended);
    assert!(found.is_interrupted() && found.slices() >= 3);
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(
        text.contains("interrupted") && text.contains("naive"),
        "{text}"
    );
}

#[test]
fn interrupted_before_anything_is_measured_it_leaves_nothing_behind() {
    for (moment, signal) in [("bench: starting a lab", "TERM"), ("bench: making", "INT")] {
        let mut bench = Bench::start(&[&SHORT[..], &["--lag=0", "--targets=direct"]]);
        bench.await_progress(moment);
        bench.signal(signal);
        let (ended, left) = bench.end_keeping(&[]);
        assert_eq!(ended.status.code(), Some(1), "{moment}");
        assert_eq!(left, [""; 0], "{moment}");
    }
}

#[test]
fn what_makes_no_sense_is_said_before_anything_is_started() {
    for (arguments, word) in [
        (&["--rounds=0", "--writes=2"][..], "writes is 2"),
        (&["--targets=fast"], "no such target"),
        (&["--workload=nowhere.toml"], "read-after-write"),
        (&["--html=/nowhere/found.html"], "/nowhere/found.html"),
        (&["--from=nowhere.json"], "nowhere.json"),
    ] {
        let bench = Bench::start(&[arguments]);
        let (ended, left) = bench.end_keeping(&[]);
        assert!(!ended.status.success(), "{arguments:?}");
        let text = ended.told();
        assert!(text.contains(word), "{arguments:?}: {text}");
        assert!(!text.contains("starting a lab"), "{text}");
        assert_eq!(left, [""; 0], "{arguments:?}");
    }
}
