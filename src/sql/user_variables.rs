//! The user variables that a statement names.

use super::lexer::{LexMode, Lexer, Token};
use super::own::is_own;

/// The names as they stand in SQL, without quotes; those of Tidegate's own variables, and what could
/// not be written in backticks as it is, are left out.
pub fn user_variables(sql: &[u8], mode: LexMode) -> Vec<&[u8]> {
    if memchr::memchr(b'@', sql).is_none() {
        return Vec::new();
    }
    let plain = |name: &&[u8]| !name.is_empty() && !name.iter().any(|it| b"`\\".contains(it));
    let mut names: Vec<&[u8]> = Lexer::new(sql, mode)
        .filter_map(|token| match token {
            Token::UserVariable(name) if !is_own(name) => Some(name),
            _ => None,
        })
        .filter(plain)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_told_from_what_only_looks_like_them() {
        let named = |sql: &'static str| user_variables(sql.as_bytes(), LexMode::default());
        assert_eq!(
            named("SELECT @b, @a, @`c d`, @b, '@e', @@f, @tidegate_key FROM t -- @g"),
            [&b"a"[..], b"b", b"c d"]
        );
        assert_eq!(named("SELECT 1"), [&b""[..]; 0]);
        assert_eq!(named("SELECT @`a``b`"), [&b""[..]; 0]);
    }
}
