//! What was read of a stream and is not consumed yet.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::Stream;

/// What one read asks the system for, in bytes.
pub const READ_SIZE: usize = 16 * 1024;

/// The same where much comes, in bytes: it takes a quarter of the system calls. So much lies here then,
/// and as much waits for a client that takes nothing.
const MUCH: usize = 4 * READ_SIZE;

/// A buffer of so many bytes is kept while nothing comes or goes: most statements and the answers to
/// many fit.
pub(super) const KEPT: usize = 1024;

/// A buffer that is hardly there while nobody knows when the next bytes come.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: BytesMut,
    /// Something has come since the last rest.
    awake: bool,
    /// It may take more than [`KEPT`], whatever is left of it.
    swollen: bool,
    /// The last read has filled all the room that there was: more is on its way.
    full: bool,
}

impl Input {
    /// Reads once; returns the number of bytes, 0 at the end of the stream.
    ///
    /// Cancel safe: what was read is in the buffer.
    pub(super) async fn fill(&mut self, stream: &mut Stream) -> io::Result<usize> {
        let count = match self.awake {
            false => read_first(stream, &mut self.bytes).await?,
            true => {
                let least = if self.full { MUCH } else { READ_SIZE / 4 };
                if self.bytes.capacity() - self.bytes.len() < least {
                    self.bytes.reserve(least.max(READ_SIZE));
                }
                let room = (self.bytes.capacity() - self.bytes.len()).min(MUCH);
                let count = stream.read_buf(&mut (&mut self.bytes).limit(room)).await?;
                self.full = count == room;
                count
            }
        };
        self.awake = true;
        self.swollen |= self.bytes.capacity() > KEPT;
        Ok(count)
    }

    /// The same into a buffer from where what was read gets here.
    ///
    /// Cancel safe.
    pub(super) async fn fill_before(
        &mut self,
        stream: &mut Stream,
        raw: &mut BytesMut,
    ) -> io::Result<usize> {
        let count = match self.awake {
            false => read_first(stream, raw).await?,
            true => {
                raw.reserve(READ_SIZE);
                stream.read_buf(raw).await?
            }
        };
        self.awake = true;
        Ok(count)
    }

    /// Gives a large buffer back, if nothing is in it.
    pub(super) fn rest(&mut self) {
        if !self.bytes.is_empty() {
            return;
        }
        self.awake = false;
        self.full = false;
        if self.swollen || self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::new();
            self.swollen = false;
        }
    }
}

impl Deref for Input {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.bytes
    }
}

impl DerefMut for Input {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }
}

/// Reads the first bytes after a rest: nobody knows when they come, so no buffer waits for them.
///
/// Cancel safe.
async fn read_first(stream: &mut Stream, into: &mut BytesMut) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut space = [const { MaybeUninit::uninit() }; READ_SIZE];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
        into.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::net::Plain;

    fn pair() -> (Stream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Stream::Plain(Plain::from(near)), far)
    }

    #[tokio::test]
    async fn p9_no_buffer_waits_for_the_first_bytes() {
        let (mut stream, mut far) = pair();
        let mut input = Input::default();
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, input.fill(&mut stream));
        assert!(waiting.await.is_err());
        assert_eq!(input.capacity(), 0);
        far.write_all(b"select").await.unwrap();
        assert_eq!(input.fill(&mut stream).await.unwrap(), 6);
        assert_eq!(&input[..], b"select");
        assert!(input.capacity() <= KEPT);
    }

    #[tokio::test]
    async fn p9_a_large_buffer_is_given_back_whatever_is_left_of_it() {
        let (mut stream, mut far) = pair();
        let mut input = Input::default();
        let much = vec![7; READ_SIZE + READ_SIZE / 2];
        far.write_all(&much).await.unwrap();
        while input.len() < much.len() {
            assert_ne!(input.fill(&mut stream).await.unwrap(), 0);
        }
        input.rest();
        assert_eq!(&input[..], much, "what has come stays");
        let last = input.len();
        drop(input.split_to(last));
        assert!(input.swollen);
        input.rest();
        assert_eq!(input.capacity(), 0);
    }

    #[tokio::test]
    async fn a_small_buffer_is_used_again() {
        let (mut stream, mut far) = pair();
        let mut input = Input::default();
        let mut places = Vec::new();
        for _ in 0..3 {
            far.write_all(b"select 1").await.unwrap();
            assert_eq!(input.fill(&mut stream).await.unwrap(), 8);
            places.push(input.as_ptr());
            drop(input.split());
            input.rest();
        }
        assert!(places.iter().all(|place| Some(place) == places.first()));
    }

    #[tokio::test]
    async fn the_end_is_told_after_a_rest_too() {
        let (mut stream, far) = pair();
        drop(far);
        let mut input = Input::default();
        assert_eq!(input.fill(&mut stream).await.unwrap(), 0);
        assert_eq!(input.fill(&mut stream).await.unwrap(), 0);
    }
}
