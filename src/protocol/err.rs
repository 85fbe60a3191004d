use std::fmt;

use bytes::BufMut;

use crate::protocol::{ProtocolError, Reader};

/// An error from a server.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0xff |
/// | 2 | error number |
/// | 6 | `#` and the SQLSTATE; not before the login, where the client's protocol is unknown |
/// | rest | message |
///
/// It ends a response at any place, also between rows, and carries no status flags.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html>
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// MySQL's error number.
    pub code: u16,
    /// SQLSTATE, if the packet has one.
    pub state: Option<[u8; 5]>,
    /// The text, in the connection's result character set. It may quote the statement.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// Its first byte.
    pub const HEADER: u8 = 0xff;

    /// Reads a payload that begins with 0xff.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("ERR packet")? != Self::HEADER {
            return Err(ProtocolError::unexpected("ERR packet"));
        }
        let code = reader.u16("error number")?;
        let mut marked = reader.clone();
        let state = match marked.u8("SQLSTATE marker") {
            Ok(b'#') => {
                let state = marked.array("SQLSTATE")?;
                reader = marked;
                Some(state)
            }
            _ => None,
        };
        Ok(Self {
            code,
            state,
            message: reader.rest(),
        })
    }

    /// Appends its bytes.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u8(Self::HEADER);
        out.put_u16_le(self.code);
        if let Some(state) = self.state {
            out.put_u8(b'#');
            out.put_slice(&state);
        }
        out.put_slice(self.message);
    }
}

impl fmt::Debug for ErrPacket<'_> {
    /// Without the message: it may quote literals of the statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self
            .state
            .as_ref()
            .map(|state| String::from_utf8_lossy(state));
        f.debug_struct("ErrPacket")
            .field("code", &self.code)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorKind;
    use crate::protocol::testing::hex;

    fn parse_and_write_back(bytes: &[u8]) -> ErrPacket<'_> {
        let err = ErrPacket::parse(bytes).unwrap();
        let mut out = Vec::new();
        err.encode(&mut out);
        assert_eq!(out, bytes);
        err
    }

    #[test]
    fn the_error_of_mysql_9_7_4_reads_and_writes() {
        let bytes = hex("ff 19 04 23 34 32 30 30 30
            55 6e 6b 6e 6f 77 6e 20 64 61 74 61 62 61 73 65 20 27 6e 6f 64 62 27");
        let err = parse_and_write_back(&bytes);
        assert_eq!((err.code, err.state), (1049, Some(*b"42000")));
        assert_eq!(err.message, b"Unknown database 'nodb'");
    }

    #[test]
    fn an_error_before_the_login_has_no_state() {
        // MySQL 9.7.4 beyond max_connections.
        let bytes = hex("ff 10 04 54 6f 6f 20 6d 61 6e 79 20 63 6f 6e 6e 65 63 74 69 6f 6e 73");
        let err = parse_and_write_back(&bytes);
        assert_eq!((err.code, err.state), (1040, None));
        assert_eq!(err.message, b"Too many connections");
    }

    #[test]
    fn a_cut_state_is_an_error_and_an_empty_message_is_none() {
        let kind = |text| ErrPacket::parse(&hex(text)).unwrap_err().kind;
        assert_eq!(kind("ff 19"), ErrorKind::Truncated);
        assert_eq!(kind("ff 19 04 23 34 32"), ErrorKind::Truncated);
        assert_eq!(kind("fe 19 04"), ErrorKind::Unexpected);
        assert_eq!(parse_and_write_back(&hex("ff 19 04")).message, b"");
    }

    #[test]
    fn p10_debug_does_not_show_the_message() {
        let err = ErrPacket {
            code: 1062,
            state: Some(*b"23000"),
            message: b"Duplicate 'secret'",
        };
        assert!(!format!("{err:?}").contains("secret"));
    }
}
