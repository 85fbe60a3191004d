//! Compressed packets: what carries a session's packets once `CLIENT_COMPRESS` or
//! `CLIENT_ZSTD_COMPRESSION_ALGORITHM` was agreed, from the packet behind the login's end on.
//!
//! | bytes | field |
//! |---|---|
//! | 3 | length of what follows the header |
//! | 1 | sequence number, counted apart from that of the packets inside |
//! | 3 | length before compression; 0: what follows is not compressed |
//!
//! The bytes inside are a stream of packets, cut anywhere. MySQL ignores the numbers of the packets
//! inside, and its client does not keep them in order.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html>

mod deflate;
mod inflate;

use bytes::{Buf, BufMut, BytesMut};

use self::inflate::Inflate;
use crate::protocol::{Capabilities, ErrorKind, MAX_PAYLOAD, ProtocolError};

/// The length of a compressed packet's header, in bytes.
pub const COMPRESSED_HEADER: usize = 7;

/// What is shorter is sent as it is, in bytes (MySQL's MIN_COMPRESS_LENGTH).
const SHORTEST: usize = 50;

/// What is longer is sent in several compressed packets, in bytes.
const LONGEST: usize = 128 * 1024;

/// A client may ask for more, but what a level costs beyond it is out of proportion.
const ZSTD_LEVEL_MAX: u8 = 9;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// zlib at its default level, as in MySQL.
    Zlib,
    /// zstd.
    Zstd {
        /// The level at which this end compresses.
        level: u8,
    },
}

impl Algorithm {
    /// What follows from what both ends have agreed: zlib if both, as in MySQL.
    pub fn agreed(capabilities: Capabilities, level: Option<u8>) -> Option<Self> {
        if capabilities.contains(Capabilities::COMPRESS) {
            return Some(Self::Zlib);
        }
        let level = level.unwrap_or(3).clamp(1, ZSTD_LEVEL_MAX);
        capabilities
            .contains(Capabilities::ZSTD)
            .then_some(Self::Zstd { level })
    }

    /// Its name in MySQL's `protocol_compression_algorithms`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd { .. } => "zstd",
        }
    }
}

/// Both directions of one compressed connection.
#[derive(Debug)]
pub struct Codec {
    algorithm: Algorithm,
    /// Of the next compressed packet, in either direction.
    seq: u8,
    /// What has come and is not decoded yet.
    raw: BytesMut,
    open: Option<Open>,
    /// Made when the first packet comes that needs it.
    inflate: Option<Inflate>,
}

/// The compressed packet that is being decoded.
#[derive(Debug)]
struct Open {
    /// Bytes of it that have not been taken out of `raw`.
    raw_left: usize,
    /// Bytes that it has yet to give.
    plain_left: usize,
    /// Its content is not compressed.
    stored: bool,
}

