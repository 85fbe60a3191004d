//! Relaying one response from a backend to the client.
//!
//! Rows and definitions are forwarded where they lie; only the packets that end something are
//! looked into, since they carry status flags and session tracking, and since a client may have
//! agreed to another form of them than the backend has.

mod passing;
mod whole;

use bytes::{Buf, BytesMut};

use self::passing::move_bytes;
pub(super) use self::whole::hand_on_whole;
use super::observe::Observer;
use super::pressure::Patience;
use super::visible::Filter;
use crate::backend::Connection;
use crate::net::{READ_SIZE, Wire, WireError};
use crate::protocol::{
    Around, Boundary, Capabilities, Command, End, EofPacket, HEADER, Header, OkPacket, Part,
    PrepareOk, ProtocolError, Status, Translator, Want,
};

/// A packet that ends something is never larger than this, in bytes: it carries GTIDs at most.
const END_PACKET_LIMIT: usize = 4 * 1024 * 1024;

/// A row larger than this passes unseen, in bytes, whoever wants to look at rows.
const TAPPED_LIMIT: usize = 1 << 20;

/// So much is collected before it is written to the client, in bytes.
const FLUSH_SIZE: usize = READ_SIZE;

/// Why a response could not be relayed to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// The backend went away or sent what can't be understood; the connection to it is gone.
    #[error("backend: {0}")]
    Backend(#[source] WireError),
    /// The client went away.
    #[error("client: {0}")]
    Client(#[source] WireError),
}

/// What was seen of a response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The error number it ended with.
    error: Option<u16>,
    /// Bytes still to come of the packet that is being forwarded.
    rest: usize,
    /// Something has reached the client.
    flushed: bool,
    /// It ended with warnings.
    warned: bool,
    /// There was a result with rows, or one that could have had some.
    rows: bool,
    /// How much the client's output held before the packet that was interpreted last, and the
    /// number that this packet got.
    before_end: (usize, u8),
}

impl Progress {
    /// Can the client take an error packet next, or is it in the middle of a packet?
    pub(super) fn at_packet_boundary(&self) -> bool {
        self.rest == 0
    }

    /// Has anything reached the client?
    pub(super) fn flushed(&self) -> bool {
        self.flushed
    }

    /// Was there a result with columns?
    pub(super) fn had_rows(&self) -> bool {
        self.rows
    }

    /// For a response that has ended: how much of the client's output comes before its end, and the
    /// sequence number that the end got.
    pub(super) fn before_end(&self) -> (usize, u8) {
        self.before_end
    }

    /// Is there something for SHOW WARNINGS to tell?
    pub(super) fn left_words(&self) -> bool {
        self.warned || self.error.is_some()
    }

    /// The error number it ended with.
    pub(super) fn error(&self) -> Option<u16> {
        self.error
    }
}

/// One response on its way.
pub(super) struct Relay<'a, O> {
    client: &'a mut Wire,
    capabilities: Capabilities,
    connection: &'a mut Connection,
    filter: Filter<'a>,
    observer: &'a mut O,
    /// Nothing is written before so much has come, or all of it: the answer may yet be thrown
    /// away.
    hold: bool,
    boundary: Boundary,
    translator: Translator,
    /// The client was asked for a file and has not sent it yet.
    file_wanted: bool,
    /// Follows the packet that is being forwarded.
    eof_after: Option<EofPacket>,
    /// Where in the client's output the payload of the EOF between definitions and rows lies: its
    /// flags are a guess until the result's end is known. A result that fits into the buffer waits
    /// for its end; MySQL's own buffer (`net_buffer_length`) lets it wait no longer either.
    guessed_eof: Option<usize>,
    /// Flags of a transaction that is open on another connection.
    transaction: Status,
    /// What the client calls the statement that is being prepared.
    statement_id: Option<u32>,
    /// How long the backend is waited for.
    patience: Patience<'a>,
    progress: Progress,
}

impl<'a, O: Observer> Relay<'a, O> {
    /// A relay for the response to `command`, which has been sent.
    pub(super) fn new(
        command: Command,
        client: &'a mut Wire,
        capabilities: Capabilities,
        connection: &'a mut Connection,
        filter: Filter<'a>,
        observer: &'a mut O,
        patience: Patience<'a>,
    ) -> Self {
        Self {
            boundary: Boundary::new(command, connection.capabilities),
            translator: Translator::new(capabilities),
            client,
            capabilities,
            connection,
            filter,
            observer,
            hold: false,
            file_wanted: false,
            eof_after: None,
            guessed_eof: None,
            transaction: Status::default(),
            statement_id: None,
            patience,
            progress: Progress::default(),
        }
    }

    /// Tells the client of a transaction that is open on another connection.
    pub(super) fn within(mut self, transaction: Status) -> Self {
        self.transaction = transaction;
        self
    }

    /// For an execution that asks for a cursor.
    pub(super) fn asking_for_cursor(mut self, cursor: bool) -> Self {
        self.translator = self.translator.asking_for_cursor(cursor);
        self
    }

