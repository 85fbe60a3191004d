//! Room for backend connections: who wants one beyond the limit waits for a little while, and idle
//! sessions that can do without theirs are asked for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use rand::Rng;
use smallvec::SmallVec;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::breaker::Breaker;
use super::{Limits, Pressure};
use crate::backend::ConnectError;
use crate::gtid::Incarnation;
use crate::routing::BackendId;

/// Room for one connection, until it is dropped.
#[derive(Debug, Default)]
pub(in crate::session) struct Slot {
    _own: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

/// What connections to one backend share, or those to all of them.
#[derive(Debug)]
pub(super) struct Gate {
    room: Option<Arc<Semaphore>>,
    waiting: AtomicUsize,
    wanted: Notify,
    pub(super) breaker: Breaker<Incarnation>,
}

/// Waits for room, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(super) fn new(limit: Option<usize>) -> Self {
        let room = limit.map(|limit| Arc::new(Semaphore::new(limit)));
        Self {
            room,
            waiting: AtomicUsize::new(0),
            wanted: Notify::new(),
            breaker: Breaker::default(),
        }
    }

    async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        let room = self.room.as_ref()?;
        if let Ok(permit) = Arc::clone(room).try_acquire_owned() {
            return Some(permit);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        self.wanted.notify_one();
        Arc::clone(room).acquire_owned().await.ok()
    }
}

impl Pressure {
    /// Is there a limit on connections?
    pub(in crate::session) fn limits_connections(&self) -> bool {
        self.room.is_some() || self.all.room.is_some()
    }

    /// Does somebody wait for room at this backend, or at any of them?
    pub(in crate::session) fn is_wanted(&self, id: BackendId) -> bool {
        let waits = |gate: &Gate| gate.waiting.load(Ordering::Relaxed) > 0;
        waits(&self.gate(id)) || waits(&self.all)
    }

    /// Would one that needs a connection to this backend have to wait?
    pub(in crate::session) fn is_full(&self, id: BackendId) -> bool {
        let (own, all) = self.free_room(id);
        own == Some(0) || all == Some(0)
    }

    /// For how many more connections there is room, at this backend and at all of them, where that
    /// is limited.
    pub(in crate::session) fn free_room(&self, id: BackendId) -> (Option<usize>, Option<usize>) {
        let free = |gate: &Gate| gate.room.as_ref().map(|room| room.available_permits());
        (free(&self.gate(id)), free(&self.all))
    }

    /// Room for a connection to this backend.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ConnectError::Full`] if there was none for too long, or too many wait already.
    pub(in crate::session) async fn slot(
        &self,
        id: BackendId,
        user: &[u8],
        limits: &Limits,
    ) -> Result<Slot, ConnectError> {
        if !self.limits_connections() {
            return Ok(Slot::default());
        }
        let gate = self.gate(id);
        let entering = async {
            Slot {
                _own: gate.enter().await,
                _of_all: self.all.enter().await,
            }
        };
        tokio::pin!(entering);
        // Nearly always there is room, and nobody waits.
        if let Poll::Ready(slot) =
            std::future::poll_fn(|cx| Poll::Ready(entering.as_mut().poll(cx))).await
        {
            return Ok(slot);
        }
        let _queued = self
            .queue_up(user, limits)
            .map_err(|_| ConnectError::Full)?;
        match timeout(limits.connection_wait, entering).await {
            Ok(slot) => Ok(slot),
            Err(_) => Err(ConnectError::Full),
        }
    }

    /// Resolves when somebody waits for room at one of these backends, which the caller is connected
    /// to and can do without; never, if there is none.
    ///
    /// Cancel safe.
    pub(in crate::session) async fn wanted(&self, spare: &[BackendId]) -> BackendId {
        let gates: SmallVec<[_; 4]> = spare.iter().map(|id| (*id, self.gate(*id))).collect();
        loop {
            let first = gates.first().map(|(id, _)| (*id, &*self.all));
            let own = gates.iter().map(|(id, gate)| (*id, &**gate));
            let calls = own.chain(first).map(|(id, gate)| async move {
                gate.wanted.notified().await;
                (gate.waiting.load(Ordering::Relaxed) > 0).then_some(id)
            });
            let mut calls: SmallVec<[_; 4]> = calls.map(Box::pin).collect();
            let called = std::future::poll_fn(|cx| {
                let mut ready = calls.iter_mut().map(|call| call.as_mut().poll(cx));
                ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
            });
            if let Some(id) = called.await {
                return id;
            }
        }
    }

    pub(super) fn gate(&self, id: BackendId) -> Arc<Gate> {
        let gate = self.gates.get(&id).map(|gate| Arc::clone(&gate));
        gate.unwrap_or_else(|| {
            let new = || Arc::new(Gate::new(self.room));
            Arc::clone(&self.gates.entry(id).or_insert_with(new))
        })
    }

    /// Connects, unless the last attempts at this backend have failed.
    ///
    /// # Errors
    /// [`ConnectError::Resting`] if none is made now; else those of `connecting`.
    pub(in crate::session) async fn guarded<T>(
        &self,
        id: BackendId,
        life: Option<Incarnation>,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let gate = self.gate(id);
        let now = std::time::Instant::now();
        let attempt = gate.breaker.admit(life, now).ok_or(ConnectError::Resting)?;
        let connected = connecting.await;
        match &connected {
            // A refusal is an answer.
            Ok(_) | Err(ConnectError::Refused(_)) => attempt.succeeded(),
            Err(_) => attempt.failed(std::time::Instant::now(), rand::rng().random()),
        }
        connected
    }
}
