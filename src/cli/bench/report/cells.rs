//! From what was counted to what is reported.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::model::{Cell, ClassFacts, Latency, ReasonFacts, WaitFacts};
use crate::cli::bench::stats;
use crate::cli::bench::tally::{Class, Tally};
use crate::cli::local::{Metrics, count};

/// The percentiles of a curve.
const CURVE: [f64; 22] = [
    0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 92.5, 95.0, 97.5, 99.0,
    99.5, 99.75, 99.9, 99.95, 99.99, 100.0,
];

/// Bars of a histogram in each decade.
const BARS: f64 = 10.0;

/// The longest that a read may be made to wait, in seconds.
const LONGEST_WAIT: f64 = 60.0;

/// What is kept of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Which round.
    pub(crate) round: usize,
    /// The median and the 99th percentile of each class, in milliseconds; 0 without any.
    pub(crate) percentiles: [(f64, f64); 3],
    /// The share of stale reads, if there were reads.
    pub(crate) stale: Option<f64>,
    /// The share of reads that readers answered, if that can be told.
    pub(crate) at_readers: Option<f64>,
    /// Statements each second at the writer.
    pub(crate) writer_queries: Option<f64>,
    /// Cores that the writer's process was busy on.
    pub(crate) writer_cpu: Option<f64>,
    /// How far the furthest reader was behind, at times, in seconds.
    pub(crate) lags: Vec<f64>,
}

/// Everything that was counted for one target at one lag.
#[derive(Debug)]
pub(crate) struct Counted<'c> {
    pub(crate) tally: &'c Tally,
    pub(crate) rounds: &'c [Round],
    /// The rounds of the target that ratios relate to.
    pub(crate) base: &'c [Round],
    /// What Tidegate counted, and the names of its readers.
    pub(crate) metrics: &'c [Metrics],
    pub(crate) readers: &'c [String],
}

impl Round {
    /// What the tally of a measurement says.
    pub(crate) fn of(round: usize, tally: &Tally) -> Self {
        let percentiles = Class::ALL.map(|class| {
            let response = &tally.times(class).response;
            let at = |quantile| millis(response.value_at_quantile(quantile));
            match response.is_empty() {
                true => (0.0, 0.0),
                false => (at(0.5), at(0.99)),
            }
        });
        let reads = tally.reads();
        Self {
            round,
            percentiles,
            stale: (reads > 0).then(|| tally.stale as f64 / reads as f64),
            ..Self::default()
        }
    }
}

/// What is reported.
pub(crate) fn cell(lag: usize, target: usize, counted: &Counted<'_>) -> Cell {
    let Counted {
        tally,
        rounds,
        base,
        metrics,
        readers,
    } = *counted;
    let each = |of: fn(&Round) -> Option<f64>| rounds.iter().filter_map(of).collect::<Vec<_>>();
    let mut lags: Vec<f64> = rounds.iter().flat_map(|it| it.lags.clone()).collect();
    lags.sort_by(f64::total_cmp);
    let measured = lags.get(lags.len() / 2).copied().zip(lags.last().copied());
    let classes = Class::ALL.into_iter().enumerate();
    Cell {
        lag,
        target,
        rounds: rounds.len(),
        lag_measured_s: measured,
        classes: classes
            .map(|(index, class)| class_facts(index, class, tally, rounds, base))
            .collect(),
        reads: tally.reads(),
        stale: tally.stale,
        stale_share: stats::share(&each(|it| it.stale)),
        old: tally.old,
        oldest_s: tally.oldest.as_secs_f64(),
        backwards: tally.backwards,
        wrong: tally.wrong,
        errors: tally.errors.clone(),
        not_sent: tally.not_sent,
        at_readers: stats::share(&each(|it| it.at_readers)),
        writer_queries: stats::mean(&each(|it| it.writer_queries)),
        writer_cpu: stats::mean(&each(|it| it.writer_cpu)),
        reasons: reasons(metrics, readers),
        waits: waits(metrics),
    }
}

