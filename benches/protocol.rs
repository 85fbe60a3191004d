//! What the relay pays for each packet, without the bytes' own way.
#![expect(clippy::expect_used, reason = "a panic is how a bench fails")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::protocol::track::{self, Change};
use tidegate::protocol::{
    Boundary, Capabilities, Command, HEADER, Header, OkPacket, Status, Want, write_packet,
};

const ROWS: usize = 1000;

/// A response of 1000 rows of 100 bytes, as it comes from the wire.
fn response() -> BytesMut {
    let (mut out, mut seq) = (BytesMut::new(), 1);
    write_packet(&mut out, &mut seq, &[1]);
    write_packet(&mut out, &mut seq, b"\x03def\x00\x00\x00\x01a\x00\x0c\xff");
    let row = [&[100][..], &[b'x'; 100]].concat();
    for _ in 0..ROWS {
        write_packet(&mut out, &mut seq, &row);
    }
    write_packet(&mut out, &mut seq, &[0xfe, 0, 0, 2, 0, 0, 0]);
    out
}

fn walk(caps: Capabilities, response: &[u8]) -> Option<Status> {
    let mut boundary = Boundary::new(Command::Query, caps);
    let mut rest = response;
    while let Some((head, tail)) = rest.split_first_chunk::<HEADER>() {
        let header = Header::parse(*head);
        let (payload, next) = tail.split_at_checked(header.len).expect("whole packets");
        let first = payload.first().copied();
        match boundary.want(header.len, first) {
            Want::Pass => drop(boundary.pass(header.len, first).expect("a row")),
            Want::Whole => drop(boundary.whole(payload).expect("a packet in its place")),
        }
        rest = next;
    }
    boundary.end()?.status()
}

fn walking(c: &mut Criterion) {
    let response = response();
    let mut group = c.benchmark_group("boundary");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("1000 rows", |b| {
        b.iter(|| walk(Capabilities::DEPRECATE_EOF, black_box(&response)).expect("an end"));
    });
    group.finish();
}

fn ok_packets(c: &mut Criterion) {
    // A GTID, a variable and a transaction's state.
    let session = [
        b"\x03\x28\x00\x26af26ba47-e720-11f1-bc27-02fc00000001:5" as &[u8],
        b"\x00\x0f\x0aautocommit\x03OFF",
        b"\x05\x09\x08T_R__sS_",
    ]
    .concat();
    let status = Status::AUTOCOMMIT | Status::SESSION_STATE_CHANGED;
    let ok = OkPacket {
        affected_rows: 1,
        status,
        session: &session,
        ..OkPacket::default()
    };
    let mut payload = Vec::new();
    ok.encode(OkPacket::HEADER, Capabilities::SESSION_TRACK, &mut payload);
    c.bench_function("ok packet: read, drop the GTIDs, write", |b| {
        let (mut kept, mut out) = (Vec::new(), Vec::new());
        b.iter(|| {
            kept.clear();
            out.clear();
            let caps = Capabilities::SESSION_TRACK;
            let ok = OkPacket::parse(black_box(&payload), caps).expect("an OK packet");
            track::filter(ok.session, &mut kept, |change| {
                !matches!(change, Change::Gtids(_))
            })
            .expect("a block of changes");
            OkPacket {
                session: &kept,
                ..ok
            }
            .encode(OkPacket::HEADER, caps, &mut out);
            black_box(out.len())
        });
    });
}

criterion_group!(benches, walking, ok_packets);
criterion_main!(benches);
