//! The report as it stands in JSON. Times are milliseconds unless their name says otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cli::bench::stats::Estimate;
use crate::cli::bench::workload::Workload;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The version of Tidegate.
    pub(crate) tidegate: String,
    /// When it began, in UTC.
    pub(crate) began: String,
    /// How long it took, in seconds.
    pub(crate) took_s: f64,
    /// Whether it was ended before its time: then it has what was complete.
    pub(crate) interrupted: bool,
    /// What it ran on.
    pub(crate) cluster: ClusterFacts,
    /// What was played.
    pub(crate) workload: Workload,
    /// How it was measured.
    pub(crate) plan: PlanFacts,
    /// The roads.
    pub(crate) targets: Vec<TargetFacts>,
    /// For each lag and each target what was found; those that were not reached are missing.
    pub(crate) cells: Vec<Cell>,
    /// Every single measurement, in its order.
    pub(crate) slices: Vec<SliceFacts>,
    /// How far the readers were behind over the run: seconds since its start, seconds of lag.
    pub(crate) lags: Vec<(f64, f64)>,
}

/// What it ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClusterFacts {
    /// Whether it was a throwaway cluster of this program's.
    pub(crate) lab: bool,
    /// Whose servers, and of which version.
    pub(crate) product: String,
    /// How many readers.
    pub(crate) readers: usize,
    /// The machine that this program ran on.
    pub(crate) machine: String,
}

/// How it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlanFacts {
    /// The command line.
    pub(crate) command: String,
    /// How far the readers were kept behind, in seconds; one entry without a number: as they were.
    pub(crate) lags_s: Vec<Option<f64>>,
    /// How often everything was measured.
    pub(crate) rounds: usize,
    /// How long each measurement took, in seconds.
    pub(crate) duration_s: f64,
    /// What came before it and is not counted, in seconds.
    pub(crate) warm_up_s: f64,
    /// What ratios relate to: the position among the targets.
    pub(crate) base: usize,
}

/// A road.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TargetFacts {
    /// Its name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) meaning: String,
}

/// One target at one lag, over all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// The position among the lags.
    pub(crate) lag: usize,
    /// The position among the targets.
    pub(crate) target: usize,
    /// Rounds that are in it.
    pub(crate) rounds: usize,
    /// How far the furthest reader was behind, in seconds: the median, and the most.
    pub(crate) lag_measured_s: Option<(f64, f64)>,
    /// The classes of statements, in the order of `CLASSES`.
    pub(crate) classes: Vec<ClassFacts>,
    /// Reads answered.
    pub(crate) reads: u64,
    /// Reads that miss a write of the same user.
    pub(crate) stale: u64,
    /// Their share of the reads.
    pub(crate) stale_share: Option<Estimate>,
    /// Reads that miss an acknowledged write of anybody.
    pub(crate) old: u64,
    /// How long the oldest such write had been there, in seconds.
    pub(crate) oldest_s: f64,
    /// Reads that show less than the same user has seen.
    pub(crate) backwards: u64,
    /// Reads that show what they can't.
    pub(crate) wrong: u64,
    /// What failed, by its error.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Requests that were due and never sent.
    pub(crate) not_sent: u64,
    /// The share of reads that readers answered, where that can be told.
    pub(crate) at_readers: Option<Estimate>,
    /// Statements that the writer got, each second, from everybody.
    pub(crate) writer_queries: Option<Estimate>,
    /// Processor time of the writer's process, as a share of one core; in a lab.
    pub(crate) writer_cpu: Option<Estimate>,
    /// Where Tidegate ran statements and why.
    pub(crate) reasons: Vec<ReasonFacts>,
    /// How long reads waited in Tidegate, by the reason that ended it.
    pub(crate) waits: Vec<WaitFacts>,
}

/// One class of statements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassFacts {
    /// Its name.
    pub(crate) name: String,
    /// Statements answered.
    pub(crate) count: u64,
    /// From when the request was due.
    pub(crate) response: Latency,
    /// From when the statement was sent.
    pub(crate) service: Latency,
    /// The median response over that of the base, in the same round.
    pub(crate) p50_ratio: Option<Estimate>,
    /// The same of the 99th percentile.
    pub(crate) p99_ratio: Option<Estimate>,
    /// Percentiles of the response, for plots.
    pub(crate) curve: Vec<(f64, f64)>,
    /// How many responses took from so long up to a tenth of a decade longer.
    pub(crate) bars: Vec<(f64, u64)>,
}

/// Percentiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// Statements of one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReasonFacts {
    /// The reason, as in the metrics.
    pub(crate) reason: String,
    /// At readers.
    pub(crate) readers: u64,
    /// At the writer, or refused.
    pub(crate) elsewhere: u64,
}

/// Waits of one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitFacts {
    /// What ended them.
    pub(crate) reason: String,
    /// How many.
    pub(crate) count: u64,
    /// Their mean.
    pub(crate) mean: f64,
    /// Half of them, and 99 of 100, were not longer than this bound of a bucket.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SliceFacts {
    /// When it began, in seconds since the start of the run.
    pub(crate) at_s: f64,
    pub(crate) round: usize,
    pub(crate) lag: usize,
    pub(crate) target: usize,
    /// Responses of reads.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Statements answered each second.
    pub(crate) rate: f64,
    pub(crate) stale: u64,
    pub(crate) errors: u64,
}

impl Report {
    /// What was found for one target at one lag.
    pub(crate) fn cell(&self, lag: usize, target: usize) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.lag == lag && cell.target == target)
    }

    /// The name of a lag.
    pub(crate) fn lag_name(&self, lag: usize) -> String {
        match self.plan.lags_s.get(lag).copied().flatten() {
            Some(secs) => format!("{secs} s"),
            None => "as it is".to_owned(),
        }
    }
}
