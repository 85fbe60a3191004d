//! Every decoder on bytes by chance, bred from such as it understands, and on bytes that cost much.
//!
//! `TIDEGATE_DECODERS_SEED` plays another sequence, `TIDEGATE_DECODERS_ROUNDS` a longer one.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod targets;

use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tidegate::gtid::MAX_TEXT_BYTES;

/// Bytes that mean something somewhere.
const TELLING: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xfe",
    b"\xfb",
    b"\xfc\xff\xff",
    b"\xfd\xff\xff\xff",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"/*",
    b"*/",
    b"/*!",
    b"--",
    b"'",
    b"\"",
    b"`",
    b"\\",
    b"(",
    b")",
    b";",
    b":",
    b"-",
    b",",
    b"@",
    b"@@",
    b":=",
    b"0x",
    b".",
    b"\n",
    b"18446744073709551615",
    b"9223372036854775807",
    b"[",
    b"]",
    b"{",
    b"}",
    b"=",
    b"tidegate:",
];

/// Bytes like these, but for a few.
fn bred(seeds: &[&[u8]], chance: &mut StdRng) -> Vec<u8> {
    let mut bytes = seeds.choose(chance).expect("a seed").to_vec();
    for _ in 0..chance.random_range(0..6) {
        let at = chance.random_range(0..=bytes.len());
        match chance.random_range(0..6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = chance.random(),
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.random_range(0..8),
            3 => {
                let telling = TELLING.choose(chance).expect("one");
                bytes.splice(at..at, telling.iter().copied());
            }
            4 => {
                let from = chance.random_range(0..=at);
                let copy = bytes[from..at].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let other = seeds.choose(chance).expect("a seed");
                let from = chance.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = setting("TIDEGATE_DECODERS_SEED").unwrap_or(1);
    let rounds = setting("TIDEGATE_DECODERS_ROUNDS").unwrap_or(10_000);
    for (name, target, seeds) in targets::TARGETS {
        let mut chance = StdRng::seed_from_u64(seed);
        seeds.iter().for_each(|seed| target(seed));
        for round in 0..rounds {
            let bytes = bred(seeds, &mut chance);
            let played = std::panic::catch_unwind(|| target(&bytes));
            assert!(
                played.is_ok(),
                "{name}, seed {seed}, round {round}: {bytes:?}"
            );
        }
    }
}

/// Plays a target on many bytes, and fails if that costs far more than reading them: in processor
/// time, which does not count what others do meanwhile.
fn costs_little(what: &str, target: impl FnOnce(&[u8]) + Send, bytes: &[u8]) {
    // Without optimisation a byte costs up to 4 microseconds in a target that reads it many times.
    const LEAST: Duration = Duration::from_secs(1);
    const FOR_A_BYTE: Duration = Duration::from_micros(30);
    let budget = LEAST + FOR_A_BYTE * u32::try_from(bytes.len()).unwrap();
    // As small a stack as sessions run on.
    let thread = thread::Builder::new().stack_size(2 << 20);
    let cost = thread::scope(|scope| {
        let playing = thread.spawn_scoped(scope, || {
            let begun = processor_time();
            target(bytes);
            processor_time() - begun
        });
        playing.unwrap().join()
    });
    let cost = cost.unwrap_or_else(|_| panic!("it panics on {what}"));
    assert!(
        cost < budget,
        "{cost:.1?} for {} bytes: {what}",
        bytes.len()
    );
}

/// How long this thread has run.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = told.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

#[test]
fn p9_reading_costs_no_more_than_in_proportion_to_the_length() {
    const LENGTH: usize = 1 << 16;
    for part in PARTS {
        for start in ["", "SELECT ", "CREATE PROCEDURE p() "] {
            let text = start.to_owned() + &part.repeat(LENGTH / part.len());
            costs_little(&format!("{start}{part}"), targets::sql, text.as_bytes());
        }
    }
}

/// Said again and again, each of these costs what it costs.
const PARTS: &[&str] = &[
    "(",
    "SELECT (",
    "f(",
    "/*",
    "/*!80000 ",
    "*/",
    "'",
    "\"",
    "`",
    "\\'",
    "-- \n",
    "#\n",
    ";",
    "a,",
    "a.",
    "@a:=",
    "@@a,",
    "CASE WHEN ",
    "0x",
    "SELECT 1;",
    "UNION SELECT ",
    "IF(",
    "x AS (",
    "/* tidegate: ",
    "/* tidegate: level=",
    "BEGIN ",
    "WITH a AS (",
    "@tidegate_level=",
    "IN (",
    "GET DIAGNOSTICS @a=",
    "SET @a=1,",
    "_utf8'a'",
    "LAST_INSERT_ID(),",
    "CONNECTION_ID(),",
    "sys.a.",
    "SLEEP(",
    "\0",
    "\u{e9}",
    "FROM a,",
    "JOIN b ON ",
    "INTO @a,",
    "ROW_COUNT(),",
];

#[test]
fn p9_a_statement_of_16_mib_is_searched_for_hints_in_little_time() {
    for part in [
        "@tidegate_level=",
        "/* tidegate ",
        "/*tidegate  x",
        "TIDEGATE /* Tidegate ",
    ] {
        let text = part.repeat((16 << 20) / part.len()) + &" ".repeat(1 << 20);
        let searching = |bytes: &[u8]| assert!(!tidegate::sql::seems_hinted(bytes));
        costs_little(part, searching, text.as_bytes());
    }
}

#[test]
fn p9_reading_gtids_costs_no_more_than_in_proportion_to_the_length() {
    const UUID: &str = "8a94f357-aab4-11df-86ab-";
    let up_to = |length: usize, each: &mut dyn FnMut(u64) -> String| {
        let mut text = String::new();
        for number in 1.. {
            if text.len() >= length {
                break;
            }
            text.push_str(&each(number));
        }
        text
    };
    let million = 1 << 18;
    let first = format!("{UUID}c80aa9429562");
    let texts = [
        (
            "ascending",
            first.clone() + &up_to(million, &mut |n| format!(":{}", n * 2)),
        ),
        (
            "descending",
            first.clone() + &up_to(million, &mut |n| format!(":{}", 1_000_000_000 - n * 2)),
        ),
        (
            "from both ends",
            first.clone()
                + &up_to(million, &mut |n| match n % 2 {
                    0 => format!(":{}", n * 2),
                    _ => format!(":{}", 1_000_000_000 - n * 2),
                }),
        ),
        (
            "many servers",
            up_to(million, &mut |n| format!("{UUID}{n:012x}:1,")),
        ),
        (
            "many servers from behind",
            up_to(million, &mut |n| {
                format!("{UUID}{:012x}:1,", 0xffff_ffff_u64 - n)
            }),
        ),
        (
            "many tags",
            first.clone() + &up_to(million, &mut |n| format!(":t{n}:1")),
        ),
        (
            "the same again",
            up_to(million, &mut |_| format!("{first}:1-9,")),
        ),
        (
            "MariaDB's domains",
            up_to(million, &mut |n| format!("{n}-1-7,")),
        ),
        (
            "MariaDB's servers",
            up_to(million, &mut |n| format!("0-{n}-{n},")),
        ),
    ];
    for (what, text) in texts {
        let text = text.trim_end_matches(',').to_owned();
        assert!(text.len() < MAX_TEXT_BYTES);
        costs_little(what, targets::gtid, text.as_bytes());
    }
}

#[test]
fn p9_reading_answers_costs_no_more_than_in_proportion_to_the_length() {
    for part in [
        &b"\x02\x01\x31"[..],
        b"\0\x04\x01a\x01b",
        b"\x03\x02\0\0",
        b"\x7f\0",
        b"\x01\x01a",
    ] {
        let mut bytes = vec![0; 4];
        while bytes.len() < 1 << 20 {
            bytes.extend_from_slice(part);
        }
        costs_little(&format!("{part:?}"), targets::answer, &bytes);
    }
}
