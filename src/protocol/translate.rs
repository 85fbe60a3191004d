//! What a client reads where it lacks `CLIENT_DEPRECATE_EOF` or `CLIENT_SESSION_TRACK`, though the
//! backend connection has both.
//!
//! Found by asking MySQL 9.7.4 the same with and without each (`tests/protocol_responses`):
//!
//! - **Session tracking**: without it the block and `SERVER_SESSION_STATE_CHANGED` are gone, and
//!   nothing else changes. An EOF packet carries neither, so a client with session tracking but
//!   without `CLIENT_DEPRECATE_EOF` reads changes in OK packets only.
//! - **End of a result**: an EOF packet with the same warnings and flags. For OUT parameters it
//!   lacks `SERVER_PS_OUT_PARAMS` and `SERVER_MORE_RESULTS_EXISTS`; the EOF before the row has
//!   them.
//! - **After definitions** stands an EOF too, also before an error that comes instead of rows. A
//!   result with `SERVER_STATUS_CURSOR_EXISTS` right after its definitions has only this one.
//! - **The flags of that EOF** are those of the result's end, also those that the statement itself
//!   sets (`IN_TRANS` at autocommit off, `NO_INDEX_USED`, `METADATA_CHANGED`), without
//!   `SERVER_QUERY_WAS_SLOW`, which is set at the end.
//! - **Its warnings** are those of parsing (a deprecated syntax), nearly always 0; what is counted
//!   while the statement runs is not in it. The end's count tells not which is which, so it is 0
//!   here.
//! - **Prepare** has an EOF after the parameters and one after the columns, if there are any; with
//!   the warnings of the prepare OK packet and the connection's flags.
//!
//! The flags of an EOF before rows are known only at the end of the rows, which stream. So the
//! caller gives what it knows: [`Around::before`] goes out with the status it was given, and as
//! long as those bytes have not left, the caller should overwrite them with
//! [`Translator::metadata_eof`] of the real end. For OUT parameters (one row, binary, of a CALL)
//! a client that reads the flags loses its place without them: there the row has to be held until
//! the end has come.

use bytes::BufMut;

use crate::protocol::{Capabilities, EofPacket, OkPacket, Part, Status, Terminator};

/// Rewrites the parts of responses for one client. One for each response.
#[derive(Debug)]
pub struct Translator {
    client: Capabilities,
    place: Place,
    cursor: bool,
}

/// The EOF packets to send beside a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    /// Before it.
    pub before: Option<EofPacket>,
    /// After it.
    pub after: Option<EofPacket>,
    /// And once more after that.
    pub twice: bool,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// No EOF is due.
    Other,
    /// Between the count and the first row or the end.
    Definitions,
    /// So many definitions of a prepared statement are left.
    Prepare {
        params: u16,
        columns: u16,
        warnings: u16,
    },
}

impl Translator {
    /// For a client with these capabilities. A client without `DEPRECATE_EOF` must not be given
    /// `OPTIONAL_RESULTSET_METADATA`: an EOF for definitions that are left out is not made here.
    pub const fn new(client: Capabilities) -> Self {
        Self {
            client,
            place: Place::Other,
            cursor: false,
        }
    }

    /// The same for an execution that asks for a cursor: an error that comes instead of it stands
    /// right behind the definitions (seen on MySQL 9.7.4).
    #[must_use]
    pub const fn asking_for_cursor(mut self, cursor: bool) -> Self {
        self.cursor = cursor;
        self
    }

    /// Whether the client reads EOF packets after definitions and rows.
    pub const fn needs_metadata_eof(&self) -> bool {
        !self.client.contains(Capabilities::DEPRECATE_EOF)
    }

    /// Is an EOF packet due before what comes next, whatever that is?
    pub const fn is_due(&self) -> bool {
        !matches!(self.place, Place::Other)
    }

    /// The EOF after the definitions of a result that ends with `status`.
    pub const fn metadata_eof(status: Status) -> EofPacket {
        let status = status
            .without(Status::SESSION_STATE_CHANGED)
            .without(Status::QUERY_WAS_SLOW)
            .without(Status::LAST_ROW_SENT);
        EofPacket {
            warnings: 0,
            status,
        }
    }