fn class_facts(
    index: usize,
    class: Class,
    tally: &Tally,
    rounds: &[Round],
    base: &[Round],
) -> ClassFacts {
    let times = tally.times(class);
    let of = |round: &Round| round.percentiles.get(index).copied().unwrap_or_default();
    // Only the rounds that both have can be compared.
    let pairs: Vec<_> = rounds
        .iter()
        .filter_map(|one| {
            let other = base.iter().find(|other| other.round == one.round)?;
            Some((of(one), of(other)))
        })
        .collect();
    let ratio = |of: fn(&(f64, f64)) -> f64| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(one, base)| (of(one), of(base)))
            .collect();
        stats::ratio(&pairs)
    };
    ClassFacts {
        name: class.name().to_owned(),
        count: tally.count(class),
        response: latency(&times.response),
        service: latency(&times.service),
        p50_ratio: ratio(|it| it.0),
        p99_ratio: ratio(|it| it.1),
        curve: curve(&times.response),
        bars: bars(&times.response),
    }
}

pub(super) fn latency(histogram: &Histogram<u32>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |quantile| millis(histogram.value_at_quantile(quantile));
    Latency {
        mean: histogram.mean() / 1e3,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: millis(histogram.max()),
    }
}

/// Percentiles as far as there are values enough to tell them.
fn curve(histogram: &Histogram<u32>) -> Vec<(f64, f64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let told = |percentile: &f64| {
        let beyond = (100.0 - percentile) / 100.0 * histogram.len() as f64;
        *percentile >= 100.0 || beyond >= 1.0
    };
    let point = |percentile: f64| {
        let value = histogram.value_at_quantile(percentile / 100.0);
        (percentile, millis(value))
    };
    CURVE.into_iter().filter(told).map(point).collect()
}

fn bars(histogram: &Histogram<u32>) -> Vec<(f64, u64)> {
    let mut bars: BTreeMap<i64, u64> = BTreeMap::new();
    for value in histogram.iter_recorded() {
        let micros = value.value_iterated_to().max(1) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a few dozen at most")]
        let place = (micros.log10() * BARS).floor() as i64;
        *bars.entry(place).or_default() += u64::from(value.count_at_value());
    }
    let bar = |(place, count)| (10_f64.powf(place as f64 / BARS) / 1e3, count);
    bars.into_iter().map(bar).collect()
}

fn reasons(metrics: &[Metrics], readers: &[String]) -> Vec<ReasonFacts> {
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for metrics in metrics {
        for (labels, value) in metrics.family("tidegate_statements_total") {
            let (Some(reason), Some(backend)) = (labels.get("reason"), labels.get("backend"))
            else {
                continue;
            };
            let entry = found.entry((*reason).to_owned()).or_default();
            match readers.iter().any(|reader| reader == backend) {
                true => entry.0 += count(value),
                false => entry.1 += count(value),
            }
        }
    }
    let mut facts: Vec<_> = found
        .into_iter()
        .filter(|(_, (readers, elsewhere))| readers + elsewhere > 0)
        .map(|(reason, (readers, elsewhere))| ReasonFacts {
            reason,
            readers,
            elsewhere,
        })
        .collect();
    facts.sort_by_key(|it| std::cmp::Reverse(it.readers + it.elsewhere));
    facts
}

/// The waits of all measurements, by reason.
fn waits(metrics: &[Metrics]) -> Vec<WaitFacts> {
    const NAME: &str = "tidegate_read_wait_seconds";
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for metrics in metrics {
        for (labels, value) in metrics.family(&format!("{NAME}_sum")) {
            let reason = labels.get("reason").copied().unwrap_or_default();
            *sums.entry(reason.to_owned()).or_default() += value;
        }
        for (labels, value) in metrics.family(&format!("{NAME}_bucket")) {
            let reason = labels.get("reason").copied().unwrap_or_default();
            let bound = labels.get("le").and_then(|le| le.parse::<f64>().ok());
            let list = buckets.entry(reason.to_owned()).or_default();
            list.push((bound.unwrap_or(f64::INFINITY), value));
        }
    }
    let facts = sums.into_iter().filter_map(|(reason, sum)| {
        let buckets = merged(buckets.remove(&reason)?);
        let total = buckets.last().map_or(0.0, |(_, below)| *below);
        let at = |share: f64| {
            let mut enough = buckets.iter().filter(|(_, below)| *below >= share * total);
            enough
                .next()
                .map_or(0.0, |(bound, _)| bound.min(LONGEST_WAIT) * 1e3)
        };
        (total > 0.0).then(|| WaitFacts {
            reason,
            count: count(total),
            mean: sum / total * 1e3,
            p50: at(0.5),
            p99: at(0.99),
        })
    });
    facts.collect()
}

