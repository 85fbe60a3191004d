//! What changed in the session, from the block in an OK packet.
//!
//! The block is a row of entries, each a kind (1 byte) and its data (lenenc string):
//!
//! | kind | data |
//! |---|---|
//! | 0 | lenenc string name, lenenc string value: one pair an entry |
//! | 1 | lenenc string schema |
//! | 2 | lenenc string `1` or `0` |
//! | 3 | encoding (1 byte, 0), lenenc string GTID set |
//! | 4 | lenenc string: statements that begin the same transaction again; may be empty |
//! | 5 | lenenc string of eight flags, such as `T_R__sS_` |
//!
//! Several variables come as several entries (`SET NAMES` gives three on MySQL 9.7.4 and MariaDB
//! 10.11.19), and MySQL's client library reads one pair an entry: so a second pair is an error. A
//! block may be empty though `SERVER_SESSION_STATE_CHANGED` is set. MySQL 9.7.4 sends kind 5 for
//! BEGIN, COMMIT and LOCK TABLES even while `session_track_transaction_info` is OFF.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html#sect_protocol_basic_ok_packet_sessinfo>

use crate::protocol::{ErrorKind, ProtocolError, Reader};

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A tracked system variable has a new value.
    SystemVariable {
        /// Its name.
        name: &'a [u8],
        /// Its value as text.
        value: &'a [u8],
    },
    /// Another schema is current; empty if none is.
    Schema(&'a [u8]),
    /// Whether the session holds state that a new connection would not have.
    StateChanged(bool),
    /// A GTID set as text: of the session's own transactions or all, as `session_track_gtids` says.
    Gtids(&'a str),
    /// Statements that begin the same transaction again.
    TransactionCharacteristics(&'a [u8]),
    /// Eight flags of the transaction.
    TransactionState(&'a [u8]),
    /// A kind that this crate does not know.
    Unknown {
        /// The kind.
        kind: u8,
        /// Its data.
        data: &'a [u8],
    },
}

/// A change with the bytes that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it says.
    pub change: Change<'a>,
    /// Kind, length and data, to be copied unchanged.
    pub raw: &'a [u8],
}

/// The changes in a block. After an error nothing follows.
pub fn changes(session: &[u8]) -> impl Iterator<Item = Result<Change<'_>, ProtocolError>> {
    entries(session).map(|entry| entry.map(|entry| entry.change))
}

/// The changes in a block, each with its bytes. After an error nothing follows.
pub fn entries(session: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, ProtocolError>> {
    let mut reader = Reader::new(session);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let entry = next_entry(&mut reader);
        if entry.is_err() {
            reader.rest();
        }
        Some(entry)
    })
}

