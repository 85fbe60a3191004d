//! Medians of all rounds, and ratios of what was measured in the same one.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Options;
use crate::logins::{Seen, Way};
use crate::ratio::{Ratio, median};

/// Roads, by how they are called in tables.
pub(crate) const DIRECT: &str = "direct";
pub(crate) const HAPROXY: &str = "HAProxy";
pub(crate) const KEEPING: &str = "Tidegate, session";
pub(crate) const KEEPING_NEW: &str = "same, new accounts";
pub(crate) const POOL: &str = "Tidegate, pool";

/// With what each of Tidegate's roads is compared.
const BASES: [&str; 2] = [DIRECT, HAPROXY];

/// One run by one road.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// What clients saw.
    pub(crate) seen: Seen,
    /// What the proxy used for each of them, in milliseconds of CPU; none without a proxy.
    pub(crate) cpu_ms: Option<f64>,
}

#[derive(Debug)]
struct Road {
    name: &'static str,
    rounds: Vec<Measured>,
}

/// All that was measured: by way and clients at a time, then by road.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<(Way, usize), Vec<Road>>);

impl Report {
    pub(crate) fn add(&mut self, played: (Way, usize), name: &'static str, found: Measured) {
        let roads = self.0.entry(played).or_default();
        match roads.iter_mut().find(|road| road.name == name) {
            Some(road) => road.rounds.push(found),
            None => roads.push(Road {
                name,
                rounds: vec![found],
            }),
        }
    }

    /// The tables.
    ///
    /// # Errors
    /// None that a string gives.
    pub(crate) fn text(&self, options: &Options) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(
            text,
            "connect, one select, disconnect: medians of {} interleaved rounds of {} s",
            options.rounds, options.seconds
        )?;
        for ((way, clients), roads) in &self.0 {
            writeln!(
                text,
                "\n{}, {clients} at a time\n  {:<20}{:>8}{:>9}{:>9}{:>8}{:>26}{:>26}",
                way.name(),
                "",
                "a second",
                "p50 ms",
                "p99 ms",
                "CPU ms",
                "rate / direct",
                "rate / HAProxy"
            )?;
            for road in roads {
                write_row(&mut text, road, roads)?;
            }
        }
        Ok(text)
    }
}

fn write_row(text: &mut String, road: &Road, all: &[Road]) -> std::fmt::Result {
    let of = |value: fn(&Measured) -> f64| median(road.rounds.iter().map(value).collect());
    let cpu = of(|it| it.cpu_ms.unwrap_or(f64::NAN));
    let cpu = match cpu.is_nan() {
        true => "-".to_owned(),
        false => format!("{cpu:.2}"),
    };
    write!(
        text,
        "  {:<20}{:>8.0}{:>9.2}{:>9.2}{cpu:>8}",
        road.name,
        of(|it| it.seen.rate),
        of(|it| it.seen.p50_ms),
        of(|it| it.seen.p99_ms),
    )?;
    for base in BASES {
        let other = all.iter().find(|other| other.name == base);
        let shown = other.filter(|_| road.name != base).map(|other| {
            let pairs = road.rounds.iter().zip(&other.rounds);
            let ratio = Ratio::of(pairs.map(|(a, b)| a.seen.rate / b.seen.rate).collect());
            let (from, to) = ratio.between;
            format!("{:.2} ({from:.2} to {to:.2})", ratio.median)
        });
        write!(text, "{:>26}", shown.unwrap_or_else(|| "-".to_owned()))?;
    }
    writeln!(text)
}
