//! SET: which variables of which kind it changes (MySQL manual, "SET Syntax for Variable
//! Assignment").

use super::facts::{Facts, is, is_one_of};
use super::lexer::{Lexer, Token};
use super::marks::Marks;
use super::own::is_own;
use super::scan::Scan;
use super::statement::{Class, Other, Statement};
use super::variables::{BOUND, is_followed};

/// Whose variable it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Session,
    /// The instance: GLOBAL and PERSIST.
    Instance,
}

/// A SET that has been scanned; `lexer` is at its start.
pub(super) fn classify(scan: &Scan<'_>, mut lexer: Lexer<'_>) -> Statement {
    if is_one_of(&["PASSWORD", "DEFAULT"], scan.word(1)) {
        // They change accounts.
        return Statement::new(Class::Write);
    }
    if is_one_of(&["RESOURCE", "STATEMENT"], scan.word(1)) {
        return Statement::unknown();
    }
    if scan.is(1, "ROLE") {
        return Statement::new(Class::Set).leaving(Marks::ROLE);
    }
    if let Some(statement) = characteristics(scan) {
        return statement;
    }
    lexer.next();
    let mut statement = assignments(&mut lexer).unwrap_or_else(Statement::unknown);
    if scan
        .facts
        .has(Facts::TABLES | Facts::INTO | Facts::FILE | Facts::ODD)
    {
        // It reads tables.
        statement.class = Class::Other(Other::Unknown);
    }
    match scan.functions.is_empty() {
        true => statement,
        false => Statement {
            class: Class::Other(Other::Unknown),
            ..statement.leaving(Marks::UNKNOWN)
        },
    }
}

/// SET [scope] TRANSACTION.
fn characteristics(scan: &Scan<'_>) -> Option<Statement> {
    if scan.is(1, "TRANSACTION") {
        return Some(Statement::new(Class::Set).leaving(Marks::NEXT_TRANSACTION));
    }
    if !scan.is(2, "TRANSACTION") {
        return None;
    }
    Some(Statement::new(match scan.is(1, "GLOBAL") {
        true => Class::Admin,
        false => Class::Set,
    }))
}

/// The list behind SET; `None` if it is not understood.
fn assignments(lexer: &mut Lexer<'_>) -> Option<Statement> {
    let mut statement = Statement::new(Class::Set);
    let mut owner = Owner::Session;
    loop {
        match lexer.next()? {
            Token::UserVariable(name) if is_own(name) => {}
            Token::UserVariable(_) => statement.leaves |= Marks::USER_VARIABLE,
            Token::SystemVariable => {
                let first = name(lexer.next()?)?;
                let (named, owner) = match scope(first) {
                    Some(owner) => (behind_dot(lexer)?, Some(owner)),
                    None => (first, None),
                };
                note(&mut statement, named, owner, true);
                if is(named, "TIMESTAMP") && owner != Some(Owner::Instance) {
                    clock(&mut statement, lexer.clone());
                }
            }
            Token::Word(word) if is(word, "NAMES") || is_charset(word, lexer) => {
                match value(lexer) {
                    true => continue,
                    false => return Some(statement),
                }
            }
            token => {
                let mut named = name(token)?;
                if let (Token::Word(_), Some(other)) = (token, scope(named)) {
                    owner = other;
                    named = name(lexer.next()?)?;
                }
                note(&mut statement, named, Some(owner), false);
                if is(named, "TIMESTAMP") && owner == Owner::Session {
                    clock(&mut statement, lexer.clone());
                }
            }
        }
        match lexer.next()? {
            Token::Assign | Token::Mark(b'=') => {}
            // A component's variable: its name ends behind the dot.
            Token::Mark(b'.') => {
                let (behind, assigns) = (name(lexer.next()?)?, lexer.next()?);
                if !matches!(assigns, Token::Assign | Token::Mark(b'=')) {
                    return None;
                }
                statement.join_name(behind);
            }
            _ => return None,
        }
        if !value(lexer) {
            return Some(statement);
        }
    }
}

