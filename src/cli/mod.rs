//! The command line.

mod bench;
mod demo;
mod explain;
mod local;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::backend::online;
use crate::config::{self, Config, Fault, Flags, process_environment};
use crate::net::Inherited;
use crate::{app, lab, telemetry};

/// A replication-lag-aware MySQL proxy: reads scale, and every session reads its own writes.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients until SIGTERM, then drain.
    Serve(Serve),
    /// Look for every fault in a configuration file.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Ask the backends too: what about them weakens a promise, and how to mend it.
        #[arg(long)]
        online: bool,
    },
    /// Ask a running Tidegate where a statement would run, and why, without running it.
    Explain(explain::Explain),
    /// Play an application on a throwaway cluster, with and without Tidegate, and stay up.
    Demo,
    /// Measure what replication lag costs, and what each level of Tidegate makes of it: in a lab, or
    /// on a cluster of your own.
    Bench(Box<bench::Bench>),
    /// Throwaway clusters on loopback, to try things out on.
    #[command(subcommand)]
    Lab(Lab),
}

#[derive(Debug, Subcommand)]
enum Lab {
    /// Start a writer and readers that lag.
    Up(lab::command::UpOptions),
    /// End a lab and remove its directory.
    Down(lab::command::DownOptions),
}

#[derive(Debug, Args)]
struct Serve {
    /// The configuration file.
    #[arg(long, conflicts_with_all = ["writer", "reader", "monitor_user"])]
    config: Option<PathBuf>,
    /// The writer's address, instead of a file.
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "config")]
    writer: Option<String>,
    /// A reader's address; may be given several times.
    #[arg(long, value_name = "HOST:PORT")]
    reader: Vec<String>,
    /// The account that watches the backends.
    #[arg(long, required_unless_present = "config")]
    monitor_user: Option<String>,
    /// The environment variable with that account's password.
    #[arg(long, default_value = "TIDEGATE_MONITOR_PASSWORD")]
    monitor_password_env: String,
    /// Where clients connect; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<String>,
}

/// Runs the command that the arguments name. Exit code 0: done; 1: faults; 2: bad usage.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(arguments) => serve(arguments),
        Command::Check { config, online } => check(&config, online),
        Command::Explain(arguments) => ask(arguments),
        Command::Demo => demo(),
        Command::Bench(arguments) => measure(*arguments),
        Command::Lab(command) => lab(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(arguments: Serve) -> Result<(), String> {
    let inherited = Inherited::from_environment();
    let load: app::Loader = match arguments.config.clone() {
        Some(path) => Box::new(move || config::load(&path)),
        None => {
            let flags = flags(arguments);
            Box::new(move || config::from_flags(&flags, &process_environment))
        }
    };
    let config = report(load())?;
    let log = telemetry::init(&config.log).map_err(|error| error.to_string())?;
    let setup = app::Setup {
        load: Some(load),
        log: Some(log),
        inherited,
    };
    let served = app::serve(config, setup).await;
    served.map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn ask(arguments: explain::Explain) -> Result<(), String> {
    explain::run(arguments).await
}

#[tokio::main(flavor = "current_thread")]
async fn demo() -> Result<(), String> {
    demo::run().await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn measure(arguments: bench::Bench) -> Result<(), String> {
    bench::run(arguments)
        .await
        .map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn lab(command: Lab) -> Result<(), String> {
    let done = match command {
        Lab::Up(options) => lab::command::up(options).await,
        Lab::Down(options) => lab::command::down(options).await,
    };
    done.map_err(|error| error.to_string())
}

fn flags(arguments: Serve) -> Flags {
    Flags {
        writer: arguments.writer.unwrap_or_default(),
        readers: arguments.reader,
        monitor_user: arguments.monitor_user.unwrap_or_default(),
        monitor_password_env: arguments.monitor_password_env,
        listen: arguments.listen,
        http: arguments.http,
    }
}

#[expect(clippy::print_stdout, reason = "the answer to the user's question")]
fn check(path: &std::path::Path, online: bool) -> Result<(), String> {
    let config = report(config::load(path))?;
    let backends = config.backend.backends.len();
    println!("{}: ok, {backends} backends", path.display());
    match online {
        true => check_online(&config),
        false => Ok(()),
    }
}

/// Shows what the backends weaken; an error if one of them breaks a promise.
#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the answer to the user's question")]
async fn check_online(config: &Config) -> Result<(), String> {
    let findings = online::check(&config.backend).await;
    findings.iter().for_each(|finding| println!("{finding}"));
    let is_fault = |finding: &&online::Finding| finding.severity == online::Severity::Fault;
    match findings.iter().filter(is_fault).count() {
        0 => {
            println!("no faults of the backends");
            Ok(())
        }
        faults => Err(format!("{faults} faults of the backends")),
    }
}

/// Shows warnings; joins faults, a line each.
fn report(outcome: config::Outcome) -> Result<Config, String> {
    match outcome {
        Ok((config, warnings)) => {
            warnings
                .iter()
                .for_each(|warning| eprintln!("warning: {warning}"));
            Ok(config)
        }
        Err(faults) => Err(faults
            .iter()
            .map(Fault::to_string)
            .collect::<Vec<_>>()
            .join("\n")),
    }
}
