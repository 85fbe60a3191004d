//! What attackers send to the front port: commands that are nearly right, out of order, too long or
//! too slow, before the login and after it.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use tidegate::lab::APP;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::{self, Client, MODERN};
use crate::{panics, resident_bytes, support, until};

/// Commands that a client may send, by their first byte.
const COMMANDS: [&[u8]; 18] = [
    b"\x02app",
    b"\x03SELECT name FROM app.whoami",
    b"\x03SELECT 1; SELECT /* tidegate: level=strong */ 2",
    b"\x03SET @tidegate_key = 'x', @tidegate_level = 'strong'",
    b"\x04whoami\0",
    b"\x09",
    b"\x0c\x01\0\0\xc0",
    b"\x0e",
    b"\x11app\0\x14xxxxxxxxxxxxxxxxxxxxapp\0\x2d\0caching_sha2_password\0",
    b"\x16SELECT ?, name FROM app.whoami",
    b"\x17\x01\0\0\0\x01\x01\0\0\0\0\x01\x08\0\x01\0\0\0\0\0\0\0",
    b"\x17\x01\0\0\0\0\x01\0\0\0",
    b"\x18\x01\0\0\0\0\0value",
    b"\x19\x01\0\0\0",
    b"\x1a\x01\0\0\0",
    b"\x1b\x01\0",
    b"\x1c\x01\0\0\0\x05\0\0\0",
    b"\x1f",
];

/// A command, perhaps with a few bytes changed, in a packet, perhaps with another header.
pub(crate) fn packet(chance: &mut StdRng) -> Vec<u8> {
    let mut payload = COMMANDS.choose(chance).expect("one").to_vec();
    for _ in 0..chance.random_range(0..3) {
        let at = chance.random_range(0..payload.len());
        match chance.random_range(0..4) {
            0 => payload[at] = chance.random(),
            1 => payload[at] ^= 1 << chance.random_range(0..8),
            2 => payload.truncate(at.max(1)),
            _ => {
                let mut more = vec![0; chance.random_range(1..300)];
                chance.fill_bytes(&mut more);
                payload.splice(at..at, more);
            }
        }
    }
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let mut bytes = vec![length[0], length[1], length[2], 0];
    match chance.random_range(0..12) {
        0 => bytes[3] = chance.random(),
        1 => bytes[0] = bytes[0].wrapping_add(1),
        2 => bytes[..3].fill(0xff),
        3 => bytes[..3].fill(0),
        _ => {}
    }
    bytes.extend(payload);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_nothing_that_a_client_sends_makes_tidegate_panic_hang_or_grow() {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = setting("TIDEGATE_ATTACK_SEED").unwrap_or(1);
    let rounds = setting("TIDEGATE_ATTACK_ROUNDS").unwrap_or(300);
    let panics = panics();
    let lab = support::lab_alone().await;
    support::name_backends(&lab).await;
    let mut config = wire::config(&lab);
    config.session.login_timeout = Duration::from_secs(5);
    config.session.limits.read_timeout = Duration::from_secs(1);
    let (running, port) = wire::proxy(config).await;
    let mut witness = Client::connect(port, APP, MODERN).await;
    let before = (panics(), resident_bytes());
    let mut chance = StdRng::seed_from_u64(seed);
    for round in 0..rounds {
        let after_login = round % 4 > 0;
        let mut bytes = Vec::new();
        for _ in 0..chance.random_range(1..8) {
            bytes.extend(packet(&mut chance));
        }
        let playing = async {
            let mut stream = match after_login {
                true => match Client::try_connect(port, APP, MODERN).await {
                    Ok(mut client) => {
                        client.wire.output().extend_from_slice(&bytes);
                        let _ = client.wire.flush().await;
                        let mut answers = 0;
                        while answers < 20 && client.wire.fill().await.is_ok_and(|count| count > 0)
                        {
                            answers += 1;
                        }
                        return;
                    }
                    Err(_) => return,
                },
                false => TcpStream::connect(("127.0.0.1", port)).await.unwrap(),
            };
            // An SSL request with something else than TLS behind it, or no login at all.
            if round % 8 == 0 {
                let request = b"\x20\0\0\x01\x05\xae\x03\0\0\0\0\x01\x08";
                bytes = [request, &[0; 23][..], &bytes].concat();
            } else {
                bytes[3] = 1;
            }
            let _ = stream.write_all(&bytes).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        };
        // What waits for more gets nothing more.
        let _ = timeout(Duration::from_millis(50), playing).await;
        if round % 50 == 0 {
            let rows = witness.query("SELECT 1").await;
            assert_eq!(rows.len(), 4, "seed {seed}, round {round}");
        }
    }
    let clients = running.metrics.client_connections();
    until("all are gone", async || clients.get() == 1).await;
    assert_eq!(witness.query("SELECT 1").await.len(), 4);
    assert_eq!(panics(), before.0, "seed {seed}");
    let grown = resident_bytes().saturating_sub(before.1);
    assert!(grown < 200 << 20, "{grown} bytes more, seed {seed}");
    running.drain().await;
}
