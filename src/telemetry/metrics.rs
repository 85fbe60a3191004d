//! Every metric, with all its children made at the start: counting is one atomic addition, without
//! a look-up.
//!
//! An index that no backend or reason has would be a bug of the caller; it is counted in a spare
//! handle that nobody sees rather than paid for with a panic.

mod build;
mod roster;
mod topology;

use std::time::Duration;

use prometheus::{Gauge, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder};

use self::roster::Hidden;
use self::topology::Topology;
use super::{ConnectionState, Direction, ErrorKind, Handover, RetryCause, Side};
use crate::slots::Slots;

/// Why the metrics could not be set up: two backends or two reasons have one name.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be set up: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// The handles of every metric of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    backends: Slots<Box<Backend>>,
    /// What each backend has.
    families: build::PerBackend,
    /// Those that were taken out.
    hidden: Hidden,
    /// The labels, by index.
    reasons: Vec<&'static str>,
    /// By reason: what reached no backend.
    refused: Vec<IntCounter>,
    mirrored: IntCounterVec,
    reads_split: IntGauge,
    topology: Topology,
    read_wait: HistogramVec,
    client_connections: IntGauge,
    client_connections_total: IntCounter,
    prepared_statements: IntGauge,
    prepared_bytes: IntGauge,
    logins_failed: IntCounter,
    logins_slowed: IntCounter,
    logins_shared: IntCounter,
    killed_statements: IntCounter,
    /// Done, refused.
    reloads: Vec<IntCounter>,
    queued_statements: IntGauge,
    /// By side, then by direction.
    bytes: Vec<IntCounter>,
    errors: Vec<IntCounter>,
    unknown_tokens: Vec<IntCounter>,
    retried_reads: Vec<IntCounter>,
    /// For indices that do not exist.
    spare: Spare,
}

/// The handles of one backend.
#[derive(Debug)]
struct Backend {
    name: String,
    /// By reason.
    statements: Vec<IntCounter>,
    lag: Gauge,
    up: IntGauge,
    /// By state.
    connections: Vec<IntGauge>,
    /// By what became of it.
    handovers: Vec<IntCounter>,
    waiting_connections: IntGauge,
    consistency_alarms: IntCounter,
    errant_gtids: IntGauge,
    waiting_reads: IntGauge,
    applies: IntGauge,
    receives: IntGauge,
    delay: Gauge,
}

/// Handles that are in no registry.
#[derive(Debug)]
struct Spare {
    counter: IntCounter,
    gauge: Gauge,
    int_gauge: IntGauge,
}

impl Metrics {
    /// Makes every handle: for the backends by their index, and for the reasons and the causes of
    /// unknown tokens (label, meaning) by theirs.
    ///
    /// # Errors
    ///
    /// If two backends or two reasons have one name.
    pub fn new(
        backend_names: &[String],
        reasons: &[(&'static str, &'static str)],
        unknown_causes: &[(&'static str, &'static str)],
    ) -> Result<Self, MetricsError> {
        Ok(build::metrics(backend_names, reasons, unknown_causes)?)
    }

    /// Counts a statement that a backend has got, with the reason why this one.
    pub fn statement(&self, backend: usize, reason: usize) {
        let handles = self
            .backends
            .get(backend)
            .map(|backend| &backend.statements);
        self.counter(handles.and_then(|reasons| reasons.get(reason)))
            .inc();
    }

    /// Counts a read that would have run on a backend, or not at once on any, were reads split; with
    /// the reason. Its samples are there once something was counted.
    pub fn mirrored(&self, backend: Option<usize>, reason: usize) {
        let name = backend.and_then(|backend| self.backends.get(backend));
        let name = name.map_or(build::NO_BACKEND, |backend| &backend.name);
        let reason = self.reasons.get(reason).copied().unwrap_or_default();
        if let Ok(counter) = self.mirrored.get_metric_with_label_values(&[name, reason]) {
            counter.inc();
        }
    }

    /// `tidegate_reads_split`: 1 while reads are split, 0 while the operator sends all of them to
    /// the writer.
    pub fn reads_split(&self) -> &IntGauge {
        &self.reads_split
    }

    /// Counts a statement that no backend has got.
    pub fn refused(&self, reason: usize) {
        self.counter(self.refused.get(reason)).inc();
    }

