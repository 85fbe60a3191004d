//! What passes through unread and by the piece: rows, and the file of a LOAD DATA LOCAL.

use bytes::{Buf, BytesMut};

use super::{FLUSH_SIZE, Relay, RelayError};
use crate::net::READ_SIZE;
use crate::protocol::{HEADER, Header, MAX_PAYLOAD, Want};
use crate::session::observe::Observer;

/// Moves so many bytes from the start of what has come behind what is to leave. Much is not copied: if
/// it is all that there is, the buffers change places.
pub(super) fn move_bytes(input: &mut BytesMut, count: usize, output: &mut BytesMut) {
    if count == input.len() && output.is_empty() && count >= READ_SIZE / 4 {
        std::mem::swap(input, output);
        return;
    }
    if count >= READ_SIZE / 4 {
        // At once, or it grows step by step and is copied each time.
        output.reserve(count.max(READ_SIZE));
    }
    output.extend_from_slice(input.get(..count).unwrap_or_default());
    input.advance(count);
}

impl<O: Observer> Relay<'_, O> {
    /// Forwards the rows that have come whole, all at once; false if there are none, or they have to be
    /// looked at.
    pub(super) fn forward_rows(&mut self) -> bool {
        if !self.boundary.is_among_rows() || self.translator.is_due() || self.observer.taps_rows() {
            return false;
        }
        let (mut seq, mut whole) = (self.client.sequence(), 0);
        let input = self.connection.wire.input();
        while let Some(packet) = input.get_mut(whole..)
            && let Some((header, payload)) = packet.split_first_chunk_mut::<HEADER>()
        {
            let Header { len, .. } = Header::parse(*header);
            let passes = self.boundary.want(len, payload.first().copied()) == Want::Pass;
            // The first byte of an empty packet would be another one's.
            if !passes || len == 0 || len == MAX_PAYLOAD || payload.len() < len {
                break;
            }
            *header = Header { len, seq }.bytes();
            seq = seq.wrapping_add(1);
            whole += HEADER + len;
        }
        move_bytes(input, whole, self.client.output());
        self.client.set_sequence(seq);
        whole > 0
    }

    /// Forwards the file that the backend asked the client for, up to its empty last packet.
    pub(super) async fn send_file(&mut self) -> Result<(), RelayError> {
        let backend = |error| RelayError::Backend(error);
        self.file_wanted = false;
        self.connection.wire.set_sequence(self.client.sequence());
        loop {
            let begun = self.client.fill_rest(HEADER).await;
            begun.map_err(RelayError::Client)?;
            let header = self.client.read_header().await;
            let header = header.map_err(RelayError::Client)?;
            let seq = self.connection.wire.sequence();
            let bytes = Header {
                len: header.len,
                seq,
            }
            .bytes();
            self.connection.wire.output().extend_from_slice(&bytes);
            self.connection.wire.set_sequence(seq.wrapping_add(1));
            let mut rest = header.len;
            while rest > 0 {
                self.client.fill_rest(1).await.map_err(RelayError::Client)?;
                let count = rest.min(self.client.input().len());
                let chunk = self.client.input().split_to(count);
                self.connection.wire.output().extend_from_slice(&chunk);
                rest -= count;
                if self.connection.wire.output().len() >= FLUSH_SIZE {
                    self.connection
                        .wire
                        .flush()
                        .await
                        .map_err(|e| backend(e.into()))?;
                }
            }
            self.connection
                .wire
                .flush()
                .await
                .map_err(|e| backend(e.into()))?;
            if header.len == 0 {
                return Ok(());
            }
        }
    }
}
