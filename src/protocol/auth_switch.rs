use bytes::BufMut;

use crate::protocol::lenenc::put_nul_bytes;
use crate::protocol::{ErrorKind, NONCE, ProtocolError, Reader};

/// The server asks the client for another authentication plugin, with a new nonce.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0xfe |
/// | string, 0 | plugin |
/// | rest | data: for the plugins here a nonce of 20 bytes and a zero byte |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_auth_switch_request.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthSwitch<'a> {
    /// The plugin to use.
    pub plugin: &'a [u8],
    /// What the plugin needs, with its zero byte.
    pub data: &'a [u8],
}

impl<'a> AuthSwitch<'a> {
    /// Its first byte.
    pub const HEADER: u8 = 0xfe;

    /// Reads a payload that begins with 0xfe. The old form of that one byte is `Unsupported`: it
    /// asks for the password hash of before 4.1.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("authentication switch")? != Self::HEADER {
            return Err(ProtocolError::unexpected("authentication switch"));
        }
        if reader.is_empty() {
            return Err(reader.error(ErrorKind::Unsupported, "old authentication switch"));
        }
        Ok(Self {
            plugin: reader.nul_bytes("plugin")?,
            data: reader.rest(),
        })
    }

    /// The nonce in the data: its first 20 bytes.
    pub fn nonce(&self) -> Result<[u8; NONCE], ProtocolError> {
        Reader::new(self.data).array("nonce")
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![Self::HEADER];
        put_nul_bytes(&mut out, self.plugin);
        out.put_slice(self.data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    #[test]
    fn the_switch_of_mysql_9_7_4_reads_and_writes() {
        // Its answer to COM_CHANGE_USER.
        let bytes = hex(
            "fe 63 61 63 68 69 6e 67 5f 73 68 61 32 5f 70 61 73 73 77 6f 72 64 00
            1c 2c 7f 64 6e 01 0b 04 2a 5e 1a 44 12 72 0f 46 57 27 4c 69 00",
        );
        let switch = AuthSwitch::parse(&bytes).unwrap();
        assert_eq!(switch.plugin, b"caching_sha2_password");
        assert_eq!(switch.data.len(), 21);
        assert_eq!(switch.nonce().unwrap()[..], switch.data[..20]);
        assert_eq!(switch.encode(), bytes);
    }

    #[test]
    fn the_old_form_and_a_short_nonce_are_errors() {
        assert_eq!(
            AuthSwitch::parse(&[0xfe]).unwrap_err().kind,
            ErrorKind::Unsupported
        );
        assert_eq!(
            AuthSwitch::parse(&[0x01, 0]).unwrap_err().kind,
            ErrorKind::Unexpected
        );
        assert_eq!(
            AuthSwitch::parse(b"\xfex").unwrap_err().kind,
            ErrorKind::Unterminated
        );
        let switch = AuthSwitch::parse(b"\xfex\0short").unwrap();
        assert_eq!(switch.nonce().unwrap_err().kind, ErrorKind::Truncated);
    }
}