    /// The EOF packets that the client has to read before and after `part`, which follows the part
    /// of the last call. `status` is the connection's, as far as it is known: it goes into an EOF
    /// before rows and after a prepare. An EOF before the end of a result has that end's own.
    pub fn around(&mut self, part: &Part<'_>, status: Status) -> Around {
        let mut around = Around::default();
        if !self.needs_metadata_eof() {
            return around;
        }
        match (self.place, part) {
            (_, Part::ColumnCount(_)) => self.place = Place::Definitions,
            (_, Part::PrepareOk(ok)) => {
                let (params, columns, warnings) = (ok.params, ok.columns, ok.warnings);
                if !ok.metadata {
                    // The ends of two lists that are left out.
                    let eof = EofPacket {
                        warnings,
                        ..Self::metadata_eof(status)
                    };
                    around.after = (params > 0 || columns > 0).then_some(eof);
                    around.twice = params > 0 && columns > 0;
                    return around;
                }
                self.place = Place::Prepare {
                    params,
                    columns,
                    warnings,
                };
            }
            (Place::Definitions, Part::Err(_)) if self.cursor => self.place = Place::Other,
            (Place::Definitions, Part::Row | Part::Err(_)) => {
                around.before = Some(Self::metadata_eof(status));
                self.place = Place::Other;
            }
            (Place::Definitions, Part::ResultEnd(end)) => {
                let rows = !end.status.contains(Status::CURSOR_EXISTS);
                around.before = rows.then(|| Self::metadata_eof(end.status));
                self.place = Place::Other;
            }
            (
                Place::Prepare {
                    params,
                    columns,
                    warnings,
                },
                Part::Definition,
            ) => {
                let eof = EofPacket {
                    warnings,
                    ..Self::metadata_eof(status)
                };
                around.after = matches!((params, columns), (1, _) | (0, 1)).then_some(eof);
                let (params, columns) = match params {
                    0 => (0, columns.saturating_sub(1)),
                    _ => (params - 1, columns),
                };
                self.place = Place::Prepare {
                    params,
                    columns,
                    warnings,
                };
            }
            _ => {}
        }
        around
    }

    /// Appends an OK packet that answers a command. `keep_session` is what the client may read of
    /// `ok.session` (see [`track::filter`](crate::protocol::track::filter)).
    pub fn final_ok(&self, ok: &OkPacket<'_>, keep_session: &[u8], out: &mut impl BufMut) {
        self.rewritten(ok, keep_session)
            .encode(OkPacket::HEADER, self.client, out);
    }

    /// Appends the end of a result: an OK packet or an EOF packet.
    pub fn result_end(&self, end: &Terminator<'_>, keep_session: &[u8], out: &mut impl BufMut) {
        if !self.needs_metadata_eof() {
            return self.rewritten(end, keep_session).encode(
                OkPacket::TERMINATOR,
                self.client,
                out,
            );
        }
        let mut status = end.status.without(Status::SESSION_STATE_CHANGED);
        if status.contains(Status::PS_OUT_PARAMS) {
            status.remove(Status::PS_OUT_PARAMS | Status::MORE_RESULTS_EXISTS);
        }
        EofPacket {
            warnings: end.warnings,
            status,
        }
        .encode(out);
    }

