use bytes::BufMut;

use crate::protocol::{Capabilities, ProtocolError, Reader};

/// The first packet of a COM_STMT_PREPARE that succeeded; definitions follow.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0x00 |
/// | 4 | statement id |
/// | 2 | number of columns |
/// | 2 | number of parameters |
/// | 1 | 0 |
/// | 2 | number of warnings |
/// | 1 | whether definitions follow, if `CLIENT_OPTIONAL_RESULTSET_METADATA` |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrepareOk {
    /// The statement's id on that connection.
    pub statement_id: u32,
    /// Number of columns; 0 also for a CALL, whose results are not known yet.
    pub columns: u16,
    /// Number of parameters.
    pub params: u16,
    /// Number of warnings, at most 65535.
    pub warnings: u16,
    /// Whether definitions follow. Always true without `CLIENT_OPTIONAL_RESULTSET_METADATA`.
    pub metadata: bool,
}

impl PrepareOk {
    /// Its first byte.
    pub const HEADER: u8 = 0x00;

    /// Reads a payload that begins with 0x00.
    pub fn parse(payload: &[u8], caps: Capabilities) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("prepare OK packet")? != Self::HEADER {
            return Err(ProtocolError::unexpected("prepare OK packet"));
        }
        let statement_id = reader.u32("statement id")?;
        let columns = reader.u16("number of columns")?;
        let params = reader.u16("number of parameters")?;
        reader.u8("filler")?;
        let warnings = reader.u16("prepare warnings")?;
        let optional = caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA);
        let metadata = !optional || reader.u8("metadata flag")? != 0;
        reader.end("prepare OK packet")?;
        Ok(Self {
            statement_id,
            columns,
            params,
            warnings,
            metadata,
        })
    }

    /// Appends the bytes for a client with `caps`.
    pub fn encode(&self, caps: Capabilities, out: &mut impl BufMut) {
        out.put_u8(Self::HEADER);
        out.put_u32_le(self.statement_id);
        out.put_u16_le(self.columns);
        out.put_u16_le(self.params);
        out.put_u8(0);
        out.put_u16_le(self.warnings);
        if caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) {
            out.put_u8(u8::from(self.metadata));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    #[test]
    fn the_answers_of_mysql_9_7_4_read_and_write() {
        let optional = Capabilities::OPTIONAL_RESULTSET_METADATA;
        let table = [
            // SELECT ?, a FROM n WHERE a = ?
            (
                "00 04 00 00 00 02 00 02 00 00 00 00",
                Capabilities(0),
                (4, 2, 2, 0, true),
            ),
            // SELECT a && ? FROM n
            (
                "00 03 00 00 00 01 00 01 00 00 01 00",
                Capabilities(0),
                (3, 1, 1, 1, true),
            ),
            // SELECT ?, then SELECT ?, 2 after SET resultset_metadata = NONE
            (
                "00 01 00 00 00 01 00 01 00 00 00 00 01",
                optional,
                (1, 1, 1, 0, true),
            ),
            (
                "00 02 00 00 00 02 00 01 00 00 00 00 00",
                optional,
                (2, 2, 1, 0, false),
            ),
        ];
        for (text, caps, (statement_id, columns, params, warnings, metadata)) in table {
            let bytes = hex(text);
            let expected = PrepareOk {
                statement_id,
                columns,
                params,
                warnings,
                metadata,
            };
            assert_eq!(PrepareOk::parse(&bytes, caps), Ok(expected), "{text}");
            let mut out = Vec::new();
            expected.encode(caps, &mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn another_length_or_header_is_an_error() {
        let bytes = hex("00 04 00 00 00 02 00 02 00 00 00 00");
        for length in 0..bytes.len() {
            assert!(
                PrepareOk::parse(&bytes[..length], Capabilities(0)).is_err(),
                "{length}"
            );
        }
        let optional = Capabilities::OPTIONAL_RESULTSET_METADATA;
        assert!(
            PrepareOk::parse(&bytes, optional).is_err(),
            "the metadata flag is missing"
        );
        assert!(PrepareOk::parse(&[&bytes[..], &[1]].concat(), Capabilities(0)).is_err());
        assert!(PrepareOk::parse(&[&[1], &bytes[1..]].concat(), Capabilities(0)).is_err());
    }
}
