//! The clients there are, by the ids they know themselves by.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dashmap::DashMap;
use tokio::sync::watch;

use crate::routing::BackendId;

/// Client ids begin here, far above what a backend counts its threads with, so that an id says by
/// itself whether it means a client of the proxy or a thread of the writer.
const FIRST_ID: u32 = 0xc000_0000;

/// A client's entry; it goes when this is dropped.
#[derive(Debug)]
pub struct Entry {
    registry: Arc<Registry>,
    /// The id that the client was told in its handshake.
    pub id: u32,
    peer: Arc<Peer>,
    killed: watch::Receiver<Kill>,
}

/// What others may know of a client.
#[derive(Debug)]
pub struct Peer {
    threads: Mutex<Vec<(BackendId, u64)>>,
    kill: watch::Sender<Kill>,
}

/// Is a client to be killed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    No,
    /// Somebody wants it, and the backends have not said yet whether they may.
    Asked,
    Yes,
}

/// All clients.
#[derive(Debug, Default)]
pub struct Registry {
    clients: DashMap<u32, Arc<Peer>>,
    next: AtomicU32,
    count: AtomicUsize,
}

impl Registry {
    /// Enters a client, unless there are `limit` already.
    pub fn enter(self: &Arc<Self>, limit: usize) -> Option<Entry> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before >= limit {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let (kill, killed) = watch::channel(Kill::No);
        let peer = Arc::new(Peer {
            threads: Mutex::default(),
            kill,
        });
        loop {
            let offset = self.next.fetch_add(1, Ordering::Relaxed) & !FIRST_ID;
            let id = FIRST_ID | offset;
            if let dashmap::Entry::Vacant(vacant) = self.clients.entry(id) {
                vacant.insert(Arc::clone(&peer));
                return Some(Entry {
                    registry: Arc::clone(self),
                    id,
                    peer,
                    killed,
                });
            }
        }
    }

    /// The client with this id; `None` also for ids that can't be a client's.
    pub fn find(&self, id: u64) -> Option<Arc<Peer>> {
        let id = u32::try_from(id).ok()?;
        self.clients.get(&id).map(|peer| Arc::clone(&peer))
    }

    /// The clients that threads of a backend serve, by thread.
    pub fn threads_on(&self, backend: BackendId) -> HashMap<u64, u32> {
        let mut clients = HashMap::new();
        for client in &self.clients {
            let threads = client.value().threads();
            let here = threads.into_iter().filter(|(at, _)| *at == backend);
            clients.extend(here.map(|(_, thread)| (thread, *client.key())));
        }
        clients
    }

    /// Can this id only be a client's?
    pub fn is_client_id(id: u64) -> bool {
        (u64::from(FIRST_ID)..=u64::from(u32::MAX)).contains(&id)
    }

    /// How many clients there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Peer {
    /// The backend threads that serve this client.
    pub fn threads(&self) -> Vec<(BackendId, u64)> {
        self.lock().clone()
    }

    /// Another thread serves this client now.
    pub fn add_thread(&self, backend: BackendId, thread: u64) {
        self.lock().push((backend, thread));
    }

    /// A thread no longer serves this client.
    pub fn remove_thread(&self, backend: BackendId, thread: u64) {
        self.lock().retain(|known| *known != (backend, thread));
    }

    /// Somebody is about to kill the client's backend threads: until that is decided, a lost
    /// connection means nothing.
    pub fn ask_kill(&self) {
        let ask = |kill: &mut Kill| {
            let first = *kill == Kill::No;
            if first {
                *kill = Kill::Asked;
            }
            first
        };
        self.kill.send_if_modified(ask);
    }

    /// They might not: the client goes on.
    pub fn spare(&self) {
        let spare = |kill: &mut Kill| {
            let asked = *kill == Kill::Asked;
            if asked {
                *kill = Kill::No;
            }
            asked
        };
        self.kill.send_if_modified(spare);
    }

    /// Ends the client's session at its next opportunity.
    pub fn kill(&self) {
        self.kill.send_replace(Kill::Yes);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(BackendId, u64)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// What others may know of this client.
    pub fn peer(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }

    /// Resolves when the client was killed.
    ///
    /// Cancel safe.
    pub async fn killed(&mut self) {
        // The sender lives in the peer, which lives as long as this entry.
        let _ = self.killed.wait_for(|kill| *kill == Kill::Yes).await;
    }

    /// Was the client killed by now?
    pub fn is_killed(&self) -> bool {
        *self.killed.borrow() == Kill::Yes
    }

    /// Was the client killed? Waits while that is being decided.
    ///
    /// Cancel safe.
    pub async fn was_killed(&mut self) -> bool {
        let decided = self.killed.wait_for(|kill| *kill != Kill::Asked).await;
        decided.is_ok_and(|kill| *kill == Kill::Yes)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.clients.remove(&self.id);
        self.registry.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_more_than_the_limit_is_refused_until_one_leaves() {
        let registry = Arc::new(Registry::default());
        let first = registry.enter(1);
        assert!(first.is_some() && registry.enter(1).is_none());
        drop(first);
        assert!(registry.enter(1).is_some());
    }

    #[test]
    fn a_client_is_found_by_its_id_and_no_other() {
        let registry = Arc::new(Registry::default());
        let entry = registry.enter(9).expect("room");
        assert!(registry.find(u64::from(entry.id)).is_some());
        assert!(registry.find(u64::from(entry.id) + 1).is_none());
        assert!(registry.find(u64::from(entry.id) + (1 << 32)).is_none());
        assert!(Registry::is_client_id(u64::from(entry.id)) && !Registry::is_client_id(8));
    }
}
