//! A result that has come whole and ends as the one before did: handed on at once.

use bytes::BytesMut;

use super::Progress;
use crate::net::Wire;
use crate::protocol::{Capabilities, Command, EofPacket, HEADER, Header, Translator, WholeResult};
use crate::session::observe::KnownEnd;

/// Puts the answer to `command` into the client's output, if all that has come of it is one such
/// result, on a connection with `CLIENT_DEPRECATE_EOF`. `None` if not, and then nothing has changed.
///
/// `known` is how the last one on the connection has ended; `capabilities` are the client's.
pub(in crate::session) fn hand_on_whole(
    command: Command,
    input: &mut BytesMut,
    known: &KnownEnd,
    client: &mut Wire,
    capabilities: Capabilities,
) -> Option<Progress> {
    // The numbers of its packets are what the client counts, too, from the first one on.
    if client.sequence() != 1 {
        return None;
    }
    let WholeResult { rows, end } = WholeResult::find(input, command)?;
    let (first, last) = (header_at(input, rows)?, header_at(input, end)?);
    let (result, ends) = (input.get(..end)?, input.get(end + HEADER..)?);
    if !known.is(ends) {
        return None;
    }
    let output = client.output();
    output.reserve(input.len() + known.sent.len() + HEADER + EofPacket::LEN);
    let seq = match capabilities.contains(Capabilities::DEPRECATE_EOF) {
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
    client.set_sequence(seq);
    client.queue(&known.sent);
    input.clear();
    Some(Progress {
        warned: known.warned,
        rows: true,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use tokio::net::UnixStream;

    use super::*;
    use crate::net::{Plain, Stream};
    use crate::protocol::{Boundary, OkPacket, Status, write_packet};
    use crate::session::observe::{Observer, ReaderNotes};

    const CAPS: Capabilities = Capabilities::DEPRECATE_EOF;

    /// A result as a backend sends it, with an end that has warnings or none.
    fn result() -> impl Strategy<Value = (Command, Vec<Vec<u8>>, OkPacket<'static>)> {
        let first = select(vec![0, 1, 9, 0xfb, 0xfc, 0xfd]);
        // The numbers of as many packets as 256 begin again.
        let rows = prop_oneof![0..6_usize, 248..260_usize];
        (any::<bool>(), 1..4_u8, rows, first, 0..2_u16).prop_map(
            |(binary, columns, rows, first, warnings)| {
                let mut packets = vec![vec![columns]];
                packets.extend((0..columns).map(|_| b"\x03def rest".to_vec()));
                let first = if binary { 0 } else { first };
                packets.extend((0..rows).map(|row| vec![first, 7, row.to_le_bytes()[0]]));
                let end = OkPacket {
                    status: Status::AUTOCOMMIT | Status::NO_INDEX_USED,
                    warnings,
                    ..OkPacket::default()
                };
                let command = match binary {
                    true => Command::StmtExecute,
                    false => Command::Query,
                };
                (command, packets, end)
            },
        )
    }

    /// What the client reads, packet by packet.
    fn by_packet(
        (command, packets, end): &(Command, Vec<Vec<u8>>, OkPacket<'_>),
        came: &[u8],
        caps: Capabilities,
    ) -> BytesMut {
        let mut boundary = Boundary::new(*command, CAPS);
        let mut translator = Translator::new(caps);
        let (mut output, mut seq) = (BytesMut::new(), 1);
        for packet in packets.iter().map(Vec::as_slice).chain([came]) {
            let part = boundary.whole(packet).unwrap();
            let around = translator.around(&part, end.status);
            let mut payload = Vec::new();
            if let Some(eof) = around.before {
                eof.encode(&mut payload);
                write_packet(&mut output, &mut seq, &payload);
            }
            match packet == came {
                true => write_packet(&mut output, &mut seq, &sent(end, caps)),
                false => write_packet(&mut output, &mut seq, packet),
            }
        }
        assert!(boundary.end().is_some());
        output
    }

    fn sent(end: &OkPacket<'_>, caps: Capabilities) -> Vec<u8> {
        let mut sent = Vec::new();
        Translator::new(caps).result_end(end, &[], &mut sent);
        sent
    }

    fn known(end: &OkPacket<'_>, came: &[u8], caps: Capabilities) -> KnownEnd {
        let mut notes = ReaderNotes::default();
        notes.keep_end(came, &sent(end, caps), end);
        *notes.end.unwrap()
    }

    fn client() -> Wire {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut client = Wire::new(Stream::Plain(Plain::from(near)));
        client.set_sequence(1);
        client
    }

    proptest! {
        #[test]
        fn a_client_reads_the_same_as_packet_by_packet(
            result in result(),
            deprecated in any::<bool>(),
            cut in 1..20_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            let _entered = runtime.as_ref().unwrap().enter();
            let caps = if deprecated { CAPS } else { Capabilities::default() };
            let (command, packets, end) = &result;
            let came = sent(end, CAPS);
            let known = known(end, &came, caps);
            let (mut input, mut seq) = (BytesMut::new(), 1);
            for packet in packets.iter().chain([&came]) {
                write_packet(&mut input, &mut seq, packet);
            }
            let mut part: BytesMut = input[..input.len().saturating_sub(cut)].into();
            let mut client = client();
            prop_assert!(hand_on_whole(*command, &mut part, &known, &mut client, caps).is_none());
            prop_assert_eq!(part.len(), input.len().saturating_sub(cut));
            prop_assert!(client.output().is_empty());

            let progress = hand_on_whole(*command, &mut input, &known, &mut client, caps);
            let progress = progress.expect("a whole result");
            prop_assert_eq!(client.output(), &by_packet(&result, &came, caps));
            prop_assert!(input.is_empty());
            prop_assert_eq!(progress.left_words(), end.warnings > 0);
            prop_assert!(progress.had_rows() && !progress.flushed());
        }
    }

    #[tokio::test]
    async fn an_end_that_says_anything_else_is_left_to_be_read() {
        let end = OkPacket {
            status: Status::AUTOCOMMIT,
            ..OkPacket::default()
        };
        let known = known(&end, &sent(&end, CAPS), CAPS);
        let other = OkPacket { warnings: 1, ..end };
        let (mut input, mut seq) = (BytesMut::new(), 1);
        for packet in [
            vec![1],
            b"\x03def".to_vec(),
            b"\x011".to_vec(),
            sent(&other, CAPS),
        ] {
            write_packet(&mut input, &mut seq, &packet);
        }
        let before = input.clone();
        let mut client = client();
        let handed = hand_on_whole(Command::Query, &mut input, &known, &mut client, CAPS);
        assert!(handed.is_none() && client.output().is_empty());
        assert_eq!(input, before);
    }
}
