//! Names of temporary tables: which a statement makes, drops, or may use.

use super::facts::is_one_of;
use super::lexer::Token;
use super::scan::Scan;
use super::statement::TableName;

/// The table that a CREATE TEMPORARY TABLE makes; `None` if its name is not understood.
pub(super) fn made(scan: &Scan<'_>) -> Option<TableName> {
    let mut at = (1..5).find(|at| scan.is(*at, "TABLE"))? + 1;
    if scan.is(at, "IF") && scan.is(at + 1, "NOT") && scan.is(at + 2, "EXISTS") {
        at += 3;
    }
    table(scan, at).map(|(table, _)| table)
}

/// The tables that a DROP TABLE drops; none if they are not all understood.
pub(super) fn dropped(scan: &Scan<'_>) -> Vec<TableName> {
    all_dropped(scan).unwrap_or_default()
}

fn all_dropped(scan: &Scan<'_>) -> Option<Vec<TableName>> {
    if scan.count > scan.head.len() {
        return None;
    }
    let mut at = 1 + usize::from(scan.is(1, "TEMPORARY"));
    if !is_one_of(&["TABLE", "TABLES"], scan.word(at)) {
        return None;
    }
    at += 1;
    if scan.is(at, "IF") && scan.is(at + 1, "EXISTS") {
        at += 2;
    }
    let mut tables = Vec::new();
    loop {
        let (table, next) = table(scan, at)?;
        tables.push(table);
        at = next;
        match scan.head.get(at) {
            Some(Token::Mark(b',')) => at += 1,
            Some(Token::Word(word)) if is_one_of(&["RESTRICT", "CASCADE"], word) => at += 1,
            None => return Some(tables),
            Some(_) => return None,
        }
        if at == scan.head.len() {
            return Some(tables);
        }
    }
}

/// The table named at a place, and the place behind it.
fn table(scan: &Scan<'_>, at: usize) -> Option<(TableName, usize)> {
    let first = name(scan, at)?;
    if scan.head.get(at + 1) != Some(&Token::Mark(b'.')) {
        let table = TableName {
            schema: None,
            name: first,
        };
        return Some((table, at + 1));
    }
    let table = TableName {
        schema: Some(first),
        name: name(scan, at + 2)?,
    };
    Some((table, at + 3))
}

fn name(scan: &Scan<'_>, at: usize) -> Option<Box<str>> {
    let (Token::Word(name) | Token::Quoted(name)) = scan.head.get(at)? else {
        return None;
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty() && name.as_bytes().iter().all(plain)).then(|| name.into())
}

/// May a statement use one of these tables? It does not if its text holds none of their names, in
/// whatever quotes, case, comment or string.
pub fn mentions_any<'a>(sql: &[u8], mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| {
        let name = name.as_bytes();
        let starts = memchr::memchr2_iter(
            name.first().map_or(0, u8::to_ascii_lowercase),
            name.first().map_or(0, u8::to_ascii_uppercase),
            sql,
        );
        let is_it = |start: usize| {
            let found = sql.get(start..start.saturating_add(name.len()));
            found.is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        starts.into_iter().any(is_it)
    })
}

#[cfg(test)]
mod tests {
    use crate::sql::{LexMode, classify};

    use super::*;

    fn names(tables: &[TableName]) -> Vec<String> {
        let name = |table: &TableName| match &table.schema {
            Some(schema) => format!("{schema}.{}", table.name),
            None => table.name.to_string(),
        };
        tables.iter().map(name).collect()
    }

    #[test]
    fn temporary_tables_are_known_by_name_where_the_name_is_plain() {
        for (sql, makes) in [
            ("CREATE TEMPORARY TABLE t (a INT)", &["t"][..]),
            (
                "create temporary table if not exists App.`T_1` select 1",
                &["App.T_1"],
            ),
            ("CREATE OR REPLACE TEMPORARY TABLE t LIKE u", &["t"]),
            ("CREATE TEMPORARY TABLE `a b` (a INT)", &[]),
            ("CREATE TABLE t (a INT)", &[]),
            ("CREATE TEMPORARY TABLE t (a INT); USE other", &[]),
        ] {
            let statement = classify(sql.as_bytes(), LexMode::default());
            assert_eq!(names(&statement.makes), makes, "{sql}");
        }
        for (sql, drops) in [
            ("DROP TABLE t", &["t"][..]),
            (
                "DROP TEMPORARY TABLE IF EXISTS a.t, u CASCADE",
                &["a.t", "u"],
            ),
            ("DROP TABLE `a b`, t", &[]),
            ("DROP TABLE a, b, c, d, e, f, g, h", &[]),
            ("DROP VIEW t", &[]),
            ("DROP TABLE t; CREATE TEMPORARY TABLE t (a INT)", &[]),
        ] {
            let statement = classify(sql.as_bytes(), LexMode::default());
            assert_eq!(names(&statement.drops), drops, "{sql}");
        }
    }

    #[test]
    fn p3_whatever_may_name_a_table_mentions_it() {
        let mentions = |sql: &str| mentions_any(sql.as_bytes(), ["tmp", "Other"].into_iter());
        for sql in [
            "SELECT * FROM TMP",
            "SELECT 1 FROM a.`tmp`",
            "/*!80000 tmp */",
            "other",
        ] {
            assert!(mentions(sql), "{sql}");
        }
        for sql in ["", "SELECT * FROM t", "tm", "SELECT othe FROM r"] {
            assert!(!mentions(sql), "{sql}");
        }
    }
}
