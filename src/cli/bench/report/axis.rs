//! Scales and their ticks.

/// From values to places between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Equal steps.
    Linear { from: f64, to: f64 },
    /// Equal ratios; both are above 0.
    Log { from: f64, to: f64 },
}

impl Scale {
    /// From 0 to a round number above all values.
    pub(super) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let most = values.into_iter().fold(0.0, f64::max);
        let step = step(most);
        let to = ((most / step).ceil() * step).max(step);
        Self::Linear { from: 0.0, to }
    }

    /// Around all values that are above 0.
    pub(super) fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let all: Vec<f64> = values.into_iter().filter(|value| *value > 0.0).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let most = all.iter().copied().fold(0.0, f64::max);
        match all.is_empty() {
            true => Self::Log {
                from: 0.1,
                to: 10.0,
            },
            false => Self::Log {
                from: least / 1.25,
                to: most * 1.25,
            },
        }
    }

    /// Where a value lies.
    pub(super) fn at(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { from, to } => (value.max(from) / from).ln() / (to / from).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// Round numbers to show: 3 to 12 or so.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { from, to } => {
                let step = step(to);
                let inside = (0..=12).map(|n| f64::from(n) * step);
                inside
                    .filter(|tick| *tick >= from && *tick <= to * 1.0001)
                    .collect()
            }
            Self::Log { from, to } => {
                let decades = (to / from).log10();
                let digits: &[f64] = match decades {
                    many if many > 3.0 => &[1.0],
                    some if some > 1.5 => &[1.0, 3.0],
                    _ => &[1.0, 2.0, 5.0],
                };
                let all = (-5..=6).flat_map(|power| {
                    let digits = digits.iter();
                    digits.map(move |digit| digit * 10_f64.powi(power))
                });
                all.filter(|tick| *tick >= from && *tick <= to).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, of which 4 to 10 make up a number.
fn step(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf((most / 4.0).log10().floor());
    let fitting = [5.0, 2.0, 1.0]
        .into_iter()
        .find(|digit| most / (digit * power) >= 4.0);
    fitting.unwrap_or(1.0) * power
}

/// A tick's label: as few digits as tell it from its neighbours.
pub(super) fn label(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match value {
        value if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_within_the_scale() {
        for most in [0.003, 0.5, 1.0, 3.7, 60.0, 99.0, 8123.0] {
            let scale = Scale::linear([most]);
            let ticks = scale.ticks();
            assert!((4..=12).contains(&ticks.len()), "{most}: {ticks:?}");
            assert!(
                ticks
                    .iter()
                    .all(|tick| (0.0..=1.0).contains(&scale.at(*tick)))
            );
            assert!(
                ticks.last().is_some_and(|last| *last >= most),
                "{most}: {ticks:?}"
            );
        }
        for (least, most) in [(0.3, 0.5), (0.1, 9.0), (0.05, 200.0), (0.01, 60_000.0)] {
            let ticks = Scale::log([least, most]).ticks();
            assert!((1..=8).contains(&ticks.len()), "{least} {most}: {ticks:?}");
        }
    }

    #[test]
    fn values_lie_where_they_belong() {
        let log = Scale::Log {
            from: 1.0,
            to: 100.0,
        };
        assert!((log.at(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((log.at(0.0), log.at(1e9)), (0.0, 1.0));
        let linear = Scale::Linear { from: 0.0, to: 4.0 };
        assert!((linear.at(1.0) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.05, 0.2, 1.0, 30.0, 12_000.0].map(label);
        assert_eq!(labels, ["0.05", "0.2", "1", "30", "12k"]);
    }
}
