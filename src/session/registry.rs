//! The clients there are, by the ids they know themselves by.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use tokio::sync::watch;

use crate::gtid::Uuid;
use crate::net::Cut;
use crate::routing::BackendId;

/// Client ids begin here, far above what a backend counts its threads with, so that an id says by
/// itself whether it means a client of the proxy or a thread of the writer.
const FIRST_ID: u32 = 0xc000_0000;

/// So many bits of an id count a proxy's clients; those above are the proxy's own.
const COUNT_BITS: u32 = 20;

/// A client's entry; it goes when this is dropped.
#[derive(Debug)]
pub struct Entry {
    registry: Arc<Registry>,
    /// The id that the client was told in its handshake.
    pub id: u32,
    peer: Arc<Peer>,
    killed: Killed,
}

/// Tells when a client was killed.
#[derive(Clone, Debug)]
pub(super) struct Killed(watch::Receiver<Kill>);

impl Killed {
    /// Resolves when it was.
    ///
    /// Cancel safe.
    pub(super) async fn wait(&mut self) {
        // The sender lives in the peer, which lives as long as the client's entry.
        let _ = self.0.wait_for(|kill| *kill == Kill::Yes).await;
    }
}

/// What others may know of a client.
#[derive(Debug)]
pub struct Peer {
    threads: Mutex<Vec<Thread>>,
    kill: watch::Sender<Kill>,
    cut: Arc<Cut>,
    /// When it came.
    pub since: Instant,
    about: Mutex<About>,
    commands: AtomicU64,
    busy: AtomicBool,
    let_in: AtomicBool,
    /// One more for each that is about to kill its threads.
    hunters: Arc<()>,
}

/// Who a client is, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its account; empty before it has logged in.
    pub user: String,
    /// Where it comes from.
    pub host: String,
}

/// A backend's thread that serves a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Which backend.
    pub backend: BackendId,
    /// The backend's id for it.
    pub id: u64,
    /// The server that it is a thread of, and since when: another server, or another life of it,
    /// counts its threads anew.
    pub server_uuid: Option<Uuid>,
    /// The port that the proxy reached it from, which the backend shows in its process list; none
    /// over a unix socket.
    pub port: Option<u16>,
    /// When it was logged in.
    pub opened: Instant,
}

impl Thread {
    /// Is it a thread of the life in which its server has been up for so long? `None` if that
    /// can't be told: it was opened within a second of the server's start.
    pub fn is_of(&self, uptime: Duration) -> Option<bool> {
        // Servers count full seconds.
        let second = Duration::from_secs(1);
        let age = self.opened.elapsed();
        if age <= uptime.saturating_sub(second) {
            return Some(true);
        }
        (age > uptime + second).then_some(false)
    }

    /// Does the server's process list show this thread under its number? `host` is the column
    /// of that name, with the port of the peer.
    pub fn is_from(&self, host: &str) -> bool {
        let port = host
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        port.is_some() && port == self.port
    }
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
    /// What its ids have in common.
    prefix: u32,
    next: AtomicU32,
    count: AtomicUsize,
}