/// Appends to `out` the entries that `keep` wants, byte for byte.
///
/// On an error `out` holds the entries before the fault.
pub fn filter(
    session: &[u8],
    out: &mut Vec<u8>,
    mut keep: impl FnMut(&Change<'_>) -> bool,
) -> Result<(), ProtocolError> {
    for entry in entries(session) {
        let entry = entry?;
        if keep(&entry.change) {
            out.extend_from_slice(entry.raw);
        }
    }
    Ok(())
}

fn next_entry<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, ProtocolError> {
    let mut ahead = reader.clone();
    let kind = ahead.u8("kind of change")?;
    let data = ahead.lenenc_bytes("data of a change")?;
    let raw = reader.bytes(ahead.offset() - reader.offset(), "change")?;
    Ok(Entry {
        change: change(kind, data)?,
        raw,
    })
}

fn change(kind: u8, data: &[u8]) -> Result<Change<'_>, ProtocolError> {
    let mut reader = Reader::new(data);
    let change = match kind {
        0 => Change::SystemVariable {
            name: reader.lenenc_bytes("variable's name")?,
            value: reader.lenenc_bytes("variable's value")?,
        },
        1 => Change::Schema(reader.lenenc_bytes("schema")?),
        // MySQL 9.7.4 puts a length before the byte after USE, and none after COM_INIT_DB. Seen
        // empty too: on doubt, something changed.
        2 => match reader.rest() {
            b"1" | b"\x011" | b"" => Change::StateChanged(true),
            b"0" | b"\x010" => Change::StateChanged(false),
            _ => return Err(reader.error(ErrorKind::Unexpected, "state change")),
        },
        3 => {
            if reader.u8("GTID encoding")? != 0 {
                return Err(reader.error(ErrorKind::Unsupported, "GTID encoding"));
            }
            let text = str::from_utf8(reader.lenenc_bytes("GTID set")?);
            Change::Gtids(text.map_err(|_| reader.error(ErrorKind::NotText, "GTID set"))?)
        }
        4 => Change::TransactionCharacteristics(reader.lenenc_bytes("characteristics")?),
        5 => Change::TransactionState(reader.lenenc_bytes("transaction state")?),
        _ => Change::Unknown {
            kind,
            data: reader.rest(),
        },
    };
    reader.end("change")?;
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    /// MySQL 9.7.4: COMMIT of a function's write, with `session_track_gtids = OWN_GTID`.
    const COMMIT: &str = "03 29 00 27
        61 66 32 36 62 61 34 37 2d 65 37 32 30 2d 31 31 66 31 2d 62 63 32 37 2d 30 32 66 63 30 30
        30 30 30 30 30 31 3a 33 36 05 09 08 5f 5f 5f 5f 5f 5f 5f 5f";

    /// MySQL 9.7.4: SET autocommit = 0, time_zone = '+01:00'.
    const VARIABLES: &str = "00 0f 0a 61 75 74 6f 63 6f 6d 6d 69 74 03 4f 46 46
        00 11 09 74 69 6d 65 5f 7a 6f 6e 65 06 2b 30 31 3a 30 30";

    fn all(session: &[u8]) -> Vec<Change<'_>> {
        changes(session).map(Result::unwrap).collect()
    }

    #[test]
    fn the_blocks_of_mysql_9_7_4_read() {
        let commit = hex(COMMIT);
        let gtid = "af26ba47-e720-11f1-bc27-02fc00000001:36";
        assert_eq!(
            all(&commit),
            [Change::Gtids(gtid), Change::TransactionState(b"________")]
        );
        let variables = hex(VARIABLES);
        let pair = |name, value| Change::SystemVariable { name, value };
        assert_eq!(
            all(&variables),
            [pair(b"autocommit", b"OFF"), pair(b"time_zone", b"+01:00")]
        );
        // USE d, with session_track_state_change.
        let schema = hex("01 02 01 64 02 02 01 31");
        assert_eq!(
            all(&schema),
            [Change::Schema(b"d"), Change::StateChanged(true)]
        );
        // COM_INIT_DB.
        assert_eq!(all(&hex("02 01 31")), [Change::StateChanged(true)]);
        // DROP DATABASE of the current one; ROLLBACK with transaction_info = CHARACTERISTICS.
        assert_eq!(all(&hex("01 01 00")), [Change::Schema(b"")]);
        assert_eq!(
            all(&hex("04 01 00")),
            [Change::TransactionCharacteristics(b"")]
        );
        assert_eq!(all(b""), []);
    }

    #[test]
    fn an_unknown_kind_is_kept_as_it_is() {
        assert_eq!(
            all(&hex("09 02 01 02")),
            [Change::Unknown {
                kind: 9,
                data: &[1, 2]
            }]
        );
    }

    #[test]
    fn a_filter_copies_what_it_keeps_byte_for_byte() {
        let block = [hex(COMMIT), hex(VARIABLES), hex("09 01 07")].concat();
        let kept = |keep: fn(&Change<'_>) -> bool| {
            let mut out = Vec::new();
            filter(&block, &mut out, keep).unwrap();
            out
        };
        assert_eq!(kept(|_| true), block);
        assert!(kept(|_| false).is_empty());
        let without_gtids = kept(|change| !matches!(change, Change::Gtids(_)));
        assert_eq!(without_gtids, block[43..]);
        let only_time_zone = |change: &Change<'_>| {
            matches!(
                change,
                Change::SystemVariable {
                    name: b"time_zone",
                    ..
                }
            )
        };
        assert_eq!(kept(only_time_zone), hex(VARIABLES)[17..]);
    }

    #[test]
    fn a_broken_entry_is_an_error_and_the_last_item() {
        let table = [
            ("00", ErrorKind::Truncated),
            ("03 05 00 04 61", ErrorKind::Truncated),
            ("01 02 05 64", ErrorKind::Truncated),
            ("01 03 01 64 00", ErrorKind::Trailing),
            ("00 06 01 61 01 62 01 63", ErrorKind::Trailing),
            ("02 02 01 32", ErrorKind::Unexpected),
            ("03 03 01 01 61", ErrorKind::Unsupported),
            ("03 03 00 01 ff", ErrorKind::NotText),
        ];
        for (text, kind) in table {
            let block = [hex("01 02 01 64"), hex(text)].concat();
            let items: Vec<_> = changes(&block).collect();
            assert_eq!(items.len(), 2, "{text}");
            assert_eq!(items[1].unwrap_err().kind, kind, "{text}");
            let mut out = Vec::new();
            assert!(filter(&block, &mut out, |_| true).is_err());
            assert_eq!(out, block[..4]);
        }
    }
}
