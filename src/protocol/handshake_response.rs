use std::fmt;

use bytes::BufMut;

use crate::protocol::lenenc::put_nul_bytes;
use crate::protocol::{
    Capabilities, ErrorKind, ProtocolError, Reader, SslRequest, put_lenenc_bytes,
};

/// The login of a client, protocol 4.1.
///
/// | bytes | field |
/// |---|---|
/// | 32 | as [`SslRequest`] |
/// | string, 0 | user |
/// | lenenc string, or 1 byte and string | authentication data |
/// | string, 0 | database, if `CLIENT_CONNECT_WITH_DB` |
/// | string, 0 | plugin, if `CLIENT_PLUGIN_AUTH` |
/// | lenenc string | connection attributes, if `CLIENT_CONNECT_ATTRS` |
/// | 1 | zstd level, if `CLIENT_ZSTD_COMPRESSION_ALGORITHM` |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HandshakeResponse {
    /// What the client wants to speak; says which of the fields below are there.
    pub capabilities: Capabilities,
    /// The longest packet that the client takes, in bytes.
    pub max_packet: u32,
    /// The lower byte of the collation's id.
    pub collation: u8,
    /// The account's name.
    pub user: Vec<u8>,
    /// What the plugin made of the password. A secret: not in `Debug`.
    pub auth: Vec<u8>,
    /// The database to begin in.
    pub database: Option<Vec<u8>>,
    /// The plugin that made `auth`.
    pub plugin: Option<Vec<u8>>,
    /// Keys and values, each with its length before it, as they came.
    pub attributes: Option<Vec<u8>>,
    /// The level of zstd compression, 1 to 22.
    pub zstd_level: Option<u8>,
}

impl HandshakeResponse {
    /// Reads a login. Where a capability is set and the packet ends before its field, the field is
    /// `None`, as MySQL takes it for the plugin.
    ///
    /// A login of before 4.1 is `Unsupported`.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        // Before 4.1 the capabilities had two bytes, with the same bit for the same thing.
        let lower = reader.clone().u16("capabilities")?;
        if !Capabilities(u32::from(lower)).contains(Capabilities::PROTOCOL_41) {
            return Err(ProtocolError::new(
                ErrorKind::Unsupported,
                "capabilities",
                0,
            ));
        }
        let capabilities = Capabilities(reader.u32("capabilities")?);
        let has = |flag| capabilities.contains(flag);
        let max_packet = reader.u32("longest packet")?;
        let collation = reader.u8("collation")?;
        reader.bytes(23, "filler")?;
        let user = reader.nul_bytes("user")?.to_vec();
        let auth = if has(Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            reader.lenenc_bytes("authentication data")?
        } else if has(Capabilities::SECURE_CONNECTION) {
            let length = reader.u8("authentication data length")?;
            reader.bytes(usize::from(length), "authentication data")?
        } else {
            reader.nul_bytes("authentication data")?
        };
        let mut database = None;
        if has(Capabilities::CONNECT_WITH_DB) && !reader.is_empty() {
            database = Some(reader.nul_bytes("database")?.to_vec());
        }
        let mut plugin = None;
        if has(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
            plugin = Some(reader.nul_bytes("plugin")?.to_vec());
        }
        let mut attributes = None;
        if has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            attributes = Some(reader.lenenc_bytes("connection attributes")?.to_vec());
        }
        let mut zstd_level = None;
        if has(Capabilities::ZSTD) && !reader.is_empty() {
            zstd_level = Some(reader.u8("zstd level")?);
        }
        let auth = auth.to_vec();
        Ok(Self {
            capabilities,
            max_packet,
            collation,
            user,
            auth,
            database,
            plugin,
            attributes,
            zstd_level,
        })
    }

    /// The payload. The capabilities decide how `auth` is written; a field is written if it is
    /// `Some`, so its capability has to be set.
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            capabilities,
            max_packet,
            collation,
            ..
        } = *self;
        let mut out = SslRequest {
            capabilities,
            max_packet,
            collation,
        }
        .encode();
        put_nul_bytes(&mut out, &self.user);
        if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            put_lenenc_bytes(&mut out, &self.auth);
        } else if let (true, Ok(length)) = (
            capabilities.contains(Capabilities::SECURE_CONNECTION),
            u8::try_from(self.auth.len()),
        ) {
            out.put_u8(length);
            out.put_slice(&self.auth);
        } else {
            put_nul_bytes(&mut out, &self.auth);
        }
        for text in [&self.database, &self.plugin].into_iter().flatten() {
            put_nul_bytes(&mut out, text);
        }
        if let Some(attributes) = &self.attributes {
            put_lenenc_bytes(&mut out, attributes);
        }
        out.extend(self.zstd_level);
        out
    }
}

