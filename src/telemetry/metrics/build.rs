//! Names, help texts and children of every metric.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use super::roster::Hidden;
use super::{Backend, Metrics, Spare};
use crate::telemetry::{ConnectionState, Direction, ErrorKind, Handover, RetryCause, Side};

/// The backend label of what reached no backend.
pub(super) const NO_BACKEND: &str = "none";

/// In seconds: from a watermark that comes while the read looks for it to the longest wait.
const WAIT_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0,
];

pub(super) fn metrics(
    names: &[String],
    reasons: &[(&'static str, &'static str)],
    unknown_causes: &[(&'static str, &'static str)],
) -> Result<Metrics, Error> {
    distinct(names.iter().map(String::as_str).chain([NO_BACKEND]))?;
    distinct(reasons.iter().map(|(label, _)| *label))?;
    let registry = Registry::new();
    let families = PerBackend::register(&registry, reasons)?;
    let labels: Vec<_> = reasons.iter().map(|(label, _)| *label).collect();
    let backends = names.iter();
    let backends = backends.map(|name| families.children(name, &labels).map(Box::new));
    process_facts(&registry)?;
    Ok(Metrics {
        backends: backends.collect::<Result<_, _>>()?,
        hidden: Hidden::default(),
        refused: reasons
            .iter()
            .map(|(label, _)| {
                families
                    .statements
                    .get_metric_with_label_values(&[NO_BACKEND, label])
            })
            .collect::<Result<_, _>>()?,
        reasons: labels,
        mirrored: family(
            &registry,
            (
                "tidegate_mirrored_reads_total",
                "Reads that ran on the writer while reads were only mirrored, by the backend that \
                 would have got them (none: not one at once) and the reason.",
            ),
            &["backend", "reason"],
        )?,
        topology: super::Topology::new(&registry)?,
        reads_split: register(
            &registry,
            IntGauge::new(
                "tidegate_reads_split",
                "Whether reads are split: 1, or 0 while the operator sends all to the writer.",
            )?,
        )?,
        read_wait: read_wait(&registry)?,
        client_connections: register(
            &registry,
            IntGauge::new(
                "tidegate_client_connections",
                "Clients connected now, those that are still logging in included.",
            )?,
        )?,
        client_connections_total: register(
            &registry,
            IntCounter::new(
                "tidegate_client_connections_total",
                "Clients that have connected, whether or not they could log in.",
            )?,
        )?,
        prepared_statements: register(
            &registry,
            IntGauge::new(
                "tidegate_prepared_statements",
                "Statements that clients have prepared and not closed.",
            )?,
        )?,
        prepared_bytes: register(
            &registry,
            IntGauge::new(
                "tidegate_prepared_bytes",
                "The length of their SQL, which is kept, in bytes.",
            )?,
        )?,
        logins_failed: register(
            &registry,
            IntCounter::new(
                "tidegate_logins_failed_total",
                "Logins refused to clients, by a backend or by Tidegate.",
            )?,
        )?,
        killed_statements: register(
            &registry,
            IntCounter::new(
                "tidegate_killed_statements_total",
                "Statements killed on a backend since their client had gone away.",
            )?,
        )?,
        logins_slowed: register(
            &registry,
            IntCounter::new(
                "tidegate_logins_slowed_total",
                "Logins refused without asking a backend, since too many before them had failed.",
            )?,
        )?,
        logins_shared: register(
            &registry,
            IntCounter::new(
                "tidegate_logins_shared_total",
                "Logins that got a backend's answer to the question of another one of their kind.",
            )?,
        )?,
        reloads: labelled(
            &registry,
            "tidegate_reloads_total",
            "Times that the configuration was to be read again, by outcome.",
            "outcome",
            [
                ("done", "the new one holds"),
                ("refused", "it had faults, and nothing was changed"),
            ]
            .into_iter(),
        )?,
        queued_statements: register(
            &registry,
            IntGauge::new(
                "tidegate_queued_statements",
                "Statements that wait now: for a reader, for room at the writer, for a connection.",
            )?,
        )?,
        bytes: bytes(&registry)?,
        errors: labelled(
            &registry,
            "tidegate_errors_total",
            "Errors that Tidegate met or made, by kind; not those that a backend answered.",
            "kind",
            ErrorKind::ALL
                .iter()
                .map(|kind| (kind.label(), kind.meaning())),
        )?,
        unknown_tokens: labelled(
            &registry,
            "tidegate_unknown_tokens_total",
            "Times that what a scope must see became unknown until the writer was asked, by cause.",
            "cause",
            unknown_causes.iter().copied(),
        )?,
        retried_reads: labelled(
            &registry,
            "tidegate_retried_reads_total",
            "Reads sent again to another backend before the client saw any of the first answer, \
             by cause.",
            "cause",
            RetryCause::ALL
                .iter()
                .map(|cause| (cause.label(), cause.meaning())),
        )?,
        families,
        spare: Spare {
            counter: IntCounter::new("spare_total", "In no registry.")?,
            gauge: Gauge::new("spare", "In no registry.")?,
            int_gauge: IntGauge::new("spare_whole", "In no registry.")?,
        },
        registry,
    })
}

