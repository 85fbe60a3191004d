//! What two clients have read, made comparable.

use tidegate::protocol::{Capabilities, OkPacket, Status};

/// Packets as a person reads them.
pub fn texts(packets: &[Vec<u8>]) -> Vec<String> {
    packets
        .iter()
        .map(|packet| packet.escape_ascii().to_string())
        .collect()
}

/// What may differ, first: the count of warnings in the EOF between definitions and rows, which is
/// that of parsing only, and which nothing that a backend with OK terminators sends tells. Where
/// the result is too long to be held until its end, also the flags there that only the end tells.
///
/// Second: an announced change of session state without any content. MySQL sends such
/// blocks when a tracker stirs that the client did not ask for; through the proxy other trackers
/// are on, and which of them stirred with nothing to say is not on the wire.
pub fn comparable(packets: Vec<Vec<u8>>, capabilities: Capabilities) -> Vec<Vec<u8>> {
    let without_empty_block = |packet: Vec<u8>| match OkPacket::parse(&packet, capabilities) {
        Ok(ok)
            if ok.session.is_empty()
                && packet.len() < 64
                && matches!(packet.first(), Some(0x00 | 0xfe))
                && ok.status.contains(Status::SESSION_STATE_CHANGED) =>
        {
            let status = Status(ok.status.0 & !Status::SESSION_STATE_CHANGED.0);
            let mut out = Vec::new();
            OkPacket { status, ..ok }.encode(packet[0], capabilities, &mut out);
            out
        }
        _ => packet,
    };
    let mut packets: Vec<_> = packets.into_iter().map(without_empty_block).collect();
    if !capabilities.contains(Capabilities::DEPRECATE_EOF)
        && let Some((_last, before)) = packets.split_last_mut()
    {
        let long = before.iter().map(Vec::len).sum::<usize>() > 16 * 1024;
        let told_at_the_end = (Status::NO_INDEX_USED | Status::NO_GOOD_INDEX_USED).0;
        for packet in before
            .iter_mut()
            .filter(|packet| packet.len() == 5 && packet[0] == 0xfe)
        {
            packet[1..3].fill(0);
            if long {
                packet[3] &= !told_at_the_end.to_le_bytes()[0];
            }
        }
    }
    packets
}

/// The two schemas differ in one letter; so do metadata and messages, in UCS-2 too.
pub fn same_schema(packet: &[u8], [direct, through]: [&str; 2]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let wide = |name: &str| name.bytes().flat_map(|byte| [0, byte]).collect();
    let narrow = (direct.as_bytes().to_vec(), through.as_bytes().to_vec());
    for (direct, through) in [narrow, (wide(direct), wide(through))] {
        let len = through.len();
        for start in 0..packet.len().saturating_sub(len - 1) {
            if packet[start..].starts_with(&through) {
                packet[start..start + len].copy_from_slice(&direct);
            }
        }
    }
    packet
}
