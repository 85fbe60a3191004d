//! Connections that sessions have given back, for whoever needs one next.
//!
//! A connection changes hands by COM_CHANGE_USER: the backend itself forgets everything that the
//! session before has left there, and is asked about the account and its password again. So what a
//! session finds on a connection that was lent to it is what it would find on a new one.

mod books;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use self::books::Keeping;

use self::books::{Books, Which};
use super::roster::Standing;
use super::{PoolPolicy, Shared};
use crate::backend::{Connection, Kinship};
use crate::protocol::Command;
use crate::routing::BackendId;
use crate::telemetry::{ConnectionState, Metrics};

/// How often it is looked whether a connection was idle for too long.
const TICK: Duration = Duration::from_secs(1);

/// A connection that nobody has.
#[derive(Debug)]
struct Spare {
    connection: Connection,
    opened: Instant,
    metrics: Arc<Metrics>,
}

impl Spare {
    async fn quit(self) {
        let (mut connection, _) = self.into_parts();
        connection.queue_command(Command::Quit);
        // Nobody is left whom a failure would interest.
        let _ = connection.wire.flush().await;
    }

    fn into_parts(self) -> (Connection, Instant) {
        let id = self.connection.backend;
        let idle = self
            .metrics
            .backend_connections(id.index(), ConnectionState::Idle);
        idle.dec();
        (self.connection, self.opened)
    }
}

/// The connections that nobody has.
#[derive(Debug, Default)]
pub struct Pool {
    books: Mutex<Books<Kinship, Spare>>,
    /// Somebody looks after those that are idle.
    watched: AtomicBool,
}

impl Pool {
    fn books(&self) -> std::sync::MutexGuard<'_, Books<Kinship, Spare>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.books().total() == 0
    }

    /// One that is more than may be idle at this backend, or at all.
    fn beyond(&self, id: BackendId, own: Option<usize>, all: Option<usize>) -> Option<Spare> {
        let mut books = self.books();
        let beyond = own.and_then(|own| books.beyond(id, own));
        beyond.or_else(|| all.and_then(|all| books.beyond_all(all)))
    }
}

impl Shared {
    /// Takes in a connection on which nothing is needed any more. It may not be used by its session
    /// after that.
    pub(super) async fn give_to_pool(
        self: &Arc<Self>,
        kinship: Kinship,
        connection: Connection,
        opened: Instant,
    ) {
        let id = connection.backend;
        let chance = u32::try_from(connection.thread_id % 100).unwrap_or_default();
        let keeping = self.config.load().keeping;
        let metrics = Arc::clone(&self.metrics);
        metrics
            .backend_connections(id.index(), ConnectionState::Idle)
            .inc();
        let spare = Spare {
            connection,
            opened,
            metrics,
        };
        let now = Instant::now();
        let key = (id, kinship);
        let refused = self
            .pool
            .books()
            .put(key, spare, opened, (keeping, chance), now);
        if let Some(spare) = refused {
            spare.quit().await;
        }
        if !self.pool.watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(look_after(Arc::downgrade(self)));
        }
    }

    /// A connection for a session of this kind, as it was left: it has to be cleaned before it is
    /// used. The caller has room for it.
    pub(super) fn lend(&self, id: BackendId, kinship: &Kinship) -> Option<(Connection, Instant)> {
        let which = match self.config.load().pool {
            PoolPolicy::LendAtOnce => Which::Longest,
            _ => Which::Warmest,
        };
        loop {
            let taken = self.pool.books().take((id, kinship), which, Instant::now());
            let spare = taken?;
            let (mut connection, opened) = spare.into_parts();
            // What a backend has closed is of no use.
            if !connection.wire.is_over() {
                return Some((connection, opened));
            }
        }
    }

    /// Closes what is more than there is room for beside the connections that are in use.
    pub(super) async fn make_room(&self, id: BackendId) {
        let (own, all) = self.pressure.free_room(id);
        while let Some(spare) = self.pool.beyond(id, own, all) {
            spare.quit().await;
        }
    }

    async fn close_idle(&self) -> bool {
        let wanted = |id| matches!(self.roster.standing(id), Standing::Serving);
        let keeping = self.config.load().keeping;
        let gone = self.pool.books().expire(keeping, Instant::now(), wanted);
        for spare in gone {
            spare.quit().await;
        }
        self.pool.is_empty()
    }
}

/// Closes what was idle for too long, until nothing is left.
async fn look_after(shared: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if shared.close_idle().await {
            shared.pool.watched.store(false, Ordering::Release);
            // One may have come since: its session saw that somebody looks.
            if shared.pool.is_empty() || shared.pool.watched.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}
