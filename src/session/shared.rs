//! What all sessions share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dashmap::DashSet;
use prometheus::IntGauge;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::scopes::{ScopeHandle, Scopes};
use super::{
    Config, Failures, Loads, LoginKeys, Pool, PreparedCount, Pressure, ReadsSwitch, Registry,
    Roster,
};
use crate::backend::watch::{ThreadEnd, Watch};
use crate::backend::{Defaults, Dialer, Greeting};
use crate::net::Timers;
use crate::routing::{BackendId, Policy, Reads};
use crate::telemetry::Metrics;

/// The pause before the end of a thread that could not be proven is asked for again.
const UNPROVEN_PAUSE: Duration = Duration::from_secs(5);

/// Somebody waits, until this is dropped.
pub(super) struct Waits(IntGauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What all sessions share; built once by the composition root.
pub struct Shared {
    /// How sessions log in and how their reads are treated.
    pub config: ArcSwap<Config>,
    /// Which backends there are.
    pub roster: Roster,
    /// What is known of the backends.
    pub watch: Watch,
    /// Whose writes and reads count.
    pub scopes: Scopes,
    /// Reads that the writer may run at once in the readers' stead.
    pub fallback: ArcSwap<Semaphore>,
    /// Whether reads are split.
    pub reads: Arc<ReadsSwitch>,
    /// How busy the backends are.
    pub loads: Arc<Loads>,
    /// Opens data connections.
    pub dialer: Dialer,
    /// Those that no session has.
    pub pool: Pool,
    /// What the writer says of itself; what a client is greeted with.
    pub greeting: ArcSwap<Greeting>,
    /// Counts everything.
    pub metrics: Arc<Metrics>,
    /// The clients there are.
    pub registry: Arc<Registry>,
    /// Logins that failed.
    pub failures: Failures,
    /// For clients without TLS.
    pub keys: LoginKeys,
    /// For clients with TLS.
    pub tls: ArcSwap<Option<TlsAcceptor>>,
    /// Where a backend's own defaults were seen to differ from what sessions begin with.
    pub differences: DashSet<(BackendId, &'static str)>,
    /// What the last connection was told that sessions begin with.
    pub defaults: ArcSwap<Defaults>,
    /// The prepared statements of all clients.
    pub prepared: Arc<PreparedCount>,
    /// What they bear.
    pub pressure: Pressure,
    /// Becomes true when the process drains.
    pub draining: watch::Receiver<bool>,
    /// Where sessions set limits.
    pub timers: Timers,
}

impl Shared {
    /// A backend's name.
    pub fn name(&self, id: BackendId) -> &str {
        self.roster.name(id).unwrap_or("?")
    }

    /// The backend that takes the writes, or did last; any, while none ever has.
    pub fn writer(&self) -> BackendId {
        let seat = self.watch.snapshot().seat;
        seat.backend.unwrap_or(BackendId(0))
    }

    /// Tells operators, once for each variable of each backend, that its own default is not what
    /// sessions begin with.
    pub(super) fn tell_difference(&self, id: BackendId, variable: &'static str) {
        if self.differences.insert((id, variable)) {
            tracing::warn!(
                backend = self.name(id),
                variable,
                "the default of this variable differs from the writer's, and sessions are given \
                 the writer's value: set both alike"
            );
        }
    }

    /// What sessions begin with, as one with the connections that were told the same.
    pub(super) fn share_defaults(&self, told: &Arc<Defaults>) -> Arc<Defaults> {
        let last = self.defaults.load();
        if Arc::ptr_eq(&last, told) || **last == **told {
            return Arc::clone(&last);
        }
        self.defaults.store(Arc::clone(told));
        Arc::clone(told)
    }

    /// Clients are greeted as the writer greets.
    pub(super) fn greet_as(&self, greeting: &Greeting) {
        if **self.greeting.load() != *greeting {
            self.greeting.store(Arc::new(greeting.clone()));
        }
    }

    /// Counts a read that waits for a backend, until what is returned is dropped.
    pub(super) fn counts_waiting(&self, id: BackendId) -> Waits {
        let waiting = self.metrics.waiting_reads(id.index()).clone();
        waiting.inc();
        Waits(waiting)
    }

    /// Counts who waits for a connection to a backend, until what is returned is dropped.
    pub(super) fn counts_wanting(&self, id: BackendId) -> Waits {
        let waiting = self.metrics.waiting_connections(id.index()).clone();
        waiting.inc();
        Waits(waiting)
    }

    /// Moves the switch for reads: the next statement of every session goes by it.
    pub fn switch_reads(&self, reads: Reads) {
        let before = self.reads.now();
        self.reads.set(reads);
        self.metrics
            .reads_split()
            .set(i64::from(reads == Reads::Split));
        tracing::warn!(
            from = before.name(),
            to = reads.name(),
            "reads were switched"
        );
    }

    /// How the reads of this account are treated.
    pub(super) fn policy_of(&self, user: &[u8]) -> Policy {
        let name = std::str::from_utf8(user).ok();
        let config = self.config.load();
        let own = name.and_then(|name| config.user_policies.get(name));
        own.copied().unwrap_or(config.policy)
    }

    /// Waits until a thread of the writer is gone, and with it all doubt about what it commits;
    /// `connected` as in [`Watch::thread_gone`]. Where that can't be proven it is asked again for
    /// as long as somebody uses the scope, whose reads go to the writer meanwhile.
    pub(super) async fn await_thread(
        &self,
        writer: BackendId,
        thread: u64,
        connected: Instant,
        scope: &ScopeHandle,
    ) {
        let mut told = false;
        loop {
            match self.watch.thread_gone(writer, thread, connected).await {
                ThreadEnd::ThreadGone => return scope.lock().thread_gone(thread, Instant::now()),
                ThreadEnd::AllGone => return scope.lock().all_threads_gone(Instant::now()),
                ThreadEnd::Unproven => {}
            }
            if scope.is_ours_alone() {
                return;
            }
            if !std::mem::replace(&mut told, true) {
                let backend = self.name(writer);
                tracing::warn!(
                    backend,
                    thread,
                    "nobody can tell whether a lost connection's thread has ended, so reads that \
                     follow it run on the writer; does the monitor's account have PROCESS?"
                );
            }
            tokio::time::sleep(UNPROVEN_PAUSE).await;
        }
    }
}