/// CHARSET, or CHARACTER SET.
fn is_charset(word: &[u8], lexer: &mut Lexer<'_>) -> bool {
    if is(word, "CHARSET") {
        return true;
    }
    let mut ahead = lexer.clone();
    let follows = matches!(ahead.next(), Some(Token::Word(set)) if is(set, "SET"));
    if is(word, "CHARACTER") && follows {
        *lexer = ahead;
        return true;
    }
    false
}

fn scope(word: &[u8]) -> Option<Owner> {
    if is_one_of(&["GLOBAL", "PERSIST", "PERSIST_ONLY"], word) {
        return Some(Owner::Instance);
    }
    is_one_of(&["SESSION", "LOCAL"], word).then_some(Owner::Session)
}

fn behind_dot<'a>(lexer: &mut Lexer<'a>) -> Option<&'a [u8]> {
    match lexer.next()? {
        Token::Mark(b'.') => name(lexer.next()?),
        _ => None,
    }
}

fn name(token: Token<'_>) -> Option<&[u8]> {
    match token {
        Token::Word(name) | Token::Quoted(name) => Some(name),
        _ => None,
    }
}

/// Notes what a variable's change means.
fn note(statement: &mut Statement, name: &[u8], owner: Option<Owner>, with_ats: bool) {
    const TRACKING: &[u8] = b"session_track_";
    if owner == Some(Owner::Instance) {
        statement.class = Class::Admin;
        return;
    }
    let starts = name.get(..TRACKING.len());
    if starts.is_some_and(|start| start.eq_ignore_ascii_case(TRACKING)) {
        statement.names_tracking = true;
        return;
    }
    // SET @@transaction_isolation, without a scope, counts for the next transaction only
    // (MySQL manual, "SET TRANSACTION Statement").
    let characteristics = [
        "TRANSACTION_ISOLATION",
        "TRANSACTION_READ_ONLY",
        "TX_ISOLATION",
        "TX_READ_ONLY",
    ];
    statement.leaves |= if with_ats && owner.is_none() && is_one_of(&characteristics, name) {
        Marks::NEXT_TRANSACTION
    } else if is_followed(name) {
        Marks::NONE
    } else if is(name, "SQL_LOG_BIN") {
        Marks::SQL_LOG_BIN
    } else if is_one_of(&["LAST_INSERT_ID", "IDENTITY"], name) {
        Marks::LAST_INSERT_ID
    } else if is(name, "TIMESTAMP") {
        // By its value.
        Marks::NONE
    } else {
        match std::str::from_utf8(name) {
            Ok(name) if is_plain(name) && !is_one_of(BOUND, name.as_bytes()) => {
                statement.sets.push(name.to_ascii_lowercase().into());
                Marks::NONE
            }
            _ => Marks::SESSION_VARIABLE,
        }
    };
}

impl Statement {
    /// The variable that was named last goes on behind a dot.
    fn join_name(&mut self, behind: &[u8]) {
        match (self.sets.pop(), std::str::from_utf8(behind)) {
            (Some(first), Ok(behind)) if is_plain(behind) => {
                let whole = format!("{first}.{}", behind.to_ascii_lowercase());
                self.sets.push(whole.into());
            }
            _ => self.leaves |= Marks::SESSION_VARIABLE,
        }
    }
}

/// Can it stand in SQL as it is?
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    !name.is_empty() && name.bytes().all(plain)
}

/// What becomes of the clock: 0 and DEFAULT let it go on (MySQL manual, "Server System Variables").
fn clock(statement: &mut Statement, mut lexer: Lexer<'_>) {
    lexer.next();
    let goes_on = match lexer.next() {
        Some(Token::Word(word)) => is(word, "DEFAULT"),
        Some(Token::Number(digits)) => digits.iter().all(|digit| *digit == b'0'),
        _ => false,
    };
    let ends = matches!(lexer.next(), None | Some(Token::Mark(b',' | b';')));
    if goes_on && ends {
        statement.ends |= Marks::TIMESTAMP;
    } else {
        statement.ends.remove(Marks::TIMESTAMP);
        statement.leaves |= Marks::TIMESTAMP;
    }
}

/// Reads a value; true if another assignment follows.
fn value(lexer: &mut Lexer<'_>) -> bool {
    let mut depth = 0_usize;
    for token in lexer {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            Token::Mark(b',') if depth == 0 => return true,
            Token::Mark(b';') => return false,
            _ => {}
        }
    }
    false
}