impl Registry {
    /// No clients yet. The lower ten bits of `proxy` tell its clients from those of other proxies.
    pub fn new(proxy: u16) -> Self {
        Self {
            prefix: (u32::from(proxy) << COUNT_BITS) & !FIRST_ID,
            ..Self::default()
        }
    }

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
            cut: Arc::default(),
            since: Instant::now(),
            about: Mutex::default(),
            commands: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            let_in: AtomicBool::new(false),
            hunters: Arc::default(),
        });
        loop {
            let count = self.next.fetch_add(1, Ordering::Relaxed);
            let id = FIRST_ID | self.prefix | (count & ((1 << COUNT_BITS) - 1));
            if let dashmap::Entry::Vacant(vacant) = self.clients.entry(id) {
                vacant.insert(Arc::clone(&peer));
                return Some(Entry {
                    registry: Arc::clone(self),
                    id,
                    peer,
                    killed: Killed(killed),
                });
            }
        }
    }

    /// All of them, by their ids.
    pub fn all(&self) -> Vec<(u32, Arc<Peer>)> {
        let clients = self.clients.iter();
        let mut all: Vec<_> = clients
            .map(|it| (*it.key(), Arc::clone(it.value())))
            .collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// The client with this id; `None` also for ids that can't be a client's.
    pub fn find(&self, id: u64) -> Option<Arc<Peer>> {
        let id = u32::try_from(id).ok()?;
        self.clients.get(&id).map(|peer| Arc::clone(&peer))
    }

    /// The clients that threads of this server serve, by thread. Where two have one number, the
    /// older one is of an earlier life.
    pub fn threads_on(&self, backend: BackendId, server: Option<Uuid>) -> HashMap<u64, u32> {
        let mut found: Vec<(Instant, u64, u32)> = Vec::new();
        for client in &self.clients {
            let threads = client.value().threads().into_iter();
            let here = threads.filter(|it| it.backend == backend && it.server_uuid == server);
            found.extend(here.map(|thread| (thread.opened, thread.id, *client.key())));
        }
        found.sort_unstable();
        found
            .into_iter()
            .map(|(_, thread, client)| (thread, client))
            .collect()
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
    /// Who it is.
    pub fn about(&self) -> About {
        self.about
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Who it has turned out to be.
    pub(super) fn introduce(&self, user: &str, host: &str) {
        let about = About {
            user: user.to_owned(),
            host: host.to_owned(),
        };
        *self.about.lock().unwrap_or_else(PoisonError::into_inner) = about;
    }

    /// It was told that it may come in.
    pub(super) fn note_let_in(&self) {
        self.let_in.store(true, Ordering::Relaxed);
    }

    /// Was it?
    pub(super) fn is_let_in(&self) -> bool {
        self.let_in.load(Ordering::Relaxed)
    }

    /// It is doing something from now on, or is not any more.
    pub(super) fn note_busy(&self, busy: bool) {
        if busy {
            self.commands.fetch_add(1, Ordering::Relaxed);
        }
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// Whether it is doing something.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// How many commands it has sent.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Ends the client's session by the operator's word, as if the client had gone away: what it
    /// was running is treated as the configuration says for that case.
    pub fn cut(&self) {
        self.kill();
        self.cut.cut();
    }

    /// Is told when the client is cut off.
    pub(super) fn cutter(&self) -> Arc<Cut> {
        Arc::clone(&self.cut)
    }

    /// Its threads are about to be killed, until what is returned is dropped: none of them may serve
    /// another client meanwhile.
    pub(super) fn hunt(&self) -> Arc<()> {
        Arc::clone(&self.hunters)
    }

    /// Is somebody about to kill its threads?
    pub(super) fn is_hunted(&self) -> bool {
        Arc::strong_count(&self.hunters) > 1
    }

    /// The backend threads that serve this client.
    pub fn threads(&self) -> Vec<Thread> {
        self.lock().clone()
    }

    /// Another thread serves this client now.
    pub fn add_thread(&self, thread: Thread) {
        self.lock().push(thread);
    }

    /// A thread no longer serves this client.
    pub fn remove_thread(&self, backend: BackendId, thread: u64) {
        self.lock()
            .retain(|known| (known.backend, known.id) != (backend, thread));
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Thread>> {
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
        self.killed.wait().await;
    }

    /// The same, for whoever does not have this entry.
    pub(super) fn killing(&self) -> Killed {
        self.killed.clone()
    }

    /// Was the client killed by now?
    pub fn is_killed(&self) -> bool {
        *self.killed.0.borrow() == Kill::Yes
    }

    /// Was the client killed? Waits while that is being decided.
    ///
    /// Cancel safe.
    pub async fn was_killed(&mut self) -> bool {
        let decided = self.killed.0.wait_for(|kill| *kill != Kill::Asked).await;
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
    fn a_thread_that_may_be_older_than_its_server_is_told_by_its_port() {
        let opened = Instant::now().checked_sub(Duration::from_secs(30));
        let thread = Thread {
            backend: BackendId(0),
            id: 7,
            server_uuid: None,
            port: Some(40_000),
            opened: opened.expect("a machine that is up for a minute"),
        };
        let is_of = |uptime| thread.is_of(Duration::from_secs(uptime));
        assert_eq!(is_of(0), Some(false));
        assert_eq!(is_of(28), Some(false));
        assert_eq!(is_of(30), None, "which may be 29 or almost 31");
        assert_eq!(is_of(32), Some(true));
        assert!(thread.is_from("127.0.0.1:40000") && thread.is_from("::1:40000"));
        assert!(!thread.is_from("127.0.0.1:40001") && !thread.is_from("localhost"));
        let over_socket = Thread {
            port: None,
            ..thread
        };
        assert!(!over_socket.is_from("localhost") && !over_socket.is_from("db:40000"));
    }

    #[test]
    fn of_two_threads_of_one_number_the_younger_is_there() {
        let registry = Arc::new(Registry::new(1));
        let entries: Vec<Entry> = (0..9).filter_map(|_| registry.enter(9)).collect();
        let now = Instant::now();
        for (age, entry) in entries.iter().enumerate() {
            let age = Duration::from_millis(u64::try_from(age).unwrap());
            entry.peer().add_thread(Thread {
                backend: BackendId(0),
                id: 7,
                server_uuid: None,
                port: None,
                opened: now + age,
            });
        }
        let youngest = entries.last().unwrap().id;
        let clients = registry.threads_on(BackendId(0), None);
        assert_eq!(clients, HashMap::from([(7, youngest)]));
        assert!(registry.threads_on(BackendId(1), None).is_empty());
    }

    #[test]
    fn the_ids_of_two_proxies_differ_and_can_not_be_a_threads() {
        let ids = |proxy| {
            let registry = Arc::new(Registry::new(proxy));
            let entries: Vec<Entry> = (0..3).filter_map(|_| registry.enter(3)).collect();
            entries.iter().map(|entry| entry.id).collect::<Vec<u32>>()
        };
        assert_eq!(ids(0), [FIRST_ID, FIRST_ID + 1, FIRST_ID + 2]);
        assert_eq!(ids(1023).last(), Some(&0xfff0_0002));
        assert_eq!(ids(1024), ids(0));
        assert!(
            ids(7)
                .iter()
                .all(|id| Registry::is_client_id(u64::from(*id)))
        );
        assert!(ids(7).iter().all(|id| !ids(8).contains(id)));
    }

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
