//! GTID sets, and the two roles they play: [`Token`] (what a scope must see) and [`Watermark`]
//! (what a backend has executed). Pure.
//!
//! Both roles hold the same [`Set`], and are types of their own because to mix them up is to
//! serve stale rows. [`Watermark::covers`] is the only comparison between them.

mod domain;
mod intervals;
mod parse;
mod set;
mod tag;
mod token;
mod uuid;
mod watermark;

pub use parse::{MAX_TEXT_BYTES, ParseError, ParseErrorKind};
pub use set::Set;
pub use token::Token;
pub use uuid::Uuid;
pub use watermark::{Incarnation, Watermark};