    /// Records how long a read waited for a backend that has what it must see, and the reason that
    /// ended it: `tidegate_read_wait_seconds`, whose samples are there once a read has waited.
    pub fn read_waited(&self, wait: Duration, reason: usize) {
        let reason = self.reasons.get(reason).copied().unwrap_or_default();
        if let Ok(histogram) = self.read_wait.get_metric_with_label_values(&[reason]) {
            histogram.observe(wait.as_secs_f64());
        }
    }

    /// `tidegate_backend_lag_seconds`: NaN while the lag is not known, as it is at the start.
    ///
    /// NaN rather than no sample: the backend stays visible, and no comparison in an alert takes
    /// an unknown lag for a small one.
    pub fn backend_lag(&self, backend: usize) -> &Gauge {
        self.backends
            .get(backend)
            .map_or(&self.spare.gauge, |backend| &backend.lag)
    }

    /// Shows how far a backend is behind; `None` is unknown.
    pub fn set_backend_lag(&self, backend: usize, lag: Option<Duration>) {
        self.backend_lag(backend)
            .set(lag.map_or(f64::NAN, |lag| lag.as_secs_f64()));
    }

    /// `tidegate_backend_up`: 1 while the monitor reaches it, else 0.
    pub fn backend_up(&self, backend: usize) -> &IntGauge {
        self.gauge(self.backends.get(backend).map(|backend| &backend.up))
    }

    /// `tidegate_backend_connections`.
    pub fn backend_connections(&self, backend: usize, state: ConnectionState) -> &IntGauge {
        let handles = self
            .backends
            .get(backend)
            .map(|backend| &backend.connections);
        self.gauge(handles.and_then(|states| states.get(state.index())))
    }

    /// `tidegate_handovers_total`.
    pub fn handovers(&self, backend: usize, outcome: Handover) -> &IntCounter {
        let handles = self.backends.get(backend).map(|backend| &backend.handovers);
        self.counter(handles.and_then(|outcomes| outcomes.get(outcome.index())))
    }

    /// `tidegate_waiting_connections`: statements and logins that wait now for a connection to this
    /// backend, since the limit on them is reached.
    pub fn waiting_connections(&self, backend: usize) -> &IntGauge {
        let found = self.backends.get(backend);
        self.gauge(found.map(|backend| &backend.waiting_connections))
    }

    /// `tidegate_consistency_alarms_total`: answers of a backend that did not cover their token.
    pub fn consistency_alarms(&self, backend: usize) -> &IntCounter {
        self.counter(
            self.backends
                .get(backend)
                .map(|backend| &backend.consistency_alarms),
        )
    }

    /// `tidegate_replication_running` and `tidegate_source_delay_seconds`: whether a reader's applier
    /// and receiver run, and how far it stays behind on purpose. All are 0 while that is not known.
    pub fn set_replication(&self, backend: usize, applies: bool, receives: bool, delay: Duration) {
        if let Some(backend) = self.backends.get(backend) {
            backend.applies.set(i64::from(applies));
            backend.receives.set(i64::from(receives));
            backend.delay.set(delay.as_secs_f64());
        }
    }

    /// `tidegate_errant_gtids`: GTIDs that only this backend has.
    pub fn errant_gtids(&self, backend: usize) -> &IntGauge {
        self.gauge(
            self.backends
                .get(backend)
                .map(|backend| &backend.errant_gtids),
        )
    }

    /// `tidegate_waiting_reads`: those that wait now until this backend has what they must see, or
    /// for their turn there.
    pub fn waiting_reads(&self, backend: usize) -> &IntGauge {
        self.gauge(
            self.backends
                .get(backend)
                .map(|backend| &backend.waiting_reads),
        )
    }

    /// `tidegate_client_connections`: those there are now.
    pub fn client_connections(&self) -> &IntGauge {
        &self.client_connections
    }

    /// `tidegate_client_connections_total`: those there have been.
    pub fn client_connections_total(&self) -> &IntCounter {
        &self.client_connections_total
    }

    /// `tidegate_prepared_statements`.
    pub fn prepared_statements(&self) -> &IntGauge {
        &self.prepared_statements
    }

    /// `tidegate_prepared_bytes`.
    pub fn prepared_bytes(&self) -> &IntGauge {
        &self.prepared_bytes
    }

    /// `tidegate_logins_failed_total`.
    pub fn logins_failed(&self) -> &IntCounter {
        &self.logins_failed
    }

