//! Reading the text of GTID sets.

use std::fmt;

use smallvec::SmallVec;

use super::domain::Counter;
use super::intervals::{Interval, Intervals};
use super::set::{Entry, Set, Source};
use super::tag::Tag;
use super::uuid::Uuid;

/// The longest text that is read. A million transactions apart are 8 MB; what is longer is
/// taken for a fault, and its meaning for unknown.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Where a text stops being a GTID set, and what should have stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    kind: ParseErrorKind,
    offset: usize,
}

/// What is wrong with a GTID set's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// Longer than [`MAX_TEXT_BYTES`].
    TooLong,
    /// No UUID, or one in another form than the server prints.
    ExpectedUuid,
    /// No colon, where a UUID or tag needs an interval to follow.
    ExpectedColon,
    /// No number.
    ExpectedNumber,
    /// Something between two UUIDs that is no comma.
    ExpectedComma,
    /// A number outside of `1..=2^63-2`.
    OutOfRange,
    /// An interval that ends before it begins.
    Reversed,
    /// A tag of more than 32 characters.
    TagTooLong,
    /// An owned identifier without the thread that owns it.
    ExpectedThread,
}

impl ParseError {
    pub(super) fn new(kind: ParseErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where, in bytes from the start of the text.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ParseErrorKind::TooLong => "the text is too long",
            ParseErrorKind::ExpectedUuid => "expected a UUID",
            ParseErrorKind::ExpectedColon => "expected a colon and an interval",
            ParseErrorKind::ExpectedNumber => "expected a number",
            ParseErrorKind::ExpectedComma => "expected a comma or the end",
            ParseErrorKind::OutOfRange => "the number is not within 1 and 2^63-2",
            ParseErrorKind::Reversed => "the interval ends before it begins",
            ParseErrorKind::TagTooLong => "the tag has more than 32 characters",
            ParseErrorKind::ExpectedThread => "expected # and a thread id",
        };
        write!(f, "not a GTID set: {what} at byte {}", self.offset)
    }
}

impl std::error::Error for ParseError {}

