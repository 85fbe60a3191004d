//! What a scope has been promised: the oracle beside the causality that is tested.

use tidegate::gtid::Token;
use tidegate::routing::Causality;

use crate::monitor::at;

pub(crate) struct Scope {
    pub(crate) causality: Causality,
    /// The newest transaction that a client of the scope wrote, or was shown.
    pub(crate) required: u64,
    /// Writes whose clients were told that the connection was lost.
    pub(crate) untold: Vec<usize>,
}

impl Scope {
    pub(crate) fn new() -> Self {
        Self {
            causality: Causality::starting_from(Token::default(), at(0)),
            required: 0,
            untold: Vec::new(),
        }
    }

    pub(crate) fn requires(&mut self, number: u64) {
        self.required = self.required.max(number);
    }
}

/// A write on its way through the writer.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) session: usize,
    pub(crate) statement: u64,
    pub(crate) generation: u64,
    pub(crate) number: Option<u64>,
    /// Its thread is gone, with the write committed or not.
    pub(crate) over: bool,
}
