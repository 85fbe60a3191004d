use bytes::BufMut;

use crate::protocol::{
    Capabilities, EofPacket, ProtocolError, Reader, Status, put_lenenc_bytes, put_lenenc_int,
};

/// A command succeeded, or a result ended.
///
/// | bytes | field |
/// |---|---|
/// | 1 | 0x00; 0xfe where it ends a result (`CLIENT_DEPRECATE_EOF`) |
/// | lenenc | affected rows |
/// | lenenc | last insert id |
/// | 2 | status flags |
/// | 2 | number of warnings |
/// | lenenc string | info; absent if empty, unless a block of changes follows |
/// | lenenc string | block of changes; only with `SERVER_SESSION_STATE_CHANGED`, may be empty |
///
/// The block comes only if the connection has `CLIENT_SESSION_TRACK`. The page gives info as a
/// string without a length for connections that do not have it, but MySQL 9.7.4, MariaDB 10.11
/// and MySQL's client library put the length before it there too (seen on the wire).
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OkPacket<'a> {
    /// Rows that the statement changed (or found, with `CLIENT_FOUND_ROWS`).
    pub affected_rows: u64,
    /// The first AUTO_INCREMENT value that the statement made; 0 if none.
    pub last_insert_id: u64,
    /// The connection's state.
    pub status: Status,
    /// Number of warnings, at most 65535.
    pub warnings: u16,
    /// A text such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: &'a [u8],
    /// The block of session changes as it came, for [`track`](crate::protocol::track).
    pub session: &'a [u8],
}

/// What ended a result: an OK packet, or an EOF packet as an OK packet without its fields.
pub type Terminator<'a> = OkPacket<'a>;

impl<'a> OkPacket<'a> {
    /// Its first byte where it answers a command.
    pub const HEADER: u8 = 0x00;

    /// Its first byte where it ends a result on a connection with `CLIENT_DEPRECATE_EOF`.
    pub const TERMINATOR: u8 = 0xfe;

    /// Reads a payload with either first byte. `caps` are those of the connection it came from.
    pub fn parse(payload: &'a [u8], caps: Capabilities) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if !matches!(reader.u8("OK packet")?, Self::HEADER | Self::TERMINATOR) {
            return Err(ProtocolError::unexpected("OK packet"));
        }
        let affected_rows = reader.lenenc_int("affected rows")?;
        let last_insert_id = reader.lenenc_int("last insert id")?;
        let status = Status(reader.u16("OK status")?);
        let warnings = reader.u16("OK warnings")?;
        let info = if reader.is_empty() {
            &[]
        } else {
            reader.lenenc_bytes("OK info")?
        };
        let mut session: &[u8] = &[];
        if has_block(status, caps) {
            session = reader.lenenc_bytes("session changes")?;
        }
        reader.end("OK packet")?;
        Ok(Self {
            affected_rows,
            last_insert_id,
            status,
            warnings,
            info,
            session,
        })
    }

    /// Appends the bytes that MySQL would send to a client with `caps`. `header` is
    /// [`OkPacket::HEADER`] or [`OkPacket::TERMINATOR`].
    ///
    /// The block is written if `status` has `SESSION_STATE_CHANGED` and `caps` has
    /// `SESSION_TRACK`; keeping the flag and the block in step is the caller's part.
    pub fn encode(&self, header: u8, caps: Capabilities, out: &mut impl BufMut) {
        out.put_u8(header);
        put_lenenc_int(out, self.affected_rows);
        put_lenenc_int(out, self.last_insert_id);
        out.put_u16_le(self.status.0);
        out.put_u16_le(self.warnings);
        let block = has_block(self.status, caps);
        if block || !self.info.is_empty() {
            put_lenenc_bytes(out, self.info);
        }
        if block {
            put_lenenc_bytes(out, self.session);
        }
    }
}

impl From<EofPacket> for Terminator<'_> {
    fn from(eof: EofPacket) -> Self {
        Self {
            status: eof.status,
            warnings: eof.warnings,
            ..Self::default()
        }
    }
}

