//! Names and values that travel beside a login or a statement.

use super::query::skip_binary_value;
use crate::protocol::{ProtocolError, Reader};

/// A query attribute (MySQL manual, "Query Attributes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: AttributeValue<'a>,
}

/// The value of a query attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// NULL.
    Null,
    /// A string, in the connection's character set.
    Text(&'a [u8]),
    /// A number, a date or a time.
    Other,
}

impl<'a> AttributeValue<'a> {
    /// Reads a value in binary form.
    ///
    /// # Errors
    /// [`ProtocolError`] where it ends too early, and for a type that is not known.
    pub(super) fn read(reader: &mut Reader<'a>, kind: u8) -> Result<Self, ProtocolError> {
        match kind {
            // VARCHAR, and blobs and strings.
            0x0f | 0xf9..=0xfe => reader.lenenc_bytes("attribute value").map(Self::Text),
            0x06 => Ok(Self::Null),
            _ => skip_binary_value(reader, kind).map(|()| Self::Other),
        }
    }
}

/// The names and values of a login's connection attributes, up to what is no longer one
/// (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>).
pub fn connection_attributes(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let name = reader.lenenc_bytes("attribute name").ok()?;
        let value = reader.lenenc_bytes("attribute value").ok()?;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_attributes_end_where_they_are_cut() {
        let bytes = b"\x01a\x02bc\x03key\x01v\x09cut";
        let read: Vec<_> = connection_attributes(bytes).collect();
        assert_eq!(read, [(&b"a"[..], &b"bc"[..]), (b"key", b"v")]);
        assert_eq!(connection_attributes(b"").count(), 0);
    }
}
