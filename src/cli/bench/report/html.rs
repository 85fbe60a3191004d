//! The report as a page: one file, without a script, that loads nothing.

use std::fmt::Write as _;

use super::chart::{escape, form};
use super::model::{Cell, Report};
use super::plots::{self, Kind, Of};
use super::tables;
use super::text::{main_class, notes};
use crate::cli::bench::stats::Estimate;

const STYLE: &str = include_str!("style.css");

/// Colours of the style sheet; more targets begin again, with other forms.
const COLOURS: usize = 10;

/// The whole page.
pub(crate) fn page(report: &Report) -> String {
    let count = report.targets.len();
    let title = "What replication lag costs";
    let body = [
        head(report, title),
        key(report),
        against_lag(report),
        by_lag(report),
        timeline(report),
        method(report),
    ];
    let style = STYLE.replace("SERIES\n", &series(count, report.plan.lags_s.len()));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\">\n<title>{title} - Tidegate</title>\n<style>\n{style}</style>\n\
         </head>\n<body>\n{}</body>\n</html>\n",
        body.concat()
    )
}

/// What each target and each lag needs of the style sheet.
fn series(targets: usize, lags: usize) -> String {
    let mut css = String::new();
    for target in 0..targets {
        let colour = target % COLOURS;
        let dash = ["none", "7 3", "2 3"]
            .get(target / 5 % 3)
            .unwrap_or(&"none");
        // Writing to a string can't fail; so below.
        let _ = writeln!(
            css,
            ".line.s{target}, .bound.s{target} {{ stroke: var(--s{colour}); }} .line.s{target} {{ \
             stroke-dasharray: {dash}; }} .mark.s{target}, .bar.s{target}, text.s{target} {{ fill: \
             var(--s{colour}); }}\nbody:has(#show{target}:not(:checked)) :is(.line, .bound, .mark, \
             .bar, text, tr).s{target} {{ display: none; }}"
        );
    }
    for lag in 0..lags {
        let _ = writeln!(css, "#lag{lag}:checked ~ .panel{lag} {{ display: block; }}");
    }
    css
}

fn head(report: &Report, title: &str) -> String {
    let workload = &report.workload;
    let mut text = format!(
        "<header>\n<h1>{title}</h1>\n<p class=\"soft\">The workload <b>{}</b>: {} users on {}, \
         against {} readers. {} {}, measured on {}.</p>\n",
        escape(&workload.name),
        workload.threads,
        match workload.pool {
            0 => "a connection each".to_owned(),
            size => format!("a pool of {size} connections"),
        },
        report.cluster.readers,
        escape(&report.cluster.product),
        if report.cluster.lab {
            "in a lab"
        } else {
            "as it was"
        },
        escape(report.began.get(..10).unwrap_or_default()),
    );
    for note in notes(report) {
        let _ = writeln!(text, "<p class=\"warn\">{}</p>", escape(&note));
    }
    text + "</header>\n<main>\n"
}

/// The legend of all plots, which also hides a target.
fn key(report: &Report) -> String {
    let mut text = "<nav class=\"key\" aria-label=\"Targets shown\">\n".to_owned();
    for (target, facts) in report.targets.iter().enumerate() {
        let _ = writeln!(
            text,
            "<label title=\"{}\"><input type=\"checkbox\" id=\"show{target}\" checked>{} {}</label>",
            escape(&facts.meaning),
            swatch(target),
            escape(&facts.name)
        );
    }
    text + "</nav>\n"
}

/// A target's mark beside its name.
pub(super) fn swatch(target: usize) -> String {
    format!(
        "<svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><g class=\"mark s{target}\" \
         style=\"display:inline\">{}</g></svg>",
        form(target, (7.0, 7.0), 5.5)
    )
}

fn card(title: &str, body: &str) -> String {
    format!(
        "<section class=\"card\"><h3>{}</h3>{body}</section>\n",
        escape(title)
    )
}

fn plain(value: f64) -> Option<Estimate> {
    Some(Estimate {
        value,
        interval: None,
    })
}

/// A percentile of a class's responses; none without any.
fn response(cell: &Cell, class: usize, of: fn(&super::model::Latency) -> f64) -> Option<Estimate> {
    let facts = cell.classes.get(class).filter(|facts| facts.count > 0)?;
    plain(of(&facts.response))
}

