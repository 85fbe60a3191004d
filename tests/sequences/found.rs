//! What random play has found.

/// Sequences that once read something else through Tidegate, shrunk.
pub(crate) const FOUND: &[&[&str]] = &[&[
    "CREATE TEMPORARY TABLE t (v VARCHAR(9))",
    "SELECT COUNT(*) FROM w",
    "SELECT COUNT(*) FROM t",
]];
