//! KILL: whom.

use super::facts::is;
use super::lexer::{LexMode, Lexer, Token};
use super::scan::Scan;
use super::statement::{Class, Kill};

pub(super) fn kill(scan: &Scan<'_>) -> Class {
    let query_only = scan.is(1, "QUERY");
    let at = 1 + usize::from(query_only || scan.is(1, "CONNECTION"));
    let number = match scan.head.get(at) {
        Some(Token::Number(digits)) if scan.count == at + 1 => std::str::from_utf8(digits).ok(),
        _ => None,
    };
    Class::Kill(Kill {
        id: number.and_then(|digits| digits.parse().ok()),
        query_only,
    })
}

/// The user variable that holds the id, for `KILL @name`, if its name can stand in SQL as it is.
pub fn killed_variable(sql: &[u8], mode: LexMode) -> Option<String> {
    let mut lexer = Lexer::new(sql, mode);
    let mut next = || lexer.next();
    let Some(Token::Word(verb)) = next() else {
        return None;
    };
    let named = match next()? {
        Token::Word(what) if is(what, "QUERY") || is(what, "CONNECTION") => next()?,
        token => token,
    };
    let (Token::UserVariable(name), None | Some(Token::Mark(b';'))) = (named, next()) else {
        return None;
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let name = std::str::from_utf8(name).ok()?;
    let fits = is(verb, "KILL") && !name.is_empty() && name.as_bytes().iter().all(plain);
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_holds_the_id_is_known_where_it_stands_alone() {
        for (sql, expected) in [
            ("KILL @id", Some("id")),
            ("kill query @`an_id`;", Some("an_id")),
            ("KILL CONNECTION @a.b", Some("a.b")),
            ("KILL @`a b`", None),
            ("KILL @id + 1", None),
            ("KILL (@id)", None),
            ("KILL 5", None),
            ("SELECT @id", None),
        ] {
            let found = killed_variable(sql.as_bytes(), LexMode::default());
            assert_eq!(found.as_deref(), expected, "{sql}");
        }
    }
}
