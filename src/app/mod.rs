//! The composition root: builds every part from a configuration and runs it until it is drained.

mod show;
mod workers;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dashmap::DashSet;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use self::show::Gauges;
use self::workers::Workers;
use crate::admin;
use crate::backend::online::{self, Finding, Severity};
use crate::backend::watch::Watch;
use crate::backend::{self, Credentials, Dialer, Greeting, LoginRequest};
use crate::config::Config;
use crate::net::{Endpoint, Listener, TlsError, acceptor};
use crate::protocol::Capabilities;
use crate::routing::{BackendId, Reads, Reason, Role, Snapshot, UnknownCause};
use crate::session::{
    Loads, LoginKeys, PreparedCount, Pressure, ReadsSwitch, Registry, Scopes, Shared,
};
use crate::sql::ForEach;
use crate::telemetry::{Metrics, MetricsError};

/// What clients are greeted with until the writer has been reached once.
const UNKNOWN_VERSION: &str = "8.0.0-tidegate";

/// utf8mb4's default collation in the handshake, `utf8mb4_0900_ai_ci`.
const UNKNOWN_COLLATION: u8 = 255;

/// How often a drain looks whether the last client has left.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// Why the proxy could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error("can't listen on {endpoint}: {error}")]
    Listen {
        /// The address.
        endpoint: Endpoint,
        /// Why not.
        error: io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A metric could not be registered: two backends with one name.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// No backend is configured as the writer.
    #[error("no backend has the role \"writer\"")]
    NoWriter,
    /// The system gives no threads or signals.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A proxy that serves.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the ports that the system chose.
    pub addresses: Vec<Endpoint>,
    /// Where the HTTP endpoint listens.
    pub http: Option<Endpoint>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    drain: watch::Sender<bool>,
    registry: Arc<Registry>,
    drain_timeout: Duration,
    tasks: JoinSet<()>,
    _workers: Workers,
}

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// [`StartError`] says what kept it from starting.
pub async fn serve(config: Config) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let backends = config.backend.clone();
    let running = start(config).await?;
    for address in &running.addresses {
        tracing::info!(%address, "serving");
    }
    tokio::spawn(report_findings(backends));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.drain().await;
    Ok(())
}

/// Asks the backends, beside the first clients, what weakens a promise.
async fn report_findings(backends: backend::Config) {
    for finding in online::check(&backends).await {
        let Finding {
            severity,
            backend,
            found,
            weakens,
            mend,
        } = finding;
        match severity {
            Severity::Fault => tracing::error!(backend, found, weakens, mend, "backend check"),
            Severity::Warning => tracing::warn!(backend, found, weakens, mend, "backend check"),
        }
    }
}

/// Starts serving.
///
/// # Errors
/// [`StartError`] says what kept it from starting.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let backends = Arc::new(config.backend);
    let writer = backends
        .backends
        .iter()
        .position(|backend| backend.role == Role::Writer)
        .and_then(|index| u16::try_from(index).ok())
        .map(BackendId)
        .ok_or(StartError::NoWriter)?;
    let names: Vec<String> = backends
        .backends
        .iter()
        .map(|one| one.name.clone())
        .collect();
    let reasons: Vec<_> = Reason::ALL
        .iter()
        .map(|it| (it.label(), it.help()))
        .collect();
    let causes: Vec<_> = UnknownCause::ALL
        .iter()
        .map(|it| (it.label(), it.help()))
        .collect();
    let metrics = Arc::new(Metrics::new(&names, &reasons, &causes)?);
    let gauges = Gauges::new(Arc::clone(&metrics));
    let on_publish = Box::new(move |snapshot: &Snapshot| gauges.show(snapshot));
    let watch = Watch::start(&backends, on_publish);
    let dialer = Dialer::new(Arc::clone(&backends));
    let greeting = learn_greeting(&dialer, writer, &backends.monitor).await;
    let (drain, draining) = watch::channel(false);
    let proxy_id = config.session.proxy_id;
    let registry = Arc::new(Registry::new(proxy_id.unwrap_or_else(rand::random)));
    let drain_timeout = config.session.drain_timeout;
    let scopes = Scopes::starting_at(Instant::now(), config.session.scopes);
    // Without an answer each scope asks for itself, later, and then has to see more than it must.
    if greeting.is_some() {
        watch.reached(writer).await;
    }
    watch.probe(&[writer]).await;
    scopes.settle_floor(&watch.snapshot());
    let loads = Loads::new(names.len());
    let fallback = Arc::new(Semaphore::new(config.session.fallback_reads));
    let reads = Arc::new(ReadsSwitch::new(config.session.reads));
    metrics
        .reads_split()
        .set(i64::from(reads.now() == Reads::Split));
    let shared = Arc::new(Shared {
        config: config.session,
        backend_names: names,
        writer,
        watch,
        scopes,
        loads,
        differences: DashSet::new(),
        reads: Arc::clone(&reads),
        fallback,
        dialer,
        greeting: ArcSwap::from_pointee(greeting.unwrap_or_else(made_up)),
        metrics: Arc::clone(&metrics),
        registry: Arc::clone(&registry),
        prepared: Arc::new(PreparedCount::new(Arc::clone(&metrics))),
        pressure: Pressure::default(),
        keys: LoginKeys::default(),
        tls: acceptor(&config.listen.tls)?,
        draining: draining.clone(),
    });
    let workers = Workers::start()?;
    let mut tasks = JoinSet::new();
    let mut addresses = Vec::new();
    for endpoint in &config.listen.addresses {
        let listener = bind(endpoint).await?;
        addresses.push(listener.endpoint()?);
        let accepting = accept(
            listener,
            Arc::clone(&shared),
            workers.handles(),
            draining.clone(),
        );
        tasks.spawn(accepting);
    }
    let mut http = None;
    if let Some(admin) = config.http {
        let listener = bind(&admin.address).await?;
        http = Some(listener.endpoint()?);
        let desk = admin::Desk {
            metrics: Arc::clone(&metrics),
            draining,
            reads,
            may_switch: admin.is_local,
        };
        tasks.spawn(admin::serve(listener, desk));
    }
    let running = Running {
        addresses,
        http,
        metrics,
        drain,
        registry,
        drain_timeout,
        tasks,
        _workers: workers,
    };
    Ok(running)
}

