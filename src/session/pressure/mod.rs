//! What sessions bear: peers that hang, vanish or come in crowds.

mod breaker;
mod crowds;
mod limits;
mod orphans;
mod patience;
mod queue;
mod slots;

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Semaphore;

use self::crowds::Crowds;
use self::queue::Queue;
use self::slots::Gate;
use crate::error::ClientError;
use crate::routing::BackendId;
use crate::telemetry::Metrics;

pub(super) use self::crowds::Member;
pub use self::limits::{Limits, OnClientGone};
pub(super) use self::patience::Patience;
pub(super) use self::queue::Queued;
pub(super) use self::slots::Slot;

/// What all sessions together count against their limits.
#[derive(Debug)]
pub struct Pressure {
    /// For killing what nobody waits for any more.
    kills: Semaphore,
    clients: Arc<Crowds>,
    queue: Arc<Queue>,
    /// By backend, made when it is first needed.
    gates: DashMap<BackendId, Arc<Gate>>,
    /// For how many connections each of them has room.
    room: Option<usize>,
    /// For the connections to all of them.
    all: Arc<Gate>,
}

impl Pressure {
    /// Nobody is here yet.
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            kills: Semaphore::new(orphans::KILLS),
            clients: Arc::default(),
            queue: Arc::new(Queue::new(metrics)),
            gates: DashMap::new(),
            room: limits.backend_connections,
            all: Arc::new(Gate::new(limits.backend_connections_total)),
        }
    }

    /// Counts a client of this account that has logged in.
    ///
    /// # Errors
    /// What the client reads if the account has as many as it may.
    pub(super) fn enter_client(
        &self,
        user: &[u8],
        limits: &Limits,
    ) -> Result<Option<Member>, ClientError> {
        let Some(limit) = limits.clients_per_user else {
            return Ok(None);
        };
        let entered = self.clients.enter(user, limit);
        let refused = |_| ClientError::too_many_of_user(&String::from_utf8_lossy(user));
        entered.map(Some).map_err(refused)
    }
}
