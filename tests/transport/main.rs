//! What lies between packets and the network: compression, TLS to backends, PROXY headers; and
//! those that use the wire in their own way: replication clients, accounts with other plugins.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod clients;
mod compression;
mod encryption;
mod expired;
mod plugins;
mod proxied;
mod replication;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
#[path = "../wire/mod.rs"]
mod wire;

use tidegate::protocol::ErrPacket;

/// The error number in a packet; 0 if it is no error.
fn code(packet: &[u8]) -> u16 {
    match packet.first() {
        Some(0xff) => ErrPacket::parse(packet).expect("an error").code,
        _ => 0,
    }
}

/// The first cell of the first row of an answer.
fn cell(packets: &[Vec<u8>]) -> String {
    let row = &packets[packets.len() - 2];
    let mut reader = tidegate::protocol::Reader::new(row);
    String::from_utf8(reader.lenenc_bytes("cell").expect("a cell").to_vec()).expect("text")
}
