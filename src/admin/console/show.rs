//! The console's tables. What they count is what the metrics count.

use std::time::{Duration, Instant};

use super::command::Show;
use super::table::Table;
use super::{Board, reads_name};
use crate::routing::{BackendId, BackendView, Reason};
use crate::session::{Shared, Standing};
use crate::telemetry::{ConnectionState, Handover, Metrics};

/// The commands, each with what it does.
const HELP: &[[&str; 2]] = &[
    [
        "SHOW BACKENDS",
        "each backend: its role, how far it is, whether it takes reads",
    ],
    [
        "SHOW SESSIONS",
        "each client: who, from where, since when, which backend threads serve it",
    ],
    [
        "SHOW POOL",
        "each backend: connections that clients have, idle ones, how many are wanted and were handed over; statements that run, reads that wait, latency",
    ],
    ["SHOW REASONS", "how many statements ran where, and why"],
    ["SHOW STATS [LIKE 'x%']", "every metric"],
    [
        "SHOW CONFIG [LIKE 'x%']",
        "every key of the configuration; secrets are hidden",
    ],
    ["SHOW READS", "where the switch for reads stands"],
    [
        "EXPLAIN [AS 'user'] 'sql'",
        "where a statement would run now, and why; it does not run",
    ],
    [
        "SET READS = 'split'",
        "reads run where their level says; 'writer': all on the writer; 'mirror': the same, and counted",
    ],
    ["DRAIN 'backend'", "no new reads there; what runs goes on"],
    ["UNDRAIN 'backend'", "and again some"],
    ["KILL id", "ends a client's session"],
    [
        "RELOAD",
        "reads the configuration again: all of it, or nothing if there is a fault",
    ],
    ["SHOW HELP", "this"],
];

/// One of them.
pub(super) async fn table(board: &Board, what: Show) -> Table {
    let shared = &board.shared;
    match what {
        Show::Backends => backends(shared),
        Show::Sessions => sessions(shared),
        Show::Pool => pool(shared),
        Show::Stats => Table::of_pairs(["metric", "value"], shared.metrics.samples()),
        Show::Config => Table::of_pairs(["key", "value"], board.operator.configuration().await),
        Show::Reasons => reasons(shared),
        Show::Reads => Table::of_lines("reads", vec![reads_name(shared.reads.now())]),
        Show::Empty => Table::new(["name", "value"]),
    }
}

pub(super) fn help() -> Table {
    let mut table = Table::new(["command", "what it does"]);
    for line in HELP {
        table.row(line.map(str::to_owned));
    }
    table
}

fn backends(shared: &Shared) -> Table {
    let mut table = Table::new([
        "name", "id", "role", "address", "state", "lag_ms", "weight", "near", "server", "executed",
    ]);
    let now = Instant::now();
    let snapshot = shared.watch.snapshot();
    let config = shared.dialer.config();
    for id in shared.roster.all() {
        let standing = shared.roster.standing(id);
        let Some(view) = snapshot.backend(id).filter(|_| standing != Standing::Gone) else {
            continue;
        };
        let address = config
            .backends
            .get(id.index())
            .map(|it| it.address.to_string());
        let lag = view
            .lag
            .map(|lag| now.saturating_duration_since(lag.covered));
        let server = view.incarnation.map(|it| it.server_uuid.to_string());
        let mark = view.current_watermark();
        table.row([
            shared.name(id).to_owned(),
            id.0.to_string(),
            view.role.name().to_owned(),
            address.unwrap_or_default(),
            state(view, standing, now),
            lag.map_or_else(String::new, milliseconds),
            view.weight.to_string(),
            if view.near { "yes" } else { "no" }.to_owned(),
            server.unwrap_or_default(),
            mark.map(|it| it.executed.to_string().replace('\n', ""))
                .unwrap_or_default(),
        ]);
    }
    table
}

/// What keeps new statements from it, or that nothing does.
fn state(view: &BackendView, standing: Standing, now: Instant) -> String {
    let mut parts = Vec::new();
    if !view.up {
        parts.push("down");
    }
    match standing {
        Standing::Serving if view.draining => parts.push("draining"),
        Standing::Serving => {}
        other => parts.push(other.name()),
    }
    if view.shunned_until.is_some_and(|until| until > now) {
        parts.push("shunned");
    }
    if view.recovering {
        parts.push("recovering");
    }
    if view.lagging {
        parts.push("lagging");
    }
    if view.up && view.writable {
        parts.push("writable");
    }
    match parts.is_empty() {
        true => "up".to_owned(),
        false if view.up => format!("up, {}", parts.join(", ")),
        false => parts.join(", "),
    }
}

fn sessions(shared: &Shared) -> Table {
    let mut table = Table::new([
        "id", "user", "from", "seconds", "state", "commands", "threads",
    ]);
    for (id, peer) in shared.registry.all() {
        let about = peer.about();
        let threads = peer.threads();
        let threads = threads
            .iter()
            .map(|it| format!("{}:{}", shared.name(it.backend), it.id));
        let state = match (about.user.is_empty(), peer.is_busy()) {
            (true, _) => "logging in",
            (false, true) => "busy",
            (false, false) => "idle",
        };
        table.row([
            id.to_string(),
            about.user,
            about.host,
            peer.since.elapsed().as_secs().to_string(),
            state.to_owned(),
            peer.commands().to_string(),
            threads.collect::<Vec<_>>().join(" "),
        ]);
    }
    table
}

fn pool(shared: &Shared) -> Table {
    let mut table = Table::new([
        "name",
        "connections",
        "idle",
        "wanted",
        "handed_over",
        "running",
        "waiting",
        "latency_ms",
    ]);
    let metrics = &shared.metrics;
    let loads = shared.loads.now();
    for (id, load) in shared.roster.all().zip(&loads) {
        if shared.roster.standing(id) == Standing::Gone {
            continue;
        }
        table.row([
            shared.name(id).to_owned(),
            shared.loads.connections(id).to_string(),
            metrics
                .backend_connections(id.index(), ConnectionState::Idle)
                .get()
                .to_string(),
            metrics.waiting_connections(id.index()).get().to_string(),
            handed_over(metrics, id).to_string(),
            load.running.to_string(),
            metrics.waiting_reads(id.index()).get().to_string(),
            milliseconds(load.latency),
        ]);
    }
    table
}

/// Connections that went from one client to another.
fn handed_over(metrics: &Metrics, id: BackendId) -> u64 {
    let count = |outcome| metrics.handovers(id.index(), outcome).get();
    count(Handover::AsItWas) + count(Handover::Done)
}

fn reasons(shared: &Shared) -> Table {
    let mut table = Table::new(["reason", "backend", "statements", "meaning"]);
    let here = |id: &crate::routing::BackendId| shared.roster.standing(*id) != Standing::Gone;
    let places: Vec<_> = shared
        .roster
        .all()
        .filter(here)
        .map(Some)
        .chain([None])
        .collect();
    for reason in Reason::ALL {
        for place in &places {
            let backend = place.map(|id| id.index());
            let count = shared.metrics.statements(backend, reason.index());
            if count > 0 {
                table.row([
                    reason.label().to_owned(),
                    place.map_or("none", |id| shared.name(id)).to_owned(),
                    count.to_string(),
                    reason.help().to_owned(),
                ]);
            }
        }
    }
    table
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::*;

    #[test]
    fn each_command_of_the_help_is_one() {
        for [command, _] in HELP {
            let text = command.replace(['[', ']'], "").replace(" id", " 7");
            assert!(Command::parse(&text).is_ok(), "{text}");
        }
    }
}