/// The metrics that each backend has.
#[derive(Debug)]
pub(super) struct PerBackend {
    statements: IntCounterVec,
    lag: GaugeVec,
    up: IntGaugeVec,
    connections: IntGaugeVec,
    handovers: IntCounterVec,
    waiting_connections: IntGaugeVec,
    consistency_alarms: IntCounterVec,
    errant_gtids: IntGaugeVec,
    waiting_reads: IntGaugeVec,
    running: IntGaugeVec,
    delay: GaugeVec,
}

impl PerBackend {
    fn register(registry: &Registry, reasons: &[(&str, &str)]) -> Result<Self, Error> {
        let statements = meanings(
            "Statements, by the backend that got them (none: refused) and the reason for the choice.",
            reasons.iter().copied(),
        );
        let connections = meanings(
            "Connections to a backend, by state.",
            ConnectionState::ALL
                .iter()
                .map(|state| (state.label(), state.meaning())),
        );
        let handovers = meanings(
            "Connections that a session had given back and another one wanted, by outcome.",
            Handover::ALL.iter().map(|it| (it.label(), it.meaning())),
        );
        let of_backend = &["backend"];
        Ok(Self {
            statements: family(
                registry,
                ("tidegate_statements_total", &statements),
                &["backend", "reason"],
            )?,
            lag: family(
                registry,
                (
                    "tidegate_backend_lag_seconds",
                    "How far a backend is behind the writer, in seconds; NaN while it is unknown.",
                ),
                of_backend,
            )?,
            up: family(
                registry,
                (
                    "tidegate_backend_up",
                    "Whether the monitor reaches a backend: 1, else 0.",
                ),
                of_backend,
            )?,
            connections: family(
                registry,
                ("tidegate_backend_connections", &connections),
                &["backend", "state"],
            )?,
            handovers: family(
                registry,
                ("tidegate_handovers_total", &handovers),
                &["backend", "outcome"],
            )?,
            waiting_connections: family(
                registry,
                (
                    "tidegate_waiting_connections",
                    "Statements and logins that wait for a connection to a backend, since the limit \
                     on them is reached.",
                ),
                of_backend,
            )?,
            consistency_alarms: family(
                registry,
                (
                    "tidegate_consistency_alarms_total",
                    "Answers of a backend that did not cover what they had to; not one is normal.",
                ),
                of_backend,
            )?,
            running: family(
                registry,
                (
                    "tidegate_replication_running",
                    "Whether the applier and the receiver of a reader run: 1, else 0, also while \
                     that is not known. The lag decides about reads, not this.",
                ),
                &["backend", "thread"],
            )?,
            delay: family(
                registry,
                (
                    "tidegate_source_delay_seconds",
                    "How far a reader stays behind on purpose (SOURCE_DELAY), in seconds.",
                ),
                of_backend,
            )?,
            errant_gtids: family(
                registry,
                (
                    "tidegate_errant_gtids",
                    "Transactions that a backend has and the writer's lineage does not know.",
                ),
                of_backend,
            )?,
            waiting_reads: family(
                registry,
                (
                    "tidegate_waiting_reads",
                    "Reads that wait until a backend has what they must see, or for their turn there.",
                ),
                of_backend,
            )?,
        })
    }

