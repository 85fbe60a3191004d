//! `make bench`: sysbench on a lab, direct, through HAProxy (TCP mode) and through Tidegate; read and
//! write through Tidegate at two levels, both at the same time; and reads through Tidegate with two
//! readers. The roads take turns, so that what else the machine does hits all of them; what counts are
//! the ratios of what was measured in the same round.

#[path = "../shared/interrupted.rs"]
mod interrupted;
mod load;
mod plot;
mod proxies;
#[path = "../shared/ratio.rs"]
mod ratio;
mod report;
mod together;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidegate::lab::fetch::{self, Tool};
use tidegate::lab::{self, Apart, Cluster};

use interrupted::interrupted;
use load::Load;
use proxies::Road;
use report::{DIRECT, EVENTUAL, HAPROXY, OPENSRV, OTHER, Report, TIDEGATE, TWO_READERS};
use workload::Workload;

/// How long the reader may take to get the table.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong ends the comparison; the text is for a person.
type Error = Box<dyn std::error::Error>;

/// Compares Tidegate with HAProxy, and with itself.
#[derive(Debug, Parser)]
struct Options {
    /// How often each road is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections at a time, of point selects.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    threads: Vec<usize>,
    /// What is played.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "text,prepared,rows,megabyte,blob,read-write"
    )]
    workloads: Vec<Workload>,
    /// Another build of Tidegate, to be measured beside this one.
    #[arg(long)]
    other: Option<PathBuf>,
    /// A front that decodes and encodes every row, as `benches/opensrv` builds it.
    #[arg(long)]
    opensrv: Option<PathBuf>,
    /// Where the report with its plots is written.
    #[arg(long, default_value = "target/side-by-side.html")]
    html: PathBuf,
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

async fn compare(options: &Options) -> Result<(), Error> {
    let sysbench: Tool = fetch::tool("sysbench").await?;
    let haproxy = fetch::tool("haproxy").await?;
    let mut report = Report::default();
    eprintln!("bench: starting a writer and a reader");
    let (cluster, load) = stage(&sysbench, &[0]).await?;
    let mut roads = vec![
        (DIRECT, Road::direct(&cluster)?),
        (HAPROXY, Road::haproxy(&cluster, &haproxy).await?),
        (TIDEGATE, Road::tidegate(&cluster, "session").await?),
    ];
    if let Some(other) = &options.other {
        roads.push((OTHER, Road::other(&cluster, other, "session").await?));
    }
    if let Some(front) = &options.opensrv {
        roads.push((OPENSRV, Road::opensrv(&cluster, front).await?));
    }
    let play = Play {
        cluster: &cluster,
        load: &load,
        options,
    };
    let (reads, transactions): (Vec<_>, Vec<_>) =
        options.workloads.iter().partition(|it| it.is_read());
    play.all(&roads, &reads, &mut report).await?;
    end(roads).await?;
    if !transactions.is_empty() {
        let roads = [
            (TIDEGATE, Road::tidegate(&cluster, "session").await?),
            (EVENTUAL, Road::tidegate(&cluster, "eventual").await?),
        ];
        for &workload in &transactions {
            play.together(&roads, workload, &mut report).await?;
        }
        end(roads).await?;
    }
    cluster.stop().await;
    if options.workloads.contains(&Workload::Text) {
        two_readers(&sysbench, options, &mut report).await?;
    }
    show(&report, options)
}

async fn two_readers(sysbench: &Tool, options: &Options, report: &mut Report) -> Result<(), Error> {
    eprintln!("bench: starting a writer and two readers");
    let (cluster, load) = stage(sysbench, &[0, 0]).await?;
    let roads = [(TWO_READERS, Road::tidegate(&cluster, "session").await?)];
    let play = Play {
        cluster: &cluster,
        load: &load,
        options,
    };
    play.all(&roads, &[Workload::Text], report).await?;
    end(roads).await?;
    cluster.stop().await;
    Ok(())
}

/// A lab whose readers have the table.
async fn stage(sysbench: &Tool, delays: &[u32]) -> Result<(Cluster, Load), Error> {
    let mut options = lab::Options::with_delays(delays.iter().copied());
    options.apart = Apart::Session;
    let cluster = Cluster::start(options).await?;
    let script = Workload::write_script(cluster.directory())?;
    let load = Load::new(sysbench.clone(), script);
    load.prepare(cluster.writer().port()).await?;
    match cluster.settle(PATIENCE).await? {
        true => Ok((cluster, load)),
        false => Err("the readers don't get the table".into()),
    }
}

/// What is measured, and how often.
struct Play<'a> {
    cluster: &'a Cluster,
    load: &'a Load,
    options: &'a Options,
}

impl Play<'_> {
    async fn warm_up(&self, roads: &[(&'static str, Road)]) -> Result<(), Error> {
        for (_, road) in roads {
            let warm = (Workload::Text, 8);
            self.load.run(road.port(), warm, 1, async {}).await?;
        }
        Ok(())
    }

    fn say(&self, round: usize, workload: Workload) {
        let (rounds, name) = (self.options.rounds, workload.name());
        eprintln!("bench: round {} of {rounds}, {name}", round + 1);
    }

    /// All workloads on all roads, which take turns.
    async fn all(
        &self,
        roads: &[(&'static str, Road)],
        workloads: &[Workload],
        report: &mut Report,
    ) -> Result<(), Error> {
        self.warm_up(roads).await?;
        let options = self.options;
        for round in 0..options.rounds {
            for &workload in workloads {
                self.say(round, workload);
                for threads in workload.threads(&options.threads) {
                    let played = (workload, threads);
                    let turns = roads.iter().cycle().skip(round % roads.len().max(1));
                    for (name, road) in turns.take(roads.len()) {
                        let found = road
                            .measure(self.cluster, self.load, played, options.seconds)
                            .await?;
                        report.add(played, name, found);
                    }
                }
            }
        }
        Ok(())
    }

    /// A workload on two roads at the same time.
    async fn together(
        &self,
        roads: &[(&'static str, Road); 2],
        workload: Workload,
        report: &mut Report,
    ) -> Result<(), Error> {
        self.warm_up(roads).await?;
        let [(one, first), (other, second)] = roads;
        for round in 0..self.options.rounds {
            self.say(round, workload);
            for threads in workload.threads(&self.options.threads) {
                let played = (workload, threads);
                let seconds = self.options.seconds;
                let both = [first, second];
                let found = together::measure(self.cluster, self.load, both, played, seconds);
                let [ours, theirs] = found.await?;
                report.add(played, one, ours);
                report.add(played, other, theirs);
            }
        }
        Ok(())
    }
}

async fn end(roads: impl IntoIterator<Item = (&'static str, Road)>) -> Result<(), Error> {
    for (_, road) in roads {
        road.end().await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer to the user's question")]
fn show(report: &Report, options: &Options) -> Result<(), Error> {
    println!("\n{}", report.text(options)?);
    std::fs::write(&options.html, plot::page(report, options)?)?;
    println!("with plots: {}", options.html.display());
    Ok(())
}
