use super::*;
use crate::protocol::testing::hex;

const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd { level: 3 }];

/// Everything that these bytes decode to, given to the codec in pieces of `piece` bytes.
fn decode(codec: &mut Codec, bytes: &[u8], piece: usize) -> Result<Vec<u8>, ProtocolError> {
    let mut out = BytesMut::new();
    for part in bytes.chunks(piece) {
        codec.raw().extend_from_slice(part);
        while codec.decode(&mut out, 100)? > 0 {}
    }
    Ok(out.to_vec())
}

fn encoded(algorithm: Algorithm, plain: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Codec::new(algorithm).encode(plain, &mut out);
    out.to_vec()
}

/// A compressed packet with lengths of one's own.
fn packet(content: &[u8], plain: usize) -> Vec<u8> {
    let mut out = BytesMut::new();
    Codec::new(Algorithm::Zlib).put(content, plain, &mut out);
    out.to_vec()
}

fn mixed() -> Vec<u8> {
    let text = b"SELECT id, name FROM people WHERE id IN (1, 2, 3) ".repeat(40);
    [&text[..], &(0..=255).collect::<Vec<u8>>(), &text].concat()
}

#[test]
fn a_query_of_the_protocols_page_reads() {
    // "select "012345678901234567890123456789012345"", as dev.mysql.com has it.
    let bytes = hex(
        "22 00 00 00 32 00 00 78 9c d3 63 60 60 60 2e 4e cd 49 4d 2e 51 50 32 30 34 32
        36 31 35 33 b7 b0 c4 cd 52 02 00 0c d1 0a 6c",
    );
    let plain = decode(&mut Codec::new(Algorithm::Zlib), &bytes, 1).unwrap();
    assert_eq!(plain.len(), 50);
    assert_eq!(plain[..12], *b"\x2e\0\0\0\x03select ");
}

#[test]
fn what_is_encoded_decodes_whatever_pieces_it_comes_in() {
    for algorithm in BOTH {
        for plain in [
            b"short".to_vec(),
            mixed(),
            vec![7; 3 * LONGEST + 1],
            Vec::new(),
        ] {
            let bytes = encoded(algorithm, &plain);
            for piece in [1, 2, 7, 8, 1000, bytes.len().max(1)] {
                let mut codec = Codec::new(algorithm);
                let back = decode(&mut codec, &bytes, piece).unwrap();
                assert_eq!(back, plain, "{algorithm:?} in pieces of {piece}");
                assert!(codec.open.is_none() && !codec.holds_input());
            }
        }
    }
}

