//! Where the definition of a routine ends: its body holds statements with semicolons of their own
//! (MySQL manual, "Compound Statement Syntax").

use super::lexer::{Lexer, Token};
use super::marks::Marks;
use super::scan::{is, is_one_of};
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
