//! Where the definition of a routine ends: its body holds statements with semicolons of their own
//! (MySQL manual, "Compound Statement Syntax").

use super::facts::{is, is_one_of};
use super::functions::{Call, call};
use super::lexer::{LexMode, Lexer, Token};
use super::marks::Marks;
use super::statement::{Class, Statement};

/// Words behind which a statement of the body begins.
const BEFORE_A_STATEMENT: &[&str] = &["BEGIN", "DO", "ELSE", "LOOP", "REPEAT", "THEN"];

/// Blocks that END closes, if a statement begins with them.
const BLOCKS: &[&str] = &["BEGIN", "CASE", "IF", "LOOP", "REPEAT", "WHILE"];

/// Takes the definition of a routine, trigger or event off the lexer; `None`, and nothing is
/// taken, if it is something else.
pub(super) fn classify(lexer: &mut Lexer<'_>) -> Option<Statement> {
    if !defines_routine(lexer.clone()) {
        return None;
    }
    let mut depth = 0_i32;
    let mut sure = true;
    let mut begins = false;
    let mut ended_block = false;
    for token in lexer {
        let starts = std::mem::replace(&mut begins, false);
        let behind_end = std::mem::replace(&mut ended_block, false);
        match token {
            Token::Mark(b';') if depth == 0 => break,
            // Also a label's colon.
            Token::Mark(b';' | b':') => begins = true,
            Token::Broken => sure = false,
            // END IF, END LOOP.
            Token::Word(word) if behind_end && is_one_of(BLOCKS, word) => {}
            Token::Word(word) if is(word, "END") => {
                depth -= 1;
                sure &= depth >= 0;
                ended_block = true;
            }
            Token::Word(word) => {
                // The body itself begins anywhere with BEGIN, and CASE is an expression too.
                let opens =
                    starts && is_one_of(BLOCKS, word) || is_one_of(&["BEGIN", "CASE"], word);
                depth += i32::from(opens);
                begins = is_one_of(BEFORE_A_STATEMENT, word);
            }
            _ => {}
        }
    }
    Some(match sure && depth == 0 {
        true => Statement::new(Class::Write),
        // Where it ends is a guess, so what comes behind it is unknown.
        false => Statement::unknown().leaving(Marks::UNKNOWN),
    })
}

/// CREATE [OR REPLACE] [DEFINER = …] [AGGREGATE] PROCEDURE, FUNCTION, TRIGGER or EVENT; ALTER
/// EVENT may bring a new body.
fn defines_routine(lexer: Lexer<'_>) -> bool {
    for token in lexer.take(16) {
        let Token::Word(word) = token else {
            continue;
        };
        if is_one_of(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"], word) {
            return true;
        }
        if is_one_of(
            &[
                "TABLE", "VIEW", "DATABASE", "SCHEMA", "INDEX", "USER", "ROLE", "SERVER",
            ],
            word,
        ) {
            return false;
        }
    }
    false
}

/// Words that no body has which only reads and leaves nothing behind. SET may change a session's
/// variable, and a function of a name that is not known may do anything.
const NOT_READING: &[&str] = &[
    "CALL",
    "COMMIT",
    "CREATE",
    "DELETE",
    "DO",
    "DROP",
    "EXECUTE",
    "FLUSH",
    "HANDLER",
    "INSERT",
    "LOCK",
    "PREPARE",
    "ROLLBACK",
    "SET",
    "SHARE",
    "TEMPORARY",
    "TRUNCATE",
    "UPDATE",
];

/// Does the body of a stored function, which is declared to read only, bear that out, and leave
/// nothing on the connection that runs it? What is not understood does not.
pub fn only_reads(body: &[u8]) -> bool {
    let mut lexer = Lexer::new(body, LexMode::default());
    let mut before = Token::Mark(b';');
    for token in lexer.by_ref() {
        // REPLACE is a function as well; the parenthesis tells.
        let replaces = matches!(before, Token::Word(word) if is(word, "REPLACE"));
        let fine = match token {
            Token::Broken | Token::UserVariable(_) | Token::SystemVariable | Token::Assign => false,
            Token::Mark(b'(') => match before {
                Token::Word(name) => call(name) == Call::Pure,
                Token::Quoted(_) => false,
                _ => true,
            },
            Token::Word(word) => !replaces && !is_one_of(NOT_READING, word),
            _ => !replaces,
        };
        if !fine {
            return false;
        }
        before = token;
    }
    lexer.versioned == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_a_function_only_reads_if_its_body_shows_it() {
        for body in [
            "RETURN 1",
            "RETURN CONCAT(a, REPLACE(b, 'x', 'y'))",
            "BEGIN DECLARE n INT; SELECT COUNT(*) INTO n FROM t WHERE a = p; RETURN n; END",
            "BEGIN IF (a > 1) THEN RETURN (SELECT MAX(b) FROM t); END IF; RETURN 0; END",
        ] {
            assert!(only_reads(body.as_bytes()), "{body}");
        }
        for body in [
            "BEGIN UPDATE t SET a = 1; RETURN 1; END",
            "BEGIN SET @x = 1; RETURN 1; END",
            "BEGIN SELECT 1 INTO @x; RETURN 1; END",
            "RETURN GET_LOCK('a', 1)",
            "RETURN other(1)",
            "RETURN db.other(1)",
            "RETURN `other`(1)",
            "RETURN LAST_INSERT_ID(5)",
            "RETURN @@server_id",
            "BEGIN CALL p(); RETURN 1; END",
            "BEGIN CREATE TEMPORARY TABLE t (a INT); RETURN 1; END",
            "BEGIN REPLACE INTO t VALUES (1); RETURN 1; END",
            "BEGIN REPLACE `t` VALUES (1); RETURN 1; END",
            "BEGIN SET sql_mode = ''; RETURN 1; END",
            "RETURN 1 /*! + other(1) */",
            "RETURN 'open",
        ] {
            assert!(!only_reads(body.as_bytes()), "{body}");
        }
    }
}