    /// `tidegate_logins_shared_total`.
    pub fn logins_shared(&self) -> &IntCounter {
        &self.logins_shared
    }

    /// `tidegate_killed_statements_total`.
    pub fn killed_statements(&self) -> &IntCounter {
        &self.killed_statements
    }

    /// `tidegate_logins_slowed_total`.
    pub fn logins_slowed(&self) -> &IntCounter {
        &self.logins_slowed
    }

    /// `tidegate_reloads_total`.
    pub fn reloads(&self, done: bool) -> &IntCounter {
        self.counter(self.reloads.get(usize::from(!done)))
    }

    /// `tidegate_queued_statements`.
    pub fn queued_statements(&self) -> &IntGauge {
        &self.queued_statements
    }

    /// `tidegate_bytes_total`.
    pub fn bytes(&self, side: Side, direction: Direction) -> &IntCounter {
        self.counter(
            self.bytes
                .get(side.index() * Direction::ALL.len() + direction.index()),
        )
    }

    /// `tidegate_errors_total`.
    pub fn errors(&self, kind: ErrorKind) -> &IntCounter {
        self.counter(self.errors.get(kind.index()))
    }

    /// `tidegate_unknown_tokens_total`.
    pub fn unknown_tokens(&self, cause: usize) -> &IntCounter {
        self.counter(self.unknown_tokens.get(cause))
    }

    /// `tidegate_retried_reads_total`.
    pub fn retried_reads(&self, cause: RetryCause) -> &IntCounter {
        self.counter(self.retried_reads.get(cause.index()))
    }

    /// How many statements a backend has got for a reason; none: that no backend has got.
    pub fn statements(&self, backend: Option<usize>, reason: usize) -> u64 {
        let handles = match backend {
            Some(backend) => self.backends.get(backend).map(|it| &it.statements),
            None => Some(&self.refused),
        };
        let counter = handles.and_then(|reasons| reasons.get(reason));
        counter.map_or(0, IntCounter::get)
    }

