//! The plots of the report.

use super::axis::{Scale, label};
use super::chart::Chart;
use super::model::{Cell, ClassFacts, Report};
use super::text::millis;
use crate::cli::bench::stats::Estimate;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;

/// A value of a cell, with its interval.
pub(super) type Of<'f> = &'f dyn Fn(&Cell) -> Option<Estimate>;

/// How values of a plot are scaled and shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Milliseconds, on a scale of ratios.
    Millis,
    /// From 0 to 1, as per cent.
    Share,
    /// From 0 up, as per cent.
    Percent,
    /// From 0 up.
    Count,
}

/// One value of each target against the lag.
pub(super) fn against_lag(report: &Report, kind: Kind, told: &str, of: Of<'_>) -> String {
    let mut chart = Chart::new(WIDTH, HEIGHT);
    let values = report.cells.iter().filter_map(of);
    let scale = match kind {
        Kind::Millis => Scale::log(values.map(|it| it.value)),
        Kind::Share => Scale::Linear { from: 0.0, to: 1.0 },
        Kind::Percent | Kind::Count => Scale::linear(values.map(|it| it.value)),
    };
    let percent = |value: f64| format!("{:.0} %", value * 100.0);
    match kind {
        Kind::Share | Kind::Percent => chart.y_axis(scale, percent),
        Kind::Millis | Kind::Count => chart.y_axis(scale, label),
    }
    let lags = report.plan.lags_s.len();
    let middle = |lag: usize| (lag as f64 + 0.5) / lags as f64;
    for lag in 0..lags {
        let place = (chart.plot.x(middle(lag)), chart.plot.bottom + 16.0);
        chart.text("tick middle", place, &report.lag_name(lag));
    }
    chart.x_title("lag of the readers");
    let count = report.targets.len();
    for (target, facts) in report.targets.iter().enumerate() {
        // Beside each other, so that none hides another.
        let aside = ((target as f64 + 0.5) / count as f64 - 0.5) * 0.6 / lags as f64;
        let found: Vec<_> = (0..lags)
            .filter_map(|lag| Some((lag, of(report.cell(lag, target)?)?)))
            .collect();
        let place = |lag: usize, value: f64| {
            let (x, y) = (middle(lag) + aside, scale.at(value));
            (chart.plot.x(x), chart.plot.y(y))
        };
        let points: Vec<_> = found
            .iter()
            .map(|(lag, it)| place(*lag, it.value))
            .collect();
        let bounds: Vec<_> = found
            .iter()
            .filter_map(|(lag, it)| Some((*lag, it.interval?)))
            .map(|(lag, (low, high))| (place(lag, low), place(lag, high)))
            .collect();
        chart.path(&format!("line s{target}"), &points);
        for (low, high) in bounds {
            chart.line(&format!("bound s{target}"), low, high);
        }
        for ((lag, estimate), point) in found.iter().zip(points) {
            let value = match kind {
                Kind::Millis => format!("{} ms", millis(estimate.value)),
                Kind::Share | Kind::Percent => percent(estimate.value),
                Kind::Count => format!("{:.0}", estimate.value),
            };
            let told = format!("{}, lag {}: {value}", facts.name, report.lag_name(*lag));
            chart.mark(target, point, &told);
        }
    }
    chart.finish(told)
}

fn classes(
    report: &Report,
    lag: usize,
    class: usize,
) -> impl Iterator<Item = (usize, &ClassFacts)> {
    (0..report.targets.len()).filter_map(move |target| {
        let facts = report.cell(lag, target)?.classes.get(class)?;
        (facts.count > 0).then_some((target, facts))
    })
}

/// Latency by percentile, the rare ones stretched.
pub(super) fn percentiles(report: &Report, lag: usize, class: usize) -> String {
    // Where 99.9 % lies: as far right of 99 % as that of 90 %.
    let stretch = |percentile: f64| -(1.0 - (percentile / 100.0).min(0.9999)).log10();
    let mut chart = Chart::new(WIDTH, HEIGHT);
    let all = || classes(report, lag, class);
    let values = all().flat_map(|(_, facts)| facts.curve.iter().map(|it| it.1));
    let scale = Scale::log(values);
    chart.y_axis(scale, label);
    let x = Scale::Linear {
        from: 0.0,
        to: 4.15,
    };
    for percentile in [0.0, 50.0, 90.0, 99.0, 99.9, 99.99] {
        let place = chart.plot.x(x.at(stretch(percentile)));
        let (top, bottom) = (chart.plot.top, chart.plot.bottom);
        chart.line("grid", (place, top), (place, bottom));
        chart.text("tick middle", (place, bottom + 16.0), &label(percentile));
    }
    chart.x_title("percentile; milliseconds upwards");
    for (target, facts) in all() {
        let points: Vec<_> = facts
            .curve
            .iter()
            .map(|(percentile, value)| {
                let place = (x.at(stretch(*percentile)), scale.at(*value));
                (chart.plot.x(place.0), chart.plot.y(place.1))
            })
            .collect();
        chart.path(&format!("line s{target}"), &points);
        let name = report.targets.get(target).map_or("", |it| it.name.as_str());
        for ((percentile, value), point) in facts.curve.iter().zip(points) {
            if [50.0, 90.0, 99.0, 99.9, 100.0].contains(percentile) {
                let told = format!("{name}: {percentile} % within {} ms", millis(*value));
                chart.mark(target, point, &told);
            }
        }
    }
    chart.finish("Latency by percentile, a line for each target; the table has the numbers.")
}

