//! What two statements have in common that differ in nothing but the values in them.

use memchr::memchr;
use smallvec::SmallVec;

use super::lexer::{LexMode, is_word};
use super::own::Own;
use super::statement::{Class, Statement};

/// A longer statement has no shape: to compare it would cost as much as to read it.
const LIMIT: usize = 512;

/// A statement with the same value in place of each value. It has the same tokens, but for what the
/// numbers are and what the strings say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape(SmallVec<[u8; LIMIT / 2]>);

impl Shape {
    /// The shape of a statement; none where comments, names in quotes, variables or escapes would
    /// have to be understood, and none for a long one.
    pub fn of(sql: &[u8], mode: LexMode) -> Option<Self> {
        if sql.len() > LIMIT {
            return None;
        }
        let mut shape = SmallVec::new();
        // Of what is left here no mode makes anything else. Nobody has to rely on that.
        shape.push(u8::from(mode.ansi_quotes) << 1 | u8::from(mode.no_backslash_escapes));
        let mut rest = sql;
        loop {
            let plain = plain(rest);
            let (same, found) = rest.split_at_checked(plain)?;
            shape.extend_from_slice(same);
            rest = match found {
                [] => return Some(Self(shape)),
                [b'0'..=b'9', ..] => {
                    let digits = found.iter().take_while(|it| it.is_ascii_digit()).count();
                    let (number, behind) = found.split_at_checked(digits)?;
                    // 1e5, 0x1f, 1st.
                    match behind.first().is_some_and(|next| is_word(*next)) {
                        true => {
                            let end = behind.iter().take_while(|it| is_word(**it)).count();
                            let (more, behind) = behind.split_at_checked(end)?;
                            shape.extend_from_slice(number);
                            shape.extend_from_slice(more);
                            behind
                        }
                        false => {
                            shape.push(b'0');
                            behind
                        }
                    }
                }
                [b'\'', text @ ..] => {
                    let (text, behind) = text.split_at_checked(memchr(b'\'', text)?)?;
                    let (_, behind) = behind.split_first()?;
                    if memchr(b'\\', text).is_some() || behind.first() == Some(&b'\'') {
                        return None;
                    }
                    shape.extend_from_slice(b"''");
                    behind
                }
                [b'/', b'*', ..] | [b'-', b'-', ..] => return None,
                [sign @ (b'/' | b'-'), behind @ ..] => {
                    shape.push(*sign);
                    behind
                }
                _ => return None,
            };
        }
    }
}

/// What a byte is to a shape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It belongs to a word.
    Word,
    /// It belongs to a word or a number.
    Digit,
    /// Something has to be understood, or may have to be.
    Special,
    /// It stands between two tokens, or is one.
    Other,
}

/// By the byte: one look for each, where comparing would take most of the time.
const KINDS: [Kind; 256] = kinds();

#[expect(clippy::indexing_slicing, reason = "each byte has its place")]
const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0u8;
    loop {
        kinds[byte as usize] = match byte {
            b'0'..=b'9' => Kind::Digit,
            b'\'' | b'/' | b'-' | 0 | b'"' | b'`' | b'@' | b'#' | b'\\' => Kind::Special,
            _ if is_word(byte) => Kind::Word,
            _ => Kind::Other,
        };
        if byte == u8::MAX {
            return kinds;
        }
        byte += 1;
    }
}

/// How many bytes from the start are the same in the shape: up to a number, a string, or what may
/// have to be understood.
fn plain(text: &[u8]) -> usize {
    let mut before = Kind::Other;
    for (at, byte) in text.iter().enumerate() {
        let kind = KINDS.get(usize::from(*byte)).copied();
        match kind.unwrap_or(Kind::Special) {
            Kind::Digit if before == Kind::Word => {}
            Kind::Digit | Kind::Special => return at,
            other => before = other,
        }
    }
    text.len()
}

