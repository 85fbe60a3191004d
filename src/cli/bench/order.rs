//! In which order is measured. Pure.

use std::time::Duration;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// From 0.
    pub(super) round: usize,
    /// The position in the lags.
    pub(super) lag: usize,
    /// The position in the targets.
    pub(super) target: usize,
}

/// All measurements of a run. Every round has every lag and every target, and the targets take
/// turns in being the first, so that what else the machine does hits all of them.
pub(super) fn slices(rounds: usize, lags: usize, targets: usize) -> Vec<Slice> {
    let in_turn = |round: usize, lag: usize| {
        (0..targets).map(move |turn| Slice {
            round,
            lag,
            target: (turn + round * lags + lag) % targets,
        })
    };
    (0..rounds)
        .flat_map(|round| (0..lags).map(move |lag| (round, lag)))
        .flat_map(|(round, lag)| in_turn(round, lag))
        .collect()
}

/// How long after a lag was set the readers are behind by it, and are known to be.
pub(super) fn settling(lag: Duration) -> Duration {
    lag + Duration::from_secs(1)
}

/// About how long a run takes.
pub(super) fn length(
    rounds: usize,
    lags: &[Duration],
    targets: usize,
    slice: Duration,
) -> Duration {
    let at = |lag: &Duration| settling(*lag) + slice * u32::try_from(targets).unwrap_or(u32::MAX);
    let round: Duration = lags.iter().map(at).sum();
    round * u32::try_from(rounds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everything_is_measured_once_in_each_round() {
        let all = slices(3, 4, 5);
        let different: HashSet<_> = all.iter().map(|it| (it.round, it.lag, it.target)).collect();
        assert_eq!((all.len(), different.len()), (60, 60));
        // Changing the lag takes time, so it changes as rarely as it can.
        let changes = all.windows(2).filter(|two| two[0].lag != two[1].lag);
        assert_eq!(changes.count(), 11);
    }

    #[test]
    fn every_target_is_the_first_at_some_time() {
        let all = slices(5, 1, 5);
        let firsts: HashSet<_> = all.iter().step_by(5).map(|it| it.target).collect();
        assert_eq!(firsts.len(), 5);
    }
}
