//! Who asks what the connection generated last.

use super::facts::{is, is_one_of};
use super::lexer::{LexMode, Lexer, Token};

/// May SQL read what LAST_INSERT_ID() returns: by that function without an argument, by
/// `@@last_insert_id` or by `@@identity`? With an argument the function sets it. What a routine or
/// a trigger reads is not seen.
pub fn asks_for_insert_id(sql: &[u8], mode: LexMode) -> bool {
    let mut before = [Token::Mark(b';'); 2];
    let mut names_variable = false;
    for token in Lexer::new(sql, mode) {
        if let Token::Word(name) | Token::Quoted(name) = token {
            let scope = is_one_of(&["SESSION", "LOCAL", "GLOBAL"], name);
            if names_variable && is_one_of(&["LAST_INSERT_ID", "IDENTITY"], name) {
                return true;
            }
            names_variable &= scope;
        }
        let called = matches!(before, [Token::Mark(b'('), Token::Word(name)]
            if is(name, "LAST_INSERT_ID"));
        match token {
            Token::Mark(b')') if called => return true,
            // What follows can't be read.
            Token::Broken => return true,
            Token::SystemVariable => names_variable = true,
            _ => {}
        }
        before = [token, before[0]];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p3_who_reads_the_last_id_is_told_from_who_sets_it() {
        for (sql, asks) in [
            ("SELECT LAST_INSERT_ID()", true),
            ("INSERT INTO t VALUES (1, last_insert_id ( ))", true),
            ("SET @a = 1; DO LAST_INSERT_ID(/* none */)", true),
            ("SELECT @@identity", true),
            ("SELECT @@session.`last_insert_id`", true),
            ("SELECT 'open", true),
            (
                "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
                false,
            ),
            ("SELECT identity FROM t WHERE a = @@version", false),
            ("SELECT @@session.sql_mode, identity FROM t", false),
            ("SELECT 'LAST_INSERT_ID()' -- LAST_INSERT_ID()", false),
        ] {
            let seen = asks_for_insert_id(sql.as_bytes(), LexMode::default());
            assert_eq!(seen, asks, "{sql}");
        }
    }
}
