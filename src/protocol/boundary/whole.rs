//! A result that has come whole, seen at a glance.
//!
//! Nearly every answer is one result, and lies in the buffer as a whole once its first bytes do. To find
//! its end then takes a walk over the headers, and none of what a [`Boundary`](super::Boundary) has to
//! remember between two packets. Whatever looks in any way different is left to that.

use super::DEFINITIONS;
use super::shape::Shape;
use crate::protocol::{Command, EofPacket, HEADER, Header, MAX_PAYLOAD};

/// Where the parts of a result lie, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeResult {
    /// The first row, or the end if there is none. Before it lie the count and the definitions.
    pub rows: usize,
    /// The last packet, where nothing but the end of the result has a place. What it says was not read:
    /// that another result follows, for one.
    pub end: usize,
}

impl WholeResult {
    /// Looks for the result of `command` in all that has come of the response, on a connection with
    /// `CLIENT_DEPRECATE_EOF`.
    ///
    /// `None` for all but one result of 1 to 250 columns with its definitions, its rows and its end,
    /// numbered from 1 on, all of which has come and nothing behind it: for an answer of which more has
    /// to come, one of several results, one with an error, and one that shows no rows.
    ///
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html>
    pub fn find(input: &[u8], command: Command) -> Option<Self> {
        let shape = Shape::from(command);
        let mut packets = Packets {
            input,
            at: 0,
            seq: 1,
        };
        let &[columns @ 1..=250] = packets.next()? else {
            return None;
        };
        for _ in 0..columns {
            let definition = packets.next()?;
            if !DEFINITIONS.contains(definition.first()?) {
                return None;
            }
        }
        let rows = packets.at;
        loop {
            let end = packets.at;
            let packet = packets.next()?;
            let first = *packet.first()?;
            if shape.takes_row(first, packet.len()) {
                continue;
            }
            let ends = first == EofPacket::HEADER && packets.at == input.len();
            return ends.then_some(Self { rows, end });
        }
    }
}

/// Packets one behind the other, as far as they are no longer than one packet can be.
struct Packets<'a> {
    input: &'a [u8],
    at: usize,
    seq: u8,
}

impl<'a> Packets<'a> {
    /// The next one's payload; `None` if not all of it is there, if its number is not the next, and
    /// if it goes on in another packet.
    fn next(&mut self) -> Option<&'a [u8]> {
        let (header, rest) = self.input.get(self.at..)?.split_first_chunk::<HEADER>()?;
        let Header { len, seq } = Header::parse(*header);
        if seq != self.seq || len == MAX_PAYLOAD {
            return None;
        }
        let payload = rest.get(..len)?;
        self.at += HEADER + len;
        self.seq = seq.wrapping_add(1);
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::protocol::boundary::{Boundary, Part};
    use crate::protocol::{Capabilities, Status};

    const CAPS: Capabilities = Capabilities::DEPRECATE_EOF;

    fn packets(payloads: &[Vec<u8>]) -> Vec<u8> {
        let numbered = payloads.iter().zip((0..=u8::MAX).cycle().skip(1));
        let bytes = numbered.flat_map(|(payload, seq)| {
            let len = payload.len();
            let header = Header { len, seq }.bytes();
            header.into_iter().chain(payload.iter().copied())
        });
        bytes.collect()
    }

    fn definition() -> Vec<u8> {
        b"\x03def rest".to_vec()
    }

    fn end(status: Status) -> Vec<u8> {
        let [low, high] = status.0.to_le_bytes();
        vec![EofPacket::HEADER, 0, 0, low, high, 0, 0]
    }

    /// What a boundary makes of it: where the rows begin and where the end does, if it is one result
    /// and nothing else. The end need not be one that can be read.
    fn by_boundary(input: &[u8], command: Command) -> Option<WholeResult> {
        let mut boundary = Boundary::new(command, CAPS);
        let (mut at, mut rows, mut last, mut results) = (0, None, None, 0);
        while at < input.len() {
            let (header, rest) = input[at..].split_first_chunk::<HEADER>()?;
            let payload = rest.get(..Header::parse(*header).len)?;
            let rows_come = boundary.is_among_rows();
            rows = rows.or(rows_come.then_some(at));
            let part = match boundary.whole(payload) {
                Err(_) if rows_come && payload.first() == Some(&EofPacket::HEADER) => None,
                part => Some(part.ok()?),
            };
            results += u32::from(matches!(part, Some(Part::ColumnCount(1..=250))));
            last = Some((at, matches!(part, None | Some(Part::ResultEnd(_)))));
            at += HEADER + payload.len();
        }
        match (rows, last) {
            (Some(rows), Some((end, true))) if results == 1 => Some(WholeResult { rows, end }),
            _ => None,
        }
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => select(vec![vec![1], vec![2], vec![0], vec![251], vec![1, 1], vec![]]),
            6 => Just(definition()),
            2 => Just(b"\x06utf16".to_vec()),
            6 => vec(select(vec![0, 1, 3, 0xfb, 0xfc, 0xfe, 0xff]), 1..9),
            4 => Just(end(Status::AUTOCOMMIT)),
            1 => Just(end(Status::MORE_RESULTS_EXISTS)),
            1 => Just(vec![EofPacket::HEADER, 0, 0, 2, 0]),
            1 => Just(b"\xff\x48\x04#HY000no".to_vec()),
            1 => Just(vec![0, 0, 0, 2, 0, 0, 0]),
        ]
    }

    /// Mostly results, so that something is found.
    fn response() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let rows = vec(vec(select(vec![0, 1, 7, 0xfb]), 1..9), 0..300);
        let columns = prop_oneof![1..4_u8, 249..251_u8];
        let result = (columns, rows, any::<bool>()).prop_map(|(columns, rows, binary)| {
            let mut all = vec![vec![columns]];
            all.extend((0..columns).map(|_| definition()));
            all.extend(rows.into_iter().map(|mut row| {
                row[0] = if binary { 0 } else { row[0] };
                row
            }));
            all.push(end(Status::AUTOCOMMIT));
            all
        });
        prop_oneof![result, vec(payload(), 1..9)]
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_boundary_finds(
            response in response(),
            command in select(vec![Command::Query, Command::StmtExecute]),
            cut in 0..9_usize,
        ) {
            let bytes = packets(&response);
            let found = WholeResult::find(&bytes, command);
            prop_assert_eq!(found, by_boundary(&bytes, command));
            // Of one that has not come whole nothing is found.
            if let Some(part) = bytes.len().checked_sub(cut).filter(|_| cut > 0) {
                prop_assert_eq!(WholeResult::find(&bytes[..part], command), None);
            }
        }
    }

    #[test]
    fn an_answer_is_found_and_nothing_that_only_begins_like_one() {
        let answer = [vec![1], definition(), b"\x011".to_vec(), end(Status(2))];
        let bytes = packets(&answer);
        let found = WholeResult::find(&bytes, Command::Query).unwrap();
        let rows = 2 * HEADER + 1 + definition().len();
        assert_eq!((found.rows, found.end), (rows, rows + HEADER + 2));
        let with_more = [bytes.clone(), packets(&answer)].concat();
        assert_eq!(WholeResult::find(&with_more, Command::Query), None);
        let mut out_of_order = bytes;
        out_of_order[3] = 2;
        assert_eq!(WholeResult::find(&out_of_order, Command::Query), None);
    }
}
