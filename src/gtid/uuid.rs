//! The identity of a server, as `@@server_uuid` has it.

use std::fmt;
use std::str::FromStr;

use super::parse::{ParseError, ParseErrorKind};

/// A `server_uuid`, or a group replication's `group_replication_group_name`; or what stands for
/// one of MariaDB, which has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// Bytes of the text form, dashes included.
    pub const TEXT_BYTES: usize = 36;

    /// The UUID with these bytes, in the order in which its text shows them.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the form that the server prints, `8-4-4-4-12` hexadecimal digits in either case.
    ///
    /// # Errors
    /// Anything else, shorter or longer text included; the offset is that of the first byte that
    /// does not fit.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let wrong = |offset| ParseError::new(ParseErrorKind::ExpectedUuid, offset);
        if text.len() > Self::TEXT_BYTES {
            return Err(wrong(Self::TEXT_BYTES));
        }
        let mut bytes = [0; 16];
        let mut text = text.bytes().enumerate();
        let mut next = || text.next().unwrap_or((Self::TEXT_BYTES, b' '));
        for (index, byte) in bytes.iter_mut().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                let (offset, dash) = next();
                if dash != b'-' {
                    return Err(wrong(offset));
                }
            }
            for _ in 0..2 {
                let (offset, digit) = next();
                *byte = *byte << 4 | hex(digit).ok_or_else(|| wrong(offset))?;
            }
        }
        Ok(Self(bytes))
    }

    /// One made of two numbers and a mark.
    pub(super) fn joined(first: u32, second: u32, mark: [u8; 8]) -> Self {
        let mut bytes = [0; 16];
        let parts = [&first.to_be_bytes()[..], &second.to_be_bytes(), &mark];
        for (to, from) in bytes.iter_mut().zip(parts.concat()) {
            *to = from;
        }
        Self(bytes)
    }

    /// The two numbers, if it bears the mark.
    pub(super) fn split(&self, mark: [u8; 8]) -> Option<(u32, u32)> {
        let (first, rest) = self.0.split_first_chunk()?;
        let (second, rest) = rest.split_first_chunk()?;
        (rest == mark).then(|| (u32::from_be_bytes(*first), u32::from_be_bytes(*second)))
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl FromStr for Uuid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_read_in_either_case_and_shown_in_lower() {
        let uuid = Uuid::parse("3E11FA47-71CA-11E1-9E33-C80AA9429562").unwrap();
        assert_eq!(uuid.to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562");
        assert_eq!(
            uuid,
            "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap()
        );
    }

    #[test]
    fn what_is_not_a_uuid_is_refused_where_it_stops_being_one() {
        for (text, offset) in [
            ("", 36),
            ("3e11fa47", 36),
            ("3e11fa47-71ca-11e1-9e33-c80aa942956", 36),
            ("3e11fa47-71ca-11e1-9e33-c80aa94295620", 36),
            ("3e11fa4771ca-11e1-9e33-c80aa9429562", 8),
            ("3e11fa47-71ca-11e1-9e33-c80aa942956g", 35),
            ("x", 0),
        ] {
            let error = Uuid::parse(text).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (ParseErrorKind::ExpectedUuid, offset)
            );
        }
    }
}
