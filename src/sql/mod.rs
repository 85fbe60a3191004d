//! Reading SQL just far enough to route it. Pure.
//!
//! So far the tokens and the question that matters most: is a statement proven to be a pure read?

mod functions;
mod lexer;
mod read;

pub use lexer::{LexMode, Lexer, Token};
pub use read::{PureRead, pure_read};
