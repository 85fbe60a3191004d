//! Warm-up: as many connections stand ready as are kept for longer, before clients come for them.
//!
//! Nobody can log in for an account before one of its clients has, with its password and its
//! capabilities. So the first client of a kind has the connections opened that the next ones find.

use std::sync::Arc;
use std::time::Instant;

use super::super::held::{Told, proven_life};
use super::super::prepared::Shelf;
use super::super::session::Session;
use super::super::visible::tracking_on_reader;
use super::{Shared, Spare};
use crate::backend::{ConnectError, Kinship, LoginRequest};
use crate::routing::{BackendId, Role};
use crate::sql::ForEach;

/// A kind of connections to a backend that is being warmed up, until this is dropped.
struct Warming {
    shared: Arc<Shared>,
    key: (BackendId, Kinship),
}

impl Warming {
    /// None if somebody else is at it.
    fn begin(shared: &Arc<Shared>, key: (BackendId, Kinship)) -> Option<Self> {
        let mut warming = shared.pool.warming();
        if warming.contains(&key) {
            return None;
        }
        warming.push(key.clone());
        let shared = Arc::clone(shared);
        Some(Self { shared, key })
    }

    /// Is one more wanted, and is there room for it?
    fn goes_on(&self) -> bool {
        let (id, kinship) = &self.key;
        let idle = self.shared.pool.idle_of(*id, kinship);
        let wanted = self.shared.config.load().keeping.min_idle;
        self.shared.lends() && idle < wanted && self.shared.has_room_for_idle(*id)
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        let mut warming = self.shared.pool.warming();
        warming.retain(|key| *key != self.key);
    }
}

impl Session {
    /// Has connections opened that other clients of its kind will find, where too few are idle.
    pub(in crate::session) fn warm_up(&self) {
        let shared = &self.shared;
        if !shared.lends() || shared.config.load().keeping.min_idle == 0 {
            return;
        }
        let Some(kinship) = shared.dialer.kinship(&self.request) else {
            return;
        };
        let snapshot = shared.watch.snapshot();
        let views = snapshot.backends.iter();
        for view in views.filter(|view| view.up && !view.draining) {
            let key = (view.id, kinship.clone());
            let Some(warming) = Warming::begin(shared, key).filter(Warming::goes_on) else {
                continue;
            };
            let tracking = match view.role {
                Role::Reader => ForEach::new(tracking_on_reader),
                _ => self.tracking_for_each(),
            };
            tokio::spawn(warm_up(warming, self.request.clone(), tracking));
        }
    }
}

/// Opens one after the other. Whatever goes wrong, the next login tries again.
async fn warm_up(warming: Warming, request: LoginRequest, tracking: ForEach<String>) {
    let backend = warming.key.0;
    while warming.goes_on() {
        if let Err(error) = warm_one(&warming, &request, &tracking).await {
            let backend = warming.shared.name(backend);
            return tracing::debug!(backend, %error, "no connection was opened ahead");
        }
    }
}

async fn warm_one(
    warming: &Warming,
    request: &LoginRequest,
    tracking: &ForEach<String>,
) -> Result<(), ConnectError> {
    let (shared, (id, kinship)) = (&warming.shared, &warming.key);
    let before = shared.watch.snapshot();
    let life = before.backend(*id).and_then(|view| view.incarnation);
    let connecting = shared.dialer.connect(*id, request, tracking);
    let connection = Box::new(shared.pressure.guarded(*id, life, connecting).await?);
    let spare = Spare {
        incarnation: proven_life(&connection, &before),
        connection,
        opened: Instant::now(),
        last_executed: Told::default(),
        shelf: Shelf::default(),
        has_insert_id: false,
        told: true,
    };
    shared.give_to_pool(kinship.clone(), spare).await;
    Ok(())
}
