//! The tables of the page.

use std::fmt::Write as _;

use super::chart::escape;
use super::html::swatch;
use super::model::{Cell, Report};
use super::text::{base_name, millis, percent, ratio};

fn cells(report: &Report, lag: usize) -> impl Iterator<Item = (&Cell, &str)> {
    (0..report.targets.len()).filter_map(move |target| {
        let name = report.targets.get(target)?.name.as_str();
        Some((report.cell(lag, target)?, name))
    })
}

/// Everything that the plots show of one lag.
pub(super) fn numbers(report: &Report, lag: usize, class: usize) -> String {
    let mut text = "<section class=\"card wide\"><table>\n<thead><tr><th>target</th>".to_owned();
    let base = format!("p50 to {}", base_name(report));
    let heads = [
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        &base,
        "write p50",
        "stale",
        "oldest miss",
        "backwards",
        "errors",
        "on readers",
        "writer q/s",
    ];
    for head in heads {
        // Writing to a string can't fail; so below.
        let _ = write!(text, "<th scope=\"col\">{}</th>", escape(head));
    }
    text += "</tr></thead>\n<tbody>\n";
    for (cell, name) in cells(report, lag) {
        let _ = write!(
            text,
            "<tr class=\"s{}\"><td>{}{}</td>",
            cell.target,
            swatch(cell.target),
            escape(name)
        );
        for (bad, value) in row(cell, class) {
            let class = if bad { " class=\"bad\"" } else { "" };
            let _ = write!(text, "<td{class}>{value}</td>");
        }
        text += "</tr>\n";
    }
    text + "</tbody></table></section>\n"
}

/// Values, and whether each is bad.
fn row(cell: &Cell, class: usize) -> Vec<(bool, String)> {
    let some = |class: usize| cell.classes.get(class).filter(|facts| facts.count > 0);
    let (main, write) = (some(class), some(2));
    let show = |value: Option<f64>| value.map_or("-".to_owned(), millis);
    let errors: u64 = cell.errors.values().sum();
    let oldest = match cell.old {
        0 => "-".to_owned(),
        _ => format!("{:.2} s", cell.oldest_s),
    };
    vec![
        (false, show(main.map(|it| it.response.p50))),
        (false, show(main.map(|it| it.response.p99))),
        (false, show(main.map(|it| it.response.p999))),
        (false, show(main.map(|it| it.response.max))),
        (false, ratio(main.and_then(|it| it.p50_ratio))),
        (false, show(write.map(|it| it.response.p50))),
        (cell.stale > 0, format!("{} of {}", cell.stale, cell.reads)),
        (false, oldest),
        (cell.backwards > 0, cell.backwards.to_string()),
        (errors > 0, errors.to_string()),
        (false, percent(cell.at_readers)),
        (
            false,
            cell.writer_queries
                .map_or("-".to_owned(), |it| format!("{:.0}", it.value)),
        ),
    ]
}

/// Where Tidegate ran statements and why, and how long reads waited.
pub(super) fn reasons(report: &Report, lag: usize) -> String {
    let mut rows = String::new();
    for (cell, name) in cells(report, lag).filter(|(cell, _)| !cell.reasons.is_empty()) {
        let all: u64 = cell
            .reasons
            .iter()
            .map(|it| it.readers + it.elsewhere)
            .sum();
        let share = |count: u64| count as f64 / all.max(1) as f64 * 100.0;
        let listed = |of: fn(&super::model::ReasonFacts) -> u64| {
            let some = cell.reasons.iter().filter(|it| of(it) > 0);
            let each = some.map(|it| format!("<code>{}</code> {:.1} %", it.reason, share(of(it))));
            each.collect::<Vec<_>>().join("<br>")
        };
        let waits = cell.waits.iter().map(|it| {
            format!(
                "<code>{}</code> {} times, {} ms on average, 99 % within {} ms",
                escape(&it.reason),
                it.count,
                millis(it.mean),
                millis(it.p99)
            )
        });
        let _ = writeln!(
            rows,
            "<tr class=\"s{}\"><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            cell.target,
            swatch(cell.target),
            escape(name),
            listed(|it| it.readers),
            listed(|it| it.elsewhere),
            waits.collect::<Vec<_>>().join("<br>")
        );
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<section class=\"card wide alone\"><h3>Where Tidegate ran statements, why, and what \
         waited</h3><table class=\"words\">\n<thead><tr><th scope=\"col\">target</th><th \
         scope=\"col\">on readers, of all statements</th><th scope=\"col\">on the writer, or \
         refused</th><th scope=\"col\">waits, by what ended them</th></tr></thead>\n<tbody>\n\
         {rows}</tbody></table></section>\n"
    )
}

/// What failed.
pub(super) fn errors(report: &Report, lag: usize) -> String {
    let mut rows = String::new();
    for (cell, name) in cells(report, lag) {
        for (error, count) in &cell.errors {
            let _ = writeln!(
                rows,
                "<tr><td>{}</td><td>{}</td><td>{count}</td></tr>",
                escape(name),
                escape(error)
            );
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<section class=\"card wide alone\"><h3>Errors</h3><table class=\"words\">\n<tbody>\n\
         {rows}</tbody></table></section>\n"
    )
}
