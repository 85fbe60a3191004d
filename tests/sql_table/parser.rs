//! A full parser's opinion. It refuses much that MySQL takes; what it does take, it has to agree
//! about: nothing that is taken for a read may be anything else to it.

use sqlparser::ast::{SetExpr, Statement};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;
use tidegate::sql::{Class, LexMode, classify};

use crate::rows;

/// Does it change nothing?
fn only_reads(statement: &Statement) -> bool {
    match statement {
        Statement::Query(query) => !writes(&query.body),
        Statement::Explain { .. } | Statement::ExplainTable { .. } => true,
        other => {
            let text = other.to_string();
            text.starts_with("SHOW") || text.starts_with("DESC") || text.starts_with("KILL")
        }
    }
}

fn writes(body: &SetExpr) -> bool {
    match body {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => true,
        SetExpr::Query(query) => writes(&query.body),
        SetExpr::SetOperation { left, right, .. } => writes(left) || writes(right),
        _ => false,
    }
}

#[test]
fn p5_what_is_taken_for_a_read_is_one_to_a_full_parser_too() {
    let mut compared = 0;
    for (_, sql) in rows() {
        let class = classify(sql.as_bytes(), LexMode::default()).class;
        let reads = matches!(
            class,
            Class::Read { .. } | Class::ReadWithFunctions(_) | Class::WriterRead(_)
        );
        let Ok(statements) = Parser::parse_sql(&MySqlDialect {}, sql) else {
            continue;
        };
        compared += 1;
        if reads {
            assert!(statements.len() <= 1, "{sql}: a batch");
            assert!(statements.iter().all(only_reads), "{sql}: {statements:?}");
        }
        let is_query = matches!(statements.as_slice(), [Statement::Query(query)]
            if !writes(&query.body));
        if is_query {
            assert!(
                !matches!(class, Class::Write | Class::Set | Class::Admin),
                "{sql}"
            );
        }
    }
    assert!(compared > 150, "only {compared} statements were compared");
}