/// A histogram for each target, below each other on one scale.
pub(super) fn histograms(report: &Report, lag: usize, class: usize) -> String {
    const ROW: f64 = 30.0;
    let all: Vec<_> = classes(report, lag, class).collect();
    let mut chart = Chart::new(WIDTH, ROW * all.len() as f64 + 60.0);
    chart.plot.left = 140.0;
    let ends = all.iter().flat_map(|(_, facts)| {
        let first = facts.bars.first().map(|it| it.0);
        let last = facts.bars.last().map(|it| it.0 * 1.26);
        first.into_iter().chain(last)
    });
    let scale = Scale::log(ends);
    chart.x_axis(scale, "milliseconds; the mark is the median");
    for (row, (target, facts)) in all.into_iter().enumerate() {
        let bottom = chart.plot.top + ROW * (row as f64 + 1.0);
        let name = report.targets.get(target).map_or("", |it| it.name.as_str());
        let place = (chart.plot.left - 8.0, bottom - 7.0);
        chart.text(&format!("tick end s{target}"), place, name);
        let most = facts.bars.iter().map(|it| it.1).max().unwrap_or(1) as f64;
        for (from, count) in &facts.bars {
            let left = chart.plot.x(scale.at(*from));
            let right = chart.plot.x(scale.at(from * 10_f64.powf(0.1)));
            let height = (*count as f64 / most * (ROW - 6.0)).max(1.0);
            let size = ((right - left - 0.5).max(0.5), height);
            chart.bar(&format!("bar s{target}"), (left, bottom - height), size);
        }
        let base = (chart.plot.left, bottom);
        chart.line("base", base, (chart.plot.right, bottom));
        let median = chart.plot.x(scale.at(facts.response.p50));
        let told = format!("{name}: median {} ms", millis(facts.response.p50));
        chart.mark(target, (median, bottom), &told);
    }
    chart.finish(
        "How often which latency was met, a row for each target; the table has the numbers.",
    )
}

/// Every measurement in its order, and the lag that was there.
pub(super) fn timeline(report: &Report) -> String {
    let mut chart = Chart::new(WIDTH * 2.0, 380.0);
    let whole = chart.plot;
    chart.plot.bottom = 240.0;
    let ends = report.slices.iter().map(|slice| slice.at_s);
    let x = Scale::Linear {
        from: ends.clone().fold(f64::INFINITY, f64::min).min(1e9),
        to: ends.fold(1.0, f64::max) + report.plan.duration_s + report.plan.warm_up_s,
    };
    let y = Scale::log(report.slices.iter().flat_map(|it| [it.p50, it.p99]));
    chart.y_axis(y, label);
    chart.text(
        "title",
        (chart.plot.left, 10.0),
        "reads, from median (mark) to 99th percentile, in ms",
    );
    let mut round = None;
    for slice in &report.slices {
        let at = slice.at_s + report.plan.warm_up_s + report.plan.duration_s / 2.0;
        let place = chart.plot.x(x.at(at));
        if round.replace(slice.round) != Some(slice.round) {
            let start = chart.plot.x(x.at(slice.at_s));
            chart.line("round", (start, whole.top), (start, whole.bottom));
            let text = format!("round {}", slice.round + 1);
            chart.text("tick", (start + 4.0, whole.top + 10.0), &text);
        }
        let low = chart.plot.y(y.at(slice.p50));
        let high = chart.plot.y(y.at(slice.p99));
        let class = format!("bound s{}", slice.target);
        chart.line(&class, (place, low), (place, high));
        let name = report.targets.get(slice.target);
        let name = name.map_or("", |target| target.name.as_str());
        let told = format!(
            "{name}, lag {}, round {}: p50 {} ms, p99 {} ms, {} stale, {} errors",
            report.lag_name(slice.lag),
            slice.round + 1,
            millis(slice.p50),
            millis(slice.p99),
            slice.stale,
            slice.errors
        );
        chart.mark(slice.target, (place, low), &told);
    }
    chart.plot = whole;
    chart.plot.top = 272.0;
    let lag = Scale::linear(report.lags.iter().map(|it| it.1));
    chart.y_axis(lag, label);
    chart.text(
        "title",
        (whole.left, 266.0),
        "the furthest reader's lag as measured, in seconds",
    );
    let points: Vec<_> = thinned(&report.lags)
        .map(|(at, value)| (chart.plot.x(x.at(at)), chart.plot.y(lag.at(value))))
        .collect();
    chart.path("lag", &points);
    chart.x_axis(x, "seconds since the start");
    chart.finish("Every measurement in its order, and the lag of the readers over the same time.")
}

/// No more points than can be seen, each the largest of its stretch.
fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    let each = points.len().div_ceil(800).max(1);
    points.chunks(each).filter_map(|chunk| {
        let largest = chunk.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        largest.copied()
    })
}
