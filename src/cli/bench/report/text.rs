//! The report as text.

use super::model::{Cell, ClassFacts, Report};
use crate::cli::bench::stats::Estimate;

/// Numbers of a table, after the name of the target.
const COLUMNS: usize = 11;

const HEAD: [&str; COLUMNS] = [
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "p50 ratio",
    "write p50",
    "stale",
    "backwards",
    "errors",
    "on readers",
    "writer q/s",
];

/// A table for each lag, and what has to be known to read it.
pub(crate) fn table(report: &Report) -> String {
    let mut text = String::new();
    let which = main_class(report);
    for lag in 0..report.plan.lags_s.len() {
        let cells: Vec<_> = (0..report.targets.len())
            .filter_map(|target| report.cell(lag, target))
            .collect();
        if cells.is_empty() {
            continue;
        }
        text += &format!("\n{}; {}\n", title(report, lag, &cells), times_of(which));
        text += &rows(report, &cells, which);
    }
    text += &format!(
        "\np50 ratio: to {}, with its 95 % interval over {} rounds. stale: reads that miss a write \
         of the same user.\n",
        base_name(report),
        report.plan.rounds
    );
    for note in notes(report) {
        text += &format!("{note}\n");
    }
    text
}

/// What a reader of the report has to know; a sentence each.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let wrong: u64 = report.cells.iter().map(|cell| cell.wrong).sum();
    if wrong > 0 {
        notes.push(format!(
            "{wrong} reads showed what they can't: another row, or a version that nobody wrote. \
             That is a bug of what answered."
        ));
    }
    let not_sent: u64 = report.cells.iter().map(|cell| cell.not_sent).sum();
    if not_sent > 0 {
        let classes = report.cells.iter().flat_map(|cell| &cell.classes);
        let answered: u64 = classes.map(|class| class.count).sum();
        let share = not_sent as f64 / (not_sent + answered) as f64 * 100.0;
        notes.push(format!(
            "{not_sent} requests ({share:.2} %) were due when a measurement ended and had not been \
             sent, since the ones before them took too long; they are in no percentile."
        ));
    }
    if report.workload.think.is_zero() {
        notes.push(
            "Without think time nothing is due at any time, so coordinated omission is not \
             corrected."
                .to_owned(),
        );
    }
    if report.interrupted {
        notes.push("The run was interrupted: this is what was complete by then.".to_owned());
    }
    notes
}

/// The class that the short table is about: reads after writes, if any were played.
pub(super) fn main_class(report: &Report) -> usize {
    let any = |class: usize| {
        let mut cells = report.cells.iter();
        cells.any(|cell| cell.classes.get(class).is_some_and(|it| it.count > 0))
    };
    (0..3).find(|class| any(*class)).unwrap_or_default()
}

pub(super) fn base_name(report: &Report) -> &str {
    let base = report.targets.get(report.plan.base);
    base.map_or("", |target| target.name.as_str())
}

fn times_of(class: usize) -> &'static str {
    match class {
        0 => "reads right after the same user's write",
        1 => "reads",
        _ => "writes",
    }
}

fn title(report: &Report, lag: usize, cells: &[&Cell]) -> String {
    let measured = cells.iter().filter_map(|cell| cell.lag_measured_s);
    let (median, most) = measured.fold((0.0, 0.0_f64), |sum: (f64, f64), one| {
        (sum.0 + one.0, sum.1.max(one.1))
    });
    let count = cells
        .iter()
        .filter(|it| it.lag_measured_s.is_some())
        .count();
    let found = match count {
        0 => String::new(),
        _ => format!(
            " (measured: about {:.2} s, at most {most:.2} s)",
            median / count as f64
        ),
    };
    format!("Lag {}{found}", report.lag_name(lag))
}

fn rows(report: &Report, cells: &[&Cell], class: usize) -> String {
    let mut rows = vec![(String::new(), HEAD.map(str::to_owned))];
    for cell in cells {
        let name = report.targets.get(cell.target);
        let name = name.map_or(String::new(), |target| target.name.clone());
        rows.push((name, numbers(cell, class)));
    }
    let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut widths = [0; COLUMNS];
    for (_, numbers) in &rows {
        for (width, number) in widths.iter_mut().zip(numbers) {
            *width = number.chars().count().max(*width);
        }
    }
    let line = |(name, numbers): &(String, [String; COLUMNS])| {
        let cells = numbers.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("  {cell:>width$}"));
        format!("{name:<first$}{}\n", cells.collect::<String>())
    };
    rows.iter().map(line).collect()
}

fn numbers(cell: &Cell, class: usize) -> [String; COLUMNS] {
    let empty = |class: &&ClassFacts| class.count > 0;
    let class = cell.classes.get(class).filter(empty);
    let time = |of: fn(&ClassFacts) -> f64| class.map_or("-".to_owned(), |it| millis(of(it)));
    let write = cell.classes.get(2).filter(empty);
    [
        time(|it| it.response.p50),
        time(|it| it.response.p99),
        time(|it| it.response.p999),
        time(|it| it.response.max),
        ratio(class.and_then(|it| it.p50_ratio)),
        write.map_or("-".to_owned(), |it| millis(it.response.p50)),
        format!("{} of {}", cell.stale, cell.reads),
        cell.backwards.to_string(),
        cell.errors.values().sum::<u64>().to_string(),
        percent(cell.at_readers),
        cell.writer_queries
            .map_or("-".to_owned(), |it| format!("{:.0}", it.value)),
    ]
}

/// With as many digits as say something.
pub(super) fn millis(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

pub(super) fn ratio(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(Estimate {
            value,
            interval: None,
        }) => format!("{value:.2}"),
        Some(Estimate {
            value,
            interval: Some((low, high)),
        }) => format!("{value:.2} ({low:.2}–{high:.2})"),
    }
}

pub(super) fn percent(estimate: Option<Estimate>) -> String {
    let percent = |value: f64| format!("{:.0}", value * 100.0);
    match estimate {
        None => "-".to_owned(),
        Some(Estimate {
            value,
            interval: None,
        }) => format!("{} %", percent(value)),
        Some(Estimate {
            value,
            interval: Some((low, high)),
        }) => match percent(low) == percent(high) {
            true => format!("{} %", percent(value)),
            false => format!("{} % ({}–{})", percent(value), percent(low), percent(high)),
        },
    }
}
