//! The whole configuration from a document, section by section.

use super::fault::{Faults, Located};
use super::files::Surroundings;
use super::schema::{self, keys};
use super::table::Document;
use super::users::Accounts;
use super::{
    Config, Written, addresses, backends, consoles, front, pool, pressure, tls, users, value,
};
use crate::net::{Endpoint, ListenConfig, TlsConfig};
use crate::routing::OnLostWrites;
use crate::session::AuthMode;
use crate::telemetry::{LogConfig, LogFormat, check_filter};
use crate::{backend, session};

/// The configuration, unless there are faults; those are all found, whichever comes first.
pub(super) fn config(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Config> {
    let listen = addresses::listen(document, faults);
    let listens = document.table(&schema::LISTEN);
    let zone = listens.read(&keys::LISTEN_ZONE, value::text, faults);
    let proxy_id = listens.read(&keys::LISTEN_PROXY_ID, value::count, faults);
    let http = consoles::http(document, around, faults);
    let console = consoles::console(document, around, faults);
    let tls = tls::front(document, around, faults);
    let drafts = backends::backends(document, around, faults);
    let monitor = backends::monitor(document, around, faults);
    let accounts = users::accounts(document, around, faults);
    let log = log(document, faults);
    let limits = Limits::read(document, faults);
    let pressure = pressure::limits(document, faults);
    let failover = failover(document, faults);
    let pool = pool::pool(document, pressure.as_ref(), faults);
    let front = front::front(document, faults);
    let replication = backends::replication(document, &drafts, faults);

    let http_at = consoles::endpoint(http.iter().flatten().next(), |it| &it.address);
    let console_at = consoles::endpoint(console.iter().flatten().next(), |it| &it.address);
    let listeners = listen.iter().flatten();
    let listeners = listeners.chain(&http_at).chain(&console_at);
    addresses::check_distinct(
        listeners,
        drafts.iter().filter_map(|draft| draft.address.as_ref()),
        faults,
    );
    backends::warn_about_zones(&drafts, zone.as_ref(), faults);
    let (listen, (tls, tls_rules), monitor, accounts) = (listen?, tls?, monitor?, accounts?);
    warn_about_tls(&listen, &tls, &accounts, faults);
    if accounts.policy.max_lag < monitor.interval {
        faults.warn(
            &users::max_lag_place(document),
            "is shorter than [monitor] interval, so readers will seem too far behind",
            "ask more often, or allow more lag",
        );
    }
    let limits = limits?;
    let (hold, on_lost_writes) = failover?;
    Some(Config {
        listen: ListenConfig {
            addresses: listen.into_iter().map(|at| at.value).collect(),
            tls,
            tls_rules,
        },
        http: http?.map(|http| http.value),
        console: console?.map(|console| console.value),
        backend: backend::Config {
            backends: backends::finish(drafts, accounts.policy.max_lag)?,
            zone: zone.map(|zone| zone.value),
            monitor,
            connect_timeout: limits.connect_timeout,
            slow_start: limits.slow_start,
        },
        session: session::Config {
            front: front?,
            replication: replication?,
            auth: accounts.auth,
            policy: accounts.policy,
            reads: accounts.reads,
            user_policies: accounts.user_policies,
            max_clients: limits.clients,
            login_timeout: limits.login_timeout,
            drain_timeout: limits.drain_timeout,
            pool: pool?.0,
            keeping: pool?.1,
            fallback_reads: limits.fallback_reads,
            scopes: limits.scopes,
            prepared: limits.prepared,
            limits: pressure?,
            hold,
            on_lost_writes,
            proxy_id: proxy_id.and_then(|id| u16::try_from(id.value).ok()),
        },
        log: log?,
        written: Written::of(document),
    })
}

/// `[limits]`.
struct Limits {
    clients: usize,
    login_timeout: std::time::Duration,
    connect_timeout: std::time::Duration,
    drain_timeout: std::time::Duration,
    fallback_reads: usize,
    scopes: usize,
    prepared: session::PreparedLimits,
    slow_start: std::time::Duration,
}

impl Limits {
    fn read(document: &Document<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let table = document.table(&schema::LIMITS);
        let clients = table.read(&keys::LIMITS_CLIENTS, value::count, faults);
        let login_timeout = table.read(&keys::LIMITS_LOGIN_TIMEOUT, value::span, faults);
        let connect_timeout = table.read(&keys::LIMITS_CONNECT_TIMEOUT, value::span, faults);
        let drain_timeout = table.read(&keys::LIMITS_DRAIN_TIMEOUT, value::span, faults);
        let fallback = table.read(&keys::LIMITS_FALLBACK_READS, value::count, faults);
        let scopes = table.read(&keys::LIMITS_SCOPES, value::count, faults);
        let per_client = table.read(&keys::LIMITS_PREPARED_PER_CLIENT, value::count, faults);
        let total = table.read(&keys::LIMITS_PREPARED, value::count, faults);
        let slow_start = table.read(&keys::LIMITS_SLOW_START, value::span, faults);
        let mib = table.read(&keys::LIMITS_PREPARED_MIB, value::count, faults);
        let prepared = session::PreparedLimits {
            per_client: usize::try_from(per_client?.value).ok()?,
            total: usize::try_from(total?.value).ok()?,
            bytes: mib?.value << 20,
        };
        Some(Self {
            fallback_reads: usize::try_from(fallback?.value).ok()?,
            scopes: usize::try_from(scopes?.value).ok()?,
            prepared,
            slow_start: slow_start?.value,
            clients: usize::try_from(clients?.value).ok()?,
            login_timeout: login_timeout?.value,
            connect_timeout: connect_timeout?.value,
            drain_timeout: drain_timeout?.value,
        })
    }
}

/// `[failover]`.
fn failover(
    document: &Document<'_>,
    faults: &mut Faults<'_>,
) -> Option<(session::Hold, OnLostWrites)> {
    let table = document.table(&schema::FAILOVER);
    let time = table.read(&keys::FAILOVER_HOLD, value::span, faults);
    let statements = table.read(&keys::FAILOVER_HELD_STATEMENTS, value::count, faults);
    let on_lost_writes = table.read(&keys::FAILOVER_ON_LOST_WRITES, value::word, faults);
    let hold = session::Hold {
        time: time?.value,
        statements: usize::try_from(statements?.value).ok()?,
    };
    Some((hold, on_lost_writes?.value.parse().ok()?))
}

fn log(document: &Document<'_>, faults: &mut Faults<'_>) -> Option<LogConfig> {
    let table = document.table(&schema::LOG);
    let format = table.read(&keys::LOG_FORMAT, value::word, faults);
    let filter = table.read(&keys::LOG_FILTER, value::text, faults);
    let filter = filter?;
    if let Err(error) = check_filter(&filter.value) {
        let right = "write a level (error, warn, info, debug, trace, off) or module=level pairs";
        faults.fault(&filter.place, error.to_string(), right);
    }
    let format = match format?.value {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    };
    Some(LogConfig {
        format,
        filter: filter.value,
    })
}

/// Passthrough needs the password itself, and without TLS a client hands it over only encrypted
/// with a key that many do not ask for by themselves.
fn warn_about_tls(
    listen: &[Located<Endpoint>],
    tls: &TlsConfig,
    accounts: &Accounts,
    faults: &mut Faults<'_>,
) {
    let by_tcp = listen
        .iter()
        .find(|at| matches!(at.value, Endpoint::Tcp { .. }));
    if let (TlsConfig::Off, AuthMode::Passthrough, Some(address)) = (tls, &accounts.auth, by_tcp) {
        faults.warn(
            &address.place,
            "clients without TLS can log in only if they ask for the RSA key \
             (mysql --get-server-public-key)",
            "set [tls] mode = \"self-signed\" or \"files\"",
        );
    }
}
