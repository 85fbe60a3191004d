//! The composition root: builds every part from a configuration and runs it until it is drained.

mod control;
mod greeting;
mod listeners;
mod notify;
mod pace;
mod show;
mod upgrade;
mod workers;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dashmap::DashSet;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

pub use self::control::Loader;
use self::control::{Control, Current, Hand};
use self::greeting::{learn_greeting, made_up};
use self::listeners::{Door, Listeners};
use self::notify::Manager;
use self::show::Gauges;
use self::upgrade::Program;
use self::workers::Workers;
use crate::admin::{self, Operator, console};
use crate::backend::online::{self, Finding, Severity};
use crate::backend::watch::Watch;
use crate::backend::{self, Dialer, Reach};
use crate::config::Config;
use crate::net::{Endpoint, Inherited, Timers, TlsError, acceptor};
use crate::routing::{Reads, Reason, Snapshot, UnknownCause};
use crate::session::{
    Failures, Loads, LoginKeys, Pool, PreparedCount, Pressure, ReadsSwitch, Registry, Roster,
    Scopes, Shared,
};
use crate::telemetry::{LogHandle, Metrics, MetricsError};

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

/// A proxy that serves. It is to be dropped before the runtime ends that it was started in, and that
/// waits until the threads that serve sessions have left what they are doing.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the ports that the system chose.
    pub addresses: Vec<Endpoint>,
    /// Where the HTTP endpoint listens.
    pub http: Option<Endpoint>,
    /// Where the console listens.
    pub console: Option<Endpoint>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    drain: watch::Sender<bool>,
    registry: Arc<Registry>,
    control: Controlled,
    _workers: Workers,
}

/// Ends what listens when it is dropped.
struct Controlled(Arc<Control>);

impl std::fmt::Debug for Controlled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Controlled")
    }
}

impl Drop for Controlled {
    fn drop(&mut self) {
        self.0.listeners.close();
    }
}

/// What a process brings along besides its configuration.
#[derive(Default)]
pub struct Setup {
    /// Where the configuration is read again.
    pub load: Option<Loader>,
    /// Changes what is logged.
    pub log: Option<LogHandle>,
    /// Listeners that were handed over to it.
    pub inherited: Inherited,
}

/// Serves until SIGTERM or SIGINT, then drains. SIGHUP reads the configuration again; SIGUSR2 starts
/// the program that is there now in this one's place.
///
/// # Errors
/// [`StartError`] says what kept it from starting.
pub async fn serve(config: Config, setup: Setup) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut replace = signal(SignalKind::user_defined2())?;
    let mut successor = None;
    let backends = config.backend.clone();
    let program = Program::of_process();
    let manager = Manager::of_process();
    let takes_over = setup.inherited.has_predecessor();
    let running = start_with(config, setup).await?;
    let control = Arc::clone(&running.control.0);
    control.listeners.close_rest();
    // The service manager hears of it before the process before does, which then names this one.
    manager.ready();
    if takes_over {
        upgrade::take_over(&control.shared);
    }
    for address in &running.addresses {
        tracing::info!(%address, "serving");
    }
    tokio::spawn(report_findings(backends));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                manager.reloading();
                // The log tells how it went.
                drop(control.reload().await);
                manager.ready();
            }
            _ = replace.recv() => {
                successor = control.hand_over(program.as_ref()).await;
                if let Some(next) = &successor {
                    manager.succeeded_by(next.pid);
                    break;
                }
            }
        }
    }
    if successor.is_none() {
        manager.stopping();
    }
    running.drain().await;
    drop(successor);
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
    start_with(config, Setup::default()).await
}

