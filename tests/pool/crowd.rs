//! Many clients, all connected at once, on few connections to each backend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tidegate::telemetry::{ConnectionState, Handover};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::lending;
use crate::stage::Stage;
use crate::support::application;

/// What the clients have seen.
#[derive(Debug, Default)]
struct Seen {
    stale: usize,
    failed: Vec<String>,
    login: Vec<Duration>,
    took: Vec<Duration>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.stale += other.stale;
        self.failed.extend(other.failed);
        self.login.extend(other.login);
        self.took.extend(other.took);
    }

    /// Runs one statement, and takes its time.
    async fn time<T>(&mut self, doing: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let begun = Instant::now();
        let done = doing.await;
        self.took.push(begun.elapsed());
        done.map_err(|error| self.failed.push(error.to_string()))
            .ok()
    }

    /// The same for a write; how many were acknowledged.
    async fn writes(&mut self, doing: impl Future<Output = Result<(), Error>>) -> u32 {
        u32::from(self.time(doing).await.is_some())
    }

    /// The same for a read of how many rows there are.
    async fn reads(&mut self, doing: impl Future<Output = Result<Option<u32>, Error>>, least: u32) {
        if let Some(rows) = self.time(doing).await {
            self.stale += usize::from(rows.unwrap_or_default() < least);
        }
    }
}

fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect(name))
}

async fn log_in(port: u16, seen: &mut Seen) -> Option<Conn> {
    let begun = Instant::now();
    let conn = Conn::new(application(port)).await;
    seen.login.push(begun.elapsed());
    conn.map_err(|error| seen.failed.push(format!("login: {error}")))
        .ok()
}

/// Writes and reads by text, by prepared statements and in a transaction.
async fn play(port: u16, id: usize, rounds: u32, all_here: Arc<Barrier>) -> Seen {
    let mut seen = Seen::default();
    let conn = log_in(port, &mut seen).await;
    all_here.wait().await;
    let Some(mut conn) = conn else {
        return seen;
    };
    const INSERT: &str = "INSERT INTO app.pool_crowd (client, round) VALUES (?, ?)";
    const COUNT: &str = "SELECT COUNT(*) FROM app.pool_crowd WHERE client = ?";
    let count = format!("SELECT COUNT(*) FROM app.pool_crowd WHERE client = {id}");
    let mut written = 0;
    for round in 0..rounds {
        let insert = format!("INSERT INTO app.pool_crowd (client, round) VALUES ({id}, {round})");
        written += seen.writes(conn.query_drop(insert)).await;
        seen.reads(conn.query_first(&count), written).await;
        let params = (id, rounds + round);
        written += seen.writes(conn.exec_drop(INSERT, params)).await;
        seen.reads(conn.exec_first(COUNT, (id,)), written).await;
        seen.time(conn.query_drop("BEGIN")).await;
        let params = (id, 2 * rounds + round);
        let inserted = seen.writes(conn.exec_drop(INSERT, params)).await;
        written += inserted & seen.writes(conn.query_drop("COMMIT")).await;
        seen.reads(conn.query_first(&count), written).await;
        // Leaves words, which nobody asks for.
        seen.time(conn.query_drop("SELECT CAST('x' AS SIGNED)"))
            .await;
    }
    let gone = conn.disconnect().await;
    gone.map_err(|error| seen.failed.push(error.to_string()))
        .ok();
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_p9_a_crowd_on_few_connections_reads_its_writes_and_nobody_starves() {
    let clients = setting("TIDEGATE_POOL_CLIENTS", 300);
    let room = setting("TIDEGATE_POOL_CONNECTIONS", 10);
    // How often each client writes and reads what it wrote.
    let rounds = setting("TIDEGATE_POOL_ROUNDS", 2);
    let rounds = u32::try_from(rounds).unwrap();
    let stage = Stage::with(|config| {
        lending(room)(config);
        config.session.login_timeout = Duration::from_secs(120);
        // Those that wait for a connection to the writer are among them.
        config.session.fallback_reads = clients;
        config.session.limits.connection_wait = Duration::from_secs(120);
    })
    .await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.pool_crowd",
            "CREATE TABLE app.pool_crowd (client INT, round INT, PRIMARY KEY (client, round))",
        ])
        .await;
    stage.lab.readers()[0].set_delay(1).await.unwrap();
    let all_here = Arc::new(Barrier::new(clients + 1));
    let mut playing = JoinSet::new();
    let begun = Instant::now();
    for id in 0..clients {
        playing.spawn(play(stage.port, id, rounds, Arc::clone(&all_here)));
    }
    all_here.wait().await;
    let logged_in = begun.elapsed();
    let metrics = Arc::clone(&stage.running.metrics);
    let used = |backend| {
        let states = [ConnectionState::Active, ConnectionState::Idle];
        let each = states.map(|state| metrics.backend_connections(backend, state).get());
        each.into_iter().sum::<i64>()
    };
    let mut most = 0;
    let mut seen = Seen::default();
    while let Some(client) = playing.join_next().await {
        seen.add(client.expect("a client does not panic"));
        most = (0..3).map(used).max().max(Some(most)).unwrap_or_default();
    }
    let all = begun.elapsed();
    seen.took.sort_unstable();
    seen.login.sort_unstable();
    let at = |times: &[Duration], part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "{clients} clients on {room} connections to each backend ({most} seen): logins in \
         {logged_in:.1?} (p50 {:.0?}, slowest {:.0?}), all in {all:.1?}, {} statements (p50 {:.1?}, \
         p99 {:.0?}, slowest {:.0?}), {} stale, {} failed",
        at(&seen.login, 50),
        at(&seen.login, 100),
        seen.took.len(),
        at(&seen.took, 50),
        at(&seen.took, 99),
        at(&seen.took, 100),
        seen.stale,
        seen.failed.len(),
    );
    seen.failed.truncate(5);
    assert_eq!((seen.stale, seen.failed), (0, Vec::new()));
    assert!(most <= i64::try_from(room).unwrap(), "{most} connections");
    assert!(metrics.handovers(0, Handover::Done).get() > 0);
    assert_eq!(metrics.waiting_connections(0).get(), 0);
    stage.end().await;
}
