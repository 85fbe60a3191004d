//! `make bench`: how soon a read that waits for a reader is answered once the reader has caught up,
//! and what a thousand of them cost.
//!
//! An independent connection to the reader blocks in `WAIT_FOR_EXECUTED_GTID_SET` for the same
//! token; what counts is the time from its answer to the client's.

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
        let reader = reader(cluster)?.conn().await?;
        sessions.spawn(waits(conn, reader, options.rounds));
    }
    let mut all = Vec::new();
    let mut elsewhere = 0;
    while let Some(one) = sessions.join_next().await {
        let (delays, at_writer) = one??;
        all.extend(delays);
        elsewhere += at_writer;
    }
    all.sort_unstable();
    let at = |percent: usize| {
        all.get(all.len().saturating_sub(1) * percent / 100)
            .copied()
    };
    let [half, ninety, most, last] = [50, 90, 99, 100].map(|it| at(it).unwrap_or_default());
    println!(
        "{} reads waited for a reader a second behind, {elsewhere} more ran on the writer",
        all.len()
    );
    println!(
        "answered after WAIT_FOR_EXECUTED_GTID_SET returned elsewhere: \
         p50 {half:?}, p90 {ninety:?}, p99 {most:?}, max {last:?}"
    );
    Ok(())
}

fn reader(cluster: &Cluster) -> Result<&lab::Instance, Error> {
    Ok(cluster.readers().first().ok_or("no reader")?)
}

async fn waits(
    mut conn: Conn,
    mut reader: Conn,
    rounds: usize,
) -> Result<(Vec<Duration>, usize), Error> {
    let (mut delays, mut at_writer) = (Vec::new(), 0);
    for _ in 0..rounds {
        conn.query_drop("INSERT INTO app.waits VALUES ()").await?;
        let token: Option<String> = conn.query_first("SELECT @tidegate_token").await?;
        let wait = format!(
            "SELECT WAIT_FOR_EXECUTED_GTID_SET('{}', 30)",
            token.ok_or("no token")?
        );
        let independent = async {
            reader.query_drop(wait).await?;
            Ok::<_, Error>(Instant::now())
        };
        let through = async {
            let name: Option<String> = conn.query_first(READ).await?;
            Ok::<_, Error>((Instant::now(), name))
        };
        let (returned, answered) = tokio::try_join!(independent, through)?;
        match answered.1.as_deref() {
            Some("r1") => delays.push(answered.0.saturating_duration_since(returned)),
            _ => at_writer += 1,
        }
    }
    Ok((delays, at_writer))
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