fn has_block(status: Status, caps: Capabilities) -> bool {
    caps.contains(Capabilities::SESSION_TRACK) && status.contains(Status::SESSION_STATE_CHANGED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorKind;
    use crate::protocol::testing::hex;

    const TRACK: Capabilities = Capabilities::SESSION_TRACK;
    const PLAIN: Capabilities = Capabilities(0);

    fn parse_and_write_back(bytes: &[u8], caps: Capabilities) -> OkPacket<'_> {
        let ok = OkPacket::parse(bytes, caps).unwrap();
        let mut out = Vec::new();
        ok.encode(bytes[0], caps, &mut out);
        assert_eq!(out, bytes);
        ok
    }

    #[test]
    fn the_shortest_ok_of_mysql_9_7_4_has_no_info_at_all() {
        for caps in [TRACK, PLAIN] {
            let bytes = hex("00 00 00 02 00 00 00");
            let ok = parse_and_write_back(&bytes, caps);
            assert_eq!(
                ok,
                OkPacket {
                    status: Status::AUTOCOMMIT,
                    ..OkPacket::default()
                }
            );
        }
    }

    #[test]
    fn an_info_has_its_length_before_it_with_and_without_session_tracking() {
        let bytes = hex("00 01 00 02 00 00 00 28
            52 6f 77 73 20 6d 61 74 63 68 65 64 3a 20 31 20 20 43 68 61 6e 67 65 64 3a 20 30
            20 20 57 61 72 6e 69 6e 67 73 3a 20 30");
        for caps in [TRACK, PLAIN] {
            let ok = parse_and_write_back(&bytes, caps);
            assert_eq!(ok.info, b"Rows matched: 1  Changed: 0  Warnings: 0");
            assert_eq!((ok.affected_rows, ok.session), (1, &[][..]));
        }
    }

    #[test]
    fn an_empty_info_stands_before_a_block_of_changes() {
        // USE d.
        let bytes = hex("00 00 00 02 40 00 00 00 04 01 02 01 64");
        let ok = parse_and_write_back(&bytes, TRACK);
        assert_eq!((ok.info, ok.session), (&[][..], &[1, 2, 1, b'd'][..]));
        // PREPARE, with session_track_state_change: both.
        let bytes = hex("00 00 00 02 40 00 00
            12 53 74 61 74 65 6d 65 6e 74 20 70 72 65 70 61 72 65 64 03 02 01 31");
        let ok = parse_and_write_back(&bytes, TRACK);
        assert_eq!(
            (ok.info, ok.session),
            (&b"Statement prepared"[..], &[2, 1, b'1'][..])
        );
    }

    #[test]
    fn a_change_may_come_with_an_empty_block() {
        // SET session_track_system_variables = '' after '*'.
        let ok_bytes = hex("00 00 00 00 40 00 00 00 00");
        let ok = parse_and_write_back(&ok_bytes, TRACK);
        assert_eq!(
            (ok.status, ok.session),
            (Status::SESSION_STATE_CHANGED, &[][..])
        );
    }

    #[test]
    fn the_end_of_a_result_carries_changes_too() {
        // SELECT fw(200), where fw inserts a row.
        let bytes = hex("fe 00 00 02 40 00 00 00 2b 03 29 00 27
            61 66 32 36 62 61 34 37 2d 65 37 32 30 2d 31 31 66 31 2d 62 63 32 37 2d
            30 32 66 63 30 30 30 30 30 30 30 31 3a 33 35");
        let ok = parse_and_write_back(&bytes, TRACK);
        assert_eq!(ok.session.len(), 0x2b);
    }

    #[test]
    fn a_packet_of_another_shape_is_an_error() {
        let kind = |text, caps| OkPacket::parse(&hex(text), caps).unwrap_err().kind;
        // An EOF packet where an OK packet has to be.
        assert_eq!(kind("fe 00 00 02 00", TRACK), ErrorKind::Truncated);
        assert_eq!(kind("00 00 00 02 40 00 00", TRACK), ErrorKind::Truncated);
        assert_eq!(
            kind("00 00 00 02 40 00 00 00 04 01 02", TRACK),
            ErrorKind::Truncated
        );
        assert_eq!(
            kind("00 00 00 02 40 00 00 00 01 01", PLAIN),
            ErrorKind::Trailing
        );
        assert_eq!(kind("01 00 00 02 00 00 00", TRACK), ErrorKind::Unexpected);
    }

    #[test]
    fn an_eof_becomes_an_ok_without_counts() {
        let eof = EofPacket {
            warnings: 3,
            status: Status::IN_TRANS,
        };
        let ok = Terminator::from(eof);
        assert_eq!(
            (ok.warnings, ok.status, ok.affected_rows),
            (3, Status::IN_TRANS, 0)
        );
    }
}
