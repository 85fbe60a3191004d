//! The report as a page: the tables as they are printed, and each comparison as bars.

use std::fmt::Write;

use crate::ratio::Ratio;
use crate::report::{Comparison, Report};
use crate::{Error, Options};

/// Width of a ratio of one, in pixels.
const ONE: f64 = 240.0;

/// Wider bars are cut.
const MOST: f64 = 2.5;

const ROW: f64 = 22.0;
const LEFT: f64 = 110.0;

/// One page, which needs nothing else.
///
/// # Errors
/// None that a string gives.
pub(crate) fn page(report: &Report, options: &Options) -> Result<String, Error> {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tidegate side by side</title>\
         <style>body{font:15px sans-serif;margin:2em auto;max-width:60em}svg{display:block}\
         .bar{fill:#3b7dd8}.span{stroke:#222;stroke-width:1.5}.one{stroke:#b33;stroke-dasharray:4}\
         pre{background:#f4f4f4;padding:1em;overflow:auto}</style><h1>Tidegate side by side</h1>\
         <p>Ratios of what was measured in the same round: the bar is the median, the line where it \
         lies in 95 of 100 draws of the rounds. At the dashed line both are the same; of QPS more is \
         better, of the others less.</p>",
    );
    for it in report.comparisons() {
        write!(page, "<h2>{}</h2>{}", it.title, bars(&it)?)?;
    }
    write!(
        page,
        "<h2>Figures</h2><pre>{}</pre></html>",
        report.text(options)?
    )?;
    Ok(page)
}

fn bars(comparison: &Comparison) -> Result<String, Error> {
    let height = ROW * 4.0;
    let width = LEFT + ONE * MOST + 60.0;
    let mut svg = format!("<svg width=\"{width}\" height=\"{height}\" role=\"img\">");
    let mut top = 0.0;
    for (what, ratio) in &comparison.ratios {
        svg.push_str(&bar(what, *ratio, top)?);
        top += ROW;
    }
    let one = LEFT + ONE;
    write!(
        svg,
        "<line class=\"one\" x1=\"{one}\" x2=\"{one}\" y1=\"0\" y2=\"{height}\"/></svg>"
    )?;
    Ok(svg)
}

fn bar(what: &str, ratio: Ratio, top: f64) -> Result<String, Error> {
    let mut svg = String::new();
    let (baseline, middle) = (top + ROW * 0.7, top + ROW / 2.0);
    write!(svg, "<text x=\"0\" y=\"{baseline}\">{what}</text>")?;
    if ratio.median.is_nan() {
        write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{baseline}\">not measured</text>"
        )?;
        return Ok(svg);
    }
    let wide = |value: f64| value.clamp(0.0, MOST) * ONE;
    let (from, to) = ratio.between;
    write!(
        svg,
        "<rect class=\"bar\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\
         <line class=\"span\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>\
         <text x=\"{:.1}\" y=\"{baseline}\">{:.2}</text>",
        top + 3.0,
        wide(ratio.median),
        ROW - 6.0,
        LEFT + wide(from),
        LEFT + wide(to),
        LEFT + wide(to.max(ratio.median)) + 6.0,
        ratio.median
    )?;
    Ok(svg)
}
