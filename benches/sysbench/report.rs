//! Medians of all rounds, and the table that shows them.

use std::collections::BTreeMap;

use crate::Options;
use crate::load::Protocol;
use crate::proxies::Measured;

/// The roads' names by their place; the second is what Tidegate is compared with.
const ROADS: [&str; 3] = ["direct", "HAProxy", "Tidegate"];
const HAPROXY: usize = 1;
const TIDEGATE: usize = 2;

/// All that was measured: by threads, then by the road's place.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<usize, [Vec<Measured>; 3]>);

impl Report {
    pub(crate) fn add(&mut self, threads: usize, place: usize, found: Measured) {
        if let Some(all) = self.0.entry(threads).or_default().get_mut(place) {
            all.push(found);
        }
    }

    /// Shows medians of each road, then what counts: Tidegate's as a part of HAProxy's.
    #[expect(clippy::print_stdout, reason = "the answer to the user's question")]
    pub(crate) fn print(&self, protocol: Protocol, options: &Options) {
        println!(
            "\nsysbench point select, {protocol:?}, medians of {} interleaved rounds of {} s",
            options.rounds, options.seconds
        );
        println!(
            "{:>7}  {:<16}{:>10}{:>10}{:>10}{:>15}{:>11}",
            "threads", "", "QPS", "p50 ms", "p99 ms", "CPU s / 100k", "at reader"
        );
        for (threads, roads) in &self.0 {
            let rows = roads.each_ref().map(|all| Row::of(all));
            for (name, row) in ROADS.iter().zip(&rows) {
                println!("{threads:>7}  {name:<16}{}", row.text());
            }
            if let (Some(ours), Some(theirs)) = (rows.get(TIDEGATE), rows.get(HAPROXY)) {
                println!(
                    "{threads:>7}  {:<16}{}",
                    "Tidegate/HAProxy",
                    ours.over(theirs)
                );
            }
        }
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
        }
    }

    fn text(&self) -> String {
        let cpu = match self.cpu.is_nan() {
            true => "-".to_owned(),
            false => format!("{:.2}", self.cpu),
        };
        format!(
            "{:>10.0}{:>10.3}{:>10.3}{cpu:>15}{:>10.0}%",
            self.qps,
            self.p50_ms,
            self.p99_ms,
            self.at_reader * 100.0
        )
    }

    fn over(&self, other: &Self) -> String {
        format!(
            "{:>10.2}{:>10.2}{:>10.2}{:>15.2}",
            self.qps / other.qps,
            self.p50_ms / other.p50_ms,
            self.p99_ms / other.p99_ms,
            self.cpu / other.cpu
        )
    }
}

/// NaN of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    match values.len() % 2 {
        0 => {
            (values
                .get(middle.wrapping_sub(1))
                .copied()
                .unwrap_or(f64::NAN)
                + upper)
                / 2.0
        }
        _ => upper,
    }
}
