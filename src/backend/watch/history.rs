//! The history in which MariaDB's positions are read.

use std::sync::{Arc, Mutex, PoisonError};

use crate::gtid::Set;
use crate::sql::Flavour;

/// What the writer has said of its lineage last.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    seen: Arc<Set>,
    /// Do its numbers ascend? None before it has said so.
    ordered: Option<bool>,
}

impl History {
    /// The writer has told what it has executed or begun to commit, and whether it gives its
    /// numbers in order.
    pub(super) fn told_by_writer(&self, backend: &str, seen: &Set, ordered: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *known.seen != *seen {
            known.seen = Arc::new(seen.clone());
        }
        match (known.ordered.replace(ordered), ordered) {
            (None | Some(true), false) => tracing::error!(
                backend,
                "gtid_strict_mode is OFF: no position proves what a reader has executed, so reads \
                 run on the writer; SET GLOBAL gtid_strict_mode = ON"
            ),
            (Some(false), true) => tracing::info!(backend, "gtid_strict_mode is ON again"),
            _ => {}
        }
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
    use super::*;

    #[test]
    fn p1_a_position_proves_nothing_before_the_writer_said_that_numbers_ascend() {
        let set = |text: &str| Set::parse(text).unwrap();
        let history = History::default();
        let read = || history.complete(Flavour::MariaDb, set("0-2-9"));
        assert!(read().is_empty());
        history.told_by_writer("w1", &set("0-1-5,0-2-9"), true);
        assert_eq!(read(), set("0-1-5,0-2-9"));
        history.told_by_writer("w1", &set("0-1-5,0-2-9"), false);
        assert!(read().is_empty());
        let mysql = set("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
        assert_eq!(history.complete(Flavour::MySql, mysql.clone()), mysql);
    }
}
