//! Estimates from few rounds. Pure.
//!
//! The requests of one round are not independent of each other, so a round counts as one sample,
//! and an interval is Student's t over the rounds. A ratio pairs what ran in the same round, so
//! what the machine did meanwhile falls out of it.

use serde::{Deserialize, Serialize};

/// A value with its 95 % confidence interval, if there were rounds enough for one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Estimate {
    /// The mean; of ratios the geometric one.
    pub(super) value: f64,
    /// From and to.
    pub(super) interval: Option<(f64, f64)>,
}

/// The mean of samples, one for each round; none without any.
pub(super) fn mean(samples: &[f64]) -> Option<Estimate> {
    let count = samples.len() as f64;
    let value = (!samples.is_empty()).then(|| samples.iter().sum::<f64>() / count)?;
    if samples.len() < 2 {
        return Some(Estimate {
            value,
            interval: None,
        });
    }
    let square: f64 = samples.iter().map(|sample| (sample - value).powi(2)).sum();
    let error = (square / (count - 1.0) / count).sqrt();
    let half = quantile(samples.len() - 1) * error;
    Some(Estimate {
        value,
        interval: Some((value - half, value + half)),
    })
}

/// The mean of shares, whose interval can't leave 0 to 1.
pub(super) fn share(samples: &[f64]) -> Option<Estimate> {
    let estimate = mean(samples)?;
    let clamp = |(low, high): (f64, f64)| (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
    Some(Estimate {
        interval: estimate.interval.map(clamp),
        ..estimate
    })
}

/// The ratio of paired samples, over those where both are there and above 0.
pub(super) fn ratio(pairs: &[(f64, f64)]) -> Option<Estimate> {
    let pairs = pairs.iter().filter(|(one, base)| *one > 0.0 && *base > 0.0);
    let logs: Vec<_> = pairs.map(|(one, base)| (one / base).ln()).collect();
    let estimate = mean(&logs)?;
    Some(Estimate {
        value: estimate.value.exp(),
        interval: estimate.interval.map(|(low, high)| (low.exp(), high.exp())),
    })
}

/// The 97.5 % quantile of Student's t.
fn quantile(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    let place = freedom.saturating_sub(1);
    TABLE.get(place).copied().unwrap_or(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
    }

    #[test]
    fn the_interval_is_students() {
        // Mean 4, standard deviation 2, so 4 ± 3.182 × 2 / √4.
        let found = mean(&[2.0, 3.0, 4.0, 7.0]).unwrap();
        close(found.value, 4.0);
        let (low, high) = found.interval.unwrap();
        let half = 3.182 * (14.0_f64 / 3.0).sqrt() / 2.0;
        close(low, 4.0 - half);
        close(high, 4.0 + half);
    }

    #[test]
    fn one_round_has_no_interval_and_none_has_no_value() {
        assert_eq!(mean(&[3.0]).unwrap().interval, None);
        assert_eq!(mean(&[]), None);
        assert_eq!(ratio(&[]), None);
    }

    #[test]
    fn a_ratio_takes_out_what_hits_both_of_a_pair() {
        // The machine slows down tenfold between the rounds; the ratio stays.
        let found = ratio(&[(2.0, 1.0), (20.0, 10.0), (200.0, 100.0)]).unwrap();
        close(found.value, 2.0);
        let (low, high) = found.interval.unwrap();
        close(low, 2.0);
        close(high, 2.0);
        let both_ways = ratio(&[(2.0, 1.0), (1.0, 2.0)]).unwrap();
        close(both_ways.value, 1.0);
    }

    #[test]
    fn a_pair_that_lacks_one_is_left_out() {
        close(ratio(&[(3.0, 1.0), (5.0, 0.0)]).unwrap().value, 3.0);
        assert_eq!(ratio(&[(5.0, 0.0)]), None);
    }

    #[test]
    fn the_interval_of_a_share_stays_within_0_and_1() {
        let (low, high) = share(&[0.0, 0.0, 0.1]).unwrap().interval.unwrap();
        close(low, 0.0);
        assert!(high < 1.0);
        let (_, high) = share(&[1.0, 0.9, 1.0]).unwrap().interval.unwrap();
        close(high, 1.0);
    }

    #[test]
    fn more_rounds_narrow_the_interval() {
        let width = |rounds: u8| {
            let samples: Vec<_> = (0..rounds).map(|n| f64::from(n % 2)).collect();
            let (low, high) = mean(&samples).unwrap().interval.unwrap();
            high - low
        };
        assert!(width(4) > width(8) && width(8) > width(40));
    }
}
