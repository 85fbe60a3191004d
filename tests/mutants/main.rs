//! Does the checker notice? Tidegate is broken on purpose, one way after the other, and played by
//! the checker, which has to find a broken promise each time, and none where nothing is broken.
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

use std::sync::Mutex;
use std::thread;

use edits::{MUTANTS, Mutant};
use workshop::{Verdict, Workshop};

/// A checker waits most of its time, for appliers that lag or stand still.
const AT_ONCE: usize = 3;

#[test]
fn the_checker_catches_every_mutant() {
    let wanted = std::env::var("TIDEGATE_MUTANT").ok();
    let workshop = Workshop::build(MUTANTS);
    if let Verdict::Caught(by) | Verdict::Stopped(by) = workshop.play(None) {
        panic!("the checker ends so where nothing is broken: {by}");
    }
    let mutants = MUTANTS.iter();
    let chosen = mutants.filter(|it| wanted.as_ref().is_none_or(|name| name == it.name));
    let queue = Mutex::new(chosen);
    let survivors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(mutant) = next(&queue) {
                    match workshop.play(Some(mutant)) {
                        Verdict::Caught(by) => println!("{}: caught: {by}", mutant.name),
                        Verdict::Survived(log) | Verdict::Stopped(log) => {
                            let survivor = format!("{}\n{log}", mutant.name);
                            survivors.lock().unwrap().push(survivor);
                        }
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "not caught: {}", survivors.join("\n"));
}

/// The lock is given back before the mutant is played.
fn next<'a>(queue: &Mutex<impl Iterator<Item = &'a Mutant>>) -> Option<&'a Mutant> {
    queue.lock().unwrap().next()
}
