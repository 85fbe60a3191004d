use bytes::BufMut;

use crate::protocol::lenenc::put_nul_bytes;
use crate::protocol::{Capabilities, ErrorKind, ProtocolError, Reader, Status};

/// The length of the random bytes that a server sends for authentication.
pub const NONCE: usize = 20;

/// The greeting of a server, protocol version 10.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 10 |
/// | string, 0 | server version |
/// | 4 | connection id |
/// | 8 | nonce, first part |
/// | 1 | 0 |
/// | 2 | capabilities, lower half |
/// | 1 | collation |
/// | 2 | status flags |
/// | 2 | capabilities, upper half |
/// | 1 | length of the nonce with its zero byte: 21 |
/// | 10 | zeros |
/// | 13 | nonce, second part, and a zero byte |
/// | string, 0 | authentication plugin |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Such as `9.7.4-2`.
    pub version: String,
    /// The connection's id, as in CONNECTION_ID(); its lower 32 bits.
    pub connection_id: u32,
    /// Random bytes; none is zero.
    pub nonce: [u8; NONCE],
    /// What the server offers.
    pub capabilities: Capabilities,
    /// The lower byte of the default collation's id.
    pub collation: u8,
    /// The new connection's state.
    pub status: Status,
    /// The plugin that the nonce is for.
    pub plugin: String,
}

impl Handshake {
    const VERSION: u8 = 10;

    /// Reads a greeting. A server that refuses the connection sends an ERR packet instead: look
    /// for 0xff first. Servers before 4.1 and those without named plugins are `Unsupported`.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("protocol version")? != Self::VERSION {
            return Err(ProtocolError::new(
                ErrorKind::Unsupported,
                "protocol version",
                0,
            ));
        }
        let version = text(&mut reader, "server version")?;
        let connection_id = reader.u32("connection id")?;
        let first: [u8; 8] = reader.array("nonce")?;
        reader.u8("filler")?;
        let lower = reader.u16("capabilities")?;
        let collation = reader.u8("collation")?;
        let status = Status(reader.u16("greeting status")?);
        let upper = reader.u16("upper capabilities")?;
        let capabilities = Capabilities(u32::from(lower) | u32::from(upper) << 16);
        let needed =
            Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION | Capabilities::PLUGIN_AUTH;
        if !capabilities.contains(needed) {
            return Err(reader.error(ErrorKind::Unsupported, "capabilities"));
        }
        let length = usize::from(reader.u8("nonce length")?);
        reader.bytes(10, "reserved bytes")?;
        let second: [u8; 12] = reader.array("second part of the nonce")?;
        reader.bytes(length.saturating_sub(NONCE).max(1), "end of the nonce")?;
        let plugin = text(&mut reader, "authentication plugin")?;
        let mut nonce = [0; NONCE];
        let bytes = first.iter().chain(&second);
        nonce
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        Ok(Self {
            version,
            connection_id,
            nonce,
            capabilities,
            collation,
            status,
            plugin,
        })
    }

    /// The payload, as MySQL writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        let (first, second) = self.nonce.split_at(8);
        let [low, high, top_low, top_high] = self.capabilities.0.to_le_bytes();
        out.put_u8(Self::VERSION);
        put_nul_bytes(&mut out, self.version.as_bytes());
        out.put_u32_le(self.connection_id);
        put_nul_bytes(&mut out, first);
        out.put_slice(&[low, high, self.collation]);
        out.put_u16_le(self.status.0);
        out.put_slice(&[top_low, top_high, 21]);
        out.put_bytes(0, 10);
        put_nul_bytes(&mut out, second);
        put_nul_bytes(&mut out, self.plugin.as_bytes());
        out
    }
}

fn text(reader: &mut Reader<'_>, what: &'static str) -> Result<String, ProtocolError> {
    let bytes = reader.nul_bytes(what)?;
    let text = str::from_utf8(bytes).map_err(|_| reader.error(ErrorKind::NotText, what))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    const MYSQL: &str = "0a 39 2e 37 2e 34 2d 32 00 43 00 00 00 48 2d 25 51 18 76 1f 79 00 ff ff
        ff 02 00 ff df 15 00 00 00 00 00 00 00 00 00 00 6c 02 5d 4f 6c 57 7d 78 6f 3f 4c 40 00
        63 61 63 68 69 6e 67 5f 73 68 61 32 5f 70 61 73 73 77 6f 72 64 00";

    #[test]
    fn the_greeting_of_mysql_9_7_4_reads_and_writes() {
        let bytes = hex(MYSQL);
        let greeting = Handshake::parse(&bytes).unwrap();
        assert_eq!(greeting.version, "9.7.4-2");
        assert_eq!(greeting.connection_id, 0x43);
        assert_eq!(
            greeting.nonce[..],
            hex("482d25511876 1f79 6c025d4f6c577d786f3f4c40")
        );
        assert_eq!(greeting.capabilities, Capabilities(0xdfff_ffff));
        assert_eq!(
            (greeting.collation, greeting.status),
            (255, Status::AUTOCOMMIT)
        );
        assert_eq!(greeting.plugin, "caching_sha2_password");
        assert_eq!(greeting.encode(), bytes);
    }

    #[test]
    fn the_greeting_of_mariadb_10_11_19_reads() {
        // Its own capabilities stand in the reserved bytes.
        let bytes = hex(
            "0a 35 2e 35 2e 35 2d 31 30 2e 31 31 2e 31 39 2d 4d 61 72 69 61 44 42 00
            05 00 00 00 77 6f 4a 63 34 76 78 75 00 fe f7 08 02 00 ff 81 15 00 00 00 00 00 00
            1d 00 00 00 66 7d 62 51 51 24 5c 27 47 73 2d 24 00
            6d 79 73 71 6c 5f 6e 61 74 69 76 65 5f 70 61 73 73 77 6f 72 64 00",
        );
        let greeting = Handshake::parse(&bytes).unwrap();
        assert_eq!(greeting.version, "5.5.5-10.11.19-MariaDB");
        assert_eq!(greeting.plugin, "mysql_native_password");
        assert_eq!(greeting.nonce[8..], *b"f}bQQ$\\'Gs-$");
    }

    #[test]
    fn a_cut_or_foreign_greeting_is_an_error() {
        let bytes = hex(MYSQL);
        for length in 0..bytes.len() {
            assert!(
                Handshake::parse(&bytes[..length]).is_err(),
                "{length} bytes"
            );
        }
        let refused = |at: usize, byte| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            Handshake::parse(&bytes).unwrap_err().kind
        };
        assert_eq!(refused(0, 9), ErrorKind::Unsupported);
        assert_eq!(refused(0, 0xff), ErrorKind::Unsupported);
        assert_eq!(refused(1, 0xff), ErrorKind::NotText);
        let no_plugins = 0xff ^ (1 << 3);
        assert_eq!(refused(27, no_plugins), ErrorKind::Unsupported);
    }
}
