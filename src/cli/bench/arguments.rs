//! The command line of `tidegate bench`, and the plan that it makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::error::Error;
use super::target::Target;
use super::workload::{Changes, Workload};
use crate::config::{self, Config, Fault, Flags, process_environment};
use crate::lab::Flavour;
use crate::net::Endpoint;
use crate::routing::Role;

/// The arguments.
#[derive(Clone, Debug, Args)]
pub(in super::super) struct Bench {
    /// What is played: read-after-write, web, read-mostly, or a file of TOML with the keys of the
    /// flags below (read_back = 0.5) and base = "web".
    #[arg(long, value_name = "NAME|FILE", default_value = "read-after-write")]
    workload: String,
    #[command(flatten)]
    changes: Changes,
    /// What is compared [default: direct, naive, and every level and scope of Tidegate].
    #[arg(long, value_name = "TARGET,…", value_delimiter = ',')]
    targets: Vec<Target>,
    /// One more address to compare, in front of the same cluster; may be given several times.
    #[arg(long, value_name = "NAME=HOST:PORT")]
    add: Vec<Target>,
    /// How many seconds the readers of the lab are kept behind, one after the other.
    #[arg(
        long,
        value_name = "SECONDS,…",
        value_delimiter = ',',
        default_value = "0,0.2,0.5,1,2,5",
        value_parser = seconds
    )]
    lag: Vec<Duration>,
    /// How often everything is measured; intervals of confidence need two.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// What comes before each measurement and is not counted.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// The bound of the target bounded.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    max_staleness: Duration,
    /// The same seed plays the same requests.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many readers the lab has.
    #[arg(long, value_name = "N", default_value_t = 2)]
    readers: usize,
    /// Whose servers the lab has.
    #[arg(long, value_name = "FLAVOUR", value_enum, default_value_t)]
    flavour: Flavour,

    /// A cluster of your own instead of a lab: the backends and the monitor of this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["writer", "reader"])]
    config: Option<PathBuf>,
    /// A cluster of your own instead of a lab: its writer.
    #[arg(long, value_name = "HOST:PORT", requires = "user")]
    writer: Option<String>,
    /// One of its readers; may be given several times.
    #[arg(long, value_name = "HOST:PORT", requires = "writer")]
    reader: Vec<String>,
    /// The account that watches the backends, where Tidegate is compared.
    #[arg(long, value_name = "USER")]
    monitor_user: Option<String>,
    /// The environment variable with its password.
    #[arg(long, value_name = "NAME", default_value = "TIDEGATE_MONITOR_PASSWORD")]
    monitor_password_env: String,
    /// The account that the load runs as, on a cluster of your own: it needs all rights on --schema.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The environment variable with its password.
    #[arg(long, value_name = "NAME", default_value = "TIDEGATE_BENCH_PASSWORD")]
    password_env: String,
    /// The schema that is created and dropped.
    #[arg(long, value_name = "NAME", default_value = "test_tidegate_bench")]
    schema: String,
    /// Don't ask before load is put on a cluster of your own.
    #[arg(long)]
    yes: bool,

    /// Where the report is written as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Where the report is written as a page.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Measure nothing: show the report of this JSON file.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub(super) from: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) workload: Workload,
    pub(super) targets: Vec<Target>,
    /// None: as it is.
    pub(super) lags: Vec<Option<Duration>>,
    pub(super) rounds: usize,
    pub(super) warm_up: Duration,
    pub(super) max_staleness: Duration,
    pub(super) seed: u64,
    pub(super) schema: String,
    pub(super) place: Place,
}

/// Where it is done.
#[derive(Debug)]
pub(super) enum Place {
    /// On a throwaway cluster.
    Lab { readers: usize, flavour: Flavour },
    /// On the user's.
    Own(Box<Own>),
}

/// A cluster of the user's.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) writer: Endpoint,
    pub(super) readers: Vec<Endpoint>,
    pub(super) user: String,
    pub(super) password: String,
    /// For Tidegate; none if it is not compared.
    pub(super) config: Option<Config>,
    /// Don't ask.
    pub(super) yes: bool,
}

