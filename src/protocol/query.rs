//! The text in a COM_QUERY, behind its query attributes.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | 0x03 |
//! | lenenc | number of attributes; this and the next five only with `CLIENT_QUERY_ATTRIBUTES` |
//! | lenenc | number of sets: 1 |
//! | (n + 7) / 8 | which are NULL; this and the next three only if there are any |
//! | 1 | 1: types follow |
//! | n × (2, lenenc string) | type and name of each |
//! | | values of those that are not NULL, as in a binary row |
//! | rest | the text |
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>

use bytes::BufMut;

use super::attributes::{Attribute, AttributeValue};
use crate::protocol::{Capabilities, Command, ErrorKind, ProtocolError, Reader};

/// The statement's text. `caps` are those of the client that sent it.
pub fn query_text(payload: &[u8], caps: Capabilities) -> Result<&[u8], ProtocolError> {
    let mut reader = Reader::new(payload);
    if reader.u8("command")? != Command::Query as u8 {
        return Err(ProtocolError::unexpected("COM_QUERY"));
    }
    if caps.contains(Capabilities::QUERY_ATTRIBUTES) {
        attributes(&mut reader)?;
    }
    Ok(reader.rest())
}

/// Appends a COM_QUERY without attributes for a connection with `caps`.
pub fn put_query(out: &mut impl BufMut, caps: Capabilities, text: &[u8]) {
    out.put_u8(Command::Query as u8);
    if caps.contains(Capabilities::QUERY_ATTRIBUTES) {
        out.put_slice(&[0, 1]);
    }
    out.put_slice(text);
}

/// The attributes that came with a COM_QUERY. `caps` are those of the client that sent it.
///
/// # Errors
/// [`ProtocolError`] as for [`query_text`].
pub fn query_attributes(
    payload: &[u8],
    caps: Capabilities,
) -> Result<Vec<Attribute<'_>>, ProtocolError> {
    let mut reader = Reader::new(payload);
    if reader.u8("command")? != Command::Query as u8 {
        return Err(ProtocolError::unexpected("COM_QUERY"));
    }
    match caps.contains(Capabilities::QUERY_ATTRIBUTES) {
        true => attributes(&mut reader),
        false => Ok(Vec::new()),
    }
}

fn attributes<'a>(reader: &mut Reader<'a>) -> Result<Vec<Attribute<'a>>, ProtocolError> {
    let count = reader.lenenc_int("number of attributes")?;
    if reader.lenenc_int("number of attribute sets")? != 1 {
        return Err(reader.error(ErrorKind::Unsupported, "number of attribute sets"));
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    // Each attribute takes three bytes at least, so a count beyond the payload is a lie.
    let count = usize::try_from(count)
        .ok()
        .filter(|&count| count <= reader.remaining())
        .ok_or_else(|| reader.error(ErrorKind::Truncated, "number of attributes"))?;
    let nulls = reader.bytes(count.div_ceil(8), "NULL attributes")?;
    if reader.u8("attribute types flag")? != 1 {
        return Err(reader.error(ErrorKind::Unsupported, "attribute types flag"));
    }
    let mut named = Vec::with_capacity(count);
    for _ in 0..count {
        let [kind, _unsigned] = reader.array("attribute type")?;
        named.push((kind, reader.lenenc_bytes("attribute name")?));
    }
    let bits = nulls
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    let values = named.into_iter().zip(bits);
    let read = values.map(|((kind, name), is_null)| {
        let value = match is_null {
            true => AttributeValue::Null,
            false => AttributeValue::read(reader, kind)?,
        };
        Ok(Attribute { name, value })
    });
    read.collect()
}

