//! What the played users do. Pure.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// SQL with its values, each time (COM_QUERY).
    Text,
    /// Prepared once on each connection, then executed.
    Prepared,
}

/// What each of a number of users does, over and over: a request, then a pause. A request writes a
/// row of the user's own or reads one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    /// As the report calls it.
    pub(super) name: String,
    /// Users at a time.
    pub(super) threads: usize,
    /// Connections that they share, lent in turn; 0: each user has its own.
    pub(super) pool: usize,
    /// Whether a connection that is lent is reset first (COM_RESET_CONNECTION).
    pub(super) reset: bool,
    /// The share of requests that write, 0 to 1.
    pub(super) writes: f64,
    /// The share of writes whose row is read at once, by a checkout of its own.
    pub(super) read_back: f64,
    /// The share of other reads that are of the row that the user wrote last.
    pub(super) own: f64,
    /// Rows of the table.
    pub(super) rows: u32,
    /// How uneven they are used: the exponent of Zipf's law, 0: evenly.
    pub(super) skew: f64,
    /// From the start of a user's request to the start of its next one; none: at once.
    #[serde(with = "millis")]
    pub(super) think: Duration,
    /// How statements are sent.
    pub(super) form: Form,
    /// How long each measurement lasts.
    #[serde(with = "millis")]
    pub(super) duration: Duration,
}

/// What differs from a ready-made workload: on the command line, or in a file of TOML.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Changes {
    /// Users at a time.
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Connections that the users share, lent in turn; 0: each user has its own.
    #[arg(long, value_name = "N")]
    pub(super) pool: Option<usize>,
    /// Whether a connection that is lent is reset first (COM_RESET_CONNECTION), as many pools do.
    #[arg(long, value_name = "BOOL")]
    pub(super) reset: Option<bool>,
    /// The share of requests that write, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    pub(super) writes: Option<f64>,
    /// The share of writes whose row is read at once, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    pub(super) read_back: Option<f64>,
    /// The share of other reads that are of the row that the user wrote last, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    pub(super) own: Option<f64>,
    /// Rows of the table.
    #[arg(long, value_name = "N")]
    pub(super) rows: Option<u32>,
    /// How uneven the rows are used: the exponent of Zipf's law; 0: evenly.
    #[arg(long, value_name = "EXPONENT")]
    pub(super) skew: Option<f64>,
    /// From the start of a user's request to the start of its next one (50ms); 0s: at once, and
    /// then coordinated omission can't be corrected.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(deserialize_with = "duration")]
    pub(super) think: Option<Duration>,
    /// How statements are sent.
    #[arg(long, value_name = "FORM", value_enum)]
    pub(super) form: Option<Form>,
    /// How long each measurement lasts: one target, at one lag, in one round.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    #[serde(deserialize_with = "duration")]
    pub(super) duration: Option<Duration>,
}

/// A file of TOML: a ready-made workload, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct File {
    base: Option<String>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// The most of what a machine is good for.
const THREADS_MAX: usize = 2000;
const ROWS_MAX: u32 = 1_000_000;
const SKEW_MAX: f64 = 5.0;
const THINK_MAX: Duration = Duration::from_secs(60);
const DURATION_MIN: Duration = Duration::from_millis(100);
const DURATION_MAX: Duration = Duration::from_secs(3600);

impl Workload {
    /// The ready-made ones.
    pub(super) const NAMES: [&str; 3] = ["read-after-write", "web", "read-mostly"];

