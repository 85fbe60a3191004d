//! Tokens of MySQL's SQL, as far as routing needs them: never a copy, one pass, any bytes.

use memchr::{memchr, memchr2, memmem};

/// Session settings that change where a token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LexMode {
    /// `"` quotes an identifier (`sql_mode` ANSI_QUOTES).
    pub ansi_quotes: bool,
    /// A backslash in a string is a backslash (`sql_mode` NO_BACKSLASH_ESCAPES).
    pub no_backslash_escapes: bool,
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword or an identifier without quotes.
    Word(&'a [u8]),
    /// An identifier in quotes, without them.
    Quoted(&'a [u8]),
    /// A string or another literal.
    Literal,
    /// Digits alone.
    Number(&'a [u8]),
    /// `@name`: a user variable; its name without quotes, escapes not resolved.
    UserVariable(&'a [u8]),
    /// `@@…`: a system variable.
    SystemVariable,
    /// `:=`.
    Assign,
    /// Any other single character.
    Mark(u8),
    /// A quote or a comment that does not end, or bytes that nobody should guess about.
    Broken,
}

/// Splits a statement into tokens (MySQL manual, "Language Structure").
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    rest: &'a [u8],
    mode: LexMode,
    /// Inside `/*! … */`, whose content is code.
    in_versioned: bool,
    /// Their content is comment: they are meant for another version.
    skips_versioned: bool,
    /// So many of them were seen: whether the backend runs their content depends on its version.
    pub versioned: usize,
}

impl<'a> Lexer<'a> {
    /// At the start of `sql`.
    pub fn new(sql: &'a [u8], mode: LexMode) -> Self {
        Self {
            rest: sql,
            mode,
            in_versioned: false,
            skips_versioned: false,
            versioned: 0,
        }
    }

    /// The same statement for a server that takes no content of a versioned comment for code.
    #[must_use]
    pub fn skipping_versioned(mut self) -> Self {
        self.skips_versioned = true;
        self
    }

    /// Does a parenthesis follow at once? Where a space may not stand before it, MySQL takes the
    /// name for that of a stored function.
    pub(super) fn touches_parenthesis(&self) -> bool {
        self.at(0) == Some(b'(')
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn at(&self, index: usize) -> Option<u8> {
        self.rest.get(index).copied()
    }

    /// Skips to behind the next line feed.
    fn skip_line(&mut self) {
        self.skip(memchr(b'\n', self.rest).map_or(self.rest.len(), |end| end + 1));
    }

    /// Skips white space and comments; `Err` for a comment without an end.
    fn skip_blank(&mut self) -> Result<(), ()> {
        loop {
            match (self.at(0), self.at(1), self.at(2)) {
                (Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c), _, _) => self.skip(1),
                (Some(b'#'), _, _) => self.skip_line(),
                // Two dashes begin a comment only before white space: 5--1 is a subtraction.
                (Some(b'-'), Some(b'-'), None | Some(0..=b' ' | 0x7f)) => self.skip_line(),
                (Some(b'*'), Some(b'/'), _) if self.in_versioned => {
                    self.in_versioned = false;
                    self.skip(2);
                }
                (Some(b'/'), Some(b'*'), third) => {
                    if self.begin_versioned(third) {
                        continue;
                    }
                    let body = self.rest.get(2..).unwrap_or_default();
                    let nests = third == Some(b'!') || body.starts_with(b"M!");
                    let end = comment_end(body, nests).ok_or(())?;
                    self.skip(end + 4);
                }
                _ => return Ok(()),
            }
        }
    }

    /// `/*!` and MariaDB's `/*M!`, with or without a version: what follows is code.
    fn begin_versioned(&mut self, third: Option<u8>) -> bool {
        let opener = match (third, self.at(3)) {
            (Some(b'!'), _) => 3,
            (Some(b'M'), Some(b'!')) => 4,
            _ => return false,
        };
        self.versioned += 1;
        if self.skips_versioned {
            return false;
        }
        self.skip(opener);
        let digits = self
            .rest
            .iter()
            .take(6)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.skip(if digits >= 5 { digits } else { 0 });
        self.in_versioned = true;
        true
    }

    /// The content of a quote that has just been opened.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Option<&'a [u8]> {
        let text = self.rest;
        let mut end = 0;
        loop {
            let rest = text.get(end..)?;
            let found = match escapes {
                true => memchr2(quote, b'\\', rest)?,
                false => memchr(quote, rest)?,
            };
            end += found;
            let doubled = text.get(end + 1) == Some(&quote);
            if text.get(end) == Some(&quote) && !doubled {
                break;
            }
            end += 2;
        }
        self.skip(end + 1);
        text.get(..end)
    }

    fn word(&mut self) -> &'a [u8] {
        let end = self
            .rest
            .iter()
            .position(|byte| !is_word(*byte))
            .unwrap_or(self.rest.len());
        let word = self.rest.get(..end).unwrap_or_default();
        self.skip(end);
        word
    }

    fn string(&mut self, quote: u8) -> Token<'a> {
        self.skip(1);
        let escapes = !self.mode.no_backslash_escapes;
        self.quoted(quote, escapes)
            .map_or(Token::Broken, |_| Token::Literal)
    }

    fn identifier(&mut self, quote: u8) -> Token<'a> {
        self.skip(1);
        self.quoted(quote, false)
            .map_or(Token::Broken, Token::Quoted)
    }

    /// `@`, `@name`, `@'name'`, `@@name`.
    fn variable(&mut self) -> Token<'a> {
        self.skip(1);
        match self.at(0) {
            Some(b'@') => {
                self.skip(1);
                Token::SystemVariable
            }
            Some(quote @ (b'\'' | b'"' | b'`')) => {
                self.skip(1);
                let identifier = quote == b'`' || quote == b'"' && self.mode.ansi_quotes;
                let escapes = !identifier && !self.mode.no_backslash_escapes;
                self.quoted(quote, escapes)
                    .map_or(Token::Broken, Token::UserVariable)
            }
            _ => {
                let name = self.rest;
                let mut length = 0;
                while self.at(0).is_some_and(|byte| is_word(byte) || byte == b'.') {
                    self.skip(1);
                    length += 1;
                }
                Token::UserVariable(name.get(..length).unwrap_or_default())
            }
        }
    }
}

