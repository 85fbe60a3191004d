//! Medians of all rounds, and the tables that show them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Options;
use crate::proxies::Measured;
use crate::ratio::{Ratio, median};
use crate::workload::Workload;

/// Roads, by how they are called in tables.
pub(crate) const DIRECT: &str = "direct";
pub(crate) const HAPROXY: &str = "HAProxy";
pub(crate) const TIDEGATE: &str = "Tidegate";
pub(crate) const OTHER: &str = "the other";
pub(crate) const OPENSRV: &str = "opensrv";
pub(crate) const EVENTUAL: &str = "eventual";
pub(crate) const TWO_READERS: &str = "two readers";

/// Roads, each with what it is compared with.
const PAIRS: [(&str, &str); 5] = [
    (TIDEGATE, HAPROXY),
    (TIDEGATE, OTHER),
    (TIDEGATE, OPENSRV),
    (OPENSRV, HAPROXY),
    (TIDEGATE, EVENTUAL),
];

/// What was measured on one road, round by round.
#[derive(Debug)]
struct Road {
    name: &'static str,
    rounds: Vec<Measured>,
}

/// All that was measured: by workload and threads, then by road.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<(Workload, usize), Vec<Road>>);

/// A road as a part of another.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// What was played.
    pub(crate) title: String,
    /// Queries per second, p50, p99 and CPU, in this order.
    pub(crate) ratios: [(&'static str, Ratio); 4],
}

impl Report {
    pub(crate) fn add(&mut self, played: (Workload, usize), name: &'static str, found: Measured) {
        let roads = self.0.entry(played).or_default();
        match roads.iter_mut().find(|road| road.name == name) {
            Some(road) => road.rounds.push(found),
            None => roads.push(Road {
                name,
                rounds: vec![found],
            }),
        }
    }

    /// Medians of each road, then what counts: ratios of what was measured in the same round.
    ///
    /// # Errors
    /// None that a string gives.
    pub(crate) fn text(&self, options: &Options) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(
            text,
            "medians of {} interleaved rounds of {} s",
            options.rounds, options.seconds
        )?;
        for ((workload, threads), roads) in &self.0 {
            writeln!(
                text,
                "\n{}, {threads} threads\n  {:<14}{:>10}{:>10}{:>10}{:>15}{:>13}{:>10}",
                workload.name(),
                "",
                "QPS",
                "p50 ms",
                "p99 ms",
                "CPU s / 100k",
                "at reader 1",
                "MiB"
            )?;
            for road in roads {
                writeln!(text, "  {:<14}{}", road.name, Row::of(&road.rounds).text())?;
            }
        }
        for it in self.comparisons() {
            writeln!(text, "\n{}", it.title)?;
            for (what, ratio) in it.ratios {
                let (from, to) = ratio.between;
                writeln!(
                    text,
                    "  {what:<14}{:>6.2}  ({from:.2} to {to:.2})",
                    ratio.median
                )?;
            }
        }
        Ok(text)
    }

    /// What was played on both roads of a pair.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        let mut found = Vec::new();
        for ((workload, threads), roads) in &self.0 {
            for (ours, theirs) in PAIRS {
                let rounds = |name| roads.iter().find(|road| road.name == name);
                let Some((mine, other)) = rounds(ours).zip(rounds(theirs)) else {
                    continue;
                };
                let of = |value: fn(&Measured) -> f64| {
                    let pairs = mine.rounds.iter().zip(&other.rounds);
                    Ratio::of(pairs.map(|(a, b)| value(a) / value(b)).collect())
                };
                found.push(Comparison {
                    title: format!("{}, {threads} threads: {ours} / {theirs}", workload.name()),
                    ratios: [
                        ("QPS", of(|it| it.sample.qps)),
                        ("p50", of(|it| it.sample.p50_ms)),
                        ("p99", of(|it| it.sample.p99_ms)),
                        ("CPU per query", of(|it| it.cpu.unwrap_or(f64::NAN))),
                    ],
                });
            }
        }
        found
    }
}

/// Medians of one road.
#[derive(Clone, Copy, Debug)]
struct Row {
    qps: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu: f64,
    at_reader: f64,
    memory: f64,
}

impl Row {
    fn of(all: &[Measured]) -> Self {
        let of = |value: fn(&Measured) -> f64| median(all.iter().map(value).collect());
        Self {
            qps: of(|it| it.sample.qps),
            p50_ms: of(|it| it.sample.p50_ms),
            p99_ms: of(|it| it.sample.p99_ms),
            cpu: of(|it| it.cpu.unwrap_or(f64::NAN)),
            at_reader: of(|it| it.at_reader),
            memory: of(|it| it.memory.unwrap_or(f64::NAN)),
        }
    }

    fn text(&self) -> String {
        let shown = |value: f64, places: usize| match value.is_nan() {
            true => "-".to_owned(),
            false => format!("{value:.places$}"),
        };
        format!(
            "{:>10.0}{:>10.3}{:>10.3}{:>15}{:>12.0}%{:>10}",
            self.qps,
            self.p50_ms,
            self.p99_ms,
            shown(self.cpu, 2),
            self.at_reader * 100.0,
            shown(self.memory, 1)
        )
    }
}