/// Adds up what stands at the same bound; ascending.
fn merged(mut buckets: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (bound, below) in buckets {
        match merged.last_mut() {
            Some(last) if last.0.total_cmp(&bound).is_eq() => last.1 += below,
            _ => merged.push((bound, below)),
        }
    }
    merged
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tally(of: impl IntoIterator<Item = u64>) -> Tally {
        let mut tally = Tally::new().unwrap();
        for micros in of {
            let time = Duration::from_micros(micros);
            tally.answered(Class::Read, time, time);
        }
        tally
    }

    fn counted<'c>(tally: &'c Tally, rounds: &'c [Round], base: &'c [Round]) -> Counted<'c> {
        Counted {
            tally,
            rounds,
            base,
            metrics: &[],
            readers: &[],
        }
    }

    #[test]
    fn ratios_pair_what_ran_in_the_same_round() {
        let (slow, quick) = (tally([2000; 10]), tally([1000; 10]));
        let rounds = [Round::of(0, &slow), Round::of(1, &slow)];
        // The base lacks the second round, since the run was interrupted.
        let base = [Round::of(0, &quick)];
        let cell = cell(0, 0, &counted(&slow, &rounds, &base));
        let ratio = cell.classes[1].p50_ratio.unwrap();
        assert!((ratio.value - 2.0).abs() < 0.01, "{ratio:?}");
        assert_eq!(ratio.interval, None);
        assert_eq!(cell.classes[0].p50_ratio, None, "there was none of it");
    }

    #[test]
    fn a_curve_ends_where_there_are_too_few_values() {
        let few = curve(&tally(1..=100).times(Class::Read).response);
        let last: Vec<_> = few.iter().rev().take(2).map(|it| it.0).collect();
        assert_eq!(last, [100.0, 99.0]);
        assert_eq!(curve(&tally([]).times(Class::Read).response), []);
    }

    #[test]
    fn bars_hold_every_value_once() {
        let bars = bars(&tally((1..=5000).map(|n| n * 7)).times(Class::Read).response);
        assert_eq!(bars.iter().map(|it| it.1).sum::<u64>(), 5000);
        assert!(bars.windows(2).all(|two| two[0].0 < two[1].0));
    }

    #[test]
    fn waits_are_added_up_by_reason() {
        let text = "tidegate_read_wait_seconds_bucket{reason=\"a\",le=\"0.01\"} 1\n\
            tidegate_read_wait_seconds_bucket{reason=\"a\",le=\"0.05\"} 9\n\
            tidegate_read_wait_seconds_bucket{reason=\"a\",le=\"+Inf\"} 10\n\
            tidegate_read_wait_seconds_sum{reason=\"a\"} 0.2\n\
            tidegate_read_wait_seconds_bucket{reason=\"b\",le=\"+Inf\"} 0\n\
            tidegate_read_wait_seconds_sum{reason=\"b\"} 0\n";
        let both = [Metrics::parse(text), Metrics::parse(text)];
        let found = waits(&both);
        assert_eq!(found.len(), 1, "{found:?}");
        let wait = &found[0];
        assert_eq!((wait.reason.as_str(), wait.count), ("a", 20));
        assert!((wait.mean - 20.0).abs() < 0.01);
        assert!((wait.p50 - 50.0).abs() < 0.01);
    }

    #[test]
    fn reasons_tell_readers_from_the_rest() {
        let text = "tidegate_statements_total{backend=\"r1\",reason=\"read_covered\"} 5\n\
            tidegate_statements_total{backend=\"w\",reason=\"read_covered\"} 2\n\
            tidegate_statements_total{backend=\"w\",reason=\"write\"} 9\n\
            tidegate_statements_total{backend=\"w\",reason=\"call\"} 0\n";
        let found = reasons(&[Metrics::parse(text)], &["r1".to_owned()]);
        let expected = [("write", 0, 9), ("read_covered", 5, 2)];
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.reason.as_str(), it.readers, it.elsewhere))
            .collect();
        assert_eq!(found, expected);
    }
}
