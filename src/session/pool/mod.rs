//! Connections that sessions have given back, for whoever needs one next.
//!
//! A session that goes on takes over a connection as it is, if it is known to be as the session
//! needs it, or can be told what is missing. Whoever logs in, and who finds none of these, takes
//! one over by COM_CHANGE_USER: the backend itself forgets everything that the session before has
//! left there, and is asked about the account and its password again.

mod books;
mod warming;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

pub use self::books::Keeping;

use self::books::{Books, Which};
use super::connections::Wanted;
use super::held::Told;
use super::prepared::Shelf;
use super::roster::Standing;
use super::state::diff;
use super::vouching::Vouching;
use super::word::{Account, Word};
use super::{PoolPolicy, Shared};
use crate::backend::{Connection, Kinship};
use crate::gtid::Incarnation;
use crate::net::Timers;
use crate::protocol::Command;
use crate::routing::BackendId;
use crate::telemetry::{ConnectionState, Metrics};

/// How often it is looked whether a connection was idle for too long.
const TICK: Duration = Duration::from_secs(1);

/// What a reader says of an account counts for other logins of it for so long. A privilege that is
/// granted or taken away globally is a matter of logins (MySQL manual, "When Privilege Changes Take
/// Effect"): on connections that are taken over as they are it counts that much later.
const ACCOUNT_KNOWN: Duration = Duration::from_secs(1);

/// A connection that no session has.
#[derive(Debug)]
pub(super) struct Spare {
    pub connection: Box<Connection>,
    /// When it was logged in first.
    pub opened: Instant,
    /// The life of the backend that it is proven to belong to.
    pub incarnation: Option<Incarnation>,
    /// What the backend told last of its executed set.
    pub last_executed: Told,
    /// The prepared statements that it knows.
    pub shelf: Shelf,
    /// LAST_INSERT_ID() returns something there.
    pub has_insert_id: bool,
    /// All is known that was set there: its state says it.
    pub told: bool,
}

impl Spare {
    async fn quit(mut self) {
        self.connection.queue_command(Command::Quit);
        // Nobody is left whom a failure would interest.
        let _ = self.connection.wire.flush().await;
    }

    /// Can it become what a session needs by what that tells it? And if so, does it have to be told
    /// anything?
    fn fits(&self, wanted: Wanted<'_>, life: Incarnation, known_for: Duration) -> Option<Fit> {
        let proven = self.incarnation == Some(life);
        let known = self.connection.authenticated + known_for >= wanted.since;
        if !(self.told && proven && known) {
            return None;
        }
        let replay = diff(wanted.state, &self.connection.state).ok()?;
        match (replay.reset, replay.is_empty()) {
            // It would begin at the globals of now, and the proof tells of those it began with.
            (true, _) => None,
            (false, true) => Some(Fit::AsItIs),
            (false, false) => Some(Fit::OnceTold),
        }
    }
}

/// How well a connection fits a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    AsItIs,
    OnceTold,
}

/// The same, as the metrics count it.
#[derive(Debug)]
struct Counted {
    spare: Spare,
    /// Whose runtime wakes up for it.
    thread: ThreadId,
    metrics: Arc<Metrics>,
}

impl Counted {
    fn new(spare: Spare, metrics: &Arc<Metrics>) -> Self {
        let id = spare.connection.backend;
        let metrics = Arc::clone(metrics);
        let idle = metrics.backend_connections(id.index(), ConnectionState::Idle);
        idle.inc();
        Self {
            spare,
            thread: thread::current().id(),
            metrics,
        }
    }

    fn into_inner(self) -> Spare {
        let id = self.spare.connection.backend;
        let idle = self
            .metrics
            .backend_connections(id.index(), ConnectionState::Idle);
        idle.dec();
        self.spare
    }
}

/// The connections that nobody has.
#[derive(Debug, Default)]
pub struct Pool {
    books: Mutex<Books<Kinship, Counted>>,
    /// Somebody looks after those that are idle.
    watched: AtomicBool,
    /// Those of which more are being opened.
    warming: Mutex<Vec<(BackendId, Kinship)>>,
    /// Logins that the writer is being asked about.
    pub(super) vouching: Arc<Vouching<Account, Arc<Word>>>,
}

impl Pool {
    fn books(&self) -> std::sync::MutexGuard<'_, Books<Kinship, Counted>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.books().total() == 0
    }

    fn warming(&self) -> std::sync::MutexGuard<'_, Vec<(BackendId, Kinship)>> {
        self.warming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of a kind nobody has.
    fn idle_of(&self, id: BackendId, kinship: &Kinship) -> usize {
        self.books().count(id, kinship)
    }

    /// One that is more than may be idle at this backend, or at all.
    fn beyond(&self, id: BackendId, own: Option<usize>, all: Option<usize>) -> Option<Counted> {
        let mut books = self.books();
        let beyond = own.and_then(|own| books.beyond(id, own));
        beyond.or_else(|| all.and_then(|all| books.beyond_all(all)))
    }
}