impl Set {
    /// Reads what MySQL prints in `@@global.gtid_executed` and in its session trackers, and what
    /// a person may write: any order, any case, space anywhere between the parts, empty parts
    /// between commas. And what MariaDB prints, `domain-server-number`, as all numbers up to that
    /// one.
    ///
    /// # Errors
    /// [`ParseError`], with what was expected and where. Unlike MySQL it refuses intervals that
    /// end before they begin and UUIDs without any, since no server prints them.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text)?;
        let mut entries = Vec::new();
        loop {
            while cursor.take(b',') {}
            if cursor.at_end() {
                return Ok(Self::from_entries(entries));
            }
            if cursor.is_counted() {
                entries.push(cursor.counted()?);
            } else {
                cursor.source(&mut entries, Cursor::interval)?;
            }
            if !cursor.at_end() && cursor.peek() != Some(b',') {
                return Err(cursor.wrong(ParseErrorKind::ExpectedComma));
            }
        }
    }

    /// Reads what MySQL prints in `@@global.gtid_owned`, the identifiers of transactions that are
    /// just being committed or applied: `uuid:24#123:25#124`, each with the thread that owns it.
    ///
    /// # Errors
    /// [`ParseError`], as for [`Set::parse`].
    pub fn parse_owned(text: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text)?;
        let mut entries = Vec::new();
        loop {
            while cursor.take(b',') {}
            if cursor.at_end() {
                return Ok(Self::from_entries(entries));
            }
            cursor.source(&mut entries, Cursor::owned)?;
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ParseError::new(ParseErrorKind::TooLong, MAX_TEXT_BYTES));
        }
        Ok(Self { text, at: 0 })
    }

    /// One UUID with its tags and numbers, each number read by `number`.
    fn source(
        &mut self,
        entries: &mut Vec<Entry>,
        number: fn(&mut Self) -> Result<Interval, ParseError>,
    ) -> Result<(), ParseError> {
        let uuid = self.uuid()?;
        let mut tag = Tag::default();
        let mut raw: SmallVec<[Interval; 1]> = SmallVec::new();
        if self.peek() != Some(b':') {
            return Err(self.wrong(ParseErrorKind::ExpectedColon));
        }
        while self.take(b':') {
            if !self.peek().is_some_and(Tag::begins_with) {
                raw.push(number(self)?);
                continue;
            }
            let next = self.tag()?;
            let source = Source {
                uuid,
                tag: std::mem::replace(&mut tag, next),
            };
            entries.push(Entry {
                source,
                intervals: Intervals::normalise(std::mem::take(&mut raw)),
            });
            if self.peek() != Some(b':') {
                return Err(self.wrong(ParseErrorKind::ExpectedColon));
            }
        }
        let source = Source { uuid, tag };
        entries.push(Entry {
            source,
            intervals: Intervals::normalise(raw),
        });
        Ok(())
    }

    /// Does a GTID of MariaDB come, rather than a UUID?
    fn is_counted(&mut self) -> bool {
        self.peek();
        let start = self.at;
        let word = self.run(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        self.at = start;
        let parts = word.split('-');
        word.len() < Uuid::TEXT_BYTES && parts.filter(|part| !part.is_empty()).count() == 3
    }

    /// `domain-server-number`.
    fn counted(&mut self) -> Result<Entry, ParseError> {
        let counter = Counter {
            domain: self.id()?,
            server: self.id()?,
        };
        Ok(Set::counted(counter, self.number()?))
    }

    /// A 32-bit number and the dash behind it.
    fn id(&mut self) -> Result<u32, ParseError> {
        let offset = self.at;
        let digits = self.run(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !self.take(b'-') {
            return Err(self.wrong(ParseErrorKind::ExpectedNumber));
        }
        let id = digits.parse();
        id.map_err(|_| ParseError::new(ParseErrorKind::OutOfRange, offset))
    }

    fn uuid(&mut self) -> Result<Uuid, ParseError> {
        self.peek();
        let end = self.at + Uuid::TEXT_BYTES;
        let text = self.text.get(self.at..end);
        let text = text.ok_or_else(|| self.wrong(ParseErrorKind::ExpectedUuid))?;
        let uuid = Uuid::parse(text)
            .map_err(|error| ParseError::new(error.kind(), self.at + error.offset()))?;
        self.at = end;
        Ok(uuid)
    }

    fn tag(&mut self) -> Result<Tag, ParseError> {
        let text = self.run(Tag::has);
        if text.len() > Tag::MAX_BYTES {
            let offset = self.at - text.len() + Tag::MAX_BYTES;
            return Err(ParseError::new(ParseErrorKind::TagTooLong, offset));
        }
        Ok(Tag::new(text))
    }

    /// `first` or `first-last`.
    fn interval(&mut self) -> Result<Interval, ParseError> {
        let first = self.number()?;
        if !self.take(b'-') {
            return Ok(Interval { first, last: first });
        }
        self.peek();
        let offset = self.at;
        let last = self.number()?;
        if last < first {
            return Err(ParseError::new(ParseErrorKind::Reversed, offset));
        }
        Ok(Interval { first, last })
    }

    /// `number#thread`. The server puts nothing between the thread and the UUID that follows, so
    /// of a run of digits that a dash ends, the last eight begin that UUID.
    fn owned(&mut self) -> Result<Interval, ParseError> {
        let number = self.number()?;
        let wrong = |cursor: &Self| Err(cursor.wrong(ParseErrorKind::ExpectedThread));
        if !self.take(b'#') {
            return wrong(self);
        }
        let start = self.at;
        let mut thread = self.run(|byte| byte.is_ascii_hexdigit());
        if self.text.as_bytes().get(self.at) == Some(&b'-') {
            let (own, _) = thread
                .split_at_checked(thread.len().wrapping_sub(8))
                .unwrap_or_default();
            thread = own;
        }
        self.at = start;
        if thread.is_empty() || !thread.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong(self);
        }
        self.at = start + thread.len();
        Ok(Interval {
            first: number,
            last: number,
        })
    }

    fn number(&mut self) -> Result<u64, ParseError> {
        self.peek();
        let offset = self.at;
        let digits = self.run(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.wrong(ParseErrorKind::ExpectedNumber));
        }
        match digits.parse() {
            Ok(number @ 1..=Interval::MAX_NUMBER) => Ok(number),
            _ => Err(ParseError::new(ParseErrorKind::OutOfRange, offset)),
        }
    }

    /// The bytes from here on that fit, which are ASCII.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .bytes()
            .position(|byte| !fits(byte))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// The next byte that is no space, which is skipped.
    fn peek(&mut self) -> Option<u8> {
        self.run(|byte| byte.is_ascii_whitespace());
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    fn wrong(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.at)
    }
}
