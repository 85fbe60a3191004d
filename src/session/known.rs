//! Statements that have been read before: an app says the same again and again, with other values.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::sql::{LexMode, Shape, Statement, classify};

/// So many are known at once; then all are forgotten, and those that are said again are read again.
const LIMIT: usize = 512;

/// Statements by their shape. The hash need not withstand much: there are few, whatever a client says.
#[derive(Default)]
struct Known(HashMap<Shape, Arc<Statement>, RandomState>);

thread_local! {
    /// Each thread has its own: a session stays on its thread, and none waits for another. What is in
    /// it depends on nothing but the shape.
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// SQL that was read.
pub(super) struct Read {
    /// What it says.
    pub statement: Arc<Statement>,
    /// There is something in it that could begin a comment.
    pub may_have_comments: bool,
}

/// Reads SQL, as [`classify`] does.
pub(super) fn read(sql: &[u8], mode: LexMode) -> Read {
    match Shape::of(sql, mode) {
        Some(shape) => Read {
            statement: KNOWN.with_borrow_mut(|known| known.read(&shape, sql, mode)),
            may_have_comments: false,
        },
        None => Read {
            statement: Arc::new(classify(sql, mode)),
            may_have_comments: true,
        },
    }
}

impl Known {
    fn read(&mut self, shape: &Shape, sql: &[u8], mode: LexMode) -> Arc<Statement> {
        if let Some(known) = self.0.get(shape) {
            return Arc::clone(known);
        }
        let statement = Arc::new(classify(sql, mode));
        if statement.has_its_shape_alone() {
            if self.0.len() >= LIMIT {
                self.0.clear();
            }
            self.0.insert(shape.clone(), Arc::clone(&statement));
        }
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_only_so_many_are_known_and_all_are_read_alike() {
        let mut known = Known::default();
        let mode = LexMode::default();
        let mut read = |sql: &str| {
            let shape = Shape::of(sql.as_bytes(), mode).unwrap();
            let read = known.read(&shape, sql.as_bytes(), mode);
            assert_eq!(*read, classify(sql.as_bytes(), mode));
            assert!(known.0.len() <= LIMIT);
            read
        };
        let first = read("SELECT a FROM t WHERE id = 1");
        assert!(Arc::ptr_eq(&first, &read("SELECT a FROM t WHERE id = 2")));
        assert!(!Arc::ptr_eq(&read("KILL 1"), &read("KILL 1")));
        for table in 0..2 * LIMIT {
            read(&format!("SELECT a FROM t{table}"));
        }
        let again = read("SELECT a FROM t WHERE id = 3");
        assert!(!Arc::ptr_eq(&first, &again));
    }
}
