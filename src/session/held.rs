//! A backend connection in a session's hands.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::by_id::ById;
use super::foreign::Foreign;
use super::observe::KnownEnd;
use super::pool::Spare;
use super::prepared::{OnBackend, Shelf};
use super::pressure::Slot;
use super::registry::{Peer, Thread};
use super::visible::TELLING;
use crate::backend::{ConnectError, Connection, Kinship, LoginRequest};
use crate::gtid::{Incarnation, Set};
use crate::protocol::{Command, Status};
use crate::routing::{BackendId, Place, Snapshot};
use crate::sql::Flavour;
use crate::telemetry::ConnectionState;

/// A connection in a session's hands; the books are kept by dropping it.
pub(super) struct Held {
    /// Elsewhere: it goes on to another session without all of this.
    connection: Box<Connection>,
    lease: Lease,
    /// Its room among all connections.
    pub slot: Slot,
    /// Which sessions it could serve next; none if only this one.
    pub kinship: Option<Kinship>,
    /// The life of the backend that it is proven to belong to.
    incarnation: Option<Incarnation>,
    /// When it was logged in.
    pub opened: Instant,
    /// When it was used last.
    pub used: Instant,
    /// The executed set that the backend told last, with an answer or when it was asked who it is:
    /// most answers repeat it. Empty where no answer tells, or where it has executed nothing.
    pub last_executed: Told,
    /// How the last result on a reader has ended.
    pub last_end: Option<Box<KnownEnd>>,
    /// The prepared statements that it knows, by the client's id.
    pub statements: ById<OnBackend>,
    /// Others that it knows, and the client does not.
    pub shelf: Shelf,
    /// What other sessions have left there.
    pub foreign: Foreign,
    /// User variables that are the session's own, or nobody's; none if all are.
    pub own_variables: Option<Vec<Box<[u8]>>>,
    /// LAST_INSERT_ID() returns something there.
    pub has_insert_id: bool,
    /// Tidegate's own variables have values there.
    pub has_own: bool,
    /// A statement failed there that may have set anything before: an error tells nothing of it.
    pub doubtful: bool,
}

/// What a backend has told of its executed set.
#[derive(Debug, Default)]
pub(super) struct Told {
    text: String,
    /// The same, read.
    set: Arc<Set>,
    /// A token that this has.
    covered: Option<Arc<Set>>,
}

impl Told {
    fn new(text: String, set: Arc<Set>) -> Self {
        Self {
            text,
            set,
            covered: None,
        }
    }

    /// What such a text says; `None` where it can't be read.
    pub(super) fn read(&self, text: &str) -> Option<Arc<Set>> {
        match self.text == text {
            true => Some(Arc::clone(&self.set)),
            false => Set::parse(text).ok().map(Arc::new),
        }
    }

    /// Does what [`Told::read`] gave have a token? The same is asked again and again.
    pub(super) fn covers(&mut self, set: &Arc<Set>, token: &Arc<Set>) -> bool {
        let told = Arc::ptr_eq(&self.set, set);
        let before = self.covered.as_ref().filter(|_| told);
        if before.is_some_and(|before| Arc::ptr_eq(before, token)) {
            return true;
        }
        let covers = set.contains(token);
        if told && covers {
            self.covered = Some(Arc::clone(token));
        }
        covers
    }

    /// Takes what [`Told::read`] gave; says whether that is news.
    pub(super) fn take(&mut self, text: &str, set: &Arc<Set>) -> bool {
        let news = !Arc::ptr_eq(&self.set, set);
        if news {
            text.clone_into(&mut self.text);
            self.set = Arc::clone(set);
            self.covered = None;
        }
        news
    }

