//! Reading SQL just far enough to route it. Pure.

mod classify;
mod functions;
mod lexer;
mod marks;
mod read;
mod statement;
mod variables;

pub use classify::classify;
pub use lexer::{LexMode, Lexer, Token};
pub use marks::Marks;
pub use read::{PureRead, pure_read};
pub use statement::{Class, Kill, Other, Statement, WriterRead};
pub use variables::{FOLLOWED, is_followed};
