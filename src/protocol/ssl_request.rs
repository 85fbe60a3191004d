use bytes::BufMut;

use crate::protocol::{Capabilities, Reader};

/// The first 32 bytes of a login, sent alone: what follows them on the wire is TLS.
///
/// | bytes | field |
/// |---|---|
/// | 4 | capabilities, with `CLIENT_SSL` |
/// | 4 | longest packet that the client takes |
/// | 1 | collation |
/// | 23 | zeros |
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SslRequest {
    /// What the client wants to speak.
    pub capabilities: Capabilities,
    /// The longest packet that the client takes, in bytes.
    pub max_packet: u32,
    /// The lower byte of the collation's id.
    pub collation: u8,
}

impl SslRequest {
    pub(crate) const LENGTH: usize = 32;

    /// The payload of 32 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.put_u32_le(self.capabilities.0);
        out.put_u32_le(self.max_packet);
        out.put_u8(self.collation);
        out.put_bytes(0, 23);
        out
    }
}

/// Whether a client's first payload asks for TLS: it has exactly 32 bytes and the SSL bit.
pub fn is_ssl_request(payload: &[u8]) -> Option<SslRequest> {
    if payload.len() != SslRequest::LENGTH {
        return None;
    }
    let mut reader = Reader::new(payload);
    let capabilities = Capabilities(reader.u32("capabilities").ok()?);
    let max_packet = reader.u32("longest packet").ok()?;
    let collation = reader.u8("collation").ok()?;
    let asks = capabilities.contains(Capabilities::SSL | Capabilities::PROTOCOL_41);
    asks.then_some(SslRequest {
        capabilities,
        max_packet,
        collation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    #[test]
    fn the_request_of_the_mysql_client_9_7_4_reads_and_writes() {
        let bytes = hex("8d aa bf 19 00 00 00 01 ff
            00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
        let request = is_ssl_request(&bytes).unwrap();
        assert_eq!(request.capabilities, Capabilities(0x19bf_aa8d));
        assert_eq!((request.max_packet, request.collation), (0x0100_0000, 255));
        assert_eq!(request.encode(), bytes);
    }

    #[test]
    fn another_length_or_no_ssl_bit_is_no_request() {
        let caps = Capabilities::SSL | Capabilities::PROTOCOL_41;
        let bytes = SslRequest {
            capabilities: caps,
            max_packet: 1,
            collation: 8,
        }
        .encode();
        assert!(is_ssl_request(&bytes).is_some());
        assert!(is_ssl_request(&bytes[..31]).is_none());
        assert!(is_ssl_request(&[&bytes[..], &[0]].concat()).is_none());
        let plain = Capabilities::PROTOCOL_41;
        let bytes = SslRequest {
            capabilities: plain,
            max_packet: 1,
            collation: 8,
        }
        .encode();
        assert!(is_ssl_request(&bytes).is_none());
    }
}
