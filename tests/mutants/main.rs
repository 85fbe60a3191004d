//! Does the checker notice? Tidegate is broken on purpose, one way after the other, built, and
//! played by the checker, which has to find a broken promise each time.
//!
//! The mutants are edits of the source as it stands; one that no longer fits fails the test and has
//! to be moved along with the code that it breaks. `TIDEGATE_MUTANT` plays one by name.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and the figures of a run are worth reading"
)]

mod edits;
mod workshop;

use edits::MUTANTS;
use workshop::{Verdict, Workshop};

#[test]
fn the_checker_catches_every_mutant() {
    let wanted = std::env::var("TIDEGATE_MUTANT").ok();
    let workshop = Workshop::new();
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        if wanted.as_ref().is_some_and(|name| name != mutant.name) {
            continue;
        }
        match workshop.play(mutant) {
            Verdict::Caught(by) => println!("{}: caught: {by}", mutant.name),
            Verdict::Survived(log) => survivors.push(format!("{}\n{log}", mutant.name)),
        }
    }
    assert!(survivors.is_empty(), "not caught: {}", survivors.join("\n"));
}