impl Running {
    /// Takes no new clients, lets running statements and transactions end within the configured
    /// limit, and closes what is left then.
    pub async fn drain(mut self) {
        tracing::info!(clients = self.registry.count(), "draining");
        self.drain.send_replace(true);
        let all_gone = async {
            while self.registry.count() > 0 {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        if tokio::time::timeout(self.drain_timeout, all_gone)
            .await
            .is_err()
        {
            tracing::warn!(
                clients = self.registry.count(),
                "the drain's limit is reached"
            );
        }
        self.tasks.shutdown().await;
        tracing::info!("drained");
    }
}

async fn bind(endpoint: &Endpoint) -> Result<Listener, StartError> {
    let failed = |error| StartError::Listen {
        endpoint: endpoint.clone(),
        error,
    };
    Listener::bind(endpoint).await.map_err(failed)
}

/// Accepts clients and spreads them evenly over the workers.
async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    workers: Vec<tokio::runtime::Handle>,
    mut draining: watch::Receiver<bool>,
) {
    for worker in workers.iter().cycle() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = draining.wait_for(|draining| *draining) => return,
        };
        match accepted {
            Ok((accepted, host)) => {
                let shared = Arc::clone(&shared);
                worker.spawn(async move {
                    match accepted.register() {
                        Ok(plain) => crate::session::serve(shared, plain, host).await,
                        Err(error) => tracing::warn!(%error, "client lost at once"),
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: give the others time to leave.
                tracing::warn!(%error, "can't accept a client");
                tokio::time::sleep(DRAIN_POLL).await;
            }
        }
    }
}

/// Asks the writer for its version and collation, as the monitor's account.
async fn learn_greeting(
    dialer: &Dialer,
    writer: BackendId,
    monitor: &backend::MonitorConfig,
) -> Option<Greeting> {
    let request = LoginRequest {
        credentials: Credentials {
            user: monitor.user.clone().into_bytes(),
            password: Zeroizing::new(monitor.password.expose().as_bytes().to_vec()),
        },
        database: None,
        collation: UNKNOWN_COLLATION,
        attributes: None,
        capabilities: Capabilities::default(),
        max_packet: 1 << 24,
    };
    let silent = ForEach::new(|_| "DO 0".to_owned());
    match dialer.connect(writer, &request, &silent).await {
        Ok(connection) => Some(connection.greeting),
        Err(error) => {
            tracing::warn!(%error, "the writer is not reached yet; clients see a made-up version");
            None
        }
    }
}

/// What clients are greeted with until the writer has been reached.
fn made_up() -> Greeting {
    Greeting {
        version: UNKNOWN_VERSION.to_owned(),
        collation: UNKNOWN_COLLATION,
        capabilities: Capabilities::default(),
    }
}
