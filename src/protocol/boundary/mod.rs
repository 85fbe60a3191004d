//! Where a response ends: the only code that knows.
//!
//! A [`Boundary`] follows the response to one command, packet by packet, and gives an [`End`] when
//! it is over. It expects the next packet; one that has no place is an error, after which the
//! connection has to be closed, since nobody knows whose packets come next.
//!
//! What a packet is depends on the place, the capabilities, its first byte and its length:
//!
//! - 0xff is an ERR packet wherever a packet begins: no row, definition or count begins with it.
//! - Between rows, 0xfe ends the result if the packet is shorter than [`MAX_PAYLOAD`]. A text row
//!   may begin with 0xfe too, but only as the length of a first column of 16 MiB or more, and then
//!   its first packet is full (seen on MySQL 9.7.4 with and without `CLIENT_DEPRECATE_EOF`).
//!   MySQL's clients take fewer than 9 bytes for an EOF; here it must have the 5 that it has, and
//!   0xfe with any other length is an error, since no row looks like that.
//! - Such an EOF may come with `CLIENT_DEPRECATE_EOF` as well: MySQL 9.7.4 ends a result with one
//!   where a handler of a stored procedure takes over from the query that was sending it, and more
//!   results follow.
//! - A binary row begins with 0x00; a text row may too (an empty string), or with 0xfb (NULL).
//! - A definition begins with 0x03: its first field is always `def`.
//! - At the start, 0x00 is an OK packet (no result has 0 columns), and 0xfb asks for a file.
//!
//! A response of several results goes on while `SERVER_MORE_RESULTS_EXISTS` is set. On a connection
//! without `CLIENT_DEPRECATE_EOF`, MySQL 9.7.4 sets that flag for OUT parameters in the EOF after
//! the definitions only and clears it in the EOF after the row, though an OK packet follows.
//!
//! With a cursor the rows stay away: the definitions' EOF, or the OK packet right after the
//! definitions, carries `SERVER_STATUS_CURSOR_EXISTS` and is the result's end.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

mod part;
mod shape;
mod whole;

pub use part::{End, Part, Want};
pub use whole::WholeResult;

use self::shape::Shape;
use crate::protocol::{
    AuthMore, AuthSwitch, Capabilities, Command, EofPacket, ErrPacket, MAX_PAYLOAD, OkPacket,
    PrepareOk, ProtocolError, Reader, Status, Terminator,
};

/// The first byte of a request for a file.
const LOCAL_INFILE: u8 = 0xfb;

/// The first byte of a definition: the length of `def`, also in UTF-16 and UTF-32, which
/// `character_set_results` may be.
const DEFINITIONS: [u8; 3] = [3, 6, 12];

/// Follows one response.
#[derive(Debug)]
pub struct Boundary {
    caps: Capabilities,
    shape: Shape,
    place: Place,
    /// The packet that was passed last was full, so the next one is more of it.
    continues: bool,
}

/// Which packet is expected next.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The first of the response or of its next result.
    First,
    /// One of so many definitions, `left > 0`.
    Definitions { left: u16, then: Then },
    /// The EOF after definitions.
    DefinitionsEnd { then: Then },
    /// A definition of COM_FIELD_LIST or the end.
    Fields,
    /// A row or the end of the result. `more`: another result follows, whatever the end says.
    Rows { more: bool },
    /// The OK packet after the client sent its file.
    AfterFile,
    /// None.
    Ended(End),
}

/// What comes after definitions.
#[derive(Debug, Clone, Copy)]
enum Then {
    Rows,
    /// Definitions of so many columns, after those of parameters.
    Columns(PrepareOk),
    Nothing,
}

impl Boundary {
    /// Begins the response to `command` on a connection with `caps`.
    pub fn new(command: Command, caps: Capabilities) -> Self {
        let shape = Shape::from(command);
        let place = match shape {
            Shape::Nothing => Place::Ended(End::new(None, false)),
            Shape::Fetch => Place::Rows { more: false },
            Shape::Fields => Place::Fields,
            _ => Place::First,
        };
        Self {
            caps,
            shape,
            place,
            continues: false,
        }
    }

    /// Judges a packet by its header and first byte (`None` if its length is 0): must the caller
    /// collect it, or may it pass unseen? Not to be asked about further packets of a payload that
    /// is being collected.
    pub fn want(&self, len: usize, first: Option<u8>) -> Want {
        if self.continues {
            return Want::Pass;
        }
        let passes = match (self.place, first) {
            (Place::Rows { .. }, Some(first)) => self.shape.takes_row(first, len),
            (Place::Definitions { .. } | Place::Fields, Some(first)) => {
                DEFINITIONS.contains(&first)
            }
            (Place::First, Some(first)) if self.shape == Shape::Statistics => {
                first != ErrPacket::HEADER
            }
            _ => false,
        };
        if passes { Want::Pass } else { Want::Whole }
    }

