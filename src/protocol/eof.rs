use bytes::BufMut;

use crate::protocol::{ProtocolError, Reader, Status};

/// What ends definitions and rows for a client without `CLIENT_DEPRECATE_EOF`.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0xfe |
/// | 2 | number of warnings |
/// | 2 | status flags |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_eof_packet.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EofPacket {
    /// Number of warnings, at most 65535.
    pub warnings: u16,
    /// The connection's state.
    pub status: Status,
}

impl EofPacket {
    /// Its first byte.
    pub const HEADER: u8 = 0xfe;

    /// Its length, which no OK packet has.
    pub const LEN: usize = 5;

    /// Reads exactly five bytes: what is longer is a row or an OK packet, never an EOF.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("EOF packet")? != Self::HEADER {
            return Err(ProtocolError::unexpected("EOF packet"));
        }
        let warnings = reader.u16("EOF warnings")?;
        let status = Status(reader.u16("EOF status")?);
        reader.end("EOF packet")?;
        Ok(Self { warnings, status })
    }

    /// Appends its five bytes.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u8(Self::HEADER);
        out.put_u16_le(self.warnings);
        out.put_u16_le(self.status.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorKind;
    use crate::protocol::testing::hex;

    #[test]
    fn the_eof_of_mysql_9_7_4_reads_and_writes() {
        // SELECT in a transaction, with one warning.
        let bytes = hex("fe 01 00 03 00");
        let eof = EofPacket::parse(&bytes).unwrap();
        let expected = EofPacket {
            warnings: 1,
            status: Status::IN_TRANS | Status::AUTOCOMMIT,
        };
        assert_eq!(eof, expected);
        let mut out = Vec::new();
        eof.encode(&mut out);
        assert_eq!(out, bytes);
    }

    #[test]
    fn what_has_another_length_or_header_is_no_eof() {
        let kind = |text| EofPacket::parse(&hex(text)).unwrap_err().kind;
        assert_eq!(kind("fe 00 00 02"), ErrorKind::Truncated);
        assert_eq!(kind("fe 00 00 02 00 00 00"), ErrorKind::Trailing);
        assert_eq!(kind("00 00 00 02 00"), ErrorKind::Unexpected);
        assert_eq!(kind(""), ErrorKind::Truncated);
    }
}
