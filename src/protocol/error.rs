use std::fmt;

/// Bytes that are not what the protocol allows at this place.
///
/// It holds no bytes of the packet, so it may be logged. A connection that gave one has lost its
/// place: close it, never read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {kind} at byte {offset}")]
pub struct ProtocolError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The field or packet that was expected.
    pub what: &'static str,
    /// Where in the payload, in bytes from its start (the header not counted).
    pub offset: usize,
}

impl ProtocolError {
    pub(crate) const fn new(kind: ErrorKind, what: &'static str, offset: usize) -> Self {
        Self { kind, what, offset }
    }

    /// A packet that has no place here, judged by its first byte.
    pub(crate) const fn unexpected(what: &'static str) -> Self {
        Self::new(ErrorKind::Unexpected, what, 0)
    }
}

/// The ways in which bytes can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The payload ends inside the field.
    Truncated,
    /// A length-encoded integer begins with 0xfb or 0xff, which are none.
    BadLength,
    /// A string that ends with a zero byte has none.
    Unterminated,
    /// Bytes are left after the last field.
    Trailing,
    /// The packet or value has no place here.
    Unexpected,
    /// An old or foreign form that this crate does not speak.
    Unsupported,
    /// Text that is not UTF-8 where the protocol only has ASCII.
    NotText,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the packet ends early",
            Self::BadLength => "not a length",
            Self::Unterminated => "the string does not end",
            Self::Trailing => "bytes are left over",
            Self::Unexpected => "not expected here",
            Self::Unsupported => "this form is not supported",
            Self::NotText => "not valid text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_field_the_fault_and_the_place() {
        let error = ProtocolError::new(ErrorKind::Truncated, "status flags", 3);
        assert_eq!(
            error.to_string(),
            "status flags: the packet ends early at byte 3"
        );
    }
}
