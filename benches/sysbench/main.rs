//! `make bench`: sysbench's point selects on a reader of a lab, direct, through HAProxy (TCP mode)
//! and through Tidegate. The roads take turns, so that what else the machine does hits all of
//! them; what counts are the ratios of their medians.

mod load;
mod proxies;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidegate::lab::fetch::{self, Tool};
use tidegate::lab::{self, Cluster};
use tokio::signal::unix::{SignalKind, signal};

use load::{Load, Protocol};
use proxies::Road;
use report::Report;

/// How long the reader may take to get the table.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong ends the comparison; the text is for a person.
type Error = Box<dyn std::error::Error>;

/// Compares Tidegate with HAProxy, by sysbench's point selects on one reader.
#[derive(Debug, Parser)]
struct Options {
    /// How often each road is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections at a time.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    threads: Vec<usize>,
    /// Prepared statements instead of text.
    #[arg(long)]
    prepared: bool,
    /// Two rounds of two seconds, to see that it works.
    #[arg(long)]
    short: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.short {
        (options.rounds, options.seconds) = (2, 2);
    }
    let ended = tokio::select! {
        ended = compare(&options) => ended,
        signal = interrupted() => signal,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err("interrupted".into())
}

async fn compare(options: &Options) -> Result<(), Error> {
    let sysbench: Tool = fetch::tool("sysbench").await?;
    let haproxy = fetch::tool("haproxy").await?;
    eprintln!("bench: starting a writer and a reader");
    let cluster = Cluster::start(lab::Options::with_delays([0])).await?;
    let protocol = if options.prepared {
        Protocol::Prepared
    } else {
        Protocol::Text
    };
    let load = Load::new(sysbench, protocol);
    load.prepare(cluster.writer().port()).await?;
    if !cluster.settle(PATIENCE).await? {
        return Err("the reader doesn't get the table".into());
    }
    let roads = [
        Road::direct(&cluster)?,
        Road::haproxy(&cluster, &haproxy).await?,
        Road::tidegate(&cluster).await?,
    ];
    for road in &roads {
        load.run(road.port(), 8, 1, async {}).await?;
    }
    let mut report = Report::default();
    let turns = roads.len();
    for round in 0..options.rounds {
        eprintln!("bench: round {} of {}", round + 1, options.rounds);
        for &threads in &options.threads {
            for turn in 0..turns {
                let place = (round + turn) % turns;
                let Some(road) = roads.get(place) else {
                    continue;
                };
                let found = road
                    .measure(&cluster, &load, threads, options.seconds)
                    .await?;
                report.add(threads, place, found);
            }
        }
    }
    for road in roads {
        road.end().await?;
    }
    report.print(protocol, options);
    Ok(())
}