/// Where a comment ends, counted from behind its opening; a versioned one may hold another.
fn comment_end(body: &[u8], nests: bool) -> Option<usize> {
    if !nests {
        return memmem::find(body, b"*/");
    }
    let mut from = 0;
    loop {
        let rest = body.get(from..)?;
        let end = memmem::find(rest, b"*/")?;
        match rest.get(..end).and_then(|head| memmem::find(head, b"/*")) {
            None => return Some(from + end),
            Some(inner) => {
                let behind = from + inner + 2;
                from = behind + memmem::find(body.get(behind..)?, b"*/")? + 2;
            }
        }
    }
}

/// Letters, digits, `_`, `$`, and every byte of a multi-byte character.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.skip_blank().is_err() {
            self.rest = &[];
            return Some(Token::Broken);
        }
        let token = match (self.at(0)?, self.at(1)) {
            (b'\'', _) => self.string(b'\''),
            (b'"', _) if self.mode.ansi_quotes => self.identifier(b'"'),
            (b'"', _) => self.string(b'"'),
            (b'`', _) => self.identifier(b'`'),
            (b'@', _) => self.variable(),
            (b':', Some(b'=')) => {
                self.skip(2);
                Token::Assign
            }
            // x'00', b'1', n'text': the quote belongs to the letter.
            (b'x' | b'X' | b'b' | b'B' | b'n' | b'N', Some(b'\'')) => {
                self.skip(1);
                self.string(b'\'')
            }
            (b'0'..=b'9', _) => match self.word() {
                // 1e, 1x: an identifier may begin with a digit.
                word if word.iter().all(u8::is_ascii_digit) => Token::Number(word),
                word => Token::Word(word),
            },
            (0, _) => Token::Broken,
            (byte, _) if is_word(byte) => Token::Word(self.word()),
            (byte, _) => {
                self.skip(1);
                Token::Mark(byte)
            }
        };
        if token == Token::Broken {
            self.rest = &[];
        }
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<Token<'_>> {
        Lexer::new(sql.as_bytes(), LexMode::default()).collect()
    }

    #[test]
    fn tokens_end_where_mysql_ends_them() {
        use Token::{
            Assign, Broken, Literal, Mark, Number, Quoted, SystemVariable, UserVariable, Word,
        };
        let table: &[(&str, &[Token<'_>])] = &[
            ("", &[]),
            ("SELECT 1", &[Word(b"SELECT"), Number(b"1")]),
            ("SELECT'a''b'", &[Word(b"SELECT"), Literal]),
            (r"'a\'b' x", &[Literal, Word(b"x")]),
            ("'open", &[Broken]),
            ("`a``b`.c", &[Quoted(b"a``b"), Mark(b'.'), Word(b"c")]),
            ("\"text\"", &[Literal]),
            ("/* a /* b */ c", &[Word(b"c")]),
            ("/* open", &[Broken]),
            ("/*!50000 INSERT */ x", &[Word(b"INSERT"), Word(b"x")]),
            ("/*M! y */", &[Word(b"y")]),
            ("/*+ SET_VAR(a=1) */ x", &[Word(b"x")]),
            ("-- all\nx", &[Word(b"x")]),
            (
                "5--1",
                &[Number(b"5"), Mark(b'-'), Mark(b'-'), Number(b"1")],
            ),
            ("# all\nx", &[Word(b"x")]),
            (
                "@a @`b c` @@d",
                &[
                    UserVariable(b"a"),
                    UserVariable(b"b c"),
                    SystemVariable,
                    Word(b"d"),
                ],
            ),
            ("@a:=1", &[UserVariable(b"a"), Assign, Number(b"1")]),
            ("x'00' b'1' n't'", &[Literal, Literal, Literal]),
            ("1a", &[Word(b"1a")]),
            ("a\0b", &[Word(b"a"), Broken]),
        ];
        for (sql, expected) in table {
            assert_eq!(tokens(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn modes_change_what_a_quote_and_a_backslash_are() {
        let ansi = LexMode {
            ansi_quotes: true,
            ..LexMode::default()
        };
        assert_eq!(
            Lexer::new(b"\"id\"", ansi).next(),
            Some(Token::Quoted(b"id"))
        );
        let plain = LexMode {
            no_backslash_escapes: true,
            ..LexMode::default()
        };
        let all: Vec<_> = Lexer::new(br"'a\' x", plain).collect();
        assert_eq!(all, [Token::Literal, Token::Word(b"x")]);
    }

    #[test]
    fn a_versioned_comment_is_noticed() {
        let mut lexer = Lexer::new(b"SELECT /*!99999 1, */ 2", LexMode::default());
        assert_eq!(lexer.by_ref().count(), 4);
        assert_eq!(lexer.versioned, 1);
        let skipping = Lexer::new(b"SELECT /*!99999 1, */ 2", LexMode::default());
        assert_eq!(skipping.skipping_versioned().count(), 2);
    }
}
