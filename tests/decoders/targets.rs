//! One function for each decoder: whatever the bytes are, it must not panic, and what it has
//! understood it must understand again when it is written back.

use std::cell::OnceCell;

use bytes::BytesMut;
use tidegate::config;
use tidegate::gtid::Set;
use tidegate::net::{Plain, read_proxy_header};
use tidegate::protocol::compression::{Algorithm, Codec};
use tidegate::protocol::{
    AuthMore, AuthSwitch, Boundary, Capabilities, ChangeUser, Command, EofPacket, ErrPacket,
    ExecuteHead, HEADER, Handshake, HandshakeResponse, Header, OkPacket, Part, PrepareOk, Reader,
    Status, Translator, Want, auth, connection_attributes, execute_statement_id, is_ssl_request,
    query_attributes, query_text, set_statement_id, skip_binary_value, statement_id, track,
};
use tidegate::sql::{
    Hint, LexMode, Lexer, classify, diagnostics_targets, only_reads, seems_hinted,
};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

/// A target: its name, what it does, and bytes that it understands.
pub(crate) type Target = (&'static str, fn(&[u8]), &'static [&'static [u8]]);

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    ("framing", framing, FRAMING),
    ("login", login, LOGIN),
    ("answer", answer, ANSWER),
    ("execute", execute, EXECUTE),
    ("gtid", gtid, GTID),
    ("sql", sql, SQL),
    ("config", config, CONFIG),
    ("compression", compression, COMPRESSION),
    ("proxy", proxy, PROXY),
];

/// Capabilities from the first four bytes, and the rest.
fn with_capabilities(data: &[u8]) -> Option<(Capabilities, &[u8])> {
    let (bytes, rest) = data.split_first_chunk::<4>()?;
    Some((Capabilities(u32::from_le_bytes(*bytes)), rest))
}

const FRAMING: &[&[u8]] = &[
    b"\x03\0\0\0\x01\x07\0\0\x01\0\0\0\x02\0\0\0",
    b"\x03\0\0\0\x01\x01\0\0\x01\x01\x05\0\0\x02\xfb\0\0\0\0\x05\0\0\x03\xfe\0\0\x02\0",
    b"\x16\0\0\0\x01\x0c\0\0\x01\0\x01\0\0\0\x01\0\x01\0\0\0\0",
    b"\x03\0\0\0\x01\x05\0\0\x01\xfbname",
];

/// A stream of packets as the response to a command.
pub(crate) fn framing(data: &[u8]) {
    let Some((command, rest)) = data.split_first() else {
        return;
    };
    let command = Command::from_byte(*command).unwrap_or(Command::Query);
    let Some((capabilities, mut rest)) = with_capabilities(rest) else {
        return;
    };
    let mut boundary = Boundary::new(command, capabilities);
    let mut translator = Translator::new(capabilities);
    while let Some((header, payload)) = rest.split_first_chunk::<HEADER>() {
        let header = Header::parse(*header);
        assert!(Header::parse(header.bytes()) == header);
        let Some(payload) = payload.get(..header.len) else {
            return;
        };
        rest = &rest[HEADER + header.len..];
        let first = payload.first().copied();
        let ended = boundary.end();
        let part = match boundary.want(header.len, first) {
            Want::Pass => boundary.pass(header.len, first),
            Want::Whole => boundary.whole(payload),
        };
        match part {
            Ok(part) => {
                assert!(ended.is_none(), "nothing comes after the end");
                translator.around(&part, Status(0));
                translate(&translator, &part);
            }
            Err(_) => return,
        }
    }
}

fn translate(translator: &Translator, part: &Part<'_>) {
    let mut out = Vec::new();
    match part {
        Part::Ok(ok) => translator.final_ok(ok, ok.session, &mut out),
        Part::ResultEnd(end) => translator.result_end(end, end.session, &mut out),
        _ => {}
    }
}

const LOGIN: &[&[u8]] = &[
    b"\x0a9.7.4\0\x08\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\
      \0\0\0\0\0\0abcdefghijkl\0caching_sha2_password\0",
    b"\x0d\xa2\x0b\0\0\0\0\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\x04scraapp\0\
      caching_sha2_password\0",
    b"\x11app\0\x04scraapp\0\x2d\0mysql_native_password\0",
    b"\xfecaching_sha2_password\0abcdefghijklmnopqrst\0",
];

/// What both sides say while a client logs in.
pub(crate) fn login(data: &[u8]) {
    if let Ok(handshake) = Handshake::parse(data) {
        let again = handshake.encode();
        assert!(Handshake::parse(&again).is_ok(), "{handshake:?}");
    }
    if let Ok(response) = HandshakeResponse::parse(data) {
        response
            .attributes
            .iter()
            .for_each(|bytes| connection_attributes(bytes).for_each(drop));
    }
    let _ = is_ssl_request(data);
    let _ = AuthMore::parse(data);
    let _ = AuthSwitch::parse(data).and_then(|switch| switch.nonce());
    let _ = auth::reveal(data, &[7; 20]);
    if let Some((capabilities, rest)) = with_capabilities(data) {
        let _ = ChangeUser::parse(rest, capabilities);
    }
    connection_attributes(data).for_each(drop);
}

const ANSWER: &[&[u8]] = &[
    b"\0\0\x80\0\0\0\0\x02\x40\0\0\0\x0c\x03\x0a\x08\0\x06uuid:1\x02\x01\x31",
    b"\0\0\x80\0\xff\x15\x04#28000Access denied",
    b"\0\0\0\x01\xfe\0\0\x02\0",
];

/// What ends a response, and the changes of session state that it tells.
pub(crate) fn answer(data: &[u8]) {
    let Some((capabilities, rest)) = with_capabilities(data) else {
        return;
    };
    if let Ok(ok) = OkPacket::parse(rest, capabilities) {
        let all = track::changes(ok.session).take_while(Result::is_ok).count();
        let mut out = Vec::new();
        let filtered = track::filter(ok.session, &mut out, |_| true);
        assert!(ok.session.starts_with(&out));
        assert_eq!(filtered.is_ok(), out.len() == ok.session.len());
        assert!(all <= ok.session.len());
        let mut again = Vec::new();
        ok.encode(OkPacket::HEADER, capabilities, &mut again);
        assert!(OkPacket::parse(&again, capabilities).is_ok());
    }
    let _ = ErrPacket::parse(rest);
    let _ = EofPacket::parse(rest);
    let _ = PrepareOk::parse(rest, capabilities);
    track::entries(rest).for_each(drop);
}

const EXECUTE: &[&[u8]] = &[
    b"\0\0\0\x08\x02\0\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x08\0\x0f\0\x01\0\0\0\0\0\0\0\x01a",
    b"\0\0\0\0\0\0\x03\x01\x01\0\x01\xfd\0\x01kSELECT 1",
    b"\0\0\0\0\0\0\x18\x01\0\0\0\0\0value",
];

/// COM_STMT_EXECUTE, and the other commands that are read.
pub(crate) fn execute(data: &[u8]) {
    let Some((capabilities, rest)) = with_capabilities(data) else {
        return;
    };
    let Some((params, payload)) = rest.split_first_chunk::<2>() else {
        return;
    };
    let _ = ExecuteHead::parse(payload, u16::from_le_bytes(*params), capabilities);
    let _ = execute_statement_id(payload);
    let known = statement_id(payload);
    let replaced = set_statement_id(&mut payload.to_vec(), 1);
    assert_eq!(known.is_ok(), replaced.is_ok());
    let text = query_text(payload, capabilities);
    let attributes = query_attributes(payload, capabilities);
    assert!(text.is_ok() <= attributes.is_ok() || text.is_err());
    let mut reader = Reader::new(payload);
    for kind in [0x01, 0x05, 0x07, 0x0b, 0x0c, 0xfd] {
        let _ = skip_binary_value(&mut reader, kind);
    }
}

const GTID: &[&[u8]] = &[
    b"8a94f357-aab4-11df-86ab-c80aa9429562:1-5:11-18",
    b"8a94f357-aab4-11df-86ab-c80aa9429562:1-7:tag:1-5,\n8a94f357-aab4-11df-86ab-c80aa9429563:3",
    b"0-1-31,1-2-5",
    b"",
];

/// GTID sets, of both flavours.
pub(crate) fn gtid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(set) = Set::parse(text) else {
        return;
    };
    assert!(set.contains(&set));
    let shown = set.to_string();
    let again = Set::parse(&shown).expect("what is shown can be read");
    assert!(again == set, "{shown}");
    let mut united = set.clone();
    united.union(&again);
    assert!(united == set);
    // Positions of MariaDB know no difference.
    if set.position().is_none() {
        united.subtract(&again);
        assert!(united.is_empty(), "{shown} without itself");
    }
}

