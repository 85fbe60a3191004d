//! A client knows connections by the ids that this proxy gives its clients; a backend tells those
//! of its threads. Where a result shows a thread of the writer that serves a client, the client's
//! id is put in its place. SQL is not changed, so an expression over such ids is the backend's.

use std::collections::HashMap;

use crate::protocol::{Reader, put_lenenc_bytes, skip_binary_value};
use crate::sql::IdColumns;

/// In binary form, an id is eight bytes, or in MariaDB four, which hold every client's id.
const LONGLONG: u8 = 0x08;
const LONG: u8 = 0x03;

/// What stands for NULL in a row of the text protocol.
const NULL: u8 = 0xfb;

/// Puts client ids into one result.
#[derive(Debug)]
pub(super) struct Ids {
    columns: IdColumns,
    /// The clients that threads of the writer serve.
    clients: HashMap<u64, u32>,
    /// Rows are in binary form.
    binary: bool,
    /// By column: its type, and whether it holds ids.
    seen: Vec<(u8, bool)>,
}

impl Ids {
    /// For a result with such columns; `clients` by the thread that serves them.
    pub(super) fn new(columns: IdColumns, clients: HashMap<u64, u32>, binary: bool) -> Self {
        Self {
            columns,
            clients,
            binary,
            seen: Vec::new(),
        }
    }

    /// The definition of the next column.
    pub(super) fn definition(&mut self, payload: &[u8]) {
        let (kind, name) = kind_and_name(payload).unwrap_or_default();
        let holds_ids = match &self.columns {
            IdColumns::At(places) => places.contains(&self.seen.len()),
            IdColumns::Named(names) => {
                // In UTF-16 and the like every letter has zeros around it.
                let name: Vec<u8> = name.iter().copied().filter(|byte| *byte != 0).collect();
                let is_it = |own: &str| own.as_bytes().eq_ignore_ascii_case(&name);
                names.iter().any(|own| is_it(own))
            }
        };
        self.seen.push((kind, holds_ids));
    }

    /// The row to be sent in place of this one, if it shows an id.
    pub(super) fn row(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        match self.binary {
            true => self.binary_row(payload),
            false => self.text_row(payload),
        }
    }

    fn text_row(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut reader = Reader::new(payload);
        let mut row = Vec::with_capacity(payload.len() + 8);
        let mut changed = false;
        for (_, holds_ids) in &self.seen {
            if payload.get(reader.offset()) == Some(&NULL) {
                reader.u8("NULL").ok()?;
                row.push(NULL);
                continue;
            }
            let cell = reader.lenenc_bytes("cell").ok()?;
            let client = holds_ids.then(|| {
                let thread = std::str::from_utf8(cell).ok()?.parse::<u64>().ok()?;
                self.clients.get(&thread)
            });
            match client.flatten() {
                Some(client) => {
                    changed = true;
                    put_lenenc_bytes(&mut row, client.to_string().as_bytes());
                }
                None => put_lenenc_bytes(&mut row, cell),
            }
        }
        reader.end("row").ok()?;
        changed.then_some(row)
    }

    fn binary_row(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut reader = Reader::new(payload);
        reader.u8("row header").ok()?;
        // The first two bits are spare.
        let nulls = reader.bytes((self.seen.len() + 9) / 8, "NULLs").ok()?;
        let mut row = payload.to_vec();
        let mut changed = false;
        for (index, (kind, holds_ids)) in self.seen.iter().enumerate() {
            let bit = index + 2;
            if nulls.get(bit / 8)? >> (bit % 8) & 1 == 1 {
                continue;
            }
            let start = reader.offset();
            let thread = match *kind {
                LONGLONG if *holds_ids => reader.u64("id").ok()?,
                LONG if *holds_ids => u64::from(reader.u32("id").ok()?),
                _ => {
                    skip_binary_value(&mut reader, *kind).ok()?;
                    continue;
                }
            };
            if let Some(client) = self.clients.get(&thread) {
                let length = reader.offset() - start;
                let place = row.get_mut(start..reader.offset())?;
                place.copy_from_slice(u64::from(*client).to_le_bytes().get(..length)?);
                changed = true;
            }
        }
        changed.then_some(row)
    }
}

/// A column's type and its own name.
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html>
fn kind_and_name(payload: &[u8]) -> Option<(u8, &[u8])> {
    let mut reader = Reader::new(payload);
    for what in ["catalog", "schema", "table", "table's own name"] {
        reader.lenenc_bytes(what).ok()?;
    }
    let alias = reader.lenenc_bytes("name").ok()?;
    let name = reader.lenenc_bytes("own name").ok()?;
    reader.lenenc_int("length of the rest").ok()?;
    reader.u16("character set").ok()?;
    reader.u32("length").ok()?;
    let kind = reader.u8("type").ok()?;
    // A view's column is known by its name there only.
    Some((kind, if name.is_empty() { alias } else { name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &[u8], kind: u8) -> Vec<u8> {
        let mut payload = Vec::new();
        for text in [b"def".as_slice(), b"s", b"t", b"t", name, name] {
            put_lenenc_bytes(&mut payload, text);
        }
        payload.extend([12, 63, 0, 21, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
        payload
    }

    fn ids(columns: IdColumns, binary: bool) -> Ids {
        let mut ids = Ids::new(columns, HashMap::from([(17, 0xc000_0001)]), binary);
        ids.definition(&definition(b"ID", LONGLONG));
        ids.definition(&definition(b"NAME", 0xfd));
        ids.definition(&definition(b"N", LONGLONG));
        ids
    }

    #[test]
    fn the_id_of_a_thread_that_serves_a_client_becomes_the_clients() {
        let row = b"\x0217\x0217\x0217".as_slice();
        let changed = |columns| ids(columns, false).row(row);
        let expected = b"\x0a3221225473\x0217\x0217".to_vec();
        assert_eq!(changed(IdColumns::At(vec![0])), Some(expected.clone()));
        assert_eq!(changed(IdColumns::Named(&["ID"])), Some(expected));
        assert_eq!(changed(IdColumns::Named(&["OTHER"])), None);
        let other = b"\x0218\xfb\x0217";
        assert_eq!(ids(IdColumns::At(vec![0]), false).row(other), None);
        let binary = b"\0\0\x11\0\0\0\0\0\0\0\x0217\x11\0\0\0\0\0\0\0";
        let expected = b"\0\0\x01\0\0\xc0\0\0\0\0\x0217\x11\0\0\0\0\0\0\0";
        let changed = ids(IdColumns::At(vec![0]), true).row(binary);
        assert_eq!(changed, Some(expected.to_vec()));
        let clients = HashMap::from([(17, 0xc000_0001)]);
        let mut short = Ids::new(IdColumns::At(vec![0]), clients, true);
        short.definition(&definition(b"CONNECTION_ID()", LONG));
        let changed = short.row(b"\0\0\x11\0\0\0");
        assert_eq!(changed, Some(b"\0\0\x01\0\0\xc0".to_vec()));
    }

    #[test]
    fn a_row_that_is_not_understood_stays_as_it_is() {
        for row in [&b""[..], b"\x05", b"\x0217", b"\x0217\x0217\x0217\x01x"] {
            assert_eq!(ids(IdColumns::At(vec![0]), false).row(row), None);
            assert_eq!(ids(IdColumns::At(vec![0]), true).row(row), None);
        }
    }
}
