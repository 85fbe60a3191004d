//! Reading SQL just far enough to route it. Pure.

mod administer;
mod classify;
mod conditions;
mod diagnostics;
mod facts;
mod flavour;
mod functions;
mod hint;
mod insert_id;
mod items;
mod kill;
mod lexer;
mod marks;
mod own;
mod query;
mod routine;
mod scan;
mod set;
mod shape;
mod statement;
mod tables;
mod transaction;
mod user_variables;
mod variables;

pub use classify::classify;
pub use conditions::compared_numbers;
pub use diagnostics::{Target, diagnostics_targets};
pub use facts::is_instance_schema;
pub use flavour::{Flavour, ForEach};
pub use functions::{InMariaDb, in_mariadb};
pub use hint::{Hint, HintError, seems_hinted};
pub use insert_id::asks_for_insert_id;
pub use kill::killed_variable;
pub use lexer::{LexMode, Lexer, Token};
pub use marks::Marks;
pub use own::{Own, Setting, UnknownSetting};
pub use routine::only_reads;
pub use shape::Shape;
pub use statement::{
    Class, IdColumns, Kill, Last, LockCall, Other, Statement, TableName, WriterRead,
};
pub use tables::mentions_any;
pub use transaction::released;
pub use user_variables::{UserVariable, user_variables};
pub use variables::{FOLLOWED, answering, can_follow, followed, is_followed};
