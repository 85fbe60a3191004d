//! A result that has come whole and ends as the one before did: handed on at once.

use bytes::BytesMut;

use super::Progress;
use crate::backend::Connection;
use crate::net::Wire;
use crate::protocol::{Capabilities, Command, EofPacket, HEADER, Header, Translator, WholeResult};
use crate::session::observe::KnownEnd;

/// Puts the answer to `command` into the client's output, if all that has come of it is one such
/// result. `None` if not, and then nothing has changed.
///
/// `known` is how the last one on the connection has ended; `capabilities` are the client's.
pub(in crate::session) fn hand_on_whole(
    command: Command,
    connection: &mut Connection,
    known: &KnownEnd,
    client: &mut Wire,
    capabilities: Capabilities,
) -> Option<Progress> {
    let deprecated = Capabilities::DEPRECATE_EOF;
    // The numbers of its packets are what the client counts, too, from the first one on.
    let counts_alike = client.sequence() == 1;
    if !counts_alike || !connection.capabilities.contains(deprecated) {
        return None;
    }
    let input = connection.wire.input();
    let WholeResult { rows, end } = WholeResult::find(input, command)?;
    let (first, last) = (header_at(input, rows)?, header_at(input, end)?);
    let (result, ends) = (input.get(..end)?, input.get(end + HEADER..)?);
    if !known.is(ends) {
        return None;
    }
    let output = client.output();
    output.reserve(input.len() + known.sent.len() + HEADER + EofPacket::LEN);
    let seq = match capabilities.contains(deprecated) {
        true => {
            output.extend_from_slice(result);
            last.seq
        }
        false => {
            let (definitions, rows) = result.split_at_checked(rows)?;
            output.extend_from_slice(definitions);
            put_eof(known, first.seq, output);
            put_later(rows, output);
            last.seq.wrapping_add(1)
        }
    };
    let before_end = (client.output().len(), seq);
    client.set_sequence(seq);
    client.queue(&known.sent);
    connection.wire.input().clear();
    connection.status = known.status;
    Some(Progress {
        warned: known.warned,
        rows: true,
        before_end,
        ..Progress::default()
    })
}

fn header_at(input: &[u8], at: usize) -> Option<Header> {
    let header = input.get(at..)?.first_chunk::<HEADER>()?;
    Some(Header::parse(*header))
}

/// Puts the EOF between definitions and rows.
fn put_eof(known: &KnownEnd, seq: u8, output: &mut BytesMut) {
    let len = EofPacket::LEN;
    output.extend_from_slice(&Header { len, seq }.bytes());
    Translator::metadata_eof(known.status).encode(output);
}

/// Puts packets each of which has the next number, since one was put before them.
fn put_later(rows: &[u8], output: &mut BytesMut) {
    let start = output.len();
    output.extend_from_slice(rows);
    let mut rest = output.get_mut(start..).unwrap_or_default();
    while let Some((header, packet)) = std::mem::take(&mut rest).split_first_chunk_mut::<HEADER>() {
        let Header { len, seq } = Header::parse(*header);
        let seq = seq.wrapping_add(1);
        *header = Header { len, seq }.bytes();
        rest = packet.get_mut(len..).unwrap_or_default();
    }
}
