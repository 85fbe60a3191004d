//! Reading SQL just far enough to route it. Pure.
//!
//! So far the tokens; classification builds on them.

mod lexer;

pub use lexer::{LexMode, Lexer, Token};
