//! Who the writer is, and what a change of it costs.

use prometheus::{Error, IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

use super::Metrics;

/// The handles.
#[derive(Debug)]
pub(super) struct Topology {
    writer: IntGaugeVec,
    recovering: IntGaugeVec,
    rivals: IntGauge,
    changes: IntCounter,
    held: IntGauge,
    held_total: IntCounter,
    lost_writes: IntCounter,
}

impl Topology {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, Error> {
            super::build::register(registry, IntGauge::new(name, help)?)
        };
        let counter = |name: &str, help: &str| -> Result<IntCounter, Error> {
            super::build::register(registry, IntCounter::new(name, help)?)
        };
        let by_backend = |name: &str, help: &str| -> Result<IntGaugeVec, Error> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &["backend"])?;
            super::build::register(registry, gauges)
        };
        Ok(Self {
            writer: by_backend(
                "tidegate_backend_writer",
                "Whether the backend is proven to be the writer now.",
            )?,
            recovering: by_backend(
                "tidegate_backend_recovering",
                "Whether the backend belongs to a group and is not online there: no reads for it.",
            )?,
            rivals: gauge(
                "tidegate_rival_writers",
                "1 while more than one backend takes writes without replicating from the other.",
            )?,
            changes: counter(
                "tidegate_writer_changes_total",
                "Times that another server became the writer.",
            )?,
            held: gauge(
                "tidegate_held_writes",
                "Statements that wait now for a writer to be there.",
            )?,
            held_total: counter(
                "tidegate_held_writes_total",
                "Statements that have waited for a writer to be there.",
            )?,
            lost_writes: counter(
                "tidegate_lost_writes_total",
                "Scopes that had written or seen what the new writer does not have.",
            )?,
        })
    }
}

impl Metrics {
    /// `tidegate_backend_writer`, of the backend of this index.
    pub fn set_writer(&self, backend: usize, is_writer: bool) {
        self.set(&self.topology.writer, backend, is_writer);
    }

    /// `tidegate_backend_recovering`, of the backend of this index.
    pub fn set_recovering(&self, backend: usize, recovers: bool) {
        self.set(&self.topology.recovering, backend, recovers);
    }

    fn set(&self, gauges: &IntGaugeVec, backend: usize, value: bool) {
        let name = self.backends.get(backend).map(|it| it.name.as_str());
        if let Some(name) = name
            && let Ok(gauge) = gauges.get_metric_with_label_values(&[name])
        {
            gauge.set(i64::from(value));
        }
    }

    /// `tidegate_rival_writers`.
    pub fn rival_writers(&self) -> &IntGauge {
        &self.topology.rivals
    }

    /// `tidegate_writer_changes_total`.
    pub fn writer_changes(&self) -> &IntCounter {
        &self.topology.changes
    }

    /// `tidegate_held_writes`.
    pub fn held_writes(&self) -> &IntGauge {
        &self.topology.held
    }

    /// `tidegate_held_writes_total`.
    pub fn held_writes_total(&self) -> &IntCounter {
        &self.topology.held_total
    }

    /// `tidegate_lost_writes_total`.
    pub fn lost_writes(&self) -> &IntCounter {
        &self.topology.lost_writes
    }
}
