//! What a backend has executed, and which life of it that was said of.

use std::sync::Arc;
use std::time::Instant;

use super::{Set, Token, Uuid};

/// One life of one server: what was learned of another life says nothing of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation {
    /// The server's `@@server_uuid`.
    pub server_uuid: Uuid,
    /// Counts the proofs of identity: a broken connection or a changed UUID bumps it.
    pub epoch: u64,
}

/// A lower bound of what a backend has executed.
#[derive(Clone, Debug)]
pub struct Watermark {
    /// `@@global.gtid_executed`, as the backend itself said; never taken from a binlog stream,
    /// which runs ahead of what can be read.
    pub executed: Arc<Set>,
    /// When the answer came.
    pub learned: Instant,
    /// Which life of the backend said it.
    pub incarnation: Incarnation,
}

impl Watermark {
    /// Whether a read that starts now on this incarnation sees all of `token`. Never true of
    /// [`Token::Unknown`].
    pub fn covers(&self, token: &Token) -> bool {
        match token {
            Token::Known(set) => self.executed.contains(set),
            Token::Unknown => false,
        }
    }
}