impl Shared {
    /// Takes in a connection on which nothing is needed any more. It may not be used by its session
    /// after that.
    pub(super) async fn give_to_pool(self: &Arc<Self>, kinship: Kinship, spare: Spare) {
        let (id, opened) = (spare.connection.backend, spare.opened);
        let chance = u32::try_from(spare.connection.thread_id % 100).unwrap_or_default();
        let keeping = self.config.load().keeping;
        let spare = Counted::new(spare, &self.metrics);
        let now = Instant::now();
        let key = (id, kinship);
        let refused = self
            .pool
            .books()
            .put(key, spare, opened, (keeping, chance), now);
        if let Some(spare) = refused {
            spare.into_inner().quit().await;
        }
        if !self.pool.watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(look_after(Arc::downgrade(self), self.timers.clone()));
        }
    }

    /// A connection for a session of this kind to this life of the backend, as it was left: it has
    /// to be cleaned before it is used. The caller has room for it.
    pub(super) fn lend(
        &self,
        id: BackendId,
        kinship: &Kinship,
        life: Incarnation,
    ) -> Option<Spare> {
        self.lend_where(id, kinship, |spare| spare.incarnation == Some(life))
    }

    /// The same, to ask about an account there: at this backend a login was nothing but that when it
    /// was opened.
    pub(super) fn lend_to_ask(
        &self,
        id: BackendId,
        kinship: &Kinship,
        life: Incarnation,
    ) -> Option<Spare> {
        self.lend_where(id, kinship, |spare| {
            spare.incarnation == Some(life) && spare.connection.proof.only_logs_in
        })
    }

    /// One that may be used as it was left, once it has been told what the session's state has
    /// more: best one that has to be told nothing.
    pub(super) fn lend_as_it_is(
        &self,
        id: BackendId,
        kinship: &Kinship,
        wanted: Wanted<'_>,
    ) -> Option<Spare> {
        let snapshot = self.watch.snapshot();
        let life = snapshot.backend(id)?.place()?.incarnation;
        // The session's own login has asked there.
        let known_for = match id == self.writer() {
            true => Duration::ZERO,
            false => ACCOUNT_KNOWN,
        };
        let fits = |fit| move |spare: &Spare| spare.fits(wanted, life, known_for) == Some(fit);
        self.lend_where(id, kinship, fits(Fit::AsItIs))
            .or_else(|| self.lend_where(id, kinship, fits(Fit::OnceTold)))
    }

    fn lend_where(
        &self,
        id: BackendId,
        kinship: &Kinship,
        fits: impl Fn(&Spare) -> bool,
    ) -> Option<Spare> {
        let which = match self.config.load().pool {
            PoolPolicy::LendAtOnce => Which::Longest,
            _ => Which::Warmest,
        };
        let here = thread::current().id();
        loop {
            let now = Instant::now();
            let taken = {
                let mut books = self.pool.books();
                let mut take = |near: bool| {
                    let fits = |it: &Counted| (!near || it.thread == here) && fits(&it.spare);
                    books.take((id, kinship), which, now, fits)
                };
                // One that this thread wakes up for already need not be moved.
                let near = if which == Which::Warmest {
                    take(true)
                } else {
                    None
                };
                near.or_else(|| take(false))
            };
            let taken = taken?;
            let elsewhere = taken.thread != here;
            let mut spare = taken.into_inner();
            // What a backend has closed is of no use, and the thread that it was on knows.
            if spare.connection.wire.is_over() {
                continue;
            }
            // If it can't be moved, it is of use all the same.
            if elsewhere && let Err(error) = spare.connection.wire.move_here() {
                tracing::warn!(backend = self.name(id), %error, "a connection stays on its thread");
            }
            return Some(spare);
        }
    }

    /// Closes what is more than there is room for beside the connections that are in use.
    pub(super) async fn make_room(&self, id: BackendId) {
        let (own, all) = self.pressure.free_room(id);
        while let Some(spare) = self.pool.beyond(id, own, all) {
            spare.into_inner().quit().await;
        }
    }

    /// Is there room for one more that nobody has?
    fn has_room_for_idle(&self, id: BackendId) -> bool {
        let (own, all) = self.pressure.free_room(id);
        let books = self.pool.books();
        let fits = |room: Option<usize>, idle| room.is_none_or(|room| idle < room);
        fits(own, books.at(id)) && fits(all, books.total())
    }

    async fn close_idle(&self) -> bool {
        let wanted = |id| matches!(self.roster.standing(id), Standing::Serving);
        let keeping = self.config.load().keeping;
        let gone = self.pool.books().expire(keeping, Instant::now(), wanted);
        for spare in gone {
            spare.into_inner().quit().await;
        }
        self.pool.is_empty()
    }
}

/// Closes what was idle for too long, until nothing is left.
async fn look_after(shared: std::sync::Weak<Shared>, timers: Timers) {
    loop {
        timers.sleep(TICK).await;
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
