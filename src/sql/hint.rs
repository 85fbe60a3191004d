//! Hints for Tidegate in comments: `/* tidegate: explain */`.

use memchr::memmem;

use super::lexer::LexMode;
use super::own::Setting;

/// What a comment begins with that is for Tidegate, in any case; a colon follows.
const NAME: &[u8] = b"tidegate";

/// How people write it, for a quick look.
const WRITTEN: [&[u8]; 3] = [NAME, b"Tidegate", b"TIDEGATE"];

/// What a statement's comments ask of Tidegate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// Say where the statement would run, and why, instead of running it.
    pub explain: bool,
    /// What holds for this statement alone, with the values as they were written.
    pub settings: Vec<(Setting, Vec<u8>)>,
}

/// A hint that does not exist, or is not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HintError {
    /// No hint has this name.
    #[error("Tidegate knows no hint \"{0}\"; there is: explain, level, max_staleness, key")]
    Unknown(String),
    /// It takes a value.
    #[error("Tidegate's hint \"{0}\" takes a value: write {0}=…")]
    NoValue(&'static str),
}

impl Hint {
    /// Looks through the comments of a statement. One without the word `tidegate:` costs a search
    /// for it and no more.
    ///
    /// # Errors
    /// [`HintError`] for the first word that is no hint.
    pub fn of(sql: &[u8], mode: LexMode) -> Result<Self, HintError> {
        let mut hint = Self::default();
        if !names_tidegate(sql) {
            return Ok(hint);
        }
        let mut rest = sql;
        while let Some((comment, behind)) = next_comment(rest, mode) {
            rest = behind;
            let mut words = words(comment);
            while let Some(these) = words {
                words = hint.take(these)?;
            }
        }
        Ok(hint)
    }

    /// Takes the first of these words; what follows behind its comma.
    fn take<'a>(&mut self, words: &'a [u8]) -> Result<Option<&'a [u8]>, HintError> {
        let end = words.iter().position(|byte| b",=".contains(byte));
        let (name, rest) = words.split_at(end.unwrap_or(words.len()));
        let name = name.trim_ascii();
        let (value, rest) = match rest {
            [b'=', rest @ ..] => {
                let (value, rest) = value(rest.trim_ascii_start());
                (Some(value), rest)
            }
            rest => (None, rest),
        };
        match (Setting::of(name), value) {
            (Some(setting), Some(value)) if setting != Setting::Token => {
                self.settings.push((setting, value.to_vec()));
            }
            (Some(setting), None) if setting != Setting::Token => {
                return Err(HintError::NoValue(setting.name()));
            }
            (None, None) if name.eq_ignore_ascii_case(b"explain") => self.explain = true,
            _ => {
                let word = String::from_utf8_lossy(name).chars().take(40).collect();
                return Err(HintError::Unknown(word));
            }
        }
        match rest.trim_ascii_start() {
            [] => Ok(None),
            [b',', more @ ..] => Ok(Some(more)),
            odd => {
                let word = String::from_utf8_lossy(odd).chars().take(40).collect();
                Err(HintError::Unknown(word))
            }
        }
    }
}

/// A value in quotes, or up to the next comma; and what follows.
fn value(text: &[u8]) -> (&[u8], &[u8]) {
    if let [quote @ (b'\'' | b'"'), inside @ ..] = text
        && let Some(end) = memchr::memchr(*quote, inside)
    {
        let (value, rest) = inside.split_at(end);
        return (value, rest.get(1..).unwrap_or_default());
    }
    let end = memchr::memchr(b',', text).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (value.trim_ascii_end(), rest)
}

/// Does it look as if a hint stood in SQL that can't be read: a character set that hides quotes, or
/// more of it than is collected? Better an error than a statement that runs all the same.
pub fn seems_hinted(sql: &[u8]) -> bool {
    let is_hint = |at: usize| {
        let (before, from) = sql.split_at_checked(at).unwrap_or_default();
        let before = before.trim_ascii_end();
        let opens = before.ends_with(b"/*") || before.ends_with(b"--") || before.ends_with(b"#");
        let behind = from.get(NAME.len()..).unwrap_or_default();
        opens && behind.trim_ascii_start().starts_with(b":")
    };
    // Each spelling by itself: a search for one that is not there reads all of it, and once is
    // enough.
    let mut written = WRITTEN.iter();
    written.any(|it| memmem::find_iter(sql, it).any(is_hint))
}

/// A quick look: most statements have nothing that a comment begins with.
fn names_tidegate(sql: &[u8]) -> bool {
    memchr::memchr3(b'/', b'-', b'#', sql).is_some()
        && WRITTEN.iter().any(|it| memmem::find(sql, it).is_some())
}

/// What a comment asks of Tidegate, if it is for it.
fn words(comment: &[u8]) -> Option<&[u8]> {
    let (name, rest) = comment.trim_ascii().split_at_checked(NAME.len())?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    name.eq_ignore_ascii_case(NAME).then_some(rest)
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
            "/* TIDEGATE : EXPLAIN */ SELECT 1",
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
    fn what_looks_like_a_hint_is_seen_where_sql_is_not_read() {
        for sql in [
            "SET NAMES gbk; /* tidegate: explain */ DELETE FROM t",
            "#Tidegate:x",
        ] {
            assert!(seems_hinted(sql.as_bytes()), "{sql}");
        }
        for sql in [
            "SELECT 'tidegate: explain'",
            "SELECT 1",
            "/* of tidegate: */",
            "tidegate",
        ] {
            assert!(!seems_hinted(sql.as_bytes()), "{sql}");
        }
    }

    #[test]
    fn a_hint_that_does_not_exist_is_named_with_those_that_do() {
        let error = Hint::of(b"/* tidegate: explian */ SELECT 1", LexMode::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Tidegate knows no hint \"explian\"; there is: explain, level, max_staleness, key"
        );
        assert!(Hint::of(b"SELECT 1 /*tidegate:*/", LexMode::default()).is_err());
    }

    #[test]
    fn settings_come_with_their_values() {
        let of = |sql: &str| Hint::of(sql.as_bytes(), LexMode::default()).map(|it| it.settings);
        let sql = "SELECT 1 /* tidegate: level=bounded, max_staleness = 500ms */";
        let expected = [
            (Setting::Level, b"bounded".to_vec()),
            (Setting::MaxStaleness, b"500ms".to_vec()),
        ];
        assert_eq!(of(sql).unwrap(), expected);
        let sql = "/*tidegate:KEY='a, b' , level=\"strong\"*/ SELECT 1 -- tidegate: key=c d";
        let expected = [
            (Setting::Key, b"a, b".to_vec()),
            (Setting::Level, b"strong".to_vec()),
            (Setting::Key, b"c d".to_vec()),
        ];
        assert_eq!(of(sql).unwrap(), expected);
        for wrong in [
            "level",
            "level=strong,",
            "levle=strong",
            "explain=1",
            "token=x",
            "key='a' b",
        ] {
            assert!(
                of(&format!("/* tidegate: {wrong} */ SELECT 1")).is_err(),
                "{wrong}"
            );
        }
    }
}