    /// Is that the text that was told last, of which it is known that it has this token?
    pub(super) fn proves_again(&self, text: &str, token: Option<&Arc<Set>>) -> bool {
        let covered = self.covered.as_ref();
        self.text == text
            && token.is_none_or(|token| covered.is_some_and(|it| Arc::ptr_eq(it, token)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// From now on nothing is told.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A session has a connection, until this is dropped.
struct Lease {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    backend: BackendId,
    thread: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.peer.remove_thread(self.backend, self.thread);
        self.shared
            .metrics
            .backend_connections(self.backend.index(), ConnectionState::Active)
            .dec();
        self.shared.loads.disconnected(self.backend);
    }
}

impl Held {
    pub(super) fn new(
        mut connection: Box<Connection>,
        shared: Arc<Shared>,
        peer: Arc<Peer>,
        opened: Instant,
    ) -> Self {
        let id = connection.backend;
        connection.proof.defaults = shared.share_defaults(&connection.proof.defaults);
        let config = shared.config.load_full();
        let limits = &config.limits;
        let believed = (limits.dead_peer_timeout, limits.write_timeout);
        if connection.believed != Some(believed) {
            connection.wire.stream().expect_life(believed.0, believed.1);
            connection.believed = Some(believed);
        }
        peer.add_thread(thread_of(&connection, opened));
        shared
            .metrics
            .backend_connections(id.index(), ConnectionState::Active)
            .inc();
        shared.loads.connected(id);
        let lease = Lease {
            shared,
            peer,
            backend: id,
            thread: connection.thread_id,
        };
        Self {
            connection,
            lease,
            slot: Slot::default(),
            kinship: None,
            incarnation: None,
            opened,
            used: Instant::now(),
            last_executed: Told::default(),
            last_end: None,
            statements: ById::default(),
            shelf: Shelf::default(),
            foreign: Foreign::default(),
            own_variables: None,
            has_insert_id: false,
            has_own: false,
            doubtful: false,
        }
    }

    /// What another session has given back, as it is.
    pub(super) fn as_it_was(spare: Spare, shared: Arc<Shared>, peer: Arc<Peer>) -> Self {
        let Spare {
            connection,
            opened,
            incarnation,
            last_executed,
            shelf,
            has_insert_id,
            ..
        } = spare;
        Self {
            incarnation,
            last_executed,
            shelf,
            has_insert_id,
            foreign: Foreign::ALL,
            own_variables: Some(Vec::new()),
            ..Self::new(connection, shared, peer, opened)
        }
    }

    /// The backend's thread that serves it.
    pub(super) fn thread(&self) -> Thread {
        thread_of(&self.connection, self.opened)
    }

    /// The place that it leads to, once that is proven.
    pub(super) fn place(&self) -> Option<Place> {
        Some(Place {
            backend: self.backend,
            incarnation: self.incarnation?,
        })
    }

    /// It leads where it did when another session had it.
    pub(super) fn stays_in(&mut self, life: Incarnation) {
        self.incarnation = Some(life);
    }

    /// Compares what the backend has said over this connection with what the monitor knew of it
    /// *before* it was asked: the same server, with at least the same history.
    pub(super) fn adopt(&mut self, before: &Snapshot) -> Option<Place> {
        self.incarnation = proven_life(&self.connection, before);
        self.place()
    }

    /// Asks the backend again who it is.
    ///
    /// # Errors
    /// As [`Connection::read_proof`].
    pub(super) async fn prove(&mut self, before: &Snapshot) -> Result<Option<Place>, ConnectError> {
        self.queue_proof();
        self.wire.flush().await?;
        self.read_proof().await?;
        Ok(self.adopt(before))
    }

    /// Queues what makes each answer outside of a transaction tell what the backend has executed.
    pub(super) fn queue_telling(&mut self) {
        self.queue_query(TELLING.as_bytes());
        let executed = self.proof.executed.clone();
        self.last_executed = Told::new(executed.to_string(), Arc::new(executed));
    }

    /// May it be asked to tell what the backend has executed? MySQL refuses that in a transaction.
    pub(super) fn could_tell(&self, command: Command) -> bool {
        self.flavour() == Flavour::MySql
            && !self.status.contains(Status::IN_TRANS)
            && matches!(command, Command::Query | Command::StmtExecute)
    }

    /// Would an answer of this connection have told what the backend has executed, if that were
    /// anything? MySQL leaves an empty set out, and each one in the middle of a transaction.
    pub(super) fn owes_executed(&self, command: Command) -> bool {
        !self.last_executed.is_empty()
            && self.could_tell(command)
            && self.status.contains(Status::AUTOCOMMIT)
    }

    /// COM_RESET_CONNECTION has come: the backend forgets what there was.
    pub(super) fn forget(&mut self) {
        self.statements.clear();
        self.shelf.clear();
        self.state.reset();
        self.last_executed.clear();
        self.last_end = None;
        self.has_insert_id = false;
        self.has_own = false;
        self.doubtful = false;
        self.own_variables = None;
        let told = &self.proof.defaults;
        self.connection.proof.defaults = self.lease.shared.share_defaults(told);
    }

    /// Asks one question of the proxy's own.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn ask(&mut self, sql: &str) -> Result<crate::backend::Row, ConnectError> {
        self.ask_bytes(sql.as_bytes()).await
    }

    /// The same in the session's own character set.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn ask_bytes(
        &mut self,
        sql: &[u8],
    ) -> Result<crate::backend::Row, ConnectError> {
        self.queue_query(sql);
        self.wire.flush().await?;
        self.read_answer(Command::Query).await
    }

    /// Says what the connection tracks.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn track(&mut self, tracking: String) -> Result<(), ConnectError> {
        self.queue_tracking(tracking);
        self.wire.flush().await?;
        self.read_answer(Command::Query).await.map(drop)
    }

