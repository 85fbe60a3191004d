//! Decompressing in small steps, so that what a packet claims to hold is never allocated.

use bytes::BytesMut;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::{Algorithm, fault};
use crate::protocol::{ErrorKind, ProtocolError};

/// The largest window that a zstd frame may ask for, as a power of 2: that of 16 MiB, the longest
/// content of a compressed packet.
const WINDOW_LOG_MAX: u32 = 24;

/// One step gives at most so many bytes.
const STEP: usize = 16 * 1024;

/// A decoder that has given more since it was made is not kept while the connection is idle.
const KEPT: u64 = 256 * 1024;

/// A decoder of one direction of a connection.
pub(super) struct Inflate {
    kind: Kind,
    ended: bool,
    given: u64,
}

enum Kind {
    Zlib(Decompress),
    Zstd(Option<Decoder<'static>>),
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes taken from the input.
    pub(super) taken: usize,
    /// Bytes appended to the output.
    pub(super) given: usize,
    /// The content is complete.
    pub(super) ended: bool,
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflate")
            .field("ended", &self.ended)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Inflate {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::Zlib => Kind::Zlib(Decompress::new(true)),
            Algorithm::Zstd { .. } => Kind::Zstd(decoder()),
        };
        Self {
            kind,
            ended: false,
            given: 0,
        }
    }

    /// Begins another packet.
    pub(super) fn restart(&mut self) -> Result<(), ProtocolError> {
        self.ended = false;
        match &mut self.kind {
            Kind::Zlib(zlib) => {
                zlib.reset(true);
                Ok(())
            }
            Kind::Zstd(Some(zstd)) => zstd.reinit().map_err(|_| fault(ErrorKind::Unexpected)),
            Kind::Zstd(None) => Err(fault(ErrorKind::Unsupported)),
        }
    }

    /// Has this packet's content come to its end?
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Is it worth keeping while nothing comes?
    pub(super) fn is_small(&self) -> bool {
        self.given <= KEPT
    }

    /// Takes from `input` and appends at most `limit` bytes to `out`. With a `limit` of 0 it reads
    /// on to the end, and any byte that still comes is an error. After an error anything may be
    /// appended.
    pub(super) fn step(
        &mut self,
        input: &[u8],
        out: &mut BytesMut,
        limit: usize,
    ) -> Result<Step, ProtocolError> {
        let room = limit.min(STEP);
        let start = out.len();
        // One byte more than is due shows content that is longer than it says.
        out.resize(start + room.max(1), 0);
        let space = out.get_mut(start..).unwrap_or_default();
        let (taken, given, ended) = self.run(input, space)?;
        if given > room {
            return Err(fault(ErrorKind::BadLength));
        }
        out.truncate(start + given);
        self.given += given as u64;
        self.ended |= ended;
        Ok(Step {
            taken,
            given,
            ended: self.ended,
        })
    }

    /// Decodes into `space`: how many bytes it took, how many it gave, and whether that was the end.
    fn run(
        &mut self,
        input: &[u8],
        space: &mut [u8],
    ) -> Result<(usize, usize, bool), ProtocolError> {
        let (taken, given, ended) = match &mut self.kind {
            Kind::Zlib(zlib) => {
                let (before_in, before_out) = (zlib.total_in(), zlib.total_out());
                let status = zlib.decompress(input, space, FlushDecompress::None);
                let taken = zlib.total_in() - before_in;
                let given = zlib.total_out() - before_out;
                let status = status.map_err(|_| fault(ErrorKind::Unexpected))?;
                (taken, given, status == Status::StreamEnd)
            }
            Kind::Zstd(Some(zstd)) => {
                let mut from = InBuffer::around(input);
                let mut to = OutBuffer::around(space);
                let hint = zstd.run(&mut from, &mut to);
                let hint = hint.map_err(|_| fault(ErrorKind::Unexpected))?;
                (from.pos as u64, to.pos() as u64, hint == 0)
            }
            Kind::Zstd(None) => return Err(fault(ErrorKind::Unsupported)),
        };
        let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
        Ok((count(taken), count(given), ended))
    }
}

fn decoder() -> Option<Decoder<'static>> {
    let mut decoder = Decoder::new().ok()?;
    let window = DParameter::WindowLogMax(WINDOW_LOG_MAX);
    decoder.set_parameter(window).ok()?;
    Some(decoder)
}