    /// The packet with the flag in step with the block. A change that came with an empty block
    /// stays one.
    fn rewritten<'a>(&self, ok: &OkPacket<'a>, keep_session: &'a [u8]) -> OkPacket<'a> {
        let tracks = self.client.contains(Capabilities::SESSION_TRACK);
        let nothing_kept = keep_session.is_empty() && !ok.session.is_empty();
        if !tracks || nothing_kept {
            let status = ok.status.without(Status::SESSION_STATE_CHANGED);
            return OkPacket {
                status,
                session: &[],
                ..*ok
            };
        }
        OkPacket {
            session: keep_session,
            ..*ok
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    const TRACK: Capabilities = Capabilities::SESSION_TRACK;
    const DEPRECATE: Capabilities = Capabilities::DEPRECATE_EOF;

    #[test]
    fn a_client_reads_only_the_changes_that_are_kept_for_it() {
        // MySQL 9.7.4: BEGIN, and a block of nothing.
        let begin = hex("00 00 00 03 40 00 00 00 0b 05 09 08 54 5f 5f 5f 5f 5f 5f 5f");
        let empty = hex("00 00 00 00 40 00 00 00 00");
        let bare = hex("00 00 00 03 00 00 00");
        let table = [
            (&begin, true, TRACK, &begin),
            (&begin, false, TRACK, &bare),
            (&begin, true, Capabilities(0), &bare),
            (&empty, true, TRACK, &empty),
            (&empty, true, Capabilities(0), &hex("00 00 00 00 00 00 00")),
        ];
        for (bytes, keep, client, expected) in table {
            let ok = OkPacket::parse(bytes, TRACK).unwrap();
            let kept = if keep { ok.session } else { &[] };
            let mut out = Vec::new();
            Translator::new(client).final_ok(&ok, kept, &mut out);
            assert_eq!(&out, expected, "{ok:?} for {client:?}");
        }
    }

    #[test]
    fn the_end_of_a_result_takes_the_clients_form() {
        // MySQL 9.7.4: the OUT parameters of a CALL, and a SELECT that changed a transaction.
        let out_params = hex("fe 00 00 2a 10 00 00");
        let tracked = hex("fe 00 00 23 40 01 00 00 0b 05 09 08 54 5f 52 5f 5f 73 53 5f");
        let table = [
            (&out_params, DEPRECATE, "fe 00 00 2a 10 00 00"),
            (&out_params, Capabilities(0), "fe 00 00 22 00"),
            (&tracked, DEPRECATE, "fe 00 00 23 00 01 00"),
            (&tracked, TRACK, "fe 01 00 23 00"),
            (&tracked, Capabilities(0), "fe 01 00 23 00"),
        ];
        for (bytes, client, expected) in table {
            let end = Terminator::parse(bytes, TRACK).unwrap();
            let mut out = Vec::new();
            Translator::new(client).result_end(&end, end.session, &mut out);
            assert_eq!(out, hex(expected), "{end:?} for {client:?}");
        }
    }

    #[test]
    fn a_client_that_reads_ok_packets_gets_no_eof() {
        let mut translator = Translator::new(DEPRECATE);
        assert!(!translator.needs_metadata_eof());
        for part in [Part::ColumnCount(1), Part::Definition, Part::Row] {
            assert_eq!(
                translator.around(&part, Status::AUTOCOMMIT),
                Around::default()
            );
        }
    }

    #[test]
    fn the_eof_before_rows_has_what_is_known_and_the_one_before_the_end_what_is_true() {
        let mut translator = Translator::new(Capabilities(0));
        let guess = Status::AUTOCOMMIT | Status::QUERY_WAS_SLOW;
        let eof = |status| EofPacket {
            warnings: 0,
            status,
        };
        let mut before = |part: Part<'_>| {
            let around = translator.around(&part, guess);
            assert_eq!(around.after, None);
            around.before
        };
        assert_eq!(before(Part::ColumnCount(1)), None);
        assert_eq!(before(Part::Definition), None);
        assert_eq!(before(Part::Row), Some(eof(Status::AUTOCOMMIT)));
        assert_eq!(before(Part::Row), None);
        let status = Status::IN_TRANS;
        assert_eq!(
            before(Part::ResultEnd(Terminator {
                status,
                ..Terminator::default()
            })),
            None
        );
        assert_eq!(before(Part::ColumnCount(1)), None);
        let end = Part::ResultEnd(Terminator {
            status,
            ..Terminator::default()
        });
        assert_eq!(before(end), Some(eof(Status::IN_TRANS)));
        assert_eq!(before(Part::ColumnCount(1)), None);
        let status = Status::CURSOR_EXISTS;
        assert_eq!(
            before(Part::ResultEnd(Terminator {
                status,
                ..Terminator::default()
            })),
            None
        );
    }
}
