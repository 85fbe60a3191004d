//! What operators can do to a Tidegate that runs: take up another configuration, drain a backend.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use super::listeners::{Door, Listeners, accept};
use super::upgrade::{Program, Successor};
use super::workers::WorkerHandle;
use crate::admin::{Operator, Pending};
use crate::backend;
use crate::config::{self, Config, Written};
use crate::net::{TlsConfig, TlsRules, acceptor};
use crate::routing::{BackendId, Reads};
use crate::session::{Shared, Standing};
use crate::telemetry::LogHandle;

/// Reads the configuration again.
pub type Loader = Box<dyn Fn() -> config::Outcome + Send + Sync>;

/// How often it is looked whether the last session has left a backend.
const LEAVE_POLL: Duration = Duration::from_millis(20);

/// Holds all that a reload changes.
pub(super) struct Control {
    pub(super) shared: Arc<Shared>,
    pub(super) listeners: Listeners,
    pub(super) workers: Vec<WorkerHandle>,
    /// The runtime that accepts clients: the first worker's.
    pub(super) home: Handle,
    pub(super) draining: watch::Receiver<bool>,
    /// Where to read it again; none where it did not come from a file or flags.
    pub(super) load: Option<Loader>,
    pub(super) log: Option<LogHandle>,
    /// What holds now; one reload at a time.
    pub(super) current: tokio::sync::Mutex<Current>,
    /// Backends that finish what they are running.
    pub(super) leaving: Mutex<HashMap<BackendId, AbortHandle>>,
}

/// What operators are given of it.
pub(super) struct Hand(pub(super) Arc<Control>);

impl Operator for Hand {
    fn reload(&self) -> Pending<'_, Result<Vec<String>, Vec<String>>> {
        Box::pin(self.0.reload())
    }

    fn drain(&self, backend: &str, drained: bool) -> Result<(), String> {
        self.0.drain(backend, drained)
    }

    fn configuration(&self) -> Pending<'_, Vec<(String, String)>> {
        Box::pin(async { self.0.current.lock().await.written.pairs() })
    }
}

/// What holds now.
pub(super) struct Current {
    pub(super) written: Written,
    pub(super) tls: TlsConfig,
    pub(super) tls_rules: TlsRules,
    pub(super) reads: Reads,
}

impl Control {
    /// Reads the configuration again and takes it up, or changes nothing.
    ///
    /// # Errors
    /// Every fault of the new one, a line each.
    pub(super) async fn reload(self: &Arc<Self>) -> Result<Vec<String>, Vec<String>> {
        let outcome = match &self.load {
            Some(load) => load(),
            None => return Err(vec!["there is no file to read again".to_owned()]),
        };
        let lines = |faults: Vec<config::Fault>| -> Vec<String> {
            faults.iter().map(ToString::to_string).collect()
        };
        let outcome = match outcome {
            Ok((config, warnings)) => self.take_up(config).await.map(|()| lines(warnings)),
            Err(faults) => Err(lines(faults)),
        };
        self.shared.metrics.reloads(outcome.is_ok()).inc();
        match &outcome {
            Ok(warnings) => {
                for warning in warnings {
                    tracing::warn!(warning, "configuration");
                }
                tracing::info!("the configuration was taken up");
            }
            Err(faults) => {
                for fault in faults {
                    tracing::error!(fault, "configuration");
                }
                tracing::error!("the configuration was not taken up; the one before holds");
            }
        }
        outcome
    }

    /// Takes up a configuration whole, or not at all.
    ///
    /// # Errors
    /// What can't be done, a line each.
    pub(super) async fn take_up(self: &Arc<Self>, config: Config) -> Result<(), Vec<String>> {
        let mut current = self.current.lock().await;
        let stuck = current.written.stuck(&config.written);
        if !stuck.is_empty() {
            let line = |key: &String| format!("{key}: can't change while Tidegate runs; restart");
            return Err(stuck.iter().map(line).collect());
        }
        // All that can fail comes first.
        let one = |error: String| vec![error];
        let shared = &self.shared;
        let gone = shared.roster.gone();
        let running = shared.dialer.config();
        let plan = backend::plan(&running, &gone, &config.backend);
        let plan = plan.map_err(|error| one(error.to_string()))?;
        let reach = backend::Reach::new(Arc::new(plan.config.clone()));
        let reach = reach.map_err(|error| one(error.to_string()))?;
        let listen = &config.listen;
        let keeps_tls = listen.tls == TlsConfig::SelfSigned
            && (&listen.tls, &listen.tls_rules) == (&current.tls, &current.tls_rules);
        let tls = match keeps_tls {
            true => None,
            false => {
                let tls = acceptor(&listen.tls, &listen.tls_rules);
                Some(tls.map_err(|error| one(error.to_string()))?)
            }
        };
        let addresses = &config.listen.addresses;
        let bound = self.listeners.bind(Door::Clients, addresses, &self.home);
        let bound = bound.await;
        let bound = bound.map_err(|error| one(error.to_string()))?;
        if let Some(log) = &self.log {
            let set = log.set_filter(&config.log.filter);
            set.map_err(|error| one(format!("log.filter {error}")))?;
        }

        if let Some(tls) = tls {
            shared.tls.store(Arc::new(tls));
        }
        self.take_up_backends(plan, reach);
        let session = &config.session;
        if shared.config.load().fallback_reads != session.fallback_reads {
            shared
                .fallback
                .store(Arc::new(Semaphore::new(session.fallback_reads)));
        }
        shared.scopes.set_limit(session.scopes);
        if current.reads != session.reads {
            shared.switch_reads(session.reads);
        }
        current.reads = session.reads;
        shared.config.store(Arc::new(config.session));
        for bound in bound {
            self.accept_at(bound);
        }
        self.listeners.keep(Door::Clients, addresses).await;
        current.tls = config.listen.tls;
        current.tls_rules = config.listen.tls_rules;
        current.written = config.written;
        Ok(())
    }