const SQL: &[&[u8]] = &[
    b"SELECT /* tidegate: level=strong */ `a`.b, 'it''s', \"x\" FROM t WHERE id IN (1, 0x2, 1e3)",
    b"/*!80000 INSERT */ INTO t VALUES (1); SELECT GET_LOCK('a', 1) -- over",
    b"WITH RECURSIVE c AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT * FROM c FOR UPDATE",
    b"SET @a := 1, SESSION sql_mode = 'ANSI_QUOTES', @tidegate_level = 'strong'",
    b"BEGIN NOT ATOMIC DECLARE x INT; SIGNAL SQLSTATE '45000'; END",
    b"GET DIAGNOSTICS @a = NUMBER, @b = ROW_COUNT",
    b"EXPLAIN ANALYZE SELECT SQL_CALC_FOUND_ROWS SLEEP(1), LAST_INSERT_ID() INTO @x",
];

/// Statements, hints and the bodies of routines.
pub(crate) fn sql(data: &[u8]) {
    for (ansi_quotes, no_backslash_escapes) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let mode = LexMode {
            ansi_quotes,
            no_backslash_escapes,
        };
        let tokens = Lexer::new(data, mode).count();
        assert!(tokens <= data.len(), "each takes a byte at least");
        let _ = classify(data, mode);
        let _ = Hint::of(data, mode);
    }
    let _ = seems_hinted(data);
    let _ = only_reads(data);
    let _ = diagnostics_targets(data);
}

