//! What statements are taken for: a table, the same statements in other dress, a full parser's
//! opinion, and arbitrary bytes.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod dress;
mod notation;
mod parser;
mod reads;
mod state;
mod writes;

use notation::{Row, shown};

/// Every row of every table.
fn rows() -> impl Iterator<Item = Row> {
    [reads::ROWS, writes::ROWS, state::ROWS]
        .into_iter()
        .flatten()
        .flat_map(|(expected, statements)| statements.iter().map(|sql| (*expected, *sql)))
}

#[test]
fn p7_each_statement_is_taken_for_what_it_is() {
    let wrong: Vec<String> = rows()
        .filter(|(expected, sql)| shown(sql) != *expected)
        .map(|(expected, sql)| format!("{sql}\n    is     {}\n    not    {expected}", shown(sql)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows().count() >= 300, "{} rows", rows().count());
}