    /// A ready-made one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let base = Self {
            name: name.to_owned(),
            threads: 16,
            pool: 0,
            reset: false,
            writes: 0.2,
            read_back: 1.0,
            own: 0.5,
            rows: 2000,
            skew: 0.0,
            think: Duration::from_millis(50),
            form: Form::Text,
            duration: Duration::from_secs(2),
        };
        match name {
            // A user that looks at what it has just done, all the time.
            "read-after-write" => Some(base),
            // Pages of an application with a pool: most of them read what anybody wrote.
            "web" => Some(Self {
                threads: 32,
                pool: 16,
                reset: true,
                writes: 0.05,
                read_back: 0.5,
                own: 0.2,
                skew: 0.8,
                think: Duration::from_millis(100),
                ..base
            }),
            // A catalogue: writes are rare.
            "read-mostly" => Some(Self {
                threads: 32,
                writes: 0.005,
                own: 0.05,
                skew: 1.0,
                form: Form::Prepared,
                ..base
            }),
            _ => None,
        }
    }

    /// The workload of a file.
    pub(super) fn from_toml(text: &str, file: &str) -> Result<Self, String> {
        let fault = |error: toml::de::Error| format!("{file}: {}", error.to_string().trim_end());
        let File { base, rest } = toml::from_str(text).map_err(fault)?;
        let base = base.as_deref().unwrap_or("read-after-write");
        let workload = Self::named(base).ok_or_else(|| {
            format!(
                "{file}: base = {base:?}: take one of {}",
                Self::NAMES.join(", ")
            )
        })?;
        let changes: Changes = rest.try_into().map_err(fault)?;
        Ok(Self {
            name: file.to_owned(),
            ..workload.changed(&changes)
        })
    }

    /// The same, but for these.
    pub(super) fn changed(self, by: &Changes) -> Self {
        Self {
            threads: by.threads.unwrap_or(self.threads),
            pool: by.pool.unwrap_or(self.pool),
            reset: by.reset.unwrap_or(self.reset),
            writes: by.writes.unwrap_or(self.writes),
            read_back: by.read_back.unwrap_or(self.read_back),
            own: by.own.unwrap_or(self.own),
            rows: by.rows.unwrap_or(self.rows),
            skew: by.skew.unwrap_or(self.skew),
            think: by.think.unwrap_or(self.think),
            form: by.form.unwrap_or(self.form),
            duration: by.duration.unwrap_or(self.duration),
            name: self.name,
        }
    }

    /// Everything that makes no sense about it, a sentence each.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut unless = |fine: bool, fault: String| {
            if !fine {
                faults.push(fault);
            }
        };
        let shares = [
            ("writes", self.writes),
            ("read-back", self.read_back),
            ("own", self.own),
        ];
        for (name, share) in shares {
            let fine = (0.0..=1.0).contains(&share);
            unless(fine, format!("{name} is {share}: a share is from 0 to 1"));
        }
        let Self {
            threads,
            pool,
            rows,
            skew,
            ..
        } = *self;
        unless(
            (1..=THREADS_MAX).contains(&threads),
            format!("threads is {threads}: from 1 to {THREADS_MAX}"),
        );
        unless(
            pool <= THREADS_MAX,
            format!("pool is {pool}: at most {THREADS_MAX}"),
        );
        let enough = usize::try_from(rows).is_ok_and(|rows| rows >= threads);
        unless(
            rows <= ROWS_MAX && enough,
            format!(
                "rows is {rows}: each of the {threads} threads writes rows of its own, and the \
                 most are {ROWS_MAX}"
            ),
        );
        unless(
            (0.0..=SKEW_MAX).contains(&skew),
            format!("skew is {skew}: from 0 to {SKEW_MAX}"),
        );
        unless(
            self.think <= THINK_MAX,
            format!("think is {:?}: at most {THINK_MAX:?}", self.think),
        );
        unless(
            (DURATION_MIN..=DURATION_MAX).contains(&self.duration),
            format!(
                "duration is {:?}: from {DURATION_MIN:?} to {DURATION_MAX:?}",
                self.duration
            ),
        );
        faults
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let parsed = humantime::parse_duration(&text);
    parsed
        .map(Some)
        .map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}, as in \"50ms\"")))
}

/// A duration as a number of milliseconds in JSON.
pub(super) mod millis {
    use super::{Deserialize, Duration};

    pub(in super::super) fn serialize<S: serde::Serializer>(
        value: &Duration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64() * 1e3)
    }

    pub(in super::super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        let millis = f64::deserialize(from)?;
        Duration::try_from_secs_f64(millis / 1e3).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_made_ones_make_sense() {
        for name in Workload::NAMES {
            assert_eq!(Workload::named(name).unwrap().faults(), [""; 0], "{name}");
        }
        assert_eq!(Workload::named("nonsense"), None);
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let text = "base = \"web\"\nthreads = 3\nthink = \"7ms\"\nform = \"prepared\"\n";
        let found = Workload::from_toml(text, "w.toml").unwrap();
        let web = Workload::named("web").unwrap();
        let expected = Workload {
            name: "w.toml".to_owned(),
            threads: 3,
            think: Duration::from_millis(7),
            form: Form::Prepared,
            ..web
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_file_must_not_say_is_named() {
        for (text, word) in [
            ("thread = 3", "thread"),
            ("threads = \"many\"", "threads"),
            ("think = \"soon\"", "50ms"),
            ("base = \"wob\"", "read-mostly"),
            ("threads = ", "w.toml"),
        ] {
            let error = Workload::from_toml(text, "w.toml").unwrap_err();
            assert!(error.starts_with("w.toml: "), "{error}");
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let changes = Changes {
            threads: Some(0),
            writes: Some(1.5),
            skew: Some(f64::NAN),
            rows: Some(0),
            ..Changes::default()
        };
        let faulty = Workload::named("web").unwrap().changed(&changes);
        let faults = faulty.faults().join("\n");
        for word in ["threads is 0", "writes is 1.5", "skew is NaN"] {
            assert!(faults.contains(word), "{faults}");
        }
    }
}