impl fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &Option<Vec<u8>>| {
            bytes
                .as_ref()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        f.debug_struct("HandshakeResponse")
            .field("capabilities", &self.capabilities)
            .field("collation", &self.collation)
            .field("user", &String::from_utf8_lossy(&self.user))
            .field("database", &text(&self.database))
            .field("plugin", &text(&self.plugin))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    const STOCK: &str = "8d a2 bf 19 00 00 00 01 ff
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 75 00
        20 14 43 c1 fb a6 91 54 eb c1 70 54 77 b8 43 f5 9a a7 1a 39 50 d3 61 87 0b b2 ce 3a 18
        d4 fd fb 33 64 00 63 61 63 68 69 6e 67 5f 73 68 61 32 5f 70 61 73 73 77 6f 72 64 00
        0d 04 5f 70 69 64 04 31 37 31 34 00 01 31";

    #[test]
    fn the_login_of_the_mysql_client_9_7_4_reads_and_writes() {
        // All but two of its attributes cut away.
        let bytes = hex(STOCK);
        let login = HandshakeResponse::parse(&bytes).unwrap();
        assert_eq!(login.capabilities, Capabilities(0x19bf_a28d));
        assert_eq!((login.max_packet, login.collation), (0x0100_0000, 255));
        assert_eq!(login.user, b"u");
        assert_eq!(login.auth.len(), 32);
        assert_eq!(login.database.as_deref(), Some(&b"d"[..]));
        assert_eq!(login.plugin.as_deref(), Some(&b"caching_sha2_password"[..]));
        assert_eq!(
            login.attributes.as_deref(),
            Some(&b"\x04_pid\x041714\x00\x011"[..])
        );
        assert_eq!(login.zstd_level, None);
        assert_eq!(login.encode(), bytes);
    }

    #[test]
    fn a_login_without_options_reads_and_writes() {
        // Accepted by MariaDB 10.11.19: no database, no attributes.
        let bytes = hex("85 a2 af 01 ff ff ff 00 ff
            00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 6e 61 74 00
            14 e1 6a 51 ef b3 53 ca 51 2b 9a 49 7c 35 f4 7c ce 96 87 93 b1
            6d 79 73 71 6c 5f 6e 61 74 69 76 65 5f 70 61 73 73 77 6f 72 64 00");
        let login = HandshakeResponse::parse(&bytes).unwrap();
        assert_eq!(
            (login.database.as_ref(), login.attributes.as_ref()),
            (None, None)
        );
        assert_eq!(login.encode(), bytes);
    }

    #[test]
    fn authentication_data_takes_its_three_forms() {
        let old = Capabilities::PROTOCOL_41;
        let secure = old | Capabilities::SECURE_CONNECTION;
        let lenenc = secure | Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA;
        for (capabilities, length) in [(old, 4), (secure, 4), (lenenc, 4), (lenenc, 300)] {
            let auth = vec![b'x'; length];
            let login = HandshakeResponse {
                capabilities,
                auth,
                ..Default::default()
            };
            assert_eq!(
                HandshakeResponse::parse(&login.encode()).as_ref(),
                Ok(&login)
            );
        }
    }

    #[test]
    fn a_zstd_level_comes_last() {
        let capabilities = Capabilities::PROTOCOL_41 | Capabilities::ZSTD;
        let login = HandshakeResponse {
            capabilities,
            zstd_level: Some(3),
            ..Default::default()
        };
        assert_eq!(login.encode().last(), Some(&3));
        assert_eq!(
            HandshakeResponse::parse(&login.encode()).as_ref(),
            Ok(&login)
        );
    }

    #[test]
    fn a_login_of_before_4_1_is_refused() {
        // From the page of HandshakeResponse320: user "old", password data, as written there.
        let bytes = hex("85 24 00 00 00 6f 6c 64 00 47 44 53 43 51 59 52 5f");
        let error = HandshakeResponse::parse(&bytes).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
    }

    #[test]
    fn p10_debug_shows_no_authentication_data() {
        let auth = b"secret".to_vec();
        let attributes = Some(b"secret".to_vec());
        let login = HandshakeResponse {
            auth,
            attributes,
            ..Default::default()
        };
        let text = format!("{login:?}");
        assert!(
            !text.contains("secret") && !text.contains("115, 101"),
            "{text}"
        );
    }
}