    /// Those of one backend. Two of one name share them.
    pub(super) fn children(&self, name: &str, reasons: &[&str]) -> Result<Backend, Error> {
        let lag = self.lag.get_metric_with_label_values(&[name])?;
        lag.set(f64::NAN);
        Ok(Backend {
            name: name.to_owned(),
            statements: reasons
                .iter()
                .map(|label| self.statements.get_metric_with_label_values(&[name, label]))
                .collect::<Result<_, _>>()?,
            lag,
            up: self.up.get_metric_with_label_values(&[name])?,
            connections: ConnectionState::ALL
                .iter()
                .map(|state| {
                    self.connections
                        .get_metric_with_label_values(&[name, state.label()])
                })
                .collect::<Result<_, _>>()?,
            handovers: Handover::ALL
                .iter()
                .map(|outcome| {
                    self.handovers
                        .get_metric_with_label_values(&[name, outcome.label()])
                })
                .collect::<Result<_, _>>()?,
            waiting_connections: self
                .waiting_connections
                .get_metric_with_label_values(&[name])?,
            consistency_alarms: self
                .consistency_alarms
                .get_metric_with_label_values(&[name])?,
            errant_gtids: self.errant_gtids.get_metric_with_label_values(&[name])?,
            waiting_reads: self.waiting_reads.get_metric_with_label_values(&[name])?,
            applies: self
                .running
                .get_metric_with_label_values(&[name, "applier"])?,
            receives: self
                .running
                .get_metric_with_label_values(&[name, "receiver"])?,
            delay: self.delay.get_metric_with_label_values(&[name])?,
        })
    }
}

fn read_wait(registry: &Registry) -> Result<HistogramVec, Error> {
    let options = HistogramOpts::new(
        "tidegate_read_wait_seconds",
        "How long reads waited for a backend that has what they must see, in seconds, by the \
         reason that ended it.",
    );
    let options = options.buckets(WAIT_BUCKETS.to_vec());
    register(registry, HistogramVec::new(options, &["reason"])?)
}

fn bytes(registry: &Registry) -> Result<Vec<IntCounter>, Error> {
    let sides = Side::ALL.iter().map(|side| (side.label(), side.meaning()));
    let directions = Direction::ALL
        .iter()
        .map(|way| (way.label(), way.meaning()));
    let help = meanings("Bytes of the MySQL protocol.", sides.chain(directions));
    let family: IntCounterVec = family(
        registry,
        ("tidegate_bytes_total", &help),
        &["side", "direction"],
    )?;
    let mut children = Vec::new();
    for side in Side::ALL {
        for direction in Direction::ALL {
            let labels = [side.label(), direction.label()];
            children.push(family.get_metric_with_label_values(&labels)?);
        }
    }
    Ok(children)
}

fn process_facts(registry: &Registry) -> Result<(), Error> {
    let build: IntGaugeVec = family(
        registry,
        (
            "tidegate_build_info",
            "The version of this Tidegate, as a label; the value is always 1.",
        ),
        &["version"],
    )?;
    build
        .get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?
        .set(1);
    let started = register(
        registry,
        Gauge::new(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970-01-01 UTC.",
        )?,
    )?;
    // Before 1970 the clock is wrong, and 0 says so.
    started.set(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64(),
    );
    Ok(())
}

/// A counter with one label, whose children are all there from the start.
fn labelled(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
    values: impl Iterator<Item = (&'static str, &'static str)> + Clone,
) -> Result<Vec<IntCounter>, Error> {
    let help = meanings(help, values.clone());
    let family: IntCounterVec = family(registry, (name, &help), &[label])?;
    values
        .map(|(value, _)| family.get_metric_with_label_values(&[value]))
        .collect()
}

/// A family that can be made from its options and label names.
trait Family: Collector + Clone + Sized + 'static {
    fn make(options: Opts, labels: &[&str]) -> Result<Self, Error>;
}

impl Family for IntCounterVec {
    fn make(options: Opts, labels: &[&str]) -> Result<Self, Error> {
        Self::new(options, labels)
    }
}

impl Family for IntGaugeVec {
    fn make(options: Opts, labels: &[&str]) -> Result<Self, Error> {
        Self::new(options, labels)
    }
}

impl Family for GaugeVec {
    fn make(options: Opts, labels: &[&str]) -> Result<Self, Error> {
        Self::new(options, labels)
    }
}

/// Registers a family under its name and help text.
fn family<F: Family>(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: &[&str],
) -> Result<F, Error> {
    register(registry, F::make(Opts::new(name, help), labels)?)
}

pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// A help text with what each label value means.
fn meanings<'m>(help: &str, values: impl Iterator<Item = (&'m str, &'m str)>) -> String {
    let meanings: Vec<_> = values
        .map(|(label, meaning)| format!("{label}: {meaning}"))
        .collect();
    match meanings.is_empty() {
        true => help.to_owned(),
        false => format!("{help} {}.", meanings.join("; ")),
    }
}

/// `prometheus` gives two equal label values the same child, which would add up what is apart.
fn distinct<'n>(names: impl Iterator<Item = &'n str>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::Msg(format!("{name:?} is there twice")));
        }
    }
    Ok(())
}
