//! Medians of rounds, and ratios of what was measured in the same one.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// So often rounds are drawn again, to tell how far the median may be off.
const RESAMPLES: usize = 2000;

/// One figure of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    /// The median of the rounds' ratios.
    pub(crate) median: f64,
    /// Where that lies in 95 of 100 draws of the rounds.
    pub(crate) between: (f64, f64),
}

impl Ratio {
    /// A bootstrap over rounds, which repeats.
    pub(crate) fn of(rounds: Vec<f64>) -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let mut draw = || {
            let drawn = rounds
                .iter()
                .filter_map(|_| rounds.get(random.random_range(0..rounds.len())));
            median(drawn.copied().collect())
        };
        let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
        medians.sort_by(f64::total_cmp);
        let at = |thousandth: usize| {
            let place = RESAMPLES * thousandth / 1000;
            medians.get(place).copied().unwrap_or(f64::NAN)
        };
        Self {
            between: (at(25), at(975)),
            median: median(rounds),
        }
    }
}

/// NaN of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    match values.len() % 2 {
        0 => f64::midpoint(at(middle.wrapping_sub(1)), at(middle)),
        _ => at(middle),
    }
}
