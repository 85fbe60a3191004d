//! A stream that carries packets: the buffers, and the framing of whole payloads.
//!
//! Two ways to read: [`Wire::read_payload`] collects one payload (logins, statements), and
//! [`Wire::fill`] with [`Wire::input`] lets the relay walk over packets where they lie, without
//! collecting what it only forwards.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use super::Stream;
use super::cut::Cut;
use super::input::{Input, KEPT, READ_SIZE};
use super::stalls::Stalls;
use crate::protocol::compression::{Algorithm, Codec};
use crate::protocol::{HEADER, Header, MAX_PAYLOAD, ProtocolError, write_packet};

/// Why a packet could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The peer closed the connection between two packets.
    #[error("the connection was closed")]
    Closed,
    /// The stream failed, or ended inside a packet.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Bytes that are not what the protocol allows.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A payload larger than the named limit.
    #[error("a packet of more than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// A packet whose number is not the next one (protocol page "Sequence ID").
    #[error("packets out of order: expected number {expected}, got {found}")]
    OutOfOrder {
        /// The number due.
        expected: u8,
        /// The number that came.
        found: u8,
    },
}

/// A stream with its buffers and the number of the next packet.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    /// Between the stream and the buffers, where compression was agreed.
    codec: Option<Box<Codec>>,
    input: Input,
    output: BytesMut,
    /// So much of the output has left already, in bytes.
    left: usize,
    cut: Option<Arc<Cut>>,
    seq: u8,
    /// Found to be so by [`Wire::is_over`].
    over: bool,
    received: u64,
    sent: u64,
    stalls: Stalls,
}