/// Passes over a value in binary form.
///
/// # Errors
/// [`ProtocolError`] where it ends too early, and for a type that is not known.
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>
pub fn skip_binary_value(reader: &mut Reader<'_>, kind: u8) -> Result<(), ProtocolError> {
    const WHAT: &str = "binary value";
    let length = match kind {
        0x06 => 0,                                           // NULL
        0x01 => 1,                                           // TINY
        0x02 | 0x0d => 2,                                    // SHORT, YEAR
        0x03 | 0x04 | 0x09 => 4,                             // LONG, FLOAT, INT24
        0x05 | 0x08 => 8,                                    // DOUBLE, LONGLONG
        0x07 | 0x0a..=0x0c => usize::from(reader.u8(WHAT)?), // TIMESTAMP, DATE, TIME, DATETIME
        // DECIMAL, VARCHAR, BIT, VECTOR and JSON to GEOMETRY: text, blobs and their like
        0x00 | 0x0f | 0x10 | 0xf2 | 0xf5..=0xff => {
            return reader.lenenc_bytes(WHAT).map(drop);
        }
        _ => return Err(reader.error(ErrorKind::Unsupported, "type of a binary value")),
    };
    reader.bytes(length, WHAT).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    const WITH: Capabilities = Capabilities::QUERY_ATTRIBUTES;
    const WITHOUT: Capabilities = Capabilities(0);

    #[test]
    fn the_text_stands_behind_the_attributes_of_the_mysql_client_9_7_4() {
        // query_attributes n1 v1 n2 v2
        let bytes = hex(
            "03 02 01 00 01 fe 00 02 6e 31 fe 00 02 6e 32 02 76 31 02 76 32
            73 65 6c 65 63 74 20 31",
        );
        assert_eq!(query_text(&bytes, WITH), Ok(&b"select 1"[..]));
        let attribute = |name, value| Attribute {
            name,
            value: AttributeValue::Text(value),
        };
        let expected = vec![attribute(b"n1", b"v1"), attribute(b"n2", b"v2")];
        assert_eq!(query_attributes(&bytes, WITH), Ok(expected));
        // Without any.
        let bytes = hex("03 00 01 73 65 6c 65 63 74 20 24 24");
        assert_eq!(query_text(&bytes, WITH), Ok(&b"select $$"[..]));
        assert_eq!(query_text(&bytes, WITHOUT), Ok(&b"\0\x01select $$"[..]));
        let mut out = Vec::new();
        put_query(&mut out, WITH, b"select $$");
        assert_eq!(out, bytes);
    }

    #[test]
    fn every_type_of_value_is_passed_over() {
        // From the page, not captured.
        let values: [(u8, &[u8]); 10] = [
            (0x06, &[]),
            (0x01, &[1]),
            (0x0d, &[1, 2]),
            (0x09, &[1, 2, 3, 4]),
            (0x08, &[1, 2, 3, 4, 5, 6, 7, 8]),
            (0x0b, &[0]),
            (0x0c, &[4, 1, 2, 3, 4]),
            (0x00, &[1, b'5']),
            (0xf5, &[2, b'{', b'}']),
            (0xff, &[0]),
        ];
        for (kind, value) in values {
            let head = [3, 1, 1, 0, 1, kind, 0, 1, b'n'];
            let bytes = [&head, value, b"text"].concat();
            assert_eq!(query_text(&bytes, WITH), Ok(&b"text"[..]), "{kind:#x}");
            let null = [&[3, 1, 1, 1, 1, kind, 0, 1, b'n'], &b"text"[..]].concat();
            assert_eq!(query_text(&null, WITH), Ok(&b"text"[..]), "{kind:#x} NULL");
        }
    }

    #[test]
    fn an_unknown_form_is_refused_instead_of_guessed() {
        let kind = |text| query_text(&hex(text), WITH).unwrap_err().kind;
        assert_eq!(kind("16 00 01"), ErrorKind::Unexpected);
        assert_eq!(kind("03 00 02"), ErrorKind::Unsupported);
        assert_eq!(kind("03 01 01 00 00"), ErrorKind::Unsupported);
        assert_eq!(kind("03 01 01 00 01 20 00 00 00"), ErrorKind::Unsupported);
        assert_eq!(
            kind("03 fe ff ff ff ff ff ff ff ff 01"),
            ErrorKind::Truncated
        );
        assert_eq!(kind("03 01 01 00 01 fe 00 05 6e"), ErrorKind::Truncated);
    }
}