    /// The same, unless it tracks just that.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn track_as(&mut self, tracking: &str) -> Result<(), ConnectError> {
        match self.tracking == tracking {
            true => Ok(()),
            false => {
                self.last_executed.clear();
                self.track(tracking.to_owned()).await
            }
        }
    }

    /// Gives it to whoever needs one next, if it can be handed over; else it is closed. With `told`,
    /// everything is known that the session has set there.
    pub(super) async fn give(mut self, request: &LoginRequest, told: bool) {
        let lent =
            self.kinship.is_some() && self.kinship == self.lease.shared.dialer.kinship(request);
        if !lent {
            return self.quit().await;
        }
        let most = self.lease.shared.shelf_size();
        self.shelve_all(most);
        let told = told && !self.has_own && !self.doubtful;
        let Self {
            connection,
            lease,
            slot,
            kinship,
            incarnation,
            opened,
            last_executed,
            shelf,
            has_insert_id,
            ..
        } = self;
        let (shared, peer) = (Arc::clone(&lease.shared), Arc::clone(&lease.peer));
        drop(lease);
        // Who kills this client has seen the thread before it was taken from the list, or never
        // does: nobody else may have it then.
        let free = !peer.is_hunted() && !connection.status.contains(Status::IN_TRANS);
        if let (true, Some(kinship)) = (free, kinship) {
            let spare = Spare {
                connection,
                opened,
                incarnation,
                last_executed,
                shelf,
                has_insert_id,
                told,
            };
            shared.give_to_pool(kinship, spare).await;
        }
        // Whoever has room next looks into the pool.
        drop(slot);
    }

    /// Tells the backend that nothing more comes.
    pub(super) async fn quit(mut self) {
        self.queue_command(Command::Quit);
        // Nobody is left whom a failure would interest.
        let _ = self.wire.flush().await;
    }
}

/// The life of its backend that a connection leads to, by what that has said over it: the same server
/// as the monitor knew *before* it was asked, with at least the same history.
pub(super) fn proven_life(connection: &Connection, before: &Snapshot) -> Option<Incarnation> {
    let view = before.backend(connection.backend)?;
    let life = view.place()?.incarnation;
    let same = connection.proof.server_uuid == Some(life.server_uuid);
    let whole = view.current_watermark().is_none_or(|mark| {
        let executed = connection.proof.executed.clone();
        executed.within(&mark.executed).contains(&mark.executed)
    });
    (same && whole).then_some(life)
}

fn thread_of(connection: &Connection, opened: Instant) -> Thread {
    Thread {
        backend: connection.backend,
        id: connection.thread_id,
        server_uuid: connection.proof.server_uuid,
        port: connection.port,
        opened,
    }
}

impl Deref for Held {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
