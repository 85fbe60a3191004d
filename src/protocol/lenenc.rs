//! Length-encoded integers and strings.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html>

use bytes::BufMut;

/// Appends `value` in the shortest of the four forms, as MySQL does.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each arm's range fits its type"
)]
pub fn put_lenenc_int(out: &mut impl BufMut, value: u64) {
    match value {
        0..=0xfa => out.put_u8(value as u8),
        0xfb..=0xffff => {
            out.put_u8(0xfc);
            out.put_u16_le(value as u16);
        }
        0x1_0000..=0xff_ffff => {
            out.put_u8(0xfd);
            out.put_uint_le(value, 3);
        }
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

/// Appends `bytes` with their length before them.
pub fn put_lenenc_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    put_lenenc_int(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Appends `bytes` and a zero byte.
pub(crate) fn put_nul_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    out.put_slice(bytes);
    out.put_u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Reader;

    #[test]
    fn the_shortest_form_is_written_and_reads_back() {
        let table = [
            (0, 1),
            (0xfa, 1),
            (0xfb, 3),
            (0xffff, 3),
            (0x1_0000, 4),
            (0xff_ffff, 4),
            (0x100_0000, 9),
            (u64::MAX, 9),
        ];
        for (value, length) in table {
            let mut out = Vec::new();
            put_lenenc_int(&mut out, value);
            assert_eq!(out.len(), length, "{value:#x}");
            assert_eq!(Reader::new(&out).lenenc_int("n"), Ok(value));
        }
    }
}