/// The limits of a plan.
const LAG_MAX: Duration = Duration::from_secs(60);
const ROUNDS_MAX: usize = 1000;
const READERS_MAX: usize = 8;
const SCHEMA_MAX: usize = 64;

impl Bench {
    /// What to do.
    ///
    /// # Errors
    /// Everything that makes no sense, a line each.
    pub(super) fn plan(&self) -> Result<Plan, Error> {
        let workload = self.workload()?;
        let targets = self.all_targets();
        let mut faults = workload.faults();
        let mut unless = |fine: bool, fault: String| {
            if !fine {
                faults.push(fault);
            }
        };
        let (rounds, readers) = (self.rounds, self.readers);
        unless(
            (1..=ROUNDS_MAX).contains(&rounds),
            format!("rounds is {rounds}: from 1 to {ROUNDS_MAX}"),
        );
        unless(
            (1..=READERS_MAX).contains(&readers),
            format!("readers is {readers}: from 1 to {READERS_MAX}"),
        );
        for lag in &self.lag {
            unless(
                *lag <= LAG_MAX,
                format!("a lag of {lag:?}: at most {LAG_MAX:?}"),
            );
        }
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
        unless(
            (1..=SCHEMA_MAX).contains(&self.schema.len()) && self.schema.chars().all(named),
            format!("schema is {:?}: letters, digits and _", self.schema),
        );
        let names: Vec<_> = targets.iter().map(Target::to_string).collect();
        for (place, name) in names.iter().enumerate() {
            let again = names.iter().take(place).any(|before| before == name);
            unless(!again, format!("the target {name} is named twice"));
        }
        let own = self.writer.is_some() || self.config.is_some();
        let place = match own {
            true => self.own(&targets, &mut faults),
            false => Some(Place::Lab {
                readers,
                flavour: self.flavour,
            }),
        };
        let lags = match own {
            true => vec![None],
            false => self.lag.iter().copied().map(Some).collect(),
        };
        match place {
            Some(place) if faults.is_empty() => Ok(Plan {
                workload,
                targets,
                lags,
                rounds,
                warm_up: self.warm_up,
                max_staleness: self.max_staleness,
                seed: self.seed,
                schema: self.schema.clone(),
                place,
            }),
            _ => Err(Error::Usage(faults.join("\n"))),
        }
    }

    fn workload(&self) -> Result<Workload, Error> {
        let name = &self.workload;
        let workload = match Workload::named(name) {
            Some(workload) => workload,
            None => {
                let path = Path::new(name);
                let text = fs::read_to_string(path).map_err(|error| {
                    let names = Workload::NAMES.join(", ");
                    Error::Usage(format!(
                        "{name} is no workload ({names}), nor a file that can be read: {error}"
                    ))
                })?;
                Workload::from_toml(&text, name).map_err(Error::Usage)?
            }
        };
        Ok(workload.changed(&self.changes))
    }

    fn all_targets(&self) -> Vec<Target> {
        let mut all = match self.targets.is_empty() {
            true => Target::defaults(),
            false => self.targets.clone(),
        };
        all.extend(self.add.iter().cloned());
        all
    }

    /// The cluster of the user's; none with a fault.
    fn own(&self, targets: &[Target], faults: &mut Vec<String>) -> Option<Place> {
        let Some(user) = self.user.clone() else {
            faults.push("--user: the account that the load runs as is needed".to_owned());
            return None;
        };
        let variable = &self.password_env;
        let Ok(password) = std::env::var(variable) else {
            faults.push(format!(
                "{variable} is not set: put {user}'s password there (it may be empty), or name \
                 another one with --password-env"
            ));
            return None;
        };
        let (writer, readers, config) = match self.backends(targets) {
            Ok(found) => found,
            Err(found) => {
                faults.extend(found);
                return None;
            }
        };
        Some(Place::Own(Box::new(Own {
            writer,
            readers,
            user,
            password,
            config,
            yes: self.yes,
        })))
    }