fn against_lag(report: &Report) -> String {
    let mut text =
        "<h2>Latency against lag</h2>\n<p class=\"soft\">From when a request was due to \
                    its answer, in milliseconds, on a scale of ratios. Targets can be hidden \
                    above.</p>\n<div class=\"cards\">\n"
            .to_owned();
    let names = [
        "Reads right after the same user's write",
        "Other reads",
        "Writes",
    ];
    for (class, name) in names.into_iter().enumerate() {
        let any = |cell: &Cell| response(cell, class, |it| it.p50).is_some();
        if !report.cells.iter().any(any) {
            continue;
        }
        let of: [(&str, Of<'_>); 2] = [
            ("median", &|cell| response(cell, class, |it| it.p50)),
            ("99th percentile", &|cell| {
                response(cell, class, |it| it.p99)
            }),
        ];
        for (which, of) in of {
            let title = format!("{name}: {which}");
            let told = format!("{title} against lag; the tables have the numbers.");
            text += &card(&title, &plots::against_lag(report, Kind::Millis, &told, of));
        }
    }
    text += "</div>\n<h2>What it gives and what it gets wrong</h2>\n<div class=\"cards\">\n";
    let plots: [(&str, Kind, Of<'_>); 3] = [
        ("Share of reads on readers", Kind::Share, &|cell| {
            cell.at_readers
        }),
        (
            "Stale reads: those that miss a write of the same user",
            Kind::Share,
            &|cell| cell.stale_share,
        ),
        (
            "Statements that the writer gets, each second, from all",
            Kind::Count,
            &|cell| cell.writer_queries,
        ),
    ];
    for (title, kind, of) in plots {
        let told = format!("{title}, against lag; the tables have the numbers.");
        text += &card(title, &plots::against_lag(report, kind, &told, of));
    }
    if report.cells.iter().any(|cell| cell.writer_cpu.is_some()) {
        let title = "Processor time of the writer's process, of one core";
        let of: Of<'_> = &|cell| cell.writer_cpu;
        let told = format!("{title}, against lag.");
        text += &card(title, &plots::against_lag(report, Kind::Percent, &told, of));
    }
    text + "</div>\n<p class=\"soft\">Thin lines are 95 % intervals over the rounds.</p>\n"
}

fn by_lag(report: &Report) -> String {
    let class = main_class(report);
    let name = [
        "reads right after the same user's write",
        "other reads",
        "writes",
    ];
    let name = name.get(class).copied().unwrap_or_default();
    let mut text = "<h2>Lag by lag</h2>\n<div class=\"tabs\">\n".to_owned();
    let lags: Vec<_> = (0..report.plan.lags_s.len())
        .filter(|lag| report.cells.iter().any(|cell| cell.lag == *lag))
        .collect();
    // The one at which most people will look: the first of a second or more.
    let first = lags.iter().find(|lag| {
        let secs = report.plan.lags_s.get(**lag).copied().flatten();
        secs.is_some_and(|secs| secs >= 1.0)
    });
    let first = first.or(lags.last()).copied();
    for lag in &lags {
        let checked = if Some(*lag) == first { " checked" } else { "" };
        let _ = writeln!(
            text,
            "<input type=\"radio\" name=\"lag\" id=\"lag{lag}\"{checked}><label \
             for=\"lag{lag}\">{}</label>",
            report.lag_name(*lag)
        );
    }
    for lag in lags {
        let _ = writeln!(text, "<div class=\"panel panel{lag}\">");
        text += &tables::numbers(report, lag, class);
        text += "<div class=\"cards\" style=\"margin-top:1rem\">\n";
        let percentiles = plots::percentiles(report, lag, class);
        text += &card(&format!("Percentiles of {name}"), &percentiles);
        let histograms = plots::histograms(report, lag, class);
        text += &card(&format!("Histograms of {name}"), &histograms);
        text += "</div>\n";
        text += &tables::reasons(report, lag);
        text += &tables::errors(report, lag);
        text += "</div>\n";
    }
    text + "</div>\n"
}

fn timeline(report: &Report) -> String {
    format!(
        "<h2>Timeline</h2>\n<p class=\"soft\">Each measurement in its order: targets take turns, \
         so that what else the machine does hits all of them.</p>\n<section class=\"card wide\">\
         {}</section>\n",
        plots::timeline(report)
    )
}

fn method(report: &Report) -> String {
    let (plan, workload) = (&report.plan, &report.workload);
    let mut text = "<h2>How it was measured</h2>\n<section class=\"card\"><dl>\n".to_owned();
    let mut entry = |name: &str, value: String| {
        let _ = writeln!(text, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    };
    entry("Begun", report.began.clone());
    entry("Took", format!("{:.0} s", report.took_s));
    entry("Tidegate", report.tidegate.clone());
    entry("Machine", report.cluster.machine.clone());
    entry(
        "Rounds",
        format!(
            "{}, each of {} s for each target and lag, after {} s that do not count",
            plan.rounds, plan.duration_s, plan.warm_up_s
        ),
    );
    entry(
        "Workload",
        format!(
            "{} users, a request each {} ms; {} % write, {} % of the writes are read back at once, \
             {} % of the other reads are of the user's own last row; {} rows, skew {}; {}{}",
            workload.threads,
            workload.think.as_secs_f64() * 1e3,
            label_percent(workload.writes),
            label_percent(workload.read_back),
            label_percent(workload.own),
            workload.rows,
            workload.skew,
            match workload.form {
                crate::cli::bench::workload::Form::Text => "text",
                crate::cli::bench::workload::Form::Prepared => "prepared statements",
            },
            if workload.reset {
                "; connections are reset when they are lent"
            } else {
                ""
            }
        ),
    );
    text += "<dt>Again</dt><dd><code>";
    text += &escape(&plan.command);
    text += "</code></dd>\n</dl></section>\n";
    text += "<section class=\"card alone\"><h3>Targets</h3><dl>\n";
    for target in &report.targets {
        let (name, meaning) = (escape(&target.name), escape(&target.meaning));
        let _ = writeln!(text, "<dt>{name}</dt><dd>{meaning}</dd>");
    }
    text + "</dl></section>\n<p class=\"soft\">A user sends its requests at fixed times. One that \
            is late because the one before it was slow counts from when it was due, so a slow road \
            can't hide behind the requests that it kept from being sent (coordinated omission). \
            Ratios pair what ran in the same round.</p>\n</main>\n"
}

fn label_percent(share: f64) -> String {
    super::axis::label(share * 100.0)
}