    /// Gives the statement that is prepared the client's id for it.
    pub(super) fn naming(mut self, id: Option<u32>) -> Self {
        self.statement_id = id;
        self
    }

    /// Lets nothing through to the client before the buffer is full or the response has ended.
    pub(super) fn holding(mut self) -> Self {
        self.hold = true;
        self
    }

    /// Relays until the response ends. Its last packet is left in the client's output, so that
    /// the caller can settle what it means before the client reads it.
    ///
    /// Not cancel safe: whoever gives up closes both connections.
    pub(super) async fn run(&mut self) -> (Progress, Result<End, RelayError>) {
        let result = self.relay().await;
        (self.progress, result)
    }

    async fn relay(&mut self) -> Result<End, RelayError> {
        loop {
            self.walk()
                .map_err(|error| RelayError::Backend(error.into()))?;
            if let Some(end) = self.boundary.end()
                && self.progress.rest == 0
            {
                return Ok(end);
            }
            let hold = self.hold || self.guessed_eof.is_some();
            let due = if hold { FLUSH_SIZE } else { 1 };
            if self.client.output().len() >= due || self.file_wanted {
                self.flush().await?;
                if self.file_wanted {
                    self.send_file().await?;
                }
                // The walk may have stopped at a full buffer, with the end in the input.
                continue;
            }
            let backend = &mut self.connection.wire;
            let flushed = self.progress.flushed;
            if self.patience.fill(backend, self.client, flushed).await? == 0 {
                return Err(RelayError::Backend(WireError::Closed));
            }
        }
    }

    async fn flush(&mut self) -> Result<(), RelayError> {
        self.guessed_eof = None;
        self.progress.flushed = true;
        self.client
            .flush()
            .await
            .map_err(|error| RelayError::Client(error.into()))
    }

    /// Takes as much of the backend's input as there are whole decisions in it.
    fn walk(&mut self) -> Result<(), ProtocolError> {
        loop {
            let moved = match self.progress.rest {
                0 if self.boundary.end().is_some() || self.file_wanted => false,
                0 => self.forward_rows() || self.next_packet()?,
                _ => self.forward_rest(),
            };
            if !moved || self.client.output().len() >= FLUSH_SIZE {
                return Ok(());
            }
        }
    }

    /// Forwards what has come of the packet under way; false if nothing has.
    fn forward_rest(&mut self) -> bool {
        let input = self.connection.wire.input();
        let count = self.progress.rest.min(input.len());
        move_bytes(input, count, self.client.output());
        self.progress.rest -= count;
        if self.progress.rest == 0 {
            let eof = self.eof_after.take();
            self.put_eof(eof);
        }
        count > 0
    }

    /// Handles one packet; false if more has to be read first.
    fn next_packet(&mut self) -> Result<bool, ProtocolError> {
        let Some(header) = self.connection.wire.peek_header() else {
            return Ok(false);
        };
        let first = self.connection.wire.input().get(HEADER).copied();
        if header.len > 0 && first.is_none() {
            return Ok(false);
        }
        let first = first.filter(|_| header.len > 0);
        if self.boundary.want(header.len, first) == Want::Pass {
            if self.observer.taps_rows() && header.len <= TAPPED_LIMIT {
                return self.tapped(header.len, first);
            }
            let part = self.boundary.pass(header.len, first)?;
            let around = self.around(&part);
            if around.before.is_some() {
                self.guessed_eof = Some(self.client.output().len() + HEADER);
            }
            self.put_eof(around.before);
            self.put_header(header.len);
            self.connection.wire.input().advance(HEADER);
            self.progress.rest = header.len;
            self.eof_after = around.after;
            return Ok(true);
        }
        if header.len > END_PACKET_LIMIT {
            return Err(ProtocolError::unexpected("end of a response"));
        }
        if self.connection.wire.input().len() < HEADER + header.len {
            return Ok(false);
        }
        self.connection.wire.input().advance(HEADER);
        let payload = self.connection.wire.input().split_to(header.len);
        self.interpret(&payload)?;
        Ok(true)
    }

    /// Shows the observer a definition or a row, and sends on what it makes of it.
    fn tapped(&mut self, len: usize, first: Option<u8>) -> Result<bool, ProtocolError> {
        if self.connection.wire.input().len() < HEADER + len {
            return Ok(false);
        }
        let part = self.boundary.pass(len, first)?;
        let around = self.around(&part);
        if around.before.is_some() {
            self.guessed_eof = Some(self.client.output().len() + HEADER);
        }
        self.put_eof(around.before);
        self.connection.wire.input().advance(HEADER);
        let payload = self.connection.wire.input().split_to(len);
        let other = match part {
            Part::Row => self.observer.row(&payload),
            Part::Definition => {
                self.observer.definition(&payload);
                None
            }
            _ => None,
        };
        self.put(other.as_deref().unwrap_or(&payload));
        self.put_eof(around.after);
        Ok(true)
    }

