//! What holds for every byte string and every value, not only for those that were seen.
#![cfg(test)]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidegate::protocol::{
    AuthMore, AuthSwitch, Boundary, Capabilities, ChangeUser, Command, EofPacket, ErrPacket,
    HEADER, Handshake, HandshakeResponse, Header, OkPacket, PrepareOk, Reader, SslRequest, Status,
    Want, auth, execute_statement_id, is_ssl_request, put_lenenc_bytes, put_lenenc_int, put_query,
    query_text, set_statement_id, statement_id, track,
};

/// Bytes as they might come: any, and such as look like a packet for a while.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![0x00, 0x01, 0x03, 0x0a, 0x11, 0x17, 0xfb, 0xfe, 0xff]);
    let small = prop_oneof![3 => 0_u8..6, 1 => any::<u8>()];
    prop_oneof![
        vec(any::<u8>(), 0..80),
        (start, vec(small, 0..80)).prop_map(|(first, rest)| [&[first], &rest[..]].concat()),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..300)
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    any::<u32>().prop_map(Capabilities)
}

fn command() -> impl Strategy<Value = Command> {
    (1_u8..0x22).prop_map(|byte| Command::from_byte(byte).unwrap())
}

proptest! {
    #[test]
    fn no_byte_string_panics_a_decoder(payload in bytes(), caps in capabilities()) {
        let _ = AuthMore::parse(&payload);
        let _ = AuthSwitch::parse(&payload).and_then(|switch| switch.nonce());
        let _ = ChangeUser::parse(&payload, caps);
        let _ = EofPacket::parse(&payload);
        let _ = ErrPacket::parse(&payload);
        let _ = Handshake::parse(&payload);
        let _ = HandshakeResponse::parse(&payload);
        let _ = OkPacket::parse(&payload, caps);
        let _ = PrepareOk::parse(&payload, caps);
        let _ = is_ssl_request(&payload);
        let _ = query_text(&payload, caps);
        let _ = execute_statement_id(&payload);
        let _ = auth::reveal(&payload, &[7; 20]);
        let replaced = set_statement_id(&mut payload.clone(), 1).is_ok();
        prop_assert_eq!(replaced, statement_id(&payload).is_ok());
    }

    #[test]
    fn a_reader_never_goes_back_or_beyond(payload in bytes(), reads in vec(0_u8..10, 0..20)) {
        let mut reader = Reader::new(&payload);
        for read in reads {
            let before = reader.offset();
            let failed = match read {
                0 => reader.u8("field").is_err(),
                1 => reader.u16("field").is_err(),
                2 => reader.u24("field").is_err(),
                3 => reader.u32("field").is_err(),
                4 => reader.u64("field").is_err(),
                5 => reader.lenenc_int("field").is_err(),
                6 => reader.lenenc_bytes("field").is_err(),
                7 => reader.nul_bytes("field").is_err(),
                n => reader.bytes(usize::from(n), "field").is_err(),
            };
            prop_assert!(reader.offset() >= before && (!failed || reader.offset() == before));
            prop_assert_eq!(reader.offset() + reader.remaining(), payload.len());
        }
    }

    #[test]
    fn a_filter_that_keeps_all_copies_all(session in bytes()) {
        let mut out = Vec::new();
        let read = track::filter(&session, &mut out, |_| true);
        prop_assert!(session.starts_with(&out));
        prop_assert_eq!(read.is_ok(), out.len() == session.len());
    }

    #[test]
    fn a_boundary_never_panics_and_has_no_way_back_from_its_end(
        command in command(),
        caps in capabilities(),
        packets in vec(bytes(), 0..12),
    ) {
        let mut boundary = Boundary::new(command, caps);
        for payload in packets {
            let ended = boundary.end();
            let first = payload.first().copied();
            let part = match boundary.want(payload.len(), first) {
                Want::Pass => boundary.pass(payload.len(), first).map(drop),
                Want::Whole => boundary.whole(&payload).map(drop),
            };
            if ended.is_some() {
                prop_assert!(part.is_err());
                prop_assert_eq!(boundary.end(), ended);
            }
        }
    }

    #[test]
    fn headers_and_lengths_read_back(bytes: [u8; HEADER], value: u64, text in text()) {
        prop_assert_eq!(Header::parse(bytes).bytes(), bytes);
        let mut out = Vec::new();
        put_lenenc_int(&mut out, value);
        put_lenenc_bytes(&mut out, &text);
        let mut reader = Reader::new(&out);
        prop_assert_eq!(reader.lenenc_int("n"), Ok(value));
        prop_assert_eq!(reader.lenenc_bytes("text"), Ok(&text[..]));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn an_ok_packet_reads_back(
        counts: (u64, u64), status: u16, warnings: u16, info in text(), block in text(),
        terminator: bool, tracks: bool,
    ) {
        let caps = if tracks { Capabilities::SESSION_TRACK } else { Capabilities(0) };
        let status = Status(status);
        let has_block = tracks && status.contains(Status::SESSION_STATE_CHANGED);
        let (affected_rows, last_insert_id) = counts;
        let session = if has_block { &block[..] } else { &[] };
        let ok = OkPacket { affected_rows, last_insert_id, status, warnings, info: &info, session };
        let mut out = Vec::new();
        let header = if terminator { OkPacket::TERMINATOR } else { OkPacket::HEADER };
        ok.encode(header, caps, &mut out);
        prop_assert_eq!(OkPacket::parse(&out, caps), Ok(ok));
    }

    #[test]
    fn the_short_packets_read_back(
        id: u32, numbers: (u16, u16, u16), metadata: bool, message in text(), data in text(),
        state in option::of(any::<[u8; 5]>()), caps in capabilities(),
    ) {
        let (code, warnings, count) = numbers;
        // Without a state the message must not look like one.
        let message = [b"x", &message[..]].concat();
        let err = ErrPacket { code, state, message: &message };
        let mut out = Vec::new();
        err.encode(&mut out);
        prop_assert!(ErrPacket::parse(&out) == Ok(err));

        let eof = EofPacket { warnings, status: Status(count) };
        let mut out = Vec::new();
        eof.encode(&mut out);
        prop_assert_eq!(EofPacket::parse(&out), Ok(eof));

        let optional = caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA);
        let metadata = metadata || !optional;
        let (columns, params) = (code, count);
        let prepared = PrepareOk { statement_id: id, columns, params, warnings, metadata };
        let mut out = Vec::new();
        prepared.encode(caps, &mut out);
        prop_assert_eq!(PrepareOk::parse(&out, caps), Ok(prepared));

        let switch = AuthSwitch { plugin: &message, data: &data };
        prop_assert!(AuthSwitch::parse(&switch.encode()) == Ok(switch));
        let more = AuthMore { data: &data };
        prop_assert!(AuthMore::parse(&more.encode()) == Ok(more));

        let mut out = Vec::new();
        put_query(&mut out, caps, &data);
        prop_assert_eq!(query_text(&out, caps), Ok(&data[..]));
    }

    #[test]
    fn a_greeting_reads_back(
        version in "[ -~]{0,60}", connection_id: u32, nonce: [u8; 20], caps in capabilities(),
        collation: u8, status: u16, plugin in "[a-z_0-9]{0,30}",
    ) {
        let needed = Capabilities::PROTOCOL_41
            | Capabilities::SECURE_CONNECTION
            | Capabilities::PLUGIN_AUTH;
        let capabilities = caps | needed;
        let status = Status(status);
        let greeting = Handshake {
            version, connection_id, nonce, capabilities, collation, status, plugin,
        };
        prop_assert_eq!(Handshake::parse(&greeting.encode()), Ok(greeting));
    }

    #[test]
    fn a_login_reads_back(
        caps in capabilities(), max_packet: u32, collation: u8, user in text(), auth in text(),
        texts: (Vec<u8>, [u8; 3]), zstd: u8,
    ) {
        let mut capabilities = caps | Capabilities::PROTOCOL_41;
        if auth.len() > 255 {
            capabilities.insert(Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA);
        }
        let has = |flag| capabilities.contains(flag);
        let (attributes, [a, b, c]) = texts;
        let name = vec![a | 1, b | 1, c | 1];
        let login = HandshakeResponse {
            capabilities, max_packet, collation, user, auth,
            database: has(Capabilities::CONNECT_WITH_DB).then(|| name.clone()),
            plugin: has(Capabilities::PLUGIN_AUTH).then_some(name),
            attributes: has(Capabilities::CONNECT_ATTRS).then_some(attributes),
            zstd_level: has(Capabilities::ZSTD).then_some(zstd),
        };
        prop_assert_eq!(HandshakeResponse::parse(&login.encode()), Ok(login));

        capabilities.insert(Capabilities::SSL);
        let request = SslRequest { capabilities, max_packet, collation };
        prop_assert_eq!(is_ssl_request(&request.encode()), Some(request));
    }

    #[test]
    fn a_change_of_user_reads_back(
        caps in capabilities(), user in text(), auth in vec(any::<u8>(), 0..=255),
        database in option::of(vec(1..=u8::MAX, 1..20)), collation: u16, plugin in text(),
        attributes in text(),
    ) {
        let caps = caps | Capabilities::SECURE_CONNECTION;
        let change = ChangeUser {
            user, auth, database, collation,
            plugin: caps.contains(Capabilities::PLUGIN_AUTH).then_some(plugin),
            attributes: caps.contains(Capabilities::CONNECT_ATTRS).then_some(attributes),
        };
        prop_assert_eq!(ChangeUser::parse(&change.encode().unwrap(), caps), Ok(change));
    }
}
