//! Backends that send anything: real servers behind something in the middle that changes what they
//! say, to the monitor as to everybody. Nothing may panic, and all is well once they are honest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tidegate::lab::{APP, Cluster};
use tidegate::net::Endpoint;
use tidegate::protocol::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::wire::{self, Client, MODERN};
use crate::{panics, resident_bytes, support, until};

/// One answer in so many is changed.
const RARELY: u32 = 12;

/// What is between Tidegate and a backend.
struct Middle {
    honest: watch::Sender<bool>,
    changed: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Middle {
    async fn lay(lab: &Cluster, config: &mut tidegate::config::Config, seed: u64) -> Self {
        let honest = watch::Sender::new(true);
        let changed = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for (instance, backend) in lab.instances().zip(&mut config.backend.backends) {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            backend.address = Endpoint::Tcp {
                host: "127.0.0.1".to_owned(),
                port,
            };
            let (to, changed) = (instance.port(), Arc::clone(&changed));
            let honest = honest.subscribe();
            tasks.spawn(async move {
                let mut connections = JoinSet::new();
                let mut number = seed;
                while let Ok((client, _)) = listener.accept().await {
                    number += 1;
                    let chance = StdRng::seed_from_u64(number);
                    let (honest, changed) = (honest.clone(), Arc::clone(&changed));
                    connections.spawn(pass_on(client, to, honest, chance, changed));
                    while connections.try_join_next().is_some() {}
                }
            });
        }
        Self {
            honest,
            changed,
            _tasks: tasks,
        }
    }
}

/// Passes on what both say. A connection that began with lies ends when the truth begins.
async fn pass_on(
    client: TcpStream,
    to: u16,
    mut honest: watch::Receiver<bool>,
    mut chance: StdRng,
    changed: Arc<AtomicU64>,
) {
    let Ok(backend) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let begun_honest = *honest.borrow_and_update();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_backend, mut to_backend) = backend.into_split();
    let answers = async {
        let mut buffer = vec![0; 1 << 14];
        while let Ok(length @ 1..) = from_backend.read(&mut buffer).await {
            let mut bytes = buffer[..length].to_vec();
            let lies = !begun_honest && chance.random_ratio(1, RARELY);
            let goes_on = !lies || change(&mut bytes, &mut chance);
            changed.fetch_add(u64::from(lies), Ordering::Relaxed);
            if to_client.write_all(&bytes).await.is_err() || !goes_on {
                return;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_backend) => {}
        () = answers => {}
        _ = honest.changed() => {}
    }
}

/// Makes something else of an answer; says whether the connection goes on.
fn change(bytes: &mut Vec<u8>, chance: &mut StdRng) -> bool {
    let at = chance.random_range(0..bytes.len());
    match chance.random_range(0..8) {
        0 => bytes[at] = chance.random(),
        1 => bytes[at] ^= 1 << chance.random_range(0..8),
        2 => {
            bytes.truncate(at);
            return false;
        }
        3 => {
            let mut more = vec![0; chance.random_range(1..64)];
            chance.fill_bytes(&mut more);
            bytes.splice(at..at, more);
        }
        4 => bytes.extend_from_within(..),
        5 => chance.fill_bytes(bytes),
        6 => {
            // A length that never comes.
            let header = bytes.len().min(3);
            bytes[..header].fill(0xff);
        }
        // The head of the first packet, as an end, an error or a request for a file.
        _ => {
            if let Some(first) = bytes.get_mut(4) {
                *first = [0x00, 0xfb, 0xfe, 0xff, 0x01][chance.random_range(0..5)];
            }
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_nothing_that_a_backend_sends_makes_tidegate_panic_hang_or_grow() {
    const SQL: [&str; 8] = [
        "SELECT name FROM app.whoami",
        "SELECT 1, NULL, 'two', REPEAT('x', 30000)",
        "DO 1",
        "BEGIN",
        "COMMIT",
        "SELECT nothing FROM nowhere",
        "SET @a = 1",
        "SELECT 1; SELECT 2; DO 3",
    ];
    let seed = std::env::var("TIDEGATE_HOSTILE_SEED").map_or(1, |text| text.parse().unwrap());
    let seconds = std::env::var("TIDEGATE_HOSTILE_SECONDS").map_or(8, |text| text.parse().unwrap());
    let panics = panics();
    let lab = support::lab_alone().await;
    support::name_backends(&lab).await;
    let mut config = wire::config(&lab);
    config.backend.connect_timeout = Duration::from_secs(1);
    let middle = Middle::lay(&lab, &mut config, seed).await;
    let (running, port) = wire::proxy(config).await;
    let before = (panics(), resident_bytes());
    middle.honest.send_replace(false);
    let until_then = Instant::now() + Duration::from_secs(seconds);
    let mut clients = JoinSet::new();
    for number in 0..6 {
        let mut chance = StdRng::seed_from_u64(seed + number);
        clients.spawn(async move {
            while Instant::now() < until_then {
                // Whoever gets no answer leaves: what was promised to come may never do so.
                let session = async {
                    let Ok(mut client) = Client::try_connect(port, APP, MODERN).await else {
                        return;
                    };
                    for _ in 0..chance.random_range(1..20) {
                        let sql = SQL[chance.random_range(0..SQL.len())];
                        if client
                            .try_send(Command::Query, sql.as_bytes())
                            .await
                            .is_err()
                            || client.try_answer(Command::Query).await.is_err()
                        {
                            return;
                        }
                    }
                };
                let _ = timeout(Duration::from_secs(2), session).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("a client does not panic");
    }
    assert!(
        middle.changed.load(Ordering::Relaxed) > 0,
        "there were lies"
    );
    middle.honest.send_replace(true);
    let metrics = &running.metrics;
    until("all are well", async || {
        (0..3).all(|index| metrics.backend_up(index).get() == 1)
    })
    .await;
    until("no session is left over", async || {
        metrics.client_connections().get() == 0
    })
    .await;
    until("reads and writes go well", async || {
        let mut client = Client::connect(port, APP, MODERN).await;
        client.query("DO 1").await[0][0] == 0 && client.query(SQL[0]).await.len() == 4
    })
    .await;
    let grown = resident_bytes().saturating_sub(before.1);
    assert_eq!(panics(), before.0, "seed {seed}");
    assert!(grown < 200 << 20, "{grown} bytes more, seed {seed}");
    running.drain().await;
}
