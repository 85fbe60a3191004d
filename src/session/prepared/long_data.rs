//! COM_STMT_SEND_LONG_DATA: values that come ahead of their execution, and have no answer.
//!
//! They wait here, so that the execution may still run anywhere. A value that is larger than what
//! is worth keeping goes on to the writer as it comes, and the execution follows it there.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_send_long_data.html>

use super::super::Ended;
use super::super::command::Request;
use super::super::connections::Held;
use super::super::session::Session;
use super::Prepared;
use crate::protocol::{Command, Reader, set_statement_id};
use crate::routing::Role;
use std::sync::Arc;

/// So much is kept of all statements of a session, in bytes.
const KEPT: usize = 1 << 20;

/// What a chunk counts besides its bytes: there may be many empty ones.
const CHUNK: usize = 64;

/// Values that came ahead of the next execution.
#[derive(Debug, Default)]
pub(in crate::session) enum LongData {
    /// None.
    #[default]
    None,
    /// Chunks as they came: the parameter's index and the bytes.
    Kept {
        /// In the order in which they came.
        chunks: Vec<(u16, Vec<u8>)>,
        /// Their length in bytes, and [`CHUNK`] for each.
        size: usize,
    },
    /// They are on the session's connection to the writer.
    OnWriter,
    /// They could not be handed on: the execution fails.
    Lost,
}

impl LongData {
    /// Do they lie on the writer's connection?
    pub(in crate::session) fn is_on_writer(&self) -> bool {
        matches!(self, Self::OnWriter)
    }

    /// Did this parameter come ahead, as far as is known? What has gone on to the writer is not.
    pub(super) fn has(&self, param: usize) -> bool {
        match self {
            Self::Kept { chunks, .. } => chunks.iter().any(|(it, _)| usize::from(*it) == param),
            _ => false,
        }
    }

    /// How much is kept, in bytes, with [`CHUNK`] for each chunk.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Kept { size, .. } => *size,
            Self::None | Self::OnWriter | Self::Lost => 0,
        }
    }

    /// Keeps a chunk; false if that would be too much beside the `others` that are kept.
    pub(super) fn keep(&mut self, param: u16, bytes: &[u8], others: usize) -> bool {
        if matches!(self, Self::None) {
            *self = Self::Kept {
                chunks: Vec::new(),
                size: 0,
            };
        }
        let Self::Kept { chunks, size } = self else {
            return false;
        };
        let more = bytes.len() + CHUNK;
        if others + more > KEPT {
            return false;
        }
        *size += more;
        chunks.push((param, bytes.to_vec()));
        true
    }
}

impl Held {
    /// Queues what was kept for a statement that the connection knows by this id.
    pub(in crate::session) fn queue_long_data(&mut self, id: u32, data: &LongData) {
        let LongData::Kept { chunks, .. } = data else {
            return;
        };
        for (param, bytes) in chunks {
            let mut payload = vec![Command::StmtSendLongData as u8];
            payload.extend_from_slice(&id.to_le_bytes());
            payload.extend_from_slice(&param.to_le_bytes());
            payload.extend_from_slice(bytes);
            self.wire.restart_sequence();
            self.wire.queue(&payload);
        }
    }
}

impl Session {
    /// Takes one chunk.
    pub(super) async fn long_data(&mut self, mut request: Request) -> Result<(), Ended> {
        let mut reader = Reader::new(&request.payload);
        let head = (|| {
            reader.u8("command").ok()?;
            Some((reader.u32("statement id").ok()?, reader.u16("index").ok()?))
        })();
        // What is malformed or unknown has no answer either.
        let Some((id, param)) = head else {
            return self.skip(request).await;
        };
        let Some(entry) = self.prepared.find(id) else {
            return self.skip(request).await;
        };
        let lost = matches!(entry.long, LongData::Lost);
        let prepared = Arc::clone(&entry.prepared);
        if !request.more && self.prepared.keep_long(id, param, reader.rest()) {
            return Ok(());
        }
        if lost {
            return self.skip(request).await;
        }
        let handed_on = self.hand_on_long_data(&prepared, &mut request).await?;
        if request.more {
            self.skip_rest(&mut request).await?;
        }
        let long = match handed_on {
            true => LongData::OnWriter,
            false => LongData::Lost,
        };
        self.prepared.set_long(id, long);
        Ok(())
    }

    /// Sends what was kept and this chunk to the writer; false if that could not be done.
    async fn hand_on_long_data(
        &mut self,
        prepared: &Arc<Prepared>,
        request: &mut Request,
    ) -> Result<bool, Ended> {
        let snapshot = self.shared.watch.snapshot();
        let views = snapshot.backends.iter();
        let mut writers = views.filter(|view| view.role == Role::Writer && view.writable);
        let Some(place) = writers.next().and_then(|view| view.place()) else {
            return Ok(false);
        };
        let Ok(mut held) = self.writer_connection(place).await else {
            return Ok(false);
        };
        let Ok(id) = self.known_on(&mut held, prepared, None).await else {
            return Ok(false);
        };
        if let Some(entry) = self.prepared.find(prepared.id) {
            held.queue_long_data(id, &entry.long);
        }
        if set_statement_id(&mut request.payload, id).is_err() {
            return Ok(false);
        }
        match self.send(&mut held, request).await {
            Ok(()) => {
                self.connections.put(held);
                Ok(true)
            }
            Err(super::super::relay::RelayError::Client(_)) => Err(Ended::ClientGone),
            Err(super::super::relay::RelayError::Backend(_)) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_chunks_are_kept_up_to_a_limit_empty_ones_too() {
        let mut data = LongData::None;
        assert!(data.keep(0, b"", 0) && data.keep(1, b"abc", CHUNK));
        assert!(!data.keep(1, &vec![0; KEPT], data.size()));
        let LongData::Kept { chunks, size } = &data else {
            panic!("{data:?}");
        };
        assert_eq!((chunks.len(), *size), (2, 2 * CHUNK + 3));
        let mut data = LongData::None;
        let mut kept = 0;
        while data.keep(0, b"", data.size()) {
            kept += 1;
        }
        assert_eq!(kept, KEPT / CHUNK);
        assert!(!LongData::OnWriter.keep(0, b"x", 0));
        assert!(!LongData::None.keep(0, b"x", KEPT), "another statement's");
    }
}