    fn take_up_backends(self: &Arc<Self>, plan: backend::Plan, reach: backend::Reach) {
        let shared = &self.shared;
        let known = shared.roster.all().count();
        for backend in plan.config.backends.iter().skip(known) {
            // Before anything is decided about it, all that is indexed by it is there.
            if let Err(error) = shared.metrics.add_backend(&backend.name) {
                tracing::error!(%error, backend = backend.name, "no metrics of this backend");
            }
            shared.loads.add();
            shared.roster.add(backend.name.clone());
        }
        let wanted = Arc::new(plan.config);
        shared.dialer.reconfigure(reach);
        for id in &plan.come {
            if let Some(leaving) = self.leaving().remove(id) {
                leaving.abort();
            }
            shared.roster.set_standing(*id, Standing::Serving);
            shared.metrics.show_backend(shared.name(*id));
        }
        for id in &plan.go {
            shared.roster.set_standing(*id, Standing::Leaving);
        }
        shared.watch.reconfigure(&wanted, &shared.roster.gone());
        for id in plan.come {
            shared.watch.set_draining(id, false);
            tracing::info!(backend = shared.name(id), "backend added");
        }
        for id in plan.go {
            shared.watch.set_draining(id, true);
            tracing::info!(backend = shared.name(id), "backend leaves");
            let retiring = tokio::spawn(Arc::clone(self).retire(id));
            self.leaving().insert(id, retiring.abort_handle());
        }
    }

    /// Watches a backend no more once no session has a connection to it, or the drain's limit is
    /// reached.
    async fn retire(self: Arc<Self>, id: BackendId) {
        let shared = &self.shared;
        let all_left = async {
            while shared.loads.connections(id) > 0 {
                tokio::time::sleep(LEAVE_POLL).await;
            }
        };
        let limit = shared.config.load().drain_timeout;
        let left = tokio::time::timeout(limit, all_left).await.is_ok();
        shared.roster.set_standing(id, Standing::Gone);
        shared.watch.forget(id);
        let name = shared.name(id);
        if shared.roster.find(name).is_none() {
            shared.metrics.hide_backend(name);
        }
        tracing::info!(backend = name, all_left = left, "backend removed");
        self.leaving().remove(&id);
    }

    /// Starts another process in this one's place, which then only has to drain.
    pub(super) async fn hand_over(&self, program: Option<&Program>) -> Option<Successor> {
        let Some(program) = program else {
            tracing::error!("nobody knows which program this is, so none can take over");
            return None;
        };
        tracing::info!("handing over");
        // Before the other one takes its first client.
        self.shared.scopes.set_beside(true);
        match program.start(&self.listeners).await {
            Ok(successor) => {
                self.listeners.leave_files();
                tracing::info!(pid = successor.pid, "handed over");
                Some(successor)
            }
            Err(error) => {
                self.shared.scopes.set_alone(Instant::now());
                tracing::error!(error, "not handed over; this process goes on");
                None
            }
        }
    }

    /// Lets a reader get no new reads, or again some; its sessions leave it meanwhile.
    fn drain(&self, name: &str, drained: bool) -> Result<(), String> {
        let shared = &self.shared;
        let Some(id) = shared.roster.find(name) else {
            let known: Vec<_> = shared.roster.all().map(|id| shared.name(id)).collect();
            return Err(format!("no backend {name}; there is {}", known.join(", ")));
        };
        if id == shared.writer() {
            return Err(format!(
                "{name} is the writer: make another one the writer first"
            ));
        }
        let standing = if drained {
            Standing::Drained
        } else {
            Standing::Serving
        };
        shared.roster.set_standing(id, standing);
        shared.watch.set_draining(id, drained);
        Ok(())
    }

    /// Lets the clients of a listener in.
    pub(super) fn accept_at(&self, bound: super::listeners::Bound) {
        let accepting = accept(
            bound.listener(),
            Arc::clone(&self.shared),
            self.workers.clone(),
            self.draining.clone(),
        );
        let task = self.home.spawn(accepting);
        self.listeners.add(bound, task);
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, HashMap<BackendId, AbortHandle>> {
        // A map is whole between two statements that hold it.
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
