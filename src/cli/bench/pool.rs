//! An application's pool: connections that are lent in turn.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::road::{Connection, Failure, Road};

/// Connections that are shared, first come, first served.
#[derive(Debug)]
pub(super) struct Pool {
    road: Road,
    free: Semaphore,
    /// None where one has to be opened.
    slots: Mutex<VecDeque<Option<Connection>>>,
}

/// A connection that is lent. Dropped without [`Lent::back`], it is closed.
#[derive(Debug)]
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    /// Opens its connections, as far as that works; the rest is tried again when it is lent.
    pub(super) async fn open(road: Road, size: usize) -> Self {
        let mut slots = VecDeque::new();
        for _ in 0..size {
            slots.push_back(road.connect().await.ok());
        }
        Self {
            road,
            free: Semaphore::new(size),
            slots: Mutex::new(slots),
        }
    }

    /// Waits for a connection.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, Failure> {
        let permit = self.free.acquire().await.map_err(|_| Failure {
            name: "the pool is closed".to_owned(),
            fatal: true,
        })?;
        let slot = self.slots().pop_front().flatten();
        let mut lent = Lent {
            pool: self,
            connection: slot,
            _permit: permit,
        };
        if lent.connection.is_none() {
            lent.connection = Some(self.road.connect().await?);
        }
        Ok(lent)
    }

    /// Closes all that is not lent.
    pub(super) async fn close(&self) {
        let all: Vec<_> = self.slots().drain(..).flatten().collect();
        for connection in all {
            connection.close().await;
        }
    }

    /// Nobody panics while holding it.
    fn slots(&self) -> std::sync::MutexGuard<'_, VecDeque<Option<Connection>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    /// The connection.
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// Gives it back, if it is of use still.
    pub(super) fn back(mut self, usable: bool) {
        let connection = self.connection.take().filter(|_| usable);
        self.pool.slots().push_back(connection);
    }
}