impl Wire {
    /// Buffers are allocated when first used, so an idle wire costs little.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            codec: None,
            input: Input::default(),
            output: BytesMut::new(),
            left: 0,
            cut: None,
            seq: 0,
            over: false,
            received: 0,
            sent: 0,
            stalls: Stalls::default(),
        }
    }

    /// Limits how long the peer may stop in the middle of a packet of its own, and how long it may
    /// take nothing of what is written.
    pub fn limit_stalls(&mut self, reading: Duration, writing: Duration) {
        self.stalls.reading = Some(reading);
        self.stalls.writing = Some(writing);
    }

    /// Has the peer stopped for longer than that?
    pub fn has_stalled(&self) -> bool {
        self.stalls.stalled
    }

    /// The stream below.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Compresses from now on, in both directions: the login is over.
    pub fn compress(&mut self, algorithm: Algorithm) {
        let mut codec = Codec::new(algorithm);
        // A client that does not wait for the login's end has sent compressed bytes already.
        codec.raw().unsplit(self.input.split());
        self.codec = Some(Box::new(codec));
    }

    /// How it compresses, if it does.
    pub fn compression(&self) -> Option<Algorithm> {
        self.codec.as_ref().map(|codec| codec.algorithm())
    }

    /// Gives the stream back, for a TLS handshake. `Err` if the peer has sent something already:
    /// that would be data from before the encryption taken for data inside it.
    pub fn into_stream(self) -> Result<Stream, WireError> {
        match self.input.is_empty() {
            true => Ok(self.stream),
            false => Err(WireError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                "data before the TLS handshake",
            ))),
        }
    }

    /// Bytes read and written since the last call, for the metrics.
    pub fn take_counts(&mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.received),
            std::mem::take(&mut self.sent),
        )
    }

    /// Starts a new command: the next packet has number 0.
    pub fn restart_sequence(&mut self) {
        self.seq = 0;
        if let (Some(codec), true) = (&mut self.codec, self.input.is_empty()) {
            codec.restart();
        }
    }

    /// The number the next packet has, in either direction.
    pub fn sequence(&self) -> u8 {
        self.seq
    }

    /// Sets the number of the next packet; for the relay, which numbers packets itself.
    pub fn set_sequence(&mut self, seq: u8) {
        self.seq = seq;
    }

    /// As [`Stream::move_here`].
    ///
    /// # Errors
    /// As [`Stream::move_here`].
    pub fn move_here(&mut self) -> io::Result<()> {
        self.stream.move_here()
    }

    /// What was read and not consumed yet.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// What is to be written with the next [`Wire::flush`].
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// The next packet's header, if it has been read.
    pub fn peek_header(&self) -> Option<Header> {
        self.input
            .first_chunk::<HEADER>()
            .map(|bytes| Header::parse(*bytes))
    }

    /// Reads once into the input buffer; returns the number of bytes, 0 at the end of the stream.
    ///
    /// Cancel safe: what was read is in the buffer.
    pub async fn fill(&mut self) -> io::Result<usize> {
        if let Some(codec) = &mut self.codec {
            loop {
                let decoded = codec.decode(&mut self.input, READ_SIZE);
                let count = decoded.map_err(io::Error::other)?;
                if count > 0 {
                    return Ok(count);
                }
                let filling = self.input.fill_before(&mut self.stream, codec.raw());
                let count = filling.await?;
                self.received += count as u64;
                if count == 0 {
                    return Ok(0);
                }
            }
        }
        let count = self.input.fill(&mut self.stream).await?;
        self.received += count as u64;
        Ok(count)
    }

    /// Reads until at least `count` bytes lie in the input buffer.
    ///
    /// Cancel safe.
    pub async fn fill_to(&mut self, count: usize) -> Result<(), WireError> {
        while self.input.len() < count {
            if self.fill().await? == 0 {
                return Err(match self.input.is_empty() {
                    true => WireError::Closed,
                    false => WireError::Io(io::ErrorKind::UnexpectedEof.into()),
                });
            }
        }
        Ok(())
    }

    /// The same for what belongs to a packet that has begun: the peer may not stop.
    ///
    /// Cancel safe.
    pub async fn fill_rest(&mut self, count: usize) -> Result<(), WireError> {
        let Some(limit) = self.stalls.reading else {
            return self.fill_to(count).await;
        };
        while self.input.len() < count {
            match timeout(limit, self.fill()).await {
                Ok(Ok(0)) => return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    self.stalls.stalled = true;
                    return Err(WireError::Io(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        Ok(())
    }

    /// Takes the header of the next packet and checks its number.
    ///
    /// Cancel safe.
    pub async fn read_header(&mut self) -> Result<Header, WireError> {
        self.fill_to(HEADER).await?;
        let Some(header) = self.peek_header() else {
            return Err(WireError::Closed);
        };
        // Inside compressed packets, MySQL's client counts in another way, and nobody looks.
        if header.seq != self.seq && self.codec.is_none() {
            return Err(WireError::OutOfOrder {
                expected: self.seq,
                found: header.seq,
            });
        }
        self.input.advance(HEADER);
        self.seq = header.seq.wrapping_add(1);
        Ok(header)
    }

    /// The next packet's payload, if all of it has been read and its number is the one that is due.
    pub fn take_packet(&mut self) -> Option<BytesMut> {
        let header = self.peek_header()?;
        if header.seq != self.seq || self.input.len() - HEADER < header.len {
            return None;
        }
        self.input.advance(HEADER);
        self.seq = header.seq.wrapping_add(1);
        Some(self.input.split_to(header.len))
    }

    /// Collects one payload, put together from all its packets.
    ///
    /// Not cancel safe: a caller that gives up closes the connection.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] beyond `limit` bytes, before they are read.
    pub async fn read_payload(&mut self, limit: usize) -> Result<BytesMut, WireError> {
        let mut header = self.read_header().await?;
        if header.len > limit {
            return Err(WireError::TooLarge { limit });
        }
        self.fill_rest(header.len).await?;
        let mut payload = self.input.split_to(header.len);
        while header.len == MAX_PAYLOAD {
            header = self.read_header().await?;
            if payload.len() + header.len > limit {
                return Err(WireError::TooLarge { limit });
            }
            self.fill_rest(header.len).await?;
            payload.unsplit(self.input.split_to(header.len));
        }
        Ok(payload)
    }

    /// Reads one payload of one packet and not a byte more: a client that asks for TLS sends the
    /// first bytes of the TLS handshake right behind, and those belong to TLS.
    ///
    /// Not cancel safe.
    ///
    /// # Errors
    /// As [`Wire::read_payload`].
    pub async fn read_payload_exactly(&mut self, limit: usize) -> Result<BytesMut, WireError> {
        let mut bytes = [0; HEADER];
        self.stream.read_exact(&mut bytes).await?;
        let header = Header::parse(bytes);
        if header.seq != self.seq {
            return Err(WireError::OutOfOrder {
                expected: self.seq,
                found: header.seq,
            });
        }
        if header.len > limit.min(MAX_PAYLOAD - 1) {
            return Err(WireError::TooLarge { limit });
        }
        self.seq = self.seq.wrapping_add(1);
        let mut payload = BytesMut::zeroed(header.len);
        self.stream.read_exact(&mut payload).await?;
        self.received += (HEADER + header.len) as u64;
        Ok(payload)
    }

    /// Queues one payload.
    pub fn queue(&mut self, payload: &[u8]) {
        write_packet(&mut self.output, &mut self.seq, payload);
    }

    /// Queues one packet of a payload that is sent on packet by packet.
    pub fn queue_packet(&mut self, payload: &[u8]) {
        let header = Header {
            len: payload.len(),
            seq: self.seq,
        };
        self.output.extend_from_slice(&header.bytes());
        self.output.extend_from_slice(payload);
        self.seq = self.seq.wrapping_add(1);
    }

    /// Writes out what is queued.
    ///
    /// Not cancel safe.
    ///
    /// # Errors
    /// As the system gives them, or [`io::ErrorKind::TimedOut`] for a peer that takes nothing.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.flush_now()? {
            // As whatever tokio does itself: nobody keeps a thread busy for good.
            consume_budget().await;
            return Ok(());
        }
        self.flush_rest().await
    }

    /// The same, if the stream takes all of it at once, as it nearly always does; false if
    /// [`Wire::flush`] has to go on, and nothing may be queued before.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn flush_now(&mut self) -> io::Result<bool> {
        if self.codec.is_some() || self.stream.is_tls() {
            return Ok(false);
        }
        if let Some(rest @ [_, ..]) = self.output.get(self.left..) {
            let count = self.stream.send_now(rest)?;
            self.left += count;
            self.sent += count as u64;
        }
        if self.left < self.output.len() {
            return Ok(false);
        }
        self.forget_output();
        Ok(true)
    }

    /// All that was queued has left.
    fn forget_output(&mut self) {
        self.left = 0;
        self.output.clear();
        if self.output.capacity() > 8 * READ_SIZE {
            self.output = BytesMut::new();
        }
    }

    async fn flush_rest(&mut self) -> io::Result<()> {
        if let Some(codec) = &mut self.codec {
            let plain = std::mem::take(&mut self.output);
            codec.encode(&plain, &mut self.output);
        }
        while let Some(rest @ [_, ..]) = self.output.get(self.left..) {
            let count = self.stalls.limit(self.stream.write(rest)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.left += count;
            self.sent += count as u64;
        }
        self.forget_output();
        if self.stream.is_tls() {
            self.stalls.limit(self.stream.flush()).await?;
        }
        Ok(())
    }

    /// Queues one payload and writes everything out.
    pub async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.queue(payload);
        self.flush().await
    }

    /// Gives all but small buffers back while the connection is idle.
    pub fn rest(&mut self) {
        self.input.rest();
        if self.output.is_empty() && self.output.capacity() > KEPT {
            self.output = BytesMut::new();
        }
        if let Some(codec) = &mut self.codec {
            codec.rest();
        }
    }

    /// Has the peer ended the connection, or sent something that nobody asked for, while the wire
    /// was idle? MySQL says why it closes (error 4031) before it does.
    pub fn is_over(&mut self) -> bool {
        let codec = self.codec.as_deref();
        if self.over || !self.input.is_empty() || codec.is_some_and(Codec::holds_input) {
            return true;
        }
        let mut byte = [0; 1];
        let mut space = ReadBuf::new(&mut byte);
        let mut nobody = Context::from_waker(Waker::noop());
        // Costs no system call while nothing has come. What comes is lost with the connection.
        let read = Pin::new(&mut self.stream).poll_read(&mut nobody, &mut space);
        self.over = read.is_ready();
        self.over
    }

    /// Whoever calls [`Cut::cut`] ends the wait for the peer's end, as if the peer had gone.
    pub fn cut_by(&mut self, cut: Arc<Cut>) {
        self.cut = Some(cut);
    }

    /// Resolves when the peer has ended the connection. What it sends meanwhile is kept; with a
    /// buffer full of that nobody looks any further.
    ///
    /// Cancel safe.
    pub async fn gone(&mut self) {
        let Self {
            stream,
            input,
            codec,
            received,
            cut,
            ..
        } = self;
        let input = match codec {
            Some(codec) => codec.raw(),
            None => &mut **input,
        };
        let mut gone = pin!(gone_by_itself(stream, input, received));
        poll_fn(|cx| match cut {
            Some(cut) if cut.poll(cx).is_ready() => Poll::Ready(()),
            _ => gone.as_mut().poll(cx),
        })
        .await;
    }

    /// Says good-bye to the stream. Errors no longer matter to anyone.
    pub async fn close(&mut self) {
        let _ = self.stream.shutdown().await;
    }
}

async fn gone_by_itself(stream: &mut Stream, input: &mut BytesMut, received: &mut u64) {
    while input.len() < READ_SIZE {
        match stream.read_buf(input).await {
            Ok(0) | Err(_) => return,
            Ok(count) => *received += count as u64,
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
