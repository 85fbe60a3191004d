//! Statements that begin and end transactions (MySQL manual, "Transactional and Locking
//! Statements").

use super::facts::is;
use super::lexer::{LexMode, Lexer, Token};
use super::marks::Marks;
use super::scan::Scan;
use super::statement::{Class, Other, Statement};

/// BEGIN, START, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, XA.
pub(super) fn classify(scan: &Scan<'_>) -> Statement {
    if scan.is(0, "XA") {
        return xa(scan);
    }
    match class(scan) {
        Some(class) => Statement::new(class),
        None => Statement::unknown(),
    }
}

fn class(scan: &Scan<'_>) -> Option<Class> {
    let work = 1 + usize::from(scan.is(1, "WORK"));
    match scan.word(0).first()?.to_ascii_uppercase() {
        // Anything behind it is MariaDB's BEGIN NOT ATOMIC, a block.
        b'B' => (scan.count == work).then_some(Class::Begin {
            consistent_snapshot: false,
            read_write: false,
        }),
        b'S' if scan.is(0, "SAVEPOINT") => (scan.count == 2).then_some(Class::Control),
        b'S' => start(scan),
        b'C' => ends_well(scan, work).then_some(Class::Commit),
        b'R' if scan.is(0, "ROLLBACK") => {
            (scan.is(work, "TO") || ends_well(scan, work)).then_some(Class::Control)
        }
        b'R' => scan.is(1, "SAVEPOINT").then_some(Class::Control),
        _ => None,
    }
}

/// `[AND [NO] CHAIN] [[NO] RELEASE]`.
fn ends_well(scan: &Scan<'_>, mut at: usize) -> bool {
    if scan.is(at, "AND") {
        at += 1 + usize::from(scan.is(at + 1, "NO"));
        if !scan.is(at, "CHAIN") {
            return false;
        }
        at += 1;
    }
    at += usize::from(scan.is(at, "NO"));
    at += usize::from(scan.is(at, "RELEASE"));
    at == scan.count
}

fn start(scan: &Scan<'_>) -> Option<Class> {
    if !scan.is(1, "TRANSACTION") {
        // START REPLICA, START GROUP_REPLICATION.
        return Some(Class::Admin);
    }
    let (mut consistent_snapshot, mut read_only, mut read_write) = (false, false, false);
    let mut at = 2;
    while at < scan.count {
        if scan.is(at, "WITH") && scan.is(at + 1, "CONSISTENT") && scan.is(at + 2, "SNAPSHOT") {
            consistent_snapshot = true;
            at += 3;
        } else if scan.is(at, "READ") && scan.is(at + 1, "ONLY") {
            read_only = true;
            at += 2;
        } else if scan.is(at, "READ") && scan.is(at + 1, "WRITE") {
            read_write = true;
            at += 2;
        } else {
            return None;
        }
        if at < scan.count {
            if scan.head.get(at) != Some(&Token::Mark(b',')) {
                return None;
            }
            at += 1;
        }
    }
    Some(match read_only {
        true => Class::BeginReadOnly {
            consistent_snapshot,
        },
        false => Class::Begin {
            consistent_snapshot,
            read_write,
        },
    })
}

fn xa(scan: &Scan<'_>) -> Statement {
    let statement = Statement::new(Class::Other(Other::Xa));
    if scan.is(1, "COMMIT") || scan.is(1, "ROLLBACK") {
        return Statement {
            ends: Marks::XA,
            ..statement
        };
    }
    match scan.is(1, "RECOVER") {
        true => statement,
        false => statement.leaving(Marks::XA),
    }
}

/// Does COMMIT or ROLLBACK end the connection? `Some(None)` where it does not say; `None` for what
/// ends no transaction.
pub fn released(sql: &[u8], mode: LexMode) -> Option<Option<bool>> {
    let mut words = Lexer::new(sql, mode).map_while(|token| match token {
        Token::Word(word) => Some(word),
        _ => None,
    });
    let verb = words.next()?;
    if !is(verb, "COMMIT") && !is(verb, "ROLLBACK") {
        return None;
    }
    let (mut before, mut said) = (verb, None);
    for word in words {
        if is(word, "TO") {
            return None;
        }
        if is(word, "RELEASE") {
            said = Some(!is(before, "NO"));
        }
        before = word;
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_transaction_says_whether_it_ends_the_connection() {
        for (sql, expected) in [
            ("COMMIT", Some(None)),
            ("commit work and no chain release;", Some(Some(true))),
            ("/* x */ ROLLBACK RELEASE", Some(Some(true))),
            ("COMMIT NO RELEASE", Some(Some(false))),
            ("ROLLBACK TO SAVEPOINT release", None),
            ("RELEASE SAVEPOINT p", None),
            ("SAVEPOINT p", None),
        ] {
            let found = released(sql.as_bytes(), LexMode::default());
            assert_eq!(found, expected, "{sql}");
        }
    }
}