    /// Every sample with its labels, and its value.
    pub fn samples(&self) -> Vec<(String, String)> {
        let text = self.render();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Everything, in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut families = self.registry.gather();
        self.hidden.leave_out(&mut families);
        if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut text) {
            tracing::error!(%error, "the metrics are not complete");
        }
        text
    }

    fn counter<'m>(&'m self, found: Option<&'m IntCounter>) -> &'m IntCounter {
        debug_assert!(found.is_some(), "no such backend or reason");
        found.unwrap_or(&self.spare.counter)
    }

    fn gauge<'m>(&'m self, found: Option<&'m IntGauge>) -> &'m IntGauge {
        debug_assert!(found.is_some(), "no such backend");
        found.unwrap_or(&self.spare.int_gauge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: &[(&str, &str)] = &[
        ("write", "it writes"),
        ("fresh_reader", "a reader is far enough"),
    ];

    const CAUSES: &[(&str, &str)] = &[
        ("no_gtid", "no GTID was told"),
        ("commit_lost", "no answer came"),
    ];

    fn metrics() -> Metrics {
        Metrics::new(&["w1".to_owned(), "r1".to_owned()], REASONS, CAUSES).expect("metrics")
    }

    #[test]
    fn every_child_is_there_before_anything_has_happened() {
        let text = metrics().render();
        for line in [
            "tidegate_statements_total{backend=\"w1\",reason=\"write\"} 0",
            "tidegate_statements_total{backend=\"none\",reason=\"fresh_reader\"} 0",
            "tidegate_backend_lag_seconds{backend=\"r1\"} NaN",
            "tidegate_backend_up{backend=\"r1\"} 0",
            "tidegate_backend_connections{backend=\"w1\",state=\"active\"} 0",
            "tidegate_client_connections 0",
            "tidegate_client_connections_total 0",
            "tidegate_logins_failed_total 0",
            "tidegate_bytes_total{direction=\"out\",side=\"backend\"} 0",
            "tidegate_errors_total{kind=\"no_writer\"} 0",
            "tidegate_unknown_tokens_total{cause=\"no_gtid\"} 0",
            "tidegate_retried_reads_total{cause=\"lag\"} 0",
            "tidegate_consistency_alarms_total{backend=\"r1\"} 0",
            "tidegate_errant_gtids{backend=\"r1\"} 0",
            "tidegate_waiting_reads{backend=\"r1\"} 0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in\n{text}"
            );
        }
    }

    #[test]
    fn each_handle_moves_its_own_sample() {
        let metrics = metrics();
        metrics.statement(1, 1);
        metrics.statement(1, 1);
        metrics.refused(0);
        metrics.read_waited(Duration::from_millis(3), 1);
        metrics.set_backend_lag(1, Some(Duration::from_millis(1500)));
        metrics.backend_up(0).set(1);
        metrics.backend_connections(1, ConnectionState::Idle).inc();
        metrics.consistency_alarms(1).inc();
        metrics.errant_gtids(1).set(7);
        metrics.waiting_reads(1).set(5);
        metrics.bytes(Side::Client, Direction::Out).inc_by(10);
        metrics.bytes(Side::Backend, Direction::In).inc_by(20);
        metrics.errors(ErrorKind::WaitTimeout).inc();
        metrics.unknown_tokens(1).inc();
        metrics.retried_reads(RetryCause::NotCovered).inc();
        metrics.logins_failed().inc();
        metrics.client_connections().inc();
        metrics.client_connections_total().inc();
        let text = metrics.render();
        let mut moved: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("tidegate_") && !line.starts_with("tidegate_build"))
            .filter(|line| !line.contains("_bucket") && !line.ends_with([' ', 'N']))
            .filter(|line| !line.ends_with(" 0"))
            .collect();
        moved.sort_unstable();
        assert_eq!(
            moved,
            [
                "tidegate_backend_connections{backend=\"r1\",state=\"idle\"} 1",
                "tidegate_backend_lag_seconds{backend=\"r1\"} 1.5",
                "tidegate_backend_up{backend=\"w1\"} 1",
                "tidegate_bytes_total{direction=\"in\",side=\"backend\"} 20",
                "tidegate_bytes_total{direction=\"out\",side=\"client\"} 10",
                "tidegate_client_connections 1",
                "tidegate_client_connections_total 1",
                "tidegate_consistency_alarms_total{backend=\"r1\"} 1",
                "tidegate_errant_gtids{backend=\"r1\"} 7",
                "tidegate_errors_total{kind=\"wait_timeout\"} 1",
                "tidegate_logins_failed_total 1",
                "tidegate_read_wait_seconds_count{reason=\"fresh_reader\"} 1",
                "tidegate_read_wait_seconds_sum{reason=\"fresh_reader\"} 0.003",
                "tidegate_retried_reads_total{cause=\"not_covered\"} 1",
                "tidegate_statements_total{backend=\"none\",reason=\"write\"} 1",
                "tidegate_statements_total{backend=\"r1\",reason=\"fresh_reader\"} 2",
                "tidegate_unknown_tokens_total{cause=\"commit_lost\"} 1",
                "tidegate_waiting_reads{backend=\"r1\"} 5",
            ]
        );
    }

    #[test]
    fn p7_an_unknown_lag_is_not_shown_as_a_small_one() {
        let metrics = metrics();
        metrics.set_backend_lag(1, Some(Duration::ZERO));
        metrics.set_backend_lag(1, None);
        assert!(
            metrics
                .render()
                .contains("tidegate_backend_lag_seconds{backend=\"r1\"} NaN\n")
        );
    }

    #[test]
    fn every_metric_has_a_type_and_a_help_text_that_says_something() {
        let text = metrics().render();
        for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
            let name = line.split(' ').nth(2).unwrap();
            let help = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("# HELP {name} ")))
                .unwrap_or_default();
            assert!(help.len() > 20 && help.ends_with('.'), "{name}: {help:?}");
            assert_eq!(
                name.ends_with("_total"),
                line.ends_with(" counter"),
                "{name}"
            );
        }
    }

    #[test]
    fn the_help_text_says_what_each_reason_means() {
        let text = metrics().render();
        assert!(
            text.contains("write: it writes; fresh_reader: a reader is far enough."),
            "{text}"
        );
    }

    #[test]
    fn two_backends_of_one_name_are_refused_and_none_at_all_are_served() {
        assert!(Metrics::new(&["a".into(), "a".into()], REASONS, CAUSES).is_err());
        assert!(Metrics::new(&["none".into()], REASONS, CAUSES).is_err());
        assert!(
            Metrics::new(&[], REASONS, CAUSES)
                .unwrap()
                .render()
                .contains("backend=\"none\"")
        );
    }
}
