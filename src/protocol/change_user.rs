use std::fmt;

use bytes::BufMut;

use crate::protocol::lenenc::put_nul_bytes;
use crate::protocol::{Capabilities, Command, ErrorKind, ProtocolError, Reader, put_lenenc_bytes};

/// COM_CHANGE_USER: a new login on an old connection.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0x11 |
/// | string, 0 | user |
/// | 1 and string | authentication data, at most 255 bytes |
/// | string, 0 | database; empty for none |
/// | 2 | collation |
/// | string, 0 | plugin, if `CLIENT_PLUGIN_AUTH` |
/// | lenenc string | connection attributes, if `CLIENT_CONNECT_ATTRS` |
///
/// The packet may end after the database or any later field. MySQL 9.7.4 answers with an
/// authentication switch and a new nonce, whatever `auth` holds, and closes the connection when
/// the login fails.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ChangeUser {
    /// The account's name.
    pub user: Vec<u8>,
    /// What the plugin made of the password and an old nonce. A secret: not in `Debug`.
    pub auth: Vec<u8>,
    /// The database to begin in.
    pub database: Option<Vec<u8>>,
    /// The collation's id; 0 if the client sent none.
    pub collation: u16,
    /// The plugin that made `auth`.
    pub plugin: Option<Vec<u8>>,
    /// Keys and values, each with its length before it, as they came.
    pub attributes: Option<Vec<u8>>,
}

impl ChangeUser {
    /// Reads a command. `caps` are those of the client that sent it.
    pub fn parse(payload: &[u8], caps: Capabilities) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("command")? != Command::ChangeUser as u8 {
            return Err(ProtocolError::unexpected("COM_CHANGE_USER"));
        }
        let user = reader.nul_bytes("user")?.to_vec();
        let auth = if caps.contains(Capabilities::SECURE_CONNECTION) {
            let length = reader.u8("authentication data length")?;
            reader
                .bytes(usize::from(length), "authentication data")?
                .to_vec()
        } else {
            reader.nul_bytes("authentication data")?.to_vec()
        };
        let database = Some(reader.nul_bytes("database")?).filter(|name| !name.is_empty());
        let collation = if reader.is_empty() {
            0
        } else {
            reader.u16("collation")?
        };
        let mut plugin = None;
        if caps.contains(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
            plugin = Some(reader.nul_bytes("plugin")?.to_vec());
        }
        let mut attributes = None;
        if caps.contains(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            attributes = Some(reader.lenenc_bytes("connection attributes")?.to_vec());
        }
        let database = database.map(<[u8]>::to_vec);
        Ok(Self {
            user,
            auth,
            database,
            collation,
            plugin,
            attributes,
        })
    }

    /// The payload for a connection with `SECURE_CONNECTION`. A plugin or attributes need a
    /// collation before them, and their capability.
    ///
    /// Authentication data of more than 255 bytes does not fit and gives an error.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        let too_long = ProtocolError::new(ErrorKind::Unsupported, "authentication data", 0);
        let length = u8::try_from(self.auth.len()).map_err(|_| too_long)?;
        let mut out = vec![Command::ChangeUser as u8];
        put_nul_bytes(&mut out, &self.user);
        out.put_u8(length);
        out.put_slice(&self.auth);
        put_nul_bytes(&mut out, self.database.as_deref().unwrap_or_default());
        if self.collation != 0 || self.plugin.is_some() || self.attributes.is_some() {
            out.put_u16_le(self.collation);
        }
        if let Some(plugin) = &self.plugin {
            put_nul_bytes(&mut out, plugin);
        }
        if let Some(attributes) = &self.attributes {
            put_lenenc_bytes(&mut out, attributes);
        }
        Ok(out)
    }
}

impl fmt::Debug for ChangeUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeUser")
            .field("user", &String::from_utf8_lossy(&self.user))
            .field("collation", &self.collation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    const CAPS: Capabilities = Capabilities(0x01bf_a28d);

    #[test]
    fn a_command_that_mysql_9_7_4_took_reads_and_writes() {
        let bytes = hex("11 75 00 00 64 00 ff 00
            63 61 63 68 69 6e 67 5f 73 68 61 32 5f 70 61 73 73 77 6f 72 64 00
            12 0c 5f 63 6c 69 65 6e 74 5f 6e 61 6d 65 04 74 65 73 74");
        let change = ChangeUser::parse(&bytes, CAPS).unwrap();
        assert_eq!((&change.user[..], &change.auth[..]), (&b"u"[..], &b""[..]));
        assert_eq!(change.database.as_deref(), Some(&b"d"[..]));
        assert_eq!(change.collation, 255);
        assert_eq!(
            change.plugin.as_deref(),
            Some(&b"caching_sha2_password"[..])
        );
        assert_eq!(
            change.attributes.as_deref(),
            Some(&b"\x0c_client_name\x04test"[..])
        );
        assert_eq!(change.encode().unwrap(), bytes);
    }

    #[test]
    fn the_packet_may_end_after_the_database_or_a_later_field() {
        for text in [
            "11 75 00 01 78 00",
            "11 75 00 00 64 00 ff 00",
            "11 75 00 00 00 ff 00 78 00",
        ] {
            let bytes = hex(text);
            let change = ChangeUser::parse(&bytes, CAPS).unwrap();
            assert_eq!(change.attributes, None);
            assert_eq!(change.encode().unwrap(), bytes, "{text}");
        }
        assert!(ChangeUser::parse(&hex("11 75 00 00 64"), CAPS).is_err());
        assert!(ChangeUser::parse(&hex("03 75 00 00 64 00"), CAPS).is_err());
    }

    #[test]
    fn p10_long_authentication_data_is_refused_and_none_is_shown() {
        let change = ChangeUser {
            auth: vec![b's'; 256],
            ..ChangeUser::default()
        };
        assert!(change.encode().is_err());
        assert!(!format!("{change:?}").contains("115"));
    }
}