#[test]
fn short_and_random_content_is_sent_as_it_is() {
    let random: Vec<u8> = (0..1000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for algorithm in BOTH {
        assert_eq!(encoded(algorithm, b"x")[..], *b"\x01\0\0\0\0\0\0x");
        let bytes = encoded(algorithm, &random);
        assert!(bytes.len() <= random.len() + COMPRESSED_HEADER);
        assert!(encoded(algorithm, &[b'x'; 1000]).len() < 100);
    }
}

#[test]
fn what_could_not_be_compressed_leaves_no_trace_in_what_follows() {
    let random: Vec<u8> = (0..60_u8).map(|n| n.wrapping_mul(167)).collect();
    for algorithm in BOTH {
        for plain in [
            &random[..],
            &mixed(),
            &random,
            b"x",
            &mixed(),
            &[7; 60],
            &mixed(),
        ] {
            let bytes = encoded(algorithm, plain);
            let back = decode(&mut Codec::new(algorithm), &bytes, bytes.len());
            assert_eq!(back.unwrap(), plain, "{algorithm:?}");
        }
    }
}

#[test]
fn answers_are_counted_on_from_what_they_answer() {
    let mut codec = Codec::new(Algorithm::Zlib);
    decode(&mut codec, b"\x01\0\0\x05\0\0\0x", 8).unwrap();
    let mut out = BytesMut::new();
    codec.encode(&vec![b'y'; LONGEST + 1], &mut out);
    assert_eq!(out[3], 6);
    let numbers = [out[3], out[out.len() - 5]];
    assert_eq!(numbers, [6, 7]);
    codec.restart();
    out.clear();
    codec.encode(b"z", &mut out);
    assert_eq!(out[3], 0);
}

#[test]
fn two_packets_are_decoded_one_after_the_other() {
    // The second may begin another command, whose answer counts from its own number.
    let mut codec = Codec::new(Algorithm::Zlib);
    codec
        .raw()
        .extend_from_slice(b"\x01\0\0\0\0\0\0a\x01\0\0\x09\0\0\0b");
    let mut out = BytesMut::new();
    assert_eq!(codec.decode(&mut out, 100), Ok(1));
    assert_eq!((codec.seq, &out[..]), (1, &b"a"[..]));
    assert_eq!(codec.decode(&mut out, 100), Ok(1));
    assert_eq!((codec.seq, &out[..]), (10, &b"ab"[..]));
}

#[test]
fn p9_content_that_is_longer_than_it_says_is_an_error_and_never_in_memory() {
    for algorithm in BOTH {
        let bomb = deflate::pack(algorithm, &vec![0; 16_000_000]).unwrap();
        for claimed in [1, 99, 100, 15_999_999] {
            let bytes = packet(&bomb, claimed);
            let mut codec = Codec::new(algorithm);
            codec.raw().extend_from_slice(&bytes);
            let mut out = BytesMut::new();
            let mut given = 0;
            let result = loop {
                match codec.decode(&mut out, 4096) {
                    Ok(0) => break Ok(()),
                    Ok(count) => given += count,
                    Err(error) => break Err(error),
                }
                assert!(out.len() <= 4096);
                out.clear();
            };
            assert!(result.is_err(), "{algorithm:?} claims {claimed}");
            assert!(given <= claimed);
        }
    }
}

#[test]
fn content_that_is_cut_shorter_than_it_says_or_garbage_is_an_error() {
    for algorithm in BOTH {
        let good = deflate::pack(algorithm, &mixed()).unwrap();
        let whole = packet(&good, mixed().len());
        assert!(decode(&mut Codec::new(algorithm), &whole, 1).is_ok());
        for cut in 0..good.len() {
            let bytes = packet(&good[..cut], mixed().len());
            let result = decode(&mut Codec::new(algorithm), &bytes, 50);
            assert!(result.is_err(), "{algorithm:?}, {cut} of {}", good.len());
        }
        for wrong in [
            packet(&good, mixed().len() + 1),
            packet(&[&good[..], b"more"].concat(), mixed().len()),
            packet(b"this is no compressed content", 100),
            packet(b"", 100),
        ] {
            assert!(decode(&mut Codec::new(algorithm), &wrong, 64).is_err());
        }
    }
}

#[test]
fn p9_a_frame_may_not_ask_for_a_window_beyond_the_longest_content() {
    // Magic, no single segment, a window of 2^27 bytes, one empty last block.
    let frame = hex("28 b5 2f fd 00 88 01 00 00");
    let result = decode(&mut Codec::new(BOTH[1]), &packet(&frame, 10), 64);
    assert!(result.is_err());
}

#[test]
fn an_empty_packet_is_skipped() {
    let mut codec = Codec::new(Algorithm::Zlib);
    let bytes = b"\0\0\0\0\0\0\0\x01\0\0\x01\0\0\0a";
    assert_eq!(decode(&mut codec, bytes, 3).unwrap(), b"a");
}

#[test]
fn zlib_comes_first_and_a_level_is_limited() {
    let caps = Capabilities::COMPRESS | Capabilities::ZSTD;
    assert_eq!(Algorithm::agreed(caps, Some(3)), Some(Algorithm::Zlib));
    let of = |level| Algorithm::agreed(Capabilities::ZSTD, level);
    assert_eq!(of(Some(22)), Some(Algorithm::Zstd { level: 9 }));
    assert_eq!(of(Some(0)), Some(Algorithm::Zstd { level: 1 }));
    assert_eq!(of(None), Some(Algorithm::Zstd { level: 3 }));
    assert_eq!(Algorithm::agreed(Capabilities(0), Some(3)), None);
}
