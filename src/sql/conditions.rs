//! Numbers that a SELECT compares with.

use std::ops::Range;

use super::facts::is_one_of;
use super::lexer::{LexMode, Lexer, Token};

/// Words behind which a number is compared rather than shown.
const BEFORE_CONDITIONS: &[&str] = &["HAVING", "ON", "WHERE"];

/// Where digits stand alone in the conditions of a statement. Those before its first condition name
/// columns of the result.
pub fn compared_numbers(sql: &[u8], mode: LexMode) -> Vec<Range<usize>> {
    let begin = sql.as_ptr().addr();
    let mut within = false;
    let mut found = Vec::new();
    for token in Lexer::new(sql, mode) {
        match token {
            Token::Word(word) => within |= is_one_of(BEFORE_CONDITIONS, word),
            Token::Number(digits) if within => {
                let start = digits.as_ptr().addr().saturating_sub(begin);
                found.push(start..start + digits.len());
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_conditions_are_found_where_they_stand() {
        let numbers = |sql: &'static str| -> Vec<&str> {
            let found = compared_numbers(sql.as_bytes(), LexMode::default());
            found.into_iter().map(|range| &sql[range]).collect()
        };
        for (sql, expected) in [
            ("SELECT 1 FROM t WHERE id = 17", &["17"][..]),
            ("SELECT 1 FROM t WHERE id IN (17, '18',19)", &["17", "19"]),
            ("SELECT 1 FROM t /* WHERE 5 */ JOIN u ON u.a=17", &["17"]),
            ("SELECT 'WHERE', 17 FROM t", &[]),
            ("SELECT `where`, 17 FROM t HAVING a > 2", &["2"]),
        ] {
            assert_eq!(numbers(sql), expected, "{sql}");
        }
    }
}
