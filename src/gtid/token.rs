//! What a scope must see.

use super::Set;

/// The state that a read must not be older than.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Every transaction in this set.
    Known(Set),
    /// Something happened whose GTID nobody told. Only the writer's executed set, fetched after
    /// it, is sure to hold it.
    Unknown,
}

impl Default for Token {
    /// A token that any backend covers.
    fn default() -> Self {
        Self::Known(Set::default())
    }
}
