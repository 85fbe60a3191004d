//! The user variables that a statement names.

use super::facts::is;
use super::lexer::{LexMode, Lexer, Token};
use super::own::is_own;

/// A user variable that a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserVariable<'a> {
    /// As it stands in SQL, without quotes.
    pub name: &'a [u8],
    /// It may be read: it is not only what a SET gives a value to.
    pub may_be_read: bool,
}

/// Those that a statement names; Tidegate's own, and names that could not be written in backticks
/// as they are, are left out.
pub fn user_variables(sql: &[u8], mode: LexMode) -> Vec<UserVariable<'_>> {
    if memchr::memchr(b'@', sql).is_none() {
        return Vec::new();
    }
    let plain = |name: &[u8]| !name.is_empty() && !name.iter().any(|it| b"`\\".contains(it));
    let mut found: Vec<UserVariable<'_>> = Vec::new();
    let mut tokens = Lexer::new(sql, mode).peekable();
    let sets = matches!(tokens.peek(), Some(Token::Word(verb)) if is(verb, "SET"));
    let (mut depth, mut begins) = (0u32, false);
    while let Some(token) = tokens.next() {
        if let Token::UserVariable(name) = token
            && plain(name)
            && !is_own(name)
        {
            let is_set = matches!(tokens.peek(), Some(Token::Assign | Token::Mark(b'=')));
            let may_be_read = !(sets && depth == 0 && begins && is_set);
            match found.iter_mut().find(|it| it.name == name) {
                Some(known) => known.may_be_read |= may_be_read,
                None => found.push(UserVariable { name, may_be_read }),
            }
        }
        begins = match token {
            Token::Mark(b',') => true,
            Token::Word(verb) => is(verb, "SET"),
            _ => false,
        };
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(sql: &'static str) -> Vec<(&'static str, bool)> {
        let all = user_variables(sql.as_bytes(), LexMode::default());
        let text =
            |it: UserVariable<'static>| (std::str::from_utf8(it.name).unwrap(), it.may_be_read);
        all.into_iter().map(text).collect()
    }

    #[test]
    fn variables_are_told_from_what_only_looks_like_them() {
        assert_eq!(
            named("SELECT @b, @a, @`c d`, @b, '@e', @@f, @tidegate_key FROM t -- @g"),
            [("b", true), ("a", true), ("c d", true)]
        );
        assert_eq!(named("SELECT 1"), []);
        assert_eq!(named("SELECT @`a``b`"), []);
    }

    #[test]
    fn what_is_only_set_is_not_read() {
        assert_eq!(
            named("SET @a = 1, @b := @c, sql_mode = @d"),
            [("a", false), ("b", false), ("c", true), ("d", true)]
        );
        assert_eq!(
            named("SET @a = IF(1, @b = 2, 3), @a = @a + 1"),
            [("a", true), ("b", true)]
        );
        assert_eq!(named("SELECT @a := 1"), [("a", true)]);
        assert_eq!(named("UPDATE t SET a = 1, @a = 2"), [("a", true)]);
    }
}
