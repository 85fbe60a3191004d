//! From a statement's text to its class.

use super::administer;
use super::facts::{Facts, is_one_of};
use super::items;
use super::lexer::{LexMode, Lexer, Token};
use super::marks::Marks;
use super::own::Own;
use super::query;
use super::routine;
use super::scan::Scan;
use super::set;
use super::statement::{Class, Other, Statement, WriterRead};
use super::transaction;

/// Classifies one statement, or a batch where the client may send batches.
///
/// Takes time linear in the length of `sql`, whatever it holds, and never fails.
pub fn classify(sql: &[u8], mode: LexMode) -> Statement {
    let mut lexer = Lexer::new(sql, mode);
    let mut statement = all(&mut lexer);
    statement.own = Own::of(sql, mode);
    match lexer.versioned {
        0 => statement,
        // It is code for some versions and a comment for others.
        count => {
            let comment = all(&mut Lexer::new(sql, mode).skipping_versioned());
            either(statement, comment, count == 1)
        }
    }
}

/// Everything up to the end of the text.
fn all(lexer: &mut Lexer<'_>) -> Statement {
    let mut first: Option<Statement> = None;
    let mut batch = false;
    while let Some(next) = one(lexer) {
        match &mut first {
            None => first = Some(next),
            Some(all) => {
                batch = true;
                all.join(next);
            }
        }
    }
    let mut statement = first.unwrap_or_else(|| Statement::new(EMPTY).without_tables());
    if batch {
        statement.class = Class::Other(Other::Batch);
        statement.ends = Marks::NONE;
    }
    statement
}

/// Comments alone: an error, and no harm done.
const EMPTY: Class = Class::WriterRead(WriterRead::Connection);

/// What holds whichever of the two the backend takes it for. Two versioned comments have more
/// than two readings.
fn either(code: Statement, comment: Statement, only_two: bool) -> Statement {
    let agree = only_two && code.class == comment.class;
    let ends = match code.ends == comment.ends {
        true => code.ends,
        false => Marks::NONE,
    };
    let mut both = code;
    both.join(comment);
    both.ends = ends;
    if !agree {
        both.class = Class::Other(Other::Unknown);
    }
    both
}

/// The next statement; `None` at the end of the text.
fn one(lexer: &mut Lexer<'_>) -> Option<Statement> {
    loop {
        let start = lexer.clone();
        match lexer.next()? {
            Token::Mark(b';') => {}
            token => {
                *lexer = start;
                return Some(begins_with(token, lexer));
            }
        }
    }
}

fn begins_with(first: Token<'_>, lexer: &mut Lexer<'_>) -> Statement {
    let start = lexer.clone();
    if let Token::Word(word) = first
        && is_one_of(&["CREATE", "ALTER"], word)
        && let Some(statement) = routine::classify(lexer)
    {
        return statement;
    }
    let scan = Scan::of(lexer);
    let mut statement = by_verb(&scan, start);
    if !matches!(statement.class, Class::Other(Other::Call)) {
        statement.leaves |= scan.leaves;
    }
    statement.names_tracking |= scan.facts.has(Facts::TRACKING);
    statement
}

/// By its first word; `start` is a lexer at its start, for what has to be read again.
fn by_verb(scan: &Scan<'_>, start: Lexer<'_>) -> Statement {
    if scan.facts.has(Facts::BROKEN) {
        return Statement::unknown();
    }
    let verb = scan.word(0).to_ascii_uppercase();
    if scan.parenthesised && !matches!(&*verb, b"SELECT" | b"VALUES" | b"TABLE" | b"WITH") {
        return Statement::unknown();
    }
    match &*verb {
        b"SELECT" if scan.facts.has(Facts::USER_LOCK | Facts::THREAD) => Statement {
            lock_call: items::lock_call(start.clone()),
            ids: items::id_columns(start),
            ..query::query(scan)
        },
        b"SELECT" | b"VALUES" | b"TABLE" | b"WITH" => query::query(scan),
        b"INSERT" | b"REPLACE" | b"UPDATE" | b"DELETE" | b"LOAD" => query::write(scan),
        b"CREATE" | b"ALTER" | b"DROP" | b"RENAME" | b"TRUNCATE" | b"GRANT" | b"REVOKE"
        | b"IMPORT" => query::define(scan),
        b"SET" => set::classify(scan, start),
        b"USE" => Statement::new(Class::Use),
        b"BEGIN" | b"START" | b"COMMIT" | b"ROLLBACK" | b"SAVEPOINT" | b"RELEASE" | b"XA" => {
            transaction::classify(scan)
        }
        b"CALL" => Statement::new(Class::Other(Other::Call)).leaving(Marks::UNKNOWN),
        b"PREPARE" => Statement::new(Class::Other(Other::Prepared)).leaving(Marks::PREPARED),
        b"EXECUTE" => Statement::new(Class::Other(Other::Prepared)).leaving(Marks::UNKNOWN),
        // MySQL tells of a changed state, and others may be left.
        b"DEALLOCATE" => Statement::new(Class::Other(Other::Prepared)).leaving(Marks::PREPARED),
        b"DO" => query::without_rows(scan),
        b"EXPLAIN" | b"DESCRIBE" | b"DESC" => query::explain(scan),
        _ => administer::classify(&verb, scan),
    }
}
