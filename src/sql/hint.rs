//! Hints for Tidegate in comments: `/* tidegate: explain */`.

use memchr::memmem;

use super::lexer::LexMode;

/// What a comment begins with that is for Tidegate.
const PREFIX: &[u8] = b"tidegate:";

/// What a statement's comments ask of Tidegate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// Say where the statement would run, and why, instead of running it.
    pub explain: bool,
}

/// A hint that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Tidegate knows no hint \"{word}\"; there is: explain")]
pub struct UnknownHint {
    /// What was written.
    pub word: String,
}

impl Hint {
    /// Looks through the comments of a statement. One without the word `tidegate:` costs a search
    /// for it and no more.
    ///
    /// # Errors
    /// [`UnknownHint`] for the first word that is none.
    pub fn of(sql: &[u8], mode: LexMode) -> Result<Self, UnknownHint> {
        let mut hint = Self::default();
        if memmem::find(sql, PREFIX).is_none() {
            return Ok(hint);
        }
        let mut rest = sql;
        while let Some((comment, behind)) = next_comment(rest, mode) {
            rest = behind;
            if let Some(words) = comment.trim_ascii().strip_prefix(PREFIX) {
                for word in words.split(|byte| *byte == b',') {
                    hint.take(word.trim_ascii())?;
                }
            }
        }
        Ok(hint)
    }

    fn take(&mut self, word: &[u8]) -> Result<(), UnknownHint> {
        match word {
            b"explain" => self.explain = true,
            _ => {
                let word = String::from_utf8_lossy(word).chars().take(40).collect();
                return Err(UnknownHint { word });
            }
        }
        Ok(())
    }
}

/// The content of the next comment, and what stands behind it (MySQL manual, "Comments").
fn next_comment(sql: &[u8], mode: LexMode) -> Option<(&[u8], &[u8])> {
    let mut rest = sql;
    loop {
        rest = match rest {
            [] => return None,
            [b'/', b'*', inside @ ..] => {
                let end = memmem::find(inside, b"*/").unwrap_or(inside.len());
                let behind = inside.get(end + 2..).unwrap_or_default();
                return Some((inside.get(..end)?, behind));
            }
            [b'#', line @ ..] => return Some(split_line(line)),
            [b'-', b'-', line @ ..] if line.first().is_none_or(|byte| *byte <= b' ') => {
                return Some(split_line(line));
            }
            [quote @ (b'\'' | b'"' | b'`'), text @ ..] => {
                let escapes = *quote != b'`'
                    && !mode.no_backslash_escapes
                    && !(*quote == b'"' && mode.ansi_quotes);
                behind_quote(*quote, text, escapes)
            }
            [_, rest @ ..] => rest,
        };
    }
}

fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    text.split_at(end)
}

/// What stands behind the quote that ends a text. A doubled one begins another text at once, which
/// comes to the same.
fn behind_quote(quote: u8, text: &[u8], escapes: bool) -> &[u8] {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return rest,
            [b'\\', _, behind @ ..] if escapes => behind,
            [byte, behind @ ..] if *byte == quote => return behind,
            [_, behind @ ..] => behind,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_found_in_comments_of_every_form_and_in_no_text() {
        let explains = |sql: &str| {
            Hint::of(sql.as_bytes(), LexMode::default())
                .unwrap()
                .explain
        };
        for sql in [
            "/* tidegate: explain */ SELECT 1",
            "SELECT 1 /*tidegate:explain*/",
            "SELECT 'it''s \\' ' -- tidegate: explain",
            "# tidegate: explain\nSELECT 1",
            "SELECT /* other */ 1 /* tidegate: explain, explain */ FROM t",
        ] {
            assert!(explains(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT '/* tidegate: explain */'",
            "SELECT `/* tidegate: explain */`, \"-- tidegate: explain\"",
            "SELECT 1 --tidegate: explain",
            "SELECT tidegate: explain",
            "SELECT 1 /* not tidegate: explain */",
            "SELECT 'open /* tidegate: explain */",
        ] {
            assert!(!explains(sql), "{sql}");
        }
        let no_escapes = LexMode {
            no_backslash_escapes: true,
            ..LexMode::default()
        };
        let sql = b"SELECT '\\' /* tidegate: explain */";
        assert!(Hint::of(sql, no_escapes).unwrap().explain);
    }

    #[test]
    fn a_hint_that_does_not_exist_is_named_with_those_that_do() {
        let error = Hint::of(b"/* tidegate: explian */ SELECT 1", LexMode::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Tidegate knows no hint \"explian\"; there is: explain"
        );
        assert!(Hint::of(b"SELECT 1 /*tidegate:*/", LexMode::default()).is_err());
    }
}