    /// Do results end with OK packets for the client?
    fn reads_ok_ends(&self) -> bool {
        self.capabilities.contains(Capabilities::DEPRECATE_EOF)
    }

    /// Gives the observer what a packet reports, and the client its own form of it.
    fn interpret(&mut self, payload: &BytesMut) -> Result<(), ProtocolError> {
        if self.ends_as_before(payload) {
            return Ok(());
        }
        let part = self.boundary.whole(payload)?;
        if let Part::Ok(ok) | Part::ResultEnd(ok) = &part {
            self.connection.status = ok.status;
            self.progress.warned = ok.warnings > 0;
            self.observer.ended(ok)?;
        }
        self.progress.before_end = (self.client.output().len(), self.client.sequence());
        let around = self.around(&part);
        self.put_eof(around.before);
        let part = self.in_transaction(part);
        match &part {
            Part::Ok(ok) => {
                let seen = self.seen(ok)?;
                let mut own = Vec::with_capacity(payload.len());
                self.translator.final_ok(ok, &seen, &mut own);
                self.put(&own);
            }
            // An EOF where an OK packet is due, which the client is to read as it came.
            Part::ResultEnd(_) if self.reads_ok_ends() && payload.len() == EofPacket::LEN => {
                self.put(payload);
            }
            Part::ResultEnd(end) => {
                self.correct_eof(end.status);
                let seen = self.seen(end)?;
                let mut own = Vec::with_capacity(payload.len());
                self.translator.result_end(end, &seen, &mut own);
                self.put(&own);
                if self.boundary.end().is_some() {
                    self.observer.keep_end(payload, &own, end);
                }
            }
            Part::PrepareOk(prepared) => {
                self.observer.prepared(prepared);
                let statement_id = self.statement_id.unwrap_or(prepared.statement_id);
                let mut own = Vec::with_capacity(payload.len());
                PrepareOk {
                    statement_id,
                    ..*prepared
                }
                .encode(self.capabilities, &mut own);
                self.put(&own);
            }
            other => {
                match other {
                    Part::Err(packet) => self.progress.error = Some(packet.code),
                    Part::LocalInfile(_) => self.file_wanted = true,
                    _ => {}
                }
                self.put(payload);
            }
        }
        self.put_eof(around.after);
        self.put_eof(around.after.filter(|_| around.twice));
        Ok(())
    }

    /// Does the result end just as the one before did? Then all is known that this says.
    fn ends_as_before(&mut self, payload: &[u8]) -> bool {
        if !self.boundary.is_among_rows() || self.translator.is_due() {
            return false;
        }
        let Some(known) = self.observer.known_end(payload) else {
            return false;
        };
        self.boundary.end_rows(known.status);
        self.connection.status = known.status;
        self.progress.warned = known.warned;
        self.progress.before_end = (self.client.output().len(), self.client.sequence());
        self.client.queue(&known.sent);
        let status = known.status;
        self.correct_eof(status);
        true
    }

    /// Puts the right flags into the EOF before the rows, if it has not left yet.
    fn correct_eof(&mut self, status: Status) {
        let Some(start) = self.guessed_eof.take() else {
            return;
        };
        let mut payload = Vec::new();
        Translator::metadata_eof(status).encode(&mut payload);
        let place = start..start + payload.len();
        if let Some(guess) = self.client.output().get_mut(place) {
            guess.copy_from_slice(&payload);
        }
    }

    fn in_transaction<'p>(&self, part: Part<'p>) -> Part<'p> {
        let within = |ok: OkPacket<'p>| OkPacket {
            status: ok.status | self.transaction,
            ..ok
        };
        match part {
            Part::Ok(ok) => Part::Ok(within(ok)),
            Part::ResultEnd(end) => Part::ResultEnd(within(end)),
            other => other,
        }
    }

    fn around(&mut self, part: &Part<'_>) -> Around {
        if matches!(part, Part::ColumnCount(_)) {
            self.progress.rows = true;
        }
        let before = self.connection.status.lasting() | self.transaction;
        self.translator.around(part, before)
    }

    /// The changes that the client may see, as they came.
    fn seen(&self, ok: &OkPacket<'_>) -> Result<Vec<u8>, ProtocolError> {
        match self.capabilities.contains(Capabilities::SESSION_TRACK) {
            true => self.filter.apply(ok.session),
            false => Ok(Vec::new()),
        }
    }

    fn put_header(&mut self, len: usize) {
        let seq = self.client.sequence();
        self.client
            .output()
            .extend_from_slice(&Header { len, seq }.bytes());
        self.client.set_sequence(seq.wrapping_add(1));
    }

    fn put(&mut self, payload: &[u8]) {
        self.client.queue(payload);
    }

    fn put_eof(&mut self, eof: Option<EofPacket>) {
        if let Some(eof) = eof {
            let mut payload = Vec::with_capacity(5);
            eof.encode(&mut payload);
            self.put(&payload);
        }
    }
}
