//! `make bench`: what a connection costs. First those that log in, ask once and leave, direct, through
//! HAProxy (TCP mode) and through Tidegate, in turns; then those that stay and do nothing.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is there to print"
)]

mod descriptors;
mod idle;
#[path = "../shared/interrupted.rs"]
mod interrupted;
#[path = "../sysbench/load.rs"]
#[expect(dead_code, reason = "of sysbench's parts only the roads are needed")]
mod load;
mod logins;
mod play;
#[path = "../sysbench/proxies.rs"]
#[expect(dead_code, reason = "what sysbench measures is not measured here")]
mod proxies;
#[path = "../shared/ratio.rs"]
mod ratio;
mod report;
#[path = "../sysbench/workload.rs"]
#[expect(dead_code, reason = "of sysbench's parts only the roads are needed")]
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidegate::lab::{self, Apart, Cluster};

use proxies::Road;
use report::Report;

/// What goes wrong ends the measurement; the text is for a person.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long the reader may take to get the accounts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures what connections cost.
#[derive(Debug, Parser)]
struct Options {
    /// How often each road is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Clients at a time, of those that come and go.
    #[arg(long, value_delimiter = ',', default_value = "1,8")]
    clients: Vec<usize>,
    /// Accounts of logins that the servers have not seen before.
    #[arg(long, default_value_t = 1000)]
    accounts: usize,
    /// Clients that stay and do nothing.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// The same with TLS.
    #[arg(long, default_value_t = 2000)]
    idle_tls: usize,
    /// The same that keep a backend connection to writer and reader each.
    #[arg(long, default_value_t = 500)]
    idle_keeping: usize,
    /// For how long those that stay are watched, in seconds.
    #[arg(long, default_value_t = 10)]
    idle_seconds: u64,
    /// Another build of Tidegate, to be measured instead of this one.
    #[arg(long)]
    other: Option<PathBuf>,
    /// Only those that stay.
    #[arg(long, conflicts_with = "only_logins")]
    only_idle: bool,
    /// Only those that come and go.
    #[arg(long)]
    only_logins: bool,
    /// How those log in.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "tls,rsa,cached"
    )]
    ways: Vec<logins::Way>,
    /// One round of a second and few clients, to see that it works.
    #[arg(long)]
    short: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn build(&self) -> &Path {
        self.other.as_deref().unwrap_or(Road::build())
    }
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.short {
        (options.rounds, options.seconds, options.accounts) = (1, 1, 100);
        (options.idle, options.idle_tls, options.idle_keeping) = (1000, 300, 50);
        options.idle_seconds = 3;
    }
    let ended = descriptors::raise().and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(async {
            tokio::select! {
                ended = measure(&options) => ended,
                signal = interrupted::interrupted() => signal,
            }
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Error> {
    eprintln!("bench: starting a writer and a reader");
    let cluster = stage(options).await?;
    if !options.only_idle {
        let mut report = Report::default();
        play::all(&cluster, options, &mut report).await?;
        println!("\n{}", report.text(options)?);
    }
    if !options.only_logins {
        idle::all(&cluster, options).await?;
    }
    cluster.stop().await;
    Ok(())
}

/// A lab whose servers take all that come, and know the accounts.
async fn stage(options: &Options) -> Result<Cluster, Error> {
    let keeping = options.idle_keeping + 500;
    let mut lab = lab::Options::with_delays([0]);
    lab.apart = Apart::Session;
    lab.mysqld_args = vec![format!("--max-connections={keeping}")];
    let cluster = Cluster::start(lab).await?;
    let table = [
        "CREATE TABLE app.names (id INT PRIMARY KEY, name VARCHAR(9))",
        "INSERT INTO app.names VALUES (1, 'one')",
    ];
    cluster.writer().execute(table).await?;
    cluster
        .writer()
        .execute(logins::accounts(options.accounts))
        .await?;
    match cluster.settle(PATIENCE).await? {
        true => Ok(cluster),
        false => Err("the reader doesn't get the accounts".into()),
    }
}
