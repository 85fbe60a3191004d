//! `tidegate bench`: what replication lag costs an application, and what each level of Tidegate
//! makes of it. A load is played by several roads, in turns, while the readers lag.

mod arguments;
mod choice;
mod error;
mod meter;
mod oracle;
mod order;
mod play;
mod pool;
mod report;
mod road;
mod run;
mod schedule;
mod schema;
mod site;
mod stats;
mod tally;
mod target;
mod tide;
mod user;
mod workload;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub(super) use self::arguments::Bench;
use self::arguments::{Place, Plan};
use self::choice::Ranks;
pub(super) use self::error::Error;
use self::report::{ClusterFacts, PlanFacts, Report, TargetFacts, page, table};
use self::run::{Found, Run};
use self::schema::Schema;
use self::site::Site;

/// Measures and reports. Whenever SIGINT or SIGTERM comes, all that was started and made is gone
/// when this returns, and what was complete is reported.
pub(super) async fn run(arguments: Bench) -> Result<(), Error> {
    if let Some(path) = &arguments.from {
        let text = fs::read_to_string(path).map_err(Error::file(path))?;
        let report = serde_json::from_str(&text).map_err(|error| {
            let path = path.display();
            Error::Usage(format!("{path} is no report of this version: {error}"))
        })?;
        return show(&arguments, &report);
    }
    let plan = arguments.plan()?;
    // A place that can't be written to is better known now than in ten minutes.
    for path in [&arguments.json, &arguments.html].into_iter().flatten() {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::file(path))?;
    }
    let mut stop = stopped()?;
    let began = SystemTime::now();
    let since = Instant::now();
    let site = tokio::select! {
        site = Site::open(&plan.place, &plan.targets) => site?,
        _ = stop.wait_for(|stop| *stop) => return Err(Error::Interrupted),
    };
    let measured = measure(&plan, &site, stop).await;
    let product = site.product.clone();
    site.close().await;
    let (found, removed) = measured?;
    if found.cells.is_empty() {
        removed?;
        return Err(Error::Interrupted);
    }
    let interrupted = found.interrupted;
    show(
        &arguments,
        &report(&plan, product, found, began, since.elapsed()),
    )?;
    removed?;
    match interrupted {
        true => Err(Error::Partial),
        false => Ok(()),
    }
}

/// Becomes true with the first SIGINT or SIGTERM.
fn stopped() -> Result<watch::Receiver<bool>, Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            progress("ending, one moment");
            tell.send_replace(true);
        }
    });
    Ok(stop)
}

/// Makes the schema, plays, and removes it again, whatever comes: the second result says whether
/// that worked.
async fn measure(
    plan: &Plan,
    site: &Site,
    mut stop: watch::Receiver<bool>,
) -> Result<(Found, Result<(), Error>), Error> {
    let ready = async {
        let schema = Schema::look(site, &plan.schema, plan.targets.len()).await?;
        if let Place::Own(own) = &plan.place {
            let length = order::length(
                plan.rounds,
                &[Duration::ZERO],
                plan.targets.len(),
                plan.warm_up + plan.workload.duration,
            );
            let load = format!(
                "play {} users on it and on {} readers for about {}",
                plan.workload.threads,
                site.readers.len(),
                humantime::format_duration(Duration::from_secs(length.as_secs())),
            );
            schema.ask(site, &load, own.yes).await?;
        }
        Ok::<_, Error>(schema)
    };
    let schema = tokio::select! {
        schema = ready => schema?,
        _ = stop.wait_for(|stop| *stop) => return Err(Error::Interrupted),
    };
    let played = play(plan, site, &schema, &mut stop).await;
    let removed = match site.lab {
        // It goes with all that is in it.
        Some(_) => Ok(()),
        None => schema.remove(site).await,
    };
    match (played, removed) {
        (Ok(found), removed) => Ok((found, removed)),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(left)) => Err(Error::Refused(format!("{error}\n{left}"))),
    }
}