/// Starts serving, with what the process brings along.
///
/// # Errors
/// [`StartError`] says what kept it from starting.
pub async fn start_with(config: Config, setup: Setup) -> Result<Running, StartError> {
    let backends = Arc::new(config.backend);
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
    let timers = Timers::here();
    let dialer = Dialer::new(Reach::new(Arc::clone(&backends))?, timers.clone());
    let writer = match watch.snapshot().seat.backend {
        Some(fixed) => fixed,
        None if backends.backends.is_empty() => return Err(StartError::NoWriter),
        None => watch.first_writer().await,
    };
    let greeting = learn_greeting(&dialer, writer, &backends.monitor).await;
    let (drain, draining) = watch::channel(false);
    let proxy_id = config.session.proxy_id;
    let registry = Arc::new(Registry::new(proxy_id.unwrap_or_else(rand::random)));
    let scopes = Scopes::starting_at(Instant::now(), config.session.scopes);
    // Without an answer each scope asks for itself, later, and then has to see more than it must.
    if greeting.is_some() {
        watch.reached(writer).await;
    }
    watch.probe(&[writer]).await;
    scopes.settle_floor(&watch.snapshot());
    if setup.inherited.has_predecessor() {
        scopes.set_beside(true);
    }
    let loads = Loads::new(names.len());
    let fallback = Semaphore::new(config.session.fallback_reads);
    let reads = Arc::new(ReadsSwitch::new(config.session.reads));
    metrics
        .reads_split()
        .set(i64::from(reads.now() == Reads::Split));
    let current = Current {
        written: config.written,
        tls: config.listen.tls.clone(),
        tls_rules: config.listen.tls_rules.clone(),
        reads: config.session.reads,
    };
    let pressure = Pressure::new(&config.session.limits, Arc::clone(&metrics));
    let shared = Arc::new(Shared {
        pressure,
        config: ArcSwap::from_pointee(config.session),
        roster: Roster::new(names),
        watch,
        scopes,
        loads: Arc::new(loads),
        differences: DashSet::new(),
        defaults: ArcSwap::default(),
        reads: Arc::clone(&reads),
        fallback: ArcSwap::from_pointee(fallback),
        dialer,
        pool: Pool::default(),
        greeting: ArcSwap::from_pointee(greeting.unwrap_or_else(made_up)),
        metrics: Arc::clone(&metrics),
        registry: Arc::clone(&registry),
        prepared: Arc::new(PreparedCount::new(Arc::clone(&metrics))),

        failures: Failures::default(),
        keys: LoginKeys::default(),
        tls: ArcSwap::from_pointee(acceptor(&config.listen.tls, &config.listen.tls_rules)?),
        draining: draining.clone(),
        timers: timers.clone(),
    });
    let workers = Workers::start(&timers)?;
    let home = workers.handles().first().map(|it| it.runtime.clone());
    let home = home.unwrap_or_else(Handle::current);
    let control = Arc::new(Control {
        shared,
        listeners: Listeners::with(setup.inherited),
        workers: workers.handles(),
        home,
        draining: draining.clone(),
        load: setup.load,
        log: setup.log,
        current: tokio::sync::Mutex::new(current),
        leaving: std::sync::Mutex::default(),
    });
    let mut addresses = Vec::new();
    let bound = control
        .listeners
        .bind(Door::Clients, &config.listen.addresses, &control.home);
    for bound in bound.await? {
        addresses.push(bound.endpoint()?);
        control.accept_at(bound);
    }
    let operator: Arc<dyn Operator> = Arc::new(Hand(Arc::clone(&control)));
    let http = open_http(&control, &operator, config.http).await?;
    let console = open_console(&control, &operator, config.console).await?;
    let running = Running {
        addresses,
        http,
        console,
        metrics,
        drain,
        registry,
        control: Controlled(control),
        _workers: workers,
    };
    Ok(running)
}

async fn open_http(
    control: &Control,
    operator: &Arc<dyn Operator>,
    config: Option<admin::Config>,
) -> Result<Option<Endpoint>, StartError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let wanted = std::slice::from_ref(&config.address);
    let bound = control
        .listeners
        .bind(Door::Http, wanted, &Handle::current())
        .await?;
    let desk = admin::Desk {
        shared: Arc::clone(&control.shared),
        operator: Arc::clone(operator),
        config: Arc::new(config),
    };
    let mut endpoint = None;
    for bound in bound {
        endpoint = Some(bound.endpoint()?);
        let task = tokio::spawn(admin::serve(bound.listener(), desk.clone()));
        control.listeners.add(bound, task);
    }
    Ok(endpoint)
}

async fn open_console(
    control: &Control,
    operator: &Arc<dyn Operator>,
    config: Option<console::Config>,
) -> Result<Option<Endpoint>, StartError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let wanted = std::slice::from_ref(&config.address);
    let bound = control
        .listeners
        .bind(Door::Console, wanted, &Handle::current())
        .await?;
    let board = console::Board {
        shared: Arc::clone(&control.shared),
        operator: Arc::clone(operator),
        config: Arc::new(config),
    };
    let mut endpoint = None;
    for bound in bound {
        endpoint = Some(bound.endpoint()?);
        let task = tokio::spawn(console::serve(bound.listener(), board.clone()));
        control.listeners.add(bound, task);
    }
    Ok(endpoint)
}

impl Running {
    /// Takes up another configuration, whole or not at all, as a reload does.
    ///
    /// # Errors
    /// What can't be done, a line each.
    pub async fn take_up(&self, config: Config) -> Result<(), Vec<String>> {
        self.control.0.take_up(config).await
    }

    /// Takes no new clients, lets running statements and transactions end within the configured
    /// limit, and closes what is left then.
    pub async fn drain(self) {
        tracing::info!(clients = self.registry.count(), "draining");
        self.drain.send_replace(true);
        self.control.0.listeners.keep(Door::Clients, &[]).await;
        let limit = self.control.0.shared.config.load().drain_timeout;
        let all_gone = async {
            while self.registry.count() > 0 {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        if tokio::time::timeout(limit, all_gone).await.is_err() {
            tracing::warn!(
                clients = self.registry.count(),
                "the drain's limit is reached"
            );
        }
        self.control.0.listeners.close();
        tracing::info!("drained");
    }
}
