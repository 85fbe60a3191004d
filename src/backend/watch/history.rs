//! The history in which MariaDB's positions are read.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::publish::Answer;
use crate::gtid::Set;
use crate::sql::Flavour;

/// What the writer has said of its lineage last.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    seen: Set,
    /// Do its numbers ascend? None before it has said so.
    ordered: Option<bool>,
    /// Before it was asked for this.
    asked: Option<Instant>,
}

impl History {
    /// The writer has told what it has executed or begun to commit, and whether it gives its
    /// numbers in order; true if positions can be read from now on.
    pub(super) fn told_by_writer(&self, backend: &str, answer: &Answer) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.asked > Some(answer.started) {
            // Of a writer of before, whose answer comes late.
            return false;
        }
        known.asked = Some(answer.started);
        known.seen.clone_from(&answer.seen);
        let ordered = answer.ordered;
        let before = known.ordered.replace(ordered);
        match (before, ordered) {
            (None | Some(true), false) => tracing::error!(
                backend,
                "gtid_strict_mode is OFF: no position proves what a reader has executed, so reads \
                 run on the writer; SET GLOBAL gtid_strict_mode = ON"
            ),
            (Some(false), true) => tracing::info!(backend, "gtid_strict_mode is ON again"),
            _ => {}
        }
        ordered && before != Some(true)
    }

    /// All that a reader has executed that tells this set. MariaDB tells a position, from which
    /// the rest follows if the numbers ascend; else nothing does.
    pub(super) fn complete(&self, flavour: Flavour, told: Set) -> Set {
        if flavour == Flavour::MySql {
            return told;
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.ordered {
            Some(true) => told.within(&known.seen),
            _ => Set::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{maria, set};
    use super::*;
    use crate::routing::Role;

    #[test]
    fn p1_a_position_proves_nothing_before_the_writer_said_that_numbers_ascend() {
        let history = History::default();
        let read = || history.complete(Flavour::MariaDb, set("0-2-9"));
        assert!(read().is_empty());
        let mut answer = maria(1, Role::Writer, "0-1-5,0-2-9", Instant::now());
        history.told_by_writer("w1", &answer);
        assert_eq!(read(), set("0-1-5,0-2-9"));
        answer.ordered = false;
        history.told_by_writer("w1", &answer);
        assert!(read().is_empty());
        let mysql = set("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
        assert_eq!(history.complete(Flavour::MySql, mysql.clone()), mysql);
    }

    #[test]
    fn an_answer_of_the_writer_before_that_comes_late_is_no_history() {
        let history = History::default();
        let start = Instant::now();
        let late = start + Duration::from_millis(1);
        history.told_by_writer("w2", &maria(2, Role::Writer, "0-1-5,0-2-9", late));
        history.told_by_writer("w1", &maria(1, Role::Writer, "0-1-5", start));
        let read = history.complete(Flavour::MariaDb, set("0-2-9"));
        assert_eq!(read, set("0-1-5,0-2-9"));
    }
}