async fn play(
    plan: &Plan,
    site: &Site,
    schema: &Schema,
    stop: &mut watch::Receiver<bool>,
) -> Result<Found, Error> {
    let ranks = Arc::new(Ranks::new(&plan.workload));
    let ready = async {
        progress("making the tables, and waiting until the readers have them");
        schema.make(site, ranks.rows()).await?;
        progress("starting Tidegate, once for each level and scope");
        Run::prepare(plan, site, schema, Arc::clone(&ranks)).await
    };
    let mut run = tokio::select! {
        run = ready => run?,
        _ = stop.wait_for(|stop| *stop) => return Err(Error::Interrupted),
    };
    let lags: Vec<_> = plan
        .lags
        .iter()
        .map(|lag| lag.unwrap_or_default())
        .collect();
    let slice = plan.warm_up + plan.workload.duration;
    let length = order::length(plan.rounds, &lags, plan.targets.len(), slice);
    progress(&format!(
        "playing {} with {} users for about {}; Ctrl-C ends it with what is complete by then",
        plan.workload.name,
        plan.workload.threads,
        humantime::format_duration(Duration::from_secs(length.as_secs())),
    ));
    let played = run.play(stop).await;
    let found = run.end().await;
    played.map(|()| found)
}

fn report(plan: &Plan, product: String, found: Found, began: SystemTime, took: Duration) -> Report {
    let (lab, readers) = match &plan.place {
        Place::Lab { readers, .. } => (true, *readers),
        Place::Own(own) => (false, own.readers.len()),
    };
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let targets = plan.targets.iter().map(|target| TargetFacts {
        name: target.to_string(),
        meaning: target.meaning(plan.max_staleness),
    });
    Report {
        tidegate: env!("CARGO_PKG_VERSION").to_owned(),
        began: humantime::format_rfc3339_seconds(began).to_string(),
        took_s: took.as_secs_f64(),
        interrupted: found.interrupted,
        cluster: ClusterFacts {
            lab,
            product,
            readers,
            machine: machine(),
        },
        workload: plan.workload.clone(),
        plan: PlanFacts {
            command: format!("tidegate {}", arguments.join(" ")),
            lags_s: plan
                .lags
                .iter()
                .map(|lag| lag.map(|lag| lag.as_secs_f64()))
                .collect(),
            rounds: plan.rounds,
            duration_s: plan.workload.duration.as_secs_f64(),
            warm_up_s: plan.warm_up.as_secs_f64(),
            base: run::base(&plan.targets),
        },
        targets: targets.collect(),
        cells: found.cells,
        slices: found.slices,
        lags: found.lags,
    }
}

/// What this program runs on, as far as the system tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let line = |file: &str, start: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(start))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = line("/proc/meminfo", "MemTotal");
    let kib = memory.and_then(|it| it.trim_end_matches(" kB").parse::<u64>().ok());
    let gib = kib.map_or(String::new(), |kib| {
        format!(", {:.0} GiB of memory", kib as f64 / 1024.0 / 1024.0)
    });
    format!("{cores} cores ({model}){gib}")
}

/// Shows a report in every form that was asked for.
fn show(arguments: &Bench, report: &Report) -> Result<(), Error> {
    let write = |path: &Path, text: String| fs::write(path, text).map_err(Error::file(path));
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string(report).map_err(io::Error::from)?;
        write(path, text + "\n")?;
    }
    if let Some(path) = &arguments.html {
        write(path, page(report))?;
        progress(&format!("the report is in {}", path.display()));
    }
    let mut output = io::stdout();
    output.write_all(table(report).as_bytes())?;
    Ok(output.flush()?)
}

/// Tells the person who waits what is being waited for.
fn progress(text: &str) {
    // Nobody listening is no reason to stop.
    let _ = writeln!(io::stderr(), "bench: {text}");
}