    fn backends(&self, targets: &[Target]) -> Result<Backends, Vec<String>> {
        let told = |faults: Vec<Fault>| faults.iter().map(Fault::to_string).collect::<Vec<_>>();
        let needed = targets.iter().any(Target::is_tidegate);
        if let Some(path) = &self.config {
            let (config, _) = config::load(path).map_err(told)?;
            return split(config);
        }
        let writer = self.writer.clone().unwrap_or_default();
        if needed {
            let flags = Flags {
                writer,
                readers: self.reader.clone(),
                monitor_user: self.monitor_user.clone().ok_or_else(|| {
                    vec![
                        "--monitor-user: the account that watches the backends is needed to \
                         compare Tidegate"
                            .to_owned(),
                    ]
                })?,
                monitor_password_env: self.monitor_password_env.clone(),
                listen: Vec::new(),
                http: None,
            };
            let (config, _) = config::from_flags(&flags, &process_environment).map_err(told)?;
            return split(config);
        }
        let parse = |text: &String| {
            let parsed: Result<Endpoint, _> = text.parse();
            parsed.map_err(|error| vec![format!("{text}: {error}")])
        };
        let readers: Result<_, _> = self.reader.iter().map(parse).collect();
        Ok((parse(&writer)?, readers?, None))
    }
}

type Backends = (Endpoint, Vec<Endpoint>, Option<Config>);

fn split(config: Config) -> Result<Backends, Vec<String>> {
    let of = |role: Role| {
        let backends = config.backend.backends.iter();
        let those = backends.filter(move |backend| backend.role == Some(role));
        those
            .map(|backend| backend.address.clone())
            .collect::<Vec<_>>()
    };
    let writer = of(Role::Writer).into_iter().next();
    let writer = writer.ok_or_else(|| {
        vec![
            "the configuration names no writer: name the backends with --writer and --reader"
                .to_owned(),
        ]
    })?;
    Ok((writer, of(Role::Reader), Some(config)))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no number of seconds, as 0.5 or 2");
    let secs: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(secs).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        bench: Bench,
    }

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let all = ["bench"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).map_err(|error| error.to_string())?;
        cli.bench.plan().map_err(|error| error.to_string())
    }

    #[test]
    fn without_arguments_everything_is_compared_in_a_lab() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.targets, Target::defaults());
        assert_eq!(plan.lags.len(), 6);
        assert!(matches!(plan.place, Place::Lab { readers: 2, .. }));
    }

    #[test]
    fn what_is_given_is_done() {
        let plan = plan(&[
            "--workload=web",
            "--threads=3",
            "--targets=direct,session/user",
            "--add=mine=127.0.0.1:1",
            "--lag=0.25,3",
        ])
        .unwrap();
        assert_eq!((plan.workload.threads, plan.workload.pool), (3, 16));
        let names: Vec<_> = plan.targets.iter().map(Target::to_string).collect();
        assert_eq!(names, ["direct", "session/user", "mine"]);
        let lags: Vec<_> = plan.lags.iter().map(|it| it.unwrap().as_millis()).collect();
        assert_eq!(lags, [250, 3000]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let table: [(&[&str], &str); 12] = [
            (&["--lag=-1"], "-1"),
            (&["--lag=100"], "at most 60s"),
            (&["--lag=soon"], "soon"),
            (&["--rounds=0"], "rounds is 0"),
            (&["--readers=9"], "readers is 9"),
            (&["--targets=direct,direct"], "direct is named twice"),
            (&["--targets=fast"], "no such target"),
            (&["--schema=a-b"], "a-b"),
            (&["--workload=/nowhere/x.toml"], "read-mostly"),
            (&["--threads=0", "--writes=2"], "writes is 2"),
            (&["--writer=127.0.0.1:1"], "--user"),
            (&["--think=soon"], "soon"),
        ];
        for (arguments, word) in table {
            let error = plan(arguments).unwrap_err();
            assert!(error.contains(word), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn without_tidegate_among_the_targets_no_monitor_is_needed() {
        let base = [
            "--writer=127.0.0.1:1",
            "--reader=127.0.0.1:2",
            "--user=me",
            // A variable that every environment has.
            "--password-env=PATH",
        ];
        let with = |more: &'static str| [&base[..], &[more]].concat();
        let plain = plan(&with("--targets=direct,naive")).unwrap();
        assert!(matches!(plain.place, Place::Own(own) if own.config.is_none()));
        let error = plan(&with("--targets=direct,strong")).unwrap_err();
        assert!(error.contains("--monitor-user"), "{error}");
    }
}
