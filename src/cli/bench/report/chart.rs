//! The parts that plots are drawn from, as SVG. Colours and fonts come from the page's style
//! sheet, by class, so that both schemes share one drawing.

use std::fmt::Write as _;

use super::axis::{Scale, label};

/// A drawing.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    width: f64,
    height: f64,
    body: String,
    /// The rectangle that values lie in.
    pub(super) plot: Plot,
}

/// A rectangle of a drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Plot {
    /// A place from the left, 0 to 1.
    pub(super) fn x(&self, place: f64) -> f64 {
        self.left + place * (self.right - self.left)
    }

    /// A place from the bottom, 0 to 1.
    pub(super) fn y(&self, place: f64) -> f64 {
        self.bottom - place * (self.bottom - self.top)
    }
}

/// Text as HTML has it.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            other => out.push(other),
        }
    }
    out
}

impl Chart {
    /// An empty one, with room for labels at the left and below.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
            plot: Plot {
                left: 46.0,
                right: width - 12.0,
                top: 14.0,
                bottom: height - 40.0,
            },
        }
    }

    /// Ticks, their labels and lines across for values from bottom to top.
    pub(super) fn y_axis(&mut self, scale: Scale, show: fn(f64) -> String) {
        let Plot { left, right, .. } = self.plot;
        for tick in scale.ticks() {
            let y = self.plot.y(scale.at(tick));
            self.line("grid", (left, y), (right, y));
            self.text("tick end", (left - 6.0, y + 4.0), &show(tick));
        }
    }

    /// Ticks and their labels for values from left to right.
    pub(super) fn x_axis(&mut self, scale: Scale, title: &str) {
        let Plot { top, bottom, .. } = self.plot;
        for tick in scale.ticks() {
            let x = self.plot.x(scale.at(tick));
            self.line("grid", (x, top), (x, bottom));
            self.text("tick middle", (x, bottom + 16.0), &label(tick));
        }
        self.x_title(title);
    }

    /// What the values from left to right are.
    pub(super) fn x_title(&mut self, title: &str) {
        let place = (
            f64::midpoint(self.plot.left, self.plot.right),
            self.height - 6.0,
        );
        self.text("title middle", place, title);
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        // Writing to a string can't fail; so below.
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// A line through points.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// A rectangle.
    pub(super) fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"/>"
        );
    }

    /// A series' mark, of a form of its own, with what is shown when somebody points at it.
    pub(super) fn mark(&mut self, series: usize, (x, y): (f64, f64), told: &str) {
        let _ = write!(
            self.body,
            "<g class=\"mark s{series}\"><title>{}</title>{}</g>",
            escape(told),
            form(series, (x, y), 4.5)
        );
    }

    /// A text.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(text)
        );
    }

    /// The whole; `told` says what is to be seen, for those who do not see it.
    pub(super) fn finish(self, told: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            self.width,
            self.height,
            escape(told),
            self.body
        )
    }
}

/// Forms differ as well as colours, for those who do not see the colours.
pub(super) fn form(series: usize, (x, y): (f64, f64), size: f64) -> String {
    let polygon = |points: &[(f64, f64)]| {
        let points: Vec<_> = points
            .iter()
            .map(|(dx, dy)| format!("{:.1},{:.1}", x + dx * size, y + dy * size))
            .collect();
        format!("<polygon points=\"{}\"/>", points.join(" "))
    };
    match series % 5 {
        0 => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.1}\"/>",
            size * 0.9
        ),
        1 => polygon(&[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
        2 => polygon(&[(0.0, -1.1), (1.0, 0.8), (-1.0, 0.8)]),
        3 => polygon(&[(0.0, -1.2), (1.1, 0.0), (0.0, 1.2), (-1.1, 0.0)]),
        _ => polygon(&[(0.0, 1.1), (1.0, -0.8), (-1.0, -0.8)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_name_can_not_become_markup() {
        let mut chart = Chart::new(100.0, 100.0);
        chart.text("x", (0.0, 0.0), "<script>\"&");
        let svg = chart.finish("a \"b\" <c>");
        assert!(svg.contains("&lt;script&gt;&quot;&amp;"), "{svg}");
        assert!(
            svg.contains("aria-label=\"a &quot;b&quot; &lt;c&gt;\""),
            "{svg}"
        );
    }
}