const CONFIG: &[&[u8]] = &[
    b"backend = [{ name = \"w1\", address = \"127.0.0.1:4000\", role = \"writer\" }]\n\
      monitor = { user = \"tidegate\", password = \"x\" }\n",
    b"[listen]\naddress = [\"127.0.0.1:3307\", \"unix:/tmp/t.sock\"]\n[limits]\nclients = 5\n\
      login_timeout = \"10s\"\n[[user]]\nname = \"app\"\nlevel = \"strong\"\n",
];

/// Configuration files.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // Nobody's files are read here.
    if text.contains("_file") || text.contains("cert") || text.contains("key") {
        return;
    }
    match config::parse_with(text, "fuzz.toml", &|_| None) {
        Ok(_) => {}
        Err(faults) => {
            assert!(!faults.is_empty());
            faults.iter().for_each(|fault| drop(fault.to_string()));
        }
    }
}

const COMPRESSION: &[&[u8]] = &[
    b"\0\x08\x05\0\0\0\0\0\0\x01\0\0\0\x0e",
    b"\x00\x08\x1c\x00\x00\x00\x4f\x00\x00\x78\x9c\x73\x63\x60\x60\x60\x0e\x76\xf5\x71\x75\x0e\
      \x51\x30\xd4\x51\x50\x4f\xa4\x08\xa8\x03\x00\xc2\x4c\x1a\x73",
    b"\x01\x08\x21\x00\x00\x00\x4f\x00\x00\x28\xb5\x2f\xfd\x20\x4f\xc5\x00\x00\x90\x46\x00\x00\
      \x00\x03\x53\x45\x4c\x45\x43\x54\x20\x31\x2c\x20\x27\x61\x27\x01\x00\x25\x81\x25",
];

/// What is decoded of one input at most, in bytes.
const DECODED: usize = 1 << 20;

/// Compressed packets that come in two pieces, and the same bytes there and back.
pub(crate) fn compression(data: &[u8]) {
    const LIMIT: usize = 4096;
    let Some(([kind, cut], packets)) = data.split_first_chunk::<2>() else {
        return;
    };
    let algorithm = match kind & 1 {
        0 => Algorithm::Zlib,
        _ => Algorithm::Zstd { level: 3 },
    };
    let mut codec = Codec::new(algorithm);
    let (first, second) = packets.split_at(usize::from(*cut).min(packets.len()));
    let mut out = BytesMut::new();
    for piece in [first, second] {
        codec.raw().extend_from_slice(piece);
        loop {
            let before = out.len();
            match codec.decode(&mut out, LIMIT) {
                Ok(0) => break,
                Ok(given) => assert!(given <= LIMIT && out.len() == before + given),
                Err(_) => {
                    assert!(out.len() == before, "what was never sent");
                    return;
                }
            }
            if out.len() > DECODED {
                return;
            }
        }
    }
    let mut packed = BytesMut::new();
    Codec::new(algorithm).encode(packets, &mut packed);
    let mut codec = Codec::new(algorithm);
    codec.raw().extend_from_slice(&packed);
    let mut again = BytesMut::new();
    while codec.decode(&mut again, LIMIT).expect("its own packets") > 0 {}
    assert!(again == packets);
}

const PROXY: &[&[u8]] = &[
    b"PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306\r\nrest",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x07\x0a\0\0\x01\xc3\x50\x0c\xea",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
];

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// What a load balancer says before anything else.
pub(crate) fn proxy(data: &[u8]) {
    // What does not fit into a socket's buffer nobody would read.
    let data = data.get(..8192).unwrap_or(data);
    let read = async {
        let (mut near, far) = UnixStream::pair().expect("two sockets");
        near.write_all(data).await.expect("it fits");
        drop(near);
        let mut far = Plain::from(far);
        // Either is right, and comes at once.
        let _ = read_proxy_header(&mut far).await;
    };
    RUNTIME.with(|runtime| {
        let runtime = runtime.get_or_init(|| {
            let builder = Builder::new_current_thread().enable_io().build();
            builder.expect("a runtime")
        });
        runtime.block_on(read);
    });
}
