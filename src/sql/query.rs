//! Statements about rows and tables: which of them only read, and where that may happen.

use super::facts::{Facts, is_one_of};
use super::marks::Marks;
use super::scan::Scan;
use super::statement::{Class, Last, Other, Statement, WriterRead};
use super::tables;

/// SELECT, VALUES, TABLE, WITH.
pub(super) fn query(scan: &Scan<'_>) -> Statement {
    let facts = scan.facts;
    if facts.has(Facts::FILE) && scan.functions.is_empty() {
        // It writes a file where it runs, and leaves nothing on its connection.
        return Statement::new(Class::Other(Other::Unknown));
    }
    let only_query = !facts.has(Facts::INTO | Facts::FILE | Facts::RETURNING | Facts::ODD);
    if facts.has(Facts::WRITES) {
        return match only_query && scan.is(0, "WITH") && !scan.parenthesised {
            true => write(scan),
            false => Statement::unknown(),
        };
    }
    if !only_query {
        return Statement::unknown();
    }
    let bound = bound(facts);
    if !scan.functions.is_empty() {
        return match bound {
            None if scan.leaves.is_empty() => {
                Statement::new(Class::ReadWithFunctions(scan.functions.to_vec()))
            }
            _ => Statement::unknown(),
        };
    }
    let class = match bound {
        Some(WriterRead::Connection) if reads_last_statement(scan) => Class::LastStatement,
        Some(read) => Class::WriterRead(read),
        None if !scan.leaves.is_empty() => Class::WriterRead(WriterRead::UserVariable),
        None => Class::Read {
            tables: facts.has(Facts::TABLES),
        },
    };
    let mut statement = Statement::new(class);
    statement.last = if facts.has(Facts::DIAGNOSTICS) {
        Last::Diagnostics
    } else if facts.has(Facts::ROW_COUNT) {
        Last::RowCount
    } else {
        Last::FoundRows
    };
    statement.shows_tables = facts.has(Facts::TABLES);
    if frees_all_locks(scan) {
        statement.ends = Marks::USER_LOCK;
    }
    statement
}

/// What binds a read to the writer, if anything does.
fn bound(facts: Facts) -> Option<WriterRead> {
    let table = [
        (Facts::USER_LOCK, WriterRead::UserLock),
        (Facts::USER_VARIABLE, WriterRead::UserVariable),
        (Facts::LOCKING, WriterRead::Locking),
        (
            Facts::CONNECTION | Facts::LAST_STATEMENT,
            WriterRead::Connection,
        ),
        (Facts::INSTANCE, WriterRead::Instance),
    ];
    let found = table.into_iter().find(|(fact, _)| facts.has(*fact));
    found.map(|(_, read)| read)
}

/// Only what the statement before has left, and no table.
fn reads_last_statement(scan: &Scan<'_>) -> bool {
    let others = Facts::CONNECTION | Facts::INSTANCE | Facts::TABLES;
    scan.facts.has(Facts::LAST_STATEMENT) && !scan.facts.has(others) && scan.leaves.is_empty()
}

/// Is it `SELECT RELEASE_ALL_LOCKS()`, or DO, and nothing else?
fn frees_all_locks(scan: &Scan<'_>) -> bool {
    scan.facts.has(Facts::RELEASES_ALL) && scan.count == 4 && scan.leaves.is_empty()
}

/// INSERT, REPLACE, UPDATE, DELETE, LOAD, also behind WITH.
pub(super) fn write(scan: &Scan<'_>) -> Statement {
    if scan.facts.has(Facts::RETURNING) && scan.functions.is_empty() {
        // MariaDB: it shows rows.
        return Statement::new(Class::Other(Other::Unknown));
    }
    if scan.facts.has(Facts::RETURNING) {
        return Statement::unknown();
    }
    let statement = match scan.is(0, "LOAD") {
        // It shows what it has loaded.
        true if scan.is(1, "INDEX") => Statement::new(Class::Admin),
        // LOAD DATA … (@a) sets it.
        true if scan.facts.has(Facts::USER_VARIABLE) => {
            Statement::new(Class::Write).leaving(Marks::USER_VARIABLE)
        }
        _ => Statement::new(Class::Write),
    };
    match scan.functions.is_empty() {
        true => statement,
        // What an unknown function leaves on the connection is not known either.
        false => statement.leaving(Marks::UNKNOWN),
    }
}

/// CREATE, ALTER, DROP, RENAME, TRUNCATE and the statements about accounts.
pub(super) fn define(scan: &Scan<'_>) -> Statement {
    if scan.is(0, "ALTER") && scan.is(1, "INSTANCE") {
        return Statement::new(Class::Admin);
    }
    if scan.is(0, "DROP") && scan.is(1, "PREPARE") {
        return Statement::new(Class::Other(Other::Prepared)).leaving(Marks::PREPARED);
    }
    // A view is not run when it is made.
    let runs = scan.is(0, "CREATE") && !(1..scan.head.len()).any(|at| scan.is(at, "VIEW"));
    let mut statement = match runs {
        true => write(scan),
        false => Statement::new(Class::Write),
    };
    // CREATE OR REPLACE TEMPORARY TABLE is MariaDB's.
    let temporary = (1..4).any(|at| scan.is(at, "TEMPORARY"));
    statement.commits = !temporary;
    if temporary && scan.is(0, "CREATE") {
        match tables::made(scan) {
            Some(table) => statement.makes.push(table),
            None => statement.leaves |= Marks::TEMPORARY_TABLE,
        }
    }
    if scan.is(0, "DROP") {
        statement.drops = tables::dropped(scan);
    }
    statement
}

/// DO: evaluates and shows nothing.
pub(super) fn without_rows(scan: &Scan<'_>) -> Statement {
    if !scan.functions.is_empty() || scan.facts.has(Facts::INTO | Facts::FILE | Facts::ODD) {
        return Statement::unknown();
    }
    let read = bound(scan.facts).unwrap_or(WriterRead::Connection);
    let mut statement = Statement::new(Class::WriterRead(read)).without_tables();
    if frees_all_locks(scan) {
        statement.ends = Marks::USER_LOCK;
    }
    statement
}

/// EXPLAIN of a statement, or DESCRIBE of a table.
pub(super) fn explain(scan: &Scan<'_>) -> Statement {
    let explains = [
        "ANALYZE",
        "DELETE",
        "EXTENDED",
        "FOR",
        "FORMAT",
        "INSERT",
        "INTO",
        "PARTITIONS",
        "REPLACE",
        "SELECT",
        "TABLE",
        "UPDATE",
        "VALUES",
        "WITH",
    ];
    let in_parentheses = scan.head.get(1) == Some(&super::Token::Mark(b'('));
    if !in_parentheses && !is_one_of(&explains, scan.word(1)) {
        return match scan.facts.has(Facts::INSTANCE) {
            true => Statement::new(Class::WriterRead(WriterRead::Instance)),
            false => Statement::new(Class::Read { tables: true }),
        };
    }
    // ANALYZE runs it, and a plan may need the value of a function.
    let writes = scan.facts.has(Facts::WRITES | Facts::FILE | Facts::ODD);
    let analyzes = (1..scan.head.len()).any(|at| scan.is(at, "ANALYZE"));
    let runs_a_write = analyzes && writes;
    if runs_a_write || !scan.functions.is_empty() {
        return Statement::unknown();
    }
    Statement::new(Class::WriterRead(WriterRead::Instance))
}
