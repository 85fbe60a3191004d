use crate::protocol::{ErrorKind, ProtocolError};

/// A cursor over one payload that never reads beyond it.
///
/// Each method takes the name of the field that it reads, for the error. After an error the cursor
/// stands where it stood before.
///
/// Integers are little-endian:
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html>
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the payload's first byte.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            rest: payload,
            length: payload.len(),
        }
    }

    /// How many bytes have been read.
    pub const fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], ProtocolError> {
        let Some((head, tail)) = self.rest.split_at_checked(n) else {
            return Err(self.error(ErrorKind::Truncated, what));
        };
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ProtocolError> {
        let Some((head, tail)) = self.rest.split_first_chunk() else {
            return Err(self.error(ErrorKind::Truncated, what));
        };
        self.rest = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, ProtocolError> {
        self.array(what).map(u8::from_le_bytes)
    }

    /// Two bytes.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, ProtocolError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Three bytes.
    pub fn u24(&mut self, what: &'static str) -> Result<u32, ProtocolError> {
        self.array(what)
            .map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, ProtocolError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, ProtocolError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A length-encoded integer. The bytes 0xfb (NULL, or a file request) and 0xff (an error) are
    /// none, so they are refused.
    pub fn lenenc_int(&mut self, what: &'static str) -> Result<u64, ProtocolError> {
        let mut ahead = self.clone();
        let value = match ahead.u8(what)? {
            small @ 0..=0xfa => u64::from(small),
            0xfc => u64::from(ahead.u16(what)?),
            0xfd => u64::from(ahead.u24(what)?),
            0xfe => ahead.u64(what)?,
            0xfb | 0xff => return Err(self.error(ErrorKind::BadLength, what)),
        };
        *self = ahead;
        Ok(value)
    }

    /// A string with its length before it.
    pub fn lenenc_bytes(&mut self, what: &'static str) -> Result<&'a [u8], ProtocolError> {
        let mut ahead = self.clone();
        let length = ahead.lenenc_int(what)?;
        let length = usize::try_from(length).map_err(|_| self.error(ErrorKind::Truncated, what))?;
        let bytes = ahead.bytes(length, what)?;
        *self = ahead;
        Ok(bytes)
    }

    /// A string up to its zero byte, which is read too and is not part of it.
    pub fn nul_bytes(&mut self, what: &'static str) -> Result<&'a [u8], ProtocolError> {
        let Some(end) = self.rest.iter().position(|&byte| byte == 0) else {
            return Err(self.error(ErrorKind::Unterminated, what));
        };
        let bytes = self.bytes(end, what)?;
        self.u8(what)?;
        Ok(bytes)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Nothing may be left: an unknown field at the end must not be lost silently.
    pub fn end(&self, what: &'static str) -> Result<(), ProtocolError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.error(ErrorKind::Trailing, what))
        }
    }

    pub(crate) const fn error(&self, kind: ErrorKind, what: &'static str) -> ProtocolError {
        ProtocolError::new(kind, what, self.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_little_endian() {
        let mut reader = Reader::new(&[1, 2, 1, 3, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16("b"), Ok(0x0102));
        assert_eq!(reader.u24("c"), Ok(0x01_0203));
        assert_eq!(reader.u32("d"), Ok(0x0102_0304));
        assert_eq!(reader.u64("e"), Ok(0x0102_0304_0506_0708));
        assert_eq!(reader.end("f"), Ok(()));
    }

    #[test]
    fn length_encoded_integers_take_their_four_forms() {
        let table: [(&[u8], u64); 7] = [
            (&[0], 0),
            (&[0xfa], 0xfa),
            (&[0xfc, 0xfb, 0], 0xfb),
            (&[0xfc, 0xff, 0xff], 0xffff),
            (&[0xfd, 0, 0, 1], 0x1_0000),
            (&[0xfe, 0, 0, 0, 1, 0, 0, 0, 0], 0x100_0000),
            (&[0xfe, 255, 255, 255, 255, 255, 255, 255, 255], u64::MAX),
        ];
        for (bytes, value) in table {
            assert_eq!(Reader::new(bytes).lenenc_int("n"), Ok(value), "{bytes:x?}");
        }
    }

    #[test]
    fn a_failed_read_leaves_the_cursor_where_it_was() {
        let table: [(&[u8], ErrorKind); 5] = [
            (&[0xfb], ErrorKind::BadLength),
            (&[0xff], ErrorKind::BadLength),
            (&[0xfc, 1], ErrorKind::Truncated),
            (&[3, 1, 2], ErrorKind::Truncated),
            (
                &[0xfe, 255, 255, 255, 255, 255, 255, 255, 255],
                ErrorKind::Truncated,
            ),
        ];
        for (bytes, kind) in table {
            let mut reader = Reader::new(bytes);
            let error = reader.lenenc_bytes("n").unwrap_err();
            assert_eq!((error.kind, error.what), (kind, "n"), "{bytes:x?}");
            assert_eq!(reader.remaining(), bytes.len(), "{bytes:x?}");
        }
    }

    #[test]
    fn an_error_says_how_far_the_reader_came() {
        let mut reader = Reader::new(b"ab\0c");
        assert_eq!(reader.nul_bytes("first"), Ok(&b"ab"[..]));
        let unterminated = ProtocolError::new(ErrorKind::Unterminated, "second", 3);
        assert_eq!(reader.nul_bytes("second"), Err(unterminated));
        assert_eq!(
            reader.end("all"),
            Err(ProtocolError::new(ErrorKind::Trailing, "all", 3))
        );
        assert_eq!(reader.rest(), b"c");
        assert_eq!(reader.end("all"), Ok(()));
    }
}
