//! From a statement's text to its class.

use super::lexer::LexMode;
use super::marks::Marks;
use super::read::pure_read;
use super::statement::{Class, Other, Statement};

/// Classifies one statement, or a batch where the client may send batches.
///
/// Takes time linear in the length of `sql`, whatever it holds, and never fails.
pub fn classify(sql: &[u8], mode: LexMode) -> Statement {
    let class = match pure_read(sql, mode) {
        Some(read) => Class::Read {
            tables: read.tables,
        },
        None => Class::Other(Other::Unknown),
    };
    Statement {
        class,
        leaves: Marks::NONE,
        ends: Marks::NONE,
        names_tracking: memchr::memmem::find(&sql.to_ascii_lowercase(), b"session_track_")
            .is_some(),
    }
}