impl Statement {
    /// Would every statement of the same shape be the same? Of others a value may decide, or its
    /// place among the tokens be counted.
    pub fn has_its_shape_alone(&self) -> bool {
        let plain = self.own == Own::default() && self.lock_call.is_none() && self.ids.is_none();
        let plain = plain && !self.commits;
        let tables = self.makes.is_empty() && self.drops.is_empty() && self.sets.is_empty();
        plain && tables && matches!(self.class, Class::Read { .. } | Class::Write)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::classify;
    use crate::sql::lexer::{Lexer, Token};

    fn shape(sql: &str) -> Option<Shape> {
        Shape::of(sql.as_bytes(), LexMode::default())
    }

    #[test]
    fn values_make_no_difference_and_everything_else_does() {
        let all = [
            "SELECT a FROM t WHERE id = 7 AND b = 'x' LIMIT 10",
            "SELECT a FROM t WHERE id = 815 AND b = '' LIMIT 2",
        ];
        assert_eq!(shape(all[0]), shape(all[1]));
        let others = [
            "SELECT a FROM t WHERE id = 7 AND b = x LIMIT 10",
            "SELECT a FROM t WHERE id = 7.5 AND b = 'x' LIMIT 10",
            "SELECT a FROM t1 WHERE id = 7 AND b = 'x' LIMIT 10",
            "SELECT a FROM t2 WHERE id = 7 AND b = 'x' LIMIT 10",
            "SELECT a FROM t WHERE id = 7e1 AND b = 'x' LIMIT 10",
            "SELECT a FROM t WHERE id = 7e2 AND b = 'x' LIMIT 10",
            "SELECT a FROM t WHERE id = 7 AND b = 'x' LIMIT 10 FOR UPDATE",
        ];
        let mut shapes: Vec<_> = others.iter().map(|sql| shape(sql)).collect();
        assert!(shapes.iter().all(Option::is_some));
        shapes.push(shape(all[0]));
        for (at, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..at].contains(shape), "{at}");
        }
    }

    #[test]
    fn what_has_to_be_understood_has_no_shape() {
        for sql in [
            "SELECT 1 /* tidegate: level=writer */",
            "SELECT 1 # x",
            "SELECT 1 -- x",
            "SELECT @a",
            "SELECT `a`",
            "SELECT \"a\"",
            "SELECT 'a''b'",
            "SELECT 'a\\'b'",
            "SELECT 'open",
            "SELECT 1\0",
        ] {
            assert_eq!(shape(sql), None, "{sql}");
        }
        assert_eq!(shape(&"x".repeat(LIMIT + 1)), None);
    }

    #[test]
    fn a_statement_of_which_a_value_decides_goes_beyond_its_shape() {
        let alone = |sql: &str| classify(sql.as_bytes(), LexMode::default()).has_its_shape_alone();
        assert!(alone("SELECT a FROM t WHERE id = 7"));
        assert!(alone("UPDATE t SET a = 'x' WHERE id = 7"));
        for sql in [
            "KILL 7",
            "SELECT GET_LOCK('a', 1)",
            "SET a = 1",
            "CREATE TABLE t (a INT)",
        ] {
            assert!(!alone(sql), "{sql}");
        }
    }

    /// Without what numbers are and strings say.
    fn tokens(sql: &[u8], mode: LexMode) -> Vec<Token<'_>> {
        let bare = |token| match token {
            Token::Number(_) => Token::Literal,
            other => other,
        };
        Lexer::new(sql, mode).map(bare).collect()
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[0-9]{1,3}",
            "[a-z_$]{1,3}",
            "'[a-z0-9 ]{0,3}'",
            Just("SELECT ".to_owned()),
            Just(" FROM t".to_owned()),
            Just(" FOR UPDATE".to_owned()),
            Just(" INTO ".to_owned()),
            "[-/*' ,;().=:@#`\"\\\\!x\u{e4}]",
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn p7_a_shape_has_the_tokens_of_its_statement_and_is_the_same(
            sql in pieces(),
            ansi_quotes: bool,
            no_backslash_escapes: bool,
        ) {
            let mode = LexMode { ansi_quotes, no_backslash_escapes };
            if let Some(Shape(shape)) = Shape::of(sql.as_bytes(), mode) {
                prop_assert_eq!(tokens(&shape[1..], mode), tokens(sql.as_bytes(), mode));
                let (one, other) = (classify(&shape[1..], mode), classify(sql.as_bytes(), mode));
                if one.has_its_shape_alone() || other.has_its_shape_alone() {
                    prop_assert_eq!(one, other);
                }
            }
        }
    }
}
