//! Backends that come, change and go while the process runs.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use super::publish::{Known, Publisher, is_near, unknown};
use super::{Watch, monitor, watcher};
use crate::backend::client::Client;
use crate::backend::{BackendConfig, Config};
use crate::routing::{BackendId, Snapshot};

/// The tasks that watch each backend.
pub(super) type Tasks = Mutex<HashMap<BackendId, [AbortHandle; 2]>>;

impl Watch {
    /// Goes by another configuration from now on: backends that were not watched are, for the others
    /// weights, zones and limits change. An id stays with the backend that it was given to; those
    /// of `gone` are in the configuration only so that ids stay.
    ///
    /// To be called on the runtime that it was started on.
    pub fn reconfigure(&self, config: &Config, gone: &[BackendId]) {
        let access = (config.monitor.clone(), config.connect_timeout);
        self.access.store(Arc::new(access));
        self.publisher.slow_start.store(Arc::new(config.slow_start));
        let zone = config.zone.as_deref();
        let clients = Client::with(config, &self.access);
        let mut came = Vec::new();
        for ((index, backend), client) in (0..).zip(&config.backends).zip(clients) {
            let id = BackendId(index);
            if gone.contains(&id) {
                continue;
            }
            if self.publisher.waiters(id).is_none() {
                self.publisher.add(backend, zone);
            }
            came.push((id, client));
        }
        // All roles change at once: of two that were named one after the other, both would be.
        self.publisher.adjust(&config.backends, zone);
        for (id, client) in came {
            self.watch_over(id, client);
        }
    }

    /// Lets a backend get no new reads, or again some. What it is running goes on.
    pub fn set_draining(&self, id: BackendId, draining: bool) {
        self.publisher.change(id, |_, snapshot| {
            let view = snapshot.backends.get_mut(id.index());
            view.is_some_and(|view| std::mem::replace(&mut view.draining, draining) != draining)
        });
    }

    /// Watches a backend no more: it counts as down, and gets nothing.
    pub fn forget(&self, id: BackendId) {
        let tasks = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        tasks.iter().flatten().for_each(AbortHandle::abort);
        self.set_draining(id, true);
        self.publisher.lost(id);
    }

    /// Starts a monitor and a watcher, unless there are some.
    pub(super) fn watch_over(&self, id: BackendId, client: Client) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(waiters), Some(threads)) =
            (self.publisher.waiters(id), self.threads.get(id.index()))
        else {
            return;
        };
        if tasks.contains_key(&id) {
            return;
        }
        let monitor = monitor::Monitor {
            id,
            client: client.clone(),
            publisher: Arc::clone(&self.publisher),
            waiters: Arc::clone(waiters),
        };
        let watcher = watcher::Watcher {
            id,
            client,
            publisher: Arc::clone(&self.publisher),
            waiters: Arc::clone(waiters),
            threads: Arc::clone(threads),
        };
        let started = [tokio::spawn(monitor.run()), tokio::spawn(watcher.run())];
        tasks.insert(id, started.map(|task| task.abort_handle()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.values().flatten().for_each(AbortHandle::abort);
    }
}

impl Publisher {
    /// One more backend, which has the next id.
    fn add(&self, backend: &BackendConfig, zone: Option<&str>) {
        let mut known = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        if self.waiters.push(Arc::default()).is_err() {
            return;
        }
        let view = unknown(snapshot.backends.len(), backend, zone);
        snapshot.backends.push(view);
        known.push(Known::of(backend));
        (self.on_publish)(&snapshot);
        self.current.store(Arc::new(snapshot));
        self.published.fetch_add(1, Ordering::Release);
        drop(known);
        self.count.send_modify(|count| *count += 1);
    }

    /// What the configuration says of the backends now, by their ids.
    fn adjust(&self, backends: &[BackendConfig], zone: Option<&str>) {
        self.change_all(|known, snapshot| {
            let there = snapshot.backends.iter_mut().zip(known);
            for ((view, known), backend) in there.zip(backends) {
                known.max_lag = backend.max_lag;
                known.config = Some(backend.clone());
                // The next answer gives it that share, at once or little by little.
                known.weight = backend.weight;
                view.weight = view.weight.min(backend.weight);
                view.near = is_near(backend, zone);
                if let Some(role) = backend.role {
                    known.takes_role(view, role);
                }
            }
        });
    }
}
