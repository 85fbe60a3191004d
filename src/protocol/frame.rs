//! Packets on the wire: a payload behind a header of four bytes.
//!
//! | bytes | field |
//! |---|---|
//! | 3 | payload length |
//! | 1 | sequence number: 0 begins a command, then one more per packet, wrapping |
//!
//! A payload of [`MAX_PAYLOAD`] bytes or more goes in several packets; the first that is shorter
//! is the last, so an exact multiple ends with an empty one.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use bytes::{BufMut, BytesMut};

/// The longest payload of one packet, in bytes. A packet of this length has a continuation.
pub const MAX_PAYLOAD: usize = 0xff_ffff;

/// The length of a packet's header, in bytes.
pub const HEADER: usize = 4;

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Payload length in bytes, `<= MAX_PAYLOAD`.
    pub len: usize,
    /// Sequence number.
    pub seq: u8,
}

impl Header {
    /// Every four bytes are a header.
    pub const fn parse([a, b, c, seq]: [u8; HEADER]) -> Self {
        Self {
            len: u32::from_le_bytes([a, b, c, 0]) as usize,
            seq,
        }
    }

    /// The four bytes. A length beyond [`MAX_PAYLOAD`] does not fit: its upper bits are lost.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "len <= MAX_PAYLOAD, which has 24 bits"
    )]
    pub const fn bytes(self) -> [u8; HEADER] {
        debug_assert!(
            self.len <= MAX_PAYLOAD,
            "a packet's payload has at most 24 bits of length"
        );
        let [a, b, c, _] = (self.len as u32).to_le_bytes();
        [a, b, c, self.seq]
    }
}

/// Appends `payload` as one or more packets, the first with number `*seq`; leaves the number of
/// the next packet there.
pub fn write_packet(out: &mut BytesMut, seq: &mut u8, payload: &[u8]) {
    out.reserve(payload.len() + HEADER);
    let mut rest = payload;
    loop {
        let (packet, tail) = rest.split_at_checked(MAX_PAYLOAD).unwrap_or((rest, &[]));
        out.put_slice(
            &Header {
                len: packet.len(),
                seq: *seq,
            }
            .bytes(),
        );
        out.put_slice(packet);
        *seq = seq.wrapping_add(1);
        if packet.len() < MAX_PAYLOAD {
            return;
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(payload: &[u8], first: u8) -> Vec<(usize, u8)> {
        let (mut out, mut seq) = (BytesMut::new(), first);
        write_packet(&mut out, &mut seq, payload);
        let (mut headers, mut rest, mut joined) = (Vec::new(), &out[..], Vec::new());
        while let Some((head, tail)) = rest.split_first_chunk() {
            let header = Header::parse(*head);
            headers.push((header.len, header.seq));
            joined.extend_from_slice(&tail[..header.len]);
            rest = &tail[header.len..];
        }
        assert_eq!(joined, payload);
        assert_eq!(seq, headers.last().unwrap().1.wrapping_add(1));
        headers
    }

    #[test]
    fn a_captured_header_reads_and_writes() {
        // MySQL 9.7.4's greeting.
        let header = Header::parse([0x4b, 0, 0, 0]);
        assert_eq!(header, Header { len: 75, seq: 0 });
        assert_eq!(header.bytes(), [0x4b, 0, 0, 0]);
        let full = Header {
            len: MAX_PAYLOAD,
            seq: 255,
        };
        assert_eq!(full.bytes(), [255, 255, 255, 255]);
        assert_eq!(Header::parse(full.bytes()), full);
    }

    #[test]
    fn a_payload_splits_where_mysql_splits_it() {
        let big = vec![7; 2 * MAX_PAYLOAD + 1];
        assert_eq!(lengths(&[], 0), [(0, 0)]);
        assert_eq!(lengths(&big[..5], 255), [(5, 255)]);
        assert_eq!(lengths(&big[..MAX_PAYLOAD - 1], 1), [(MAX_PAYLOAD - 1, 1)]);
        assert_eq!(lengths(&big[..MAX_PAYLOAD], 1), [(MAX_PAYLOAD, 1), (0, 2)]);
        assert_eq!(
            lengths(&big[..=MAX_PAYLOAD], 255),
            [(MAX_PAYLOAD, 255), (1, 0)]
        );
        let exact = [(MAX_PAYLOAD, 254), (MAX_PAYLOAD, 255), (0, 0)];
        assert_eq!(lengths(&big[..2 * MAX_PAYLOAD], 254), exact);
        let beyond = [(MAX_PAYLOAD, 0), (MAX_PAYLOAD, 1), (1, 2)];
        assert_eq!(lengths(&big, 0), beyond);
    }
}
