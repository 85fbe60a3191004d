//! The tag that MySQL 8.3 and later allow between a UUID and its intervals.

use std::fmt;

/// A GTID tag in lower case; empty for GTIDs that have none, which sort first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(Option<Box<str>>);

impl Tag {
    /// The longest tag that MySQL takes.
    pub(super) const MAX_BYTES: usize = 32;

    /// Whether a tag may begin with this byte, which is what tells it from an interval.
    pub(super) fn begins_with(byte: u8) -> bool {
        byte.is_ascii_alphabetic() || byte == b'_'
    }

    /// Whether this byte may stand in a tag.
    pub(super) fn has(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_'
    }

    /// The tag of this text, which the parser has checked.
    pub(super) fn new(text: &str) -> Self {
        // Almost all have none, and to compare those has to cost nothing.
        Self((!text.is_empty()).then(|| text.to_ascii_lowercase().into_boxed_str()))
    }
}

impl fmt::Display for Tag {
    /// With the colon that separates it from the UUID; nothing for the empty tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => Ok(()),
            Some(tag) => write!(f, ":{tag}"),
        }
    }
}