impl Codec {
    /// For a connection right after its login.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            seq: 0,
            raw: BytesMut::new(),
            open: None,
            inflate: None,
        }
    }

    /// How it compresses.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A new command begins: compressed packets count from 0 again.
    pub fn restart(&mut self) {
        self.seq = 0;
    }

    /// Where to put what comes from the peer.
    pub fn raw(&mut self) -> &mut BytesMut {
        &mut self.raw
    }

    /// Has anything come that is not decoded yet?
    pub fn holds_input(&self) -> bool {
        !self.raw.is_empty()
    }

    /// Gives memory back while the connection is idle.
    pub fn rest(&mut self) {
        if self.open.is_none() && self.raw.is_empty() {
            self.raw = BytesMut::new();
            self.inflate = self.inflate.take().filter(Inflate::is_small);
        }
    }

    /// Decodes at most `limit` bytes, and at most to the end of a compressed packet, since the
    /// next one may begin another command. Returns how many were appended to `out`: 0 if more has
    /// to come first.
    ///
    /// However much a packet claims to hold, no more than `limit` bytes and the decoder's window
    /// are in memory.
    ///
    /// # Errors
    /// For content that is not compressed as agreed, or not as long as it says; then nothing is
    /// appended.
    pub fn decode(&mut self, out: &mut BytesMut, limit: usize) -> Result<usize, ProtocolError> {
        let before = out.len();
        self.decode_next(out, limit)
            .inspect_err(|_| out.truncate(before))
    }

    fn decode_next(&mut self, out: &mut BytesMut, limit: usize) -> Result<usize, ProtocolError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(open) = self.next_header() else {
                    return Ok(0);
                };
                if !open.stored {
                    self.inflate
                        .get_or_insert_with(|| Inflate::new(self.algorithm))
                        .restart()?;
                }
                self.open = Some(open);
                continue;
            };
            let ready = open.raw_left.min(self.raw.len());
            let given = match (&mut self.inflate, open.stored) {
                (_, true) => {
                    let count = ready.min(limit);
                    out.put_slice(&self.raw.split_to(count));
                    open.raw_left -= count;
                    open.plain_left -= count;
                    count
                }
                (Some(inflate), false) => {
                    let input = self.raw.get(..ready).unwrap_or_default();
                    let step = inflate.step(input, out, open.plain_left.min(limit))?;
                    self.raw.advance(step.taken);
                    open.raw_left -= step.taken;
                    open.plain_left -= step.given;
                    let stuck = step.taken + step.given == 0 && !step.ended;
                    if stuck && (open.raw_left == 0 || ready > 0) {
                        return Err(fault(ErrorKind::Truncated));
                    }
                    if step.ended && (open.raw_left > 0 || open.plain_left > 0) {
                        return Err(fault(ErrorKind::BadLength));
                    }
                    step.given
                }
                (None, false) => return Err(fault(ErrorKind::Unexpected)),
            };
            let ended = |inflate: &Option<Inflate>| inflate.as_ref().is_some_and(Inflate::ended);
            if open.raw_left == 0 && open.plain_left == 0 && (open.stored || ended(&self.inflate)) {
                self.open = None;
            } else if given == 0 && ready == 0 && open.raw_left > 0 {
                return Ok(0);
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }

    fn next_header(&mut self) -> Option<Open> {
        let &[a, b, c, seq, d, e, f] = self.raw.first_chunk::<COMPRESSED_HEADER>()?;
        self.raw.advance(COMPRESSED_HEADER);
        // Only this end's answers are counted on from it: what is inside has numbers of its own.
        self.seq = seq.wrapping_add(1);
        let length = |[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]) as usize;
        let (raw, plain) = (length([a, b, c]), length([d, e, f]));
        Some(Open {
            raw_left: raw,
            plain_left: if plain == 0 { raw } else { plain },
            stored: plain == 0,
        })
    }

    /// Appends `plain` to `out` in compressed packets.
    pub fn encode(&mut self, plain: &[u8], out: &mut BytesMut) {
        for chunk in plain.chunks(LONGEST) {
            let packed = match chunk.len() {
                0..SHORTEST => None,
                _ => deflate::pack(self.algorithm, chunk),
            };
            match packed {
                Some(packed) => self.put(&packed, chunk.len(), out),
                None => self.put(chunk, 0, out),
            }
        }
    }

    fn put(&mut self, content: &[u8], plain: usize, out: &mut BytesMut) {
        debug_assert!(content.len() <= MAX_PAYLOAD && plain <= MAX_PAYLOAD);
        out.reserve(COMPRESSED_HEADER + content.len());
        out.put_uint_le(content.len() as u64, 3);
        out.put_u8(self.seq);
        out.put_uint_le(plain as u64, 3);
        out.put_slice(content);
        self.seq = self.seq.wrapping_add(1);
    }
}

const fn fault(kind: ErrorKind) -> ProtocolError {
    ProtocolError::new(kind, "compressed packet", 0)
}

#[cfg(test)]
mod tests;
