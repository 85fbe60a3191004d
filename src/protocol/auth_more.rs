use crate::protocol::{ProtocolError, Reader};

/// caching_sha2_password, from the server: the scramble was right, an OK follows.
pub const FAST_AUTH_OK: u8 = 3;

/// caching_sha2_password, from the server: send the password itself, by TLS or under the RSA key.
pub const FULL_AUTH: u8 = 4;

/// caching_sha2_password, from the client: the one byte that asks for the RSA key.
pub const REQUEST_PUBLIC_KEY: u8 = 2;

/// More data of an authentication plugin, from the server.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0x01 |
/// | rest | [`FAST_AUTH_OK`], [`FULL_AUTH`], or the RSA key as PEM |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_auth_more_data.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthMore<'a> {
    /// What the plugin says.
    pub data: &'a [u8],
}

impl<'a> AuthMore<'a> {
    /// Its first byte.
    pub const HEADER: u8 = 0x01;

    /// Reads a payload that begins with 0x01.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("authentication data")? != Self::HEADER {
            return Err(ProtocolError::unexpected("authentication data"));
        }
        Ok(Self {
            data: reader.rest(),
        })
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        [&[Self::HEADER], self.data].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_mysql_9_7_4_read_and_write() {
        for (bytes, says) in [([0x01, 0x03], FAST_AUTH_OK), ([0x01, 0x04], FULL_AUTH)] {
            let more = AuthMore::parse(&bytes).unwrap();
            assert_eq!(more.data, [says]);
            assert_eq!(more.encode(), bytes);
        }
        assert!(AuthMore::parse(&[0x00]).is_err());
        assert!(AuthMore::parse(&[]).is_err());
    }
}
