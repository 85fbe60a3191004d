//! A result of the proxy's own, in the text protocol: columns of text.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html>

use bytes::BufMut;

use crate::protocol::{Capabilities, put_lenenc_bytes, put_lenenc_int};

/// `utf8mb4_0900_ai_ci`.
const COLLATION: u16 = 255;

/// MYSQL_TYPE_VAR_STRING.
const VAR_STRING: u8 = 0xfd;

/// How long a cell may be, in bytes, as clients are told.
const LENGTH: u32 = 65_535;

/// Appends the packet with the number of columns, whose definitions follow.
pub fn put_column_count(out: &mut impl BufMut, count: usize, client: Capabilities) {
    put_lenenc_int(out, u64::try_from(count).unwrap_or(u64::MAX));
    if client.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) {
        out.put_u8(1);
    }
}

/// Appends the definition of a column of text that belongs to no table.
pub fn put_text_column(out: &mut impl BufMut, name: &str) {
    for text in ["def", "", "", "", name, ""] {
        put_lenenc_bytes(out, text.as_bytes());
    }
    out.put_u8(0x0c);
    out.put_u16_le(COLLATION);
    out.put_u32_le(LENGTH);
    out.put_u8(VAR_STRING);
    // Flags, decimals and filler.
    out.put_slice(&[0; 5]);
}

/// Appends a row.
pub fn put_text_row(out: &mut impl BufMut, cells: &[&str]) {
    for cell in cells {
        put_lenenc_bytes(out, cell.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    #[test]
    fn a_definition_is_laid_out_as_the_page_says() {
        let mut out = Vec::new();
        put_text_column(&mut out, "a");
        let expected = "03 64 65 66 00 00 00 01 61 00 0c ff 00 ff ff 00 00 fd 00 00 00 00 00";
        assert_eq!(out, hex(expected));
        let mut out = Vec::new();
        put_column_count(&mut out, 2, Capabilities(0));
        put_text_row(&mut out, &["", "xy"]);
        assert_eq!(out, hex("02 00 02 78 79"));
    }
}
