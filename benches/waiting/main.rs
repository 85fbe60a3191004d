//! `make bench`: how soon a read that waits for a reader is answered once the reader has caught up,
//! and what a thousand of them cost.
//!
//! An independent connection to the reader blocks in `WAIT_FOR_EXECUTED_GTID_SET` for the same
//! token; what counts is the time from its answer to the client's. Another one blocks as well and
//! then reads by hand: sooner than that nobody has the row on this machine.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is there to print"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::{self, Cluster, MONITOR};
use tokio::task::JoinSet;

mod child;

use child::Child;

/// What goes wrong ends the measurement; the text is for a person.
type Error = Box<dyn std::error::Error + Send + Sync>;

const READ: &str = "SELECT name FROM app.whoami";

/// Longer than a reader lags here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures what waiting costs.
#[derive(Debug, Parser)]
struct Options {
    /// Reads that wait one after the other in each session.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Sessions that wait beside each other, each with a write of its own.
    #[arg(long, default_value_t = 10)]
    sessions: usize,
    /// Sessions that all wait for the same write.
    #[arg(long, default_value_t = 1000)]
    crowd: usize,
    /// Three rounds and a small crowd, to see that it works.
    #[arg(long)]
    short: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.short {
        (options.rounds, options.crowd) = (3, 100);
    }
    match measure(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Error> {
    let cluster = Cluster::start(lab::Options::with_delays([1])).await?;
    for (instance, name) in cluster.instances().zip(["w1", "r1"]) {
        let row = format!("REPLACE INTO app.whoami VALUES (1, '{name}')");
        let statements = [
            "SET sql_log_bin = 0",
            "SET @was = @@global.super_read_only",
            "SET GLOBAL super_read_only = OFF",
            "CREATE TABLE IF NOT EXISTS app.whoami (id INT PRIMARY KEY, name VARCHAR(9))",
            &row,
            "SET GLOBAL super_read_only = @was",
        ];
        instance.execute(statements).await?;
    }
    let table = "CREATE TABLE app.waits (id INT PRIMARY KEY AUTO_INCREMENT)";
    cluster.writer().execute([table]).await?;
    let _ = cluster.settle(PATIENCE).await?;
    let tidegate = Child::start(&cluster).await?;
    latency(options, &cluster, &tidegate).await?;
    crowd(options.crowd, &cluster, &tidegate).await?;
    tidegate.end().await?;
    cluster.stop().await;
    Ok(())
}

/// Sessions that write, wait and read.
async fn latency(options: &Options, cluster: &Cluster, tidegate: &Child) -> Result<(), Error> {
    let mut sessions = JoinSet::new();
    for _ in 0..options.sessions {
        let conn = tidegate.client().await?;
        let reader = reader(cluster)?;
        let (witness, by_hand) = (reader.conn().await?, reader.conn().await?);
        sessions.spawn(waits(conn, witness, by_hand, options.rounds));
    }
    let mut all = Waited::default();
    while let Some(one) = sessions.join_next().await {
        let one = one??;
        all.through.extend(one.through);
        all.by_hand.extend(one.by_hand);
        all.at_writer += one.at_writer;
    }
    println!(
        "{} reads waited for a reader a second behind, {} more ran on the writer",
        all.through.len(),
        all.at_writer
    );
    println!("answered after WAIT_FOR_EXECUTED_GTID_SET returned elsewhere:");
    println!("  through Tidegate: {}", spread(all.through));
    println!("  waited and read by hand: {}", spread(all.by_hand));
    Ok(())
}

/// How the delays are spread, for a person.
fn spread(mut delays: Vec<Duration>) -> String {
    delays.sort_unstable();
    let last = delays.len().saturating_sub(1);
    let at = |percent| delays.get(last * percent / 100).copied();
    let [half, ninety, most, last] = [50, 90, 99, 100].map(|it| at(it).unwrap_or_default());
    format!("p50 {half:?}, p90 {ninety:?}, p99 {most:?}, max {last:?}")
}

fn reader(cluster: &Cluster) -> Result<&lab::Instance, Error> {
    Ok(cluster.readers().first().ok_or("no reader")?)
}

/// What the sessions have waited, from the answer to the witness on.
#[derive(Default)]
struct Waited {
    through: Vec<Duration>,
    by_hand: Vec<Duration>,
    /// Reads that did not wait for a reader.
    at_writer: usize,
}

async fn waits(
    mut conn: Conn,
    mut witness: Conn,
    mut by_hand: Conn,
    rounds: usize,
) -> Result<Waited, Error> {
    let mut waited = Waited::default();
    for _ in 0..rounds {
        conn.query_drop("INSERT INTO app.waits VALUES ()").await?;
        let token: Option<String> = conn.query_first("SELECT @tidegate_token").await?;
        let token = token.ok_or("no token")?;
        let wait = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{token}', 30)");
        let witnessed = async {
            witness.query_drop(&wait).await?;
            Ok::<_, Error>(Instant::now())
        };
        let read_by_hand = async {
            by_hand.query_drop(&wait).await?;
            let _: Option<String> = by_hand.query_first(READ).await?;
            Ok::<_, Error>(Instant::now())
        };
        let through = async {
            let name: Option<String> = conn.query_first(READ).await?;
            Ok::<_, Error>((Instant::now(), name))
        };
        let (returned, by_hand, answered) = tokio::try_join!(witnessed, read_by_hand, through)?;
        match answered.1.as_deref() {
            Some("r1") => {
                let delay = |at: Instant| at.saturating_duration_since(returned);
                waited.through.push(delay(answered.0));
                waited.by_hand.push(delay(by_hand));
            }
            _ => waited.at_writer += 1,
        }
    }
    Ok(waited)
}

/// Many sessions of one key wait for one write.
async fn crowd(count: usize, cluster: &Cluster, tidegate: &Child) -> Result<(), Error> {
    let reader = reader(cluster)?;
    let mut conns = Vec::new();
    for _ in 0..count {
        let mut conn = tidegate.client().await?;
        conn.query_drop("SET @tidegate_key = 'crowd'").await?;
        let _: Option<String> = conn.query_first(READ).await?;
        conns.push(conn);
    }
    reader.stop_applier().await?;
    if let Some(first) = conns.first_mut() {
        first.query_drop("INSERT INTO app.waits VALUES ()").await?;
    }
    let before = tidegate.resident()?;
    let mut reads = JoinSet::new();
    for mut conn in conns {
        reads.spawn(async move {
            let name: Option<String> = conn.query_first(READ).await?;
            Ok::<_, Error>((name, conn))
        });
    }
    // All of them are on their way within this time.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = tidegate.resident()?.saturating_sub(before);
    let watching = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{}'",
        MONITOR.user
    );
    let row = reader.row(&watching).await?;
    let watching: u64 = row.and_then(|mut row| row.take(0)).unwrap_or_default();
    reader.start_applier().await?;
    let since = Instant::now();
    let mut on_reader = 0;
    while let Some(read) = reads.join_next().await {
        let (name, _conn) = read??;
        on_reader += usize::from(name.as_deref() == Some("r1"));
    }
    println!(
        "{count} sessions that waited: {} KiB more, {watching} connections of monitor and watcher; \
         {on_reader} were answered by the reader, the last {:?} after the applier was started",
        grown / 1024,
        since.elapsed()
    );
    Ok(())
}