    /// Takes note of a packet that passes. `len` is that of this packet's header.
    pub fn pass(&mut self, len: usize, first: Option<u8>) -> Result<Part<'static>, ProtocolError> {
        if self.want(len, first) == Want::Whole {
            return Err(ProtocolError::unexpected("packet that may pass"));
        }
        let was_more = std::mem::replace(&mut self.continues, len == MAX_PAYLOAD);
        if was_more {
            Ok(Part::Continuation)
        } else {
            self.passed()
        }
    }

    /// Takes note of a payload that was collected, its packets joined. It may be one that could
    /// have passed.
    pub fn whole<'a>(&mut self, payload: &'a [u8]) -> Result<Part<'a>, ProtocolError> {
        let first = match payload.first() {
            Some(&first) if !self.continues => first,
            _ => return Err(ProtocolError::unexpected("packet with a first byte")),
        };
        if self.want(payload.len(), Some(first)) == Want::Pass {
            return self.passed();
        }
        match (self.place, first) {
            (Place::Ended(_), _) => Err(ProtocolError::unexpected("end of the response")),
            (_, ErrPacket::HEADER) => {
                let err = ErrPacket::parse(payload)?;
                self.place = Place::Ended(End::new(None, true));
                Ok(Part::Err(err))
            }
            (Place::First, _) => self.first(payload, first),
            (Place::DefinitionsEnd { then }, EofPacket::HEADER) => {
                self.definitions_end(payload, then)
            }
            (Place::Rows { more }, EofPacket::HEADER) => self.result_end(payload, more),
            (Place::Fields, EofPacket::HEADER) => self.result_end(payload, false),
            (Place::AfterFile, OkPacket::HEADER) => self.ok(payload),
            (Place::DefinitionsEnd { .. }, _) => Err(ProtocolError::unexpected("EOF packet")),
            (Place::Definitions { .. }, _) => Err(ProtocolError::unexpected("definition")),
            (Place::Fields, _) => Err(ProtocolError::unexpected("definition or end")),
            (Place::Rows { .. }, _) => Err(ProtocolError::unexpected("row or end")),
            (Place::AfterFile, _) => Err(ProtocolError::unexpected("OK packet after a file")),
        }
    }

    /// May a row of a result come next, or its end, and nothing else is known of that result?
    pub fn is_among_rows(&self) -> bool {
        !self.continues && matches!(self.place, Place::Rows { more: false })
    }

    /// Takes note of an end of rows that the caller knows by heart, [`Boundary::whole`] having read the
    /// same before; `status` is what it said.
    pub fn end_rows(&mut self, status: Status) {
        self.finish_result(status);
    }

    /// The end, once the response is over.
    pub fn end(&self) -> Option<End> {
        match self.place {
            Place::Ended(end) if !self.continues => Some(end),
            _ => None,
        }
    }

    fn passed(&mut self) -> Result<Part<'static>, ProtocolError> {
        match self.place {
            Place::Rows { .. } => Ok(Part::Row),
            Place::Fields => Ok(Part::Definition),
            Place::Definitions { left, then } => {
                self.definitions(left.saturating_sub(1), then);
                Ok(Part::Definition)
            }
            Place::First => {
                self.finish(None);
                Ok(Part::Text)
            }
            _ => Err(ProtocolError::unexpected("packet that may pass")),
        }
    }

    fn first<'a>(&mut self, payload: &'a [u8], first: u8) -> Result<Part<'a>, ProtocolError> {
        match (self.shape, first) {
            (Shape::Text | Shape::Binary | Shape::Simple | Shape::Ending, OkPacket::HEADER)
            | (Shape::ChangeUser, OkPacket::HEADER) => self.ok(payload),
            (Shape::Ending, EofPacket::HEADER) => self.result_end(payload, false),
            (Shape::Text, LOCAL_INFILE) if self.caps.contains(Capabilities::LOCAL_FILES) => {
                self.place = Place::AfterFile;
                Ok(Part::LocalInfile(payload.get(1..).unwrap_or_default()))
            }
            (Shape::Text | Shape::Binary, _) => self.column_count(payload),
            (Shape::Prepare, PrepareOk::HEADER) => {
                let prepared = PrepareOk::parse(payload, self.caps)?;
                self.prepared(prepared);
                Ok(Part::PrepareOk(prepared))
            }
            (Shape::ChangeUser, AuthSwitch::HEADER) => {
                AuthSwitch::parse(payload).map(Part::AuthSwitch)
            }
            (Shape::ChangeUser, AuthMore::HEADER) => AuthMore::parse(payload).map(Part::AuthMore),
            _ => Err(ProtocolError::unexpected("first packet of the response")),
        }
    }

    /// The count, and with `CLIENT_OPTIONAL_RESULTSET_METADATA` whether definitions follow.
    ///
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html>
    fn column_count(&mut self, payload: &[u8]) -> Result<Part<'static>, ProtocolError> {
        let mut reader = Reader::new(payload);
        let count = reader.lenenc_int("column count")?;
        let optional = self
            .caps
            .contains(Capabilities::OPTIONAL_RESULTSET_METADATA);
        let metadata = !optional || reader.u8("metadata flag")? != 0;
        reader.end("column count")?;
        match u16::try_from(count) {
            Ok(columns @ 1..) => self.definitions(if metadata { columns } else { 0 }, Then::Rows),
            _ => return Err(ProtocolError::unexpected("column count")),
        }
        Ok(Part::ColumnCount(count))
    }

    fn prepared(&mut self, prepared: PrepareOk) {
        let sent = |count| if prepared.metadata { count } else { 0 };
        if prepared.params > 0 {
            self.definitions(sent(prepared.params), Then::Columns(prepared));
        } else if prepared.columns > 0 {
            self.definitions(sent(prepared.columns), Then::Nothing);
        } else {
            self.finish(None);
        }
    }

    /// So many definitions are still to come, and after them `then`.
    fn definitions(&mut self, left: u16, then: Then) {
        if left > 0 {
            self.place = Place::Definitions { left, then };
        } else if self.caps.contains(Capabilities::DEPRECATE_EOF) {
            self.after_definitions(then, false);
        } else {
            self.place = Place::DefinitionsEnd { then };
        }
    }

    fn after_definitions(&mut self, then: Then, more: bool) {
        match then {
            Then::Rows => self.place = Place::Rows { more },
            Then::Columns(prepared) => self.prepared(PrepareOk {
                params: 0,
                ..prepared
            }),
            Then::Nothing => self.finish(None),
        }
    }

    fn definitions_end(
        &mut self,
        payload: &[u8],
        then: Then,
    ) -> Result<Part<'static>, ProtocolError> {
        let eof = EofPacket::parse(payload)?;
        let cursor = self.shape == Shape::Binary && eof.status.contains(Status::CURSOR_EXISTS);
        if cursor && matches!(then, Then::Rows) {
            self.finish_result(eof.status);
            return Ok(Part::ResultEnd(eof.into()));
        }
        let out_params = Status::PS_OUT_PARAMS | Status::MORE_RESULTS_EXISTS;
        self.after_definitions(then, eof.status.contains(out_params));
        Ok(Part::MetadataEnd(eof))
    }

    fn result_end<'a>(&mut self, payload: &'a [u8], more: bool) -> Result<Part<'a>, ProtocolError> {
        let deprecated = self.caps.contains(Capabilities::DEPRECATE_EOF);
        let end = match EofPacket::parse(payload) {
            Ok(eof) if !deprecated || eof.status.contains(Status::MORE_RESULTS_EXISTS) => {
                eof.into()
            }
            Err(error) if !deprecated => return Err(error),
            _ => Terminator::parse(payload, self.caps)?,
        };
        let mut status = end.status;
        if more {
            status.insert(Status::MORE_RESULTS_EXISTS);
        }
        self.finish_result(status);
        Ok(Part::ResultEnd(end))
    }

    fn ok<'a>(&mut self, payload: &'a [u8]) -> Result<Part<'a>, ProtocolError> {
        let ok = OkPacket::parse(payload, self.caps)?;
        self.finish_result(ok.status);
        Ok(Part::Ok(ok))
    }

    /// Goes on to the next result, or ends. Only statements have more than one.
    fn finish_result(&mut self, status: Status) {
        let several = matches!(self.shape, Shape::Text | Shape::Binary);
        if several && status.contains(Status::MORE_RESULTS_EXISTS) {
            self.place = Place::First;
        } else {
            self.finish(Some(status));
        }
    }

    fn finish(&mut self, status: Option<Status>) {
        self.place = Place::Ended(End::new(status, false));
    }
}
