//! The backend connections that serve one session.
//!
//! A session keeps what it opened, unless `[pool] mode` lets others have it between two statements.
//! Nobody else may find a connection in the middle of a response, so one is taken out to be used and
//! put back when the response has ended.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::by_id::ById;
use super::prepared::OnBackend;
use super::pressure::Slot;
use super::registry::{Peer, Thread};
use super::{PoolPolicy, Shared};
use crate::backend::{ConnectError, Connection, Kinship, LoginRequest};
use crate::gtid::{Incarnation, Set};
use crate::protocol::{Command, Status};
use crate::routing::{BackendId, Place, Snapshot};
use crate::sql::{Flavour, ForEach};
use crate::telemetry::{ConnectionState, Handover};

/// A connection in a session's hands; the books are kept by dropping it.
pub(super) struct Held {
    /// Elsewhere, since a connection is moved in and out with each statement.
    connection: Box<Connection>,
    lease: Lease,
    /// Its room among all connections.
    slot: Slot,
    /// Which sessions it could serve next; none if only this one.
    kinship: Option<Kinship>,
    /// The life of the backend that it is proven to belong to.
    incarnation: Option<Incarnation>,
    /// When it was logged in.
    pub opened: Instant,
    /// When it was used last.
    pub used: Instant,
    /// The executed set that the backend told last: most answers repeat it. Empty where it does not
    /// tell, or has executed nothing.
    pub last_executed: Told,
    /// The prepared statements that it knows, by the client's id.
    pub statements: ById<OnBackend>,
}

/// What a backend has told of its executed set.
#[derive(Debug, Default)]
pub(super) struct Told {
    text: String,
    /// The same, read.
    set: Arc<Set>,
}

impl Told {
    fn new(text: String, set: Arc<Set>) -> Self {
        Self { text, set }
    }

    /// What such a text says; `None` where it can't be read.
    pub(super) fn read(&self, text: &str) -> Option<Arc<Set>> {
        match self.text == text {
            true => Some(Arc::clone(&self.set)),
            false => Set::parse(text).ok().map(Arc::new),
        }
    }

    /// Takes what [`Told::read`] gave; says whether that is news.
    pub(super) fn take(&mut self, text: &str, set: &Arc<Set>) -> bool {
        let news = !Arc::ptr_eq(&self.set, set);
        if news {
            text.clone_into(&mut self.text);
            self.set = Arc::clone(set);
        }
        news
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
    fn new(
        mut connection: Connection,
        shared: Arc<Shared>,
        peer: Arc<Peer>,
        opened: Instant,
    ) -> Self {
        let id = connection.backend;
        connection.proof.defaults = shared.share_defaults(&connection.proof.defaults);
        let config = shared.config.load_full();
        let limits = &config.limits;
        let stream = connection.wire.stream();
        stream.expect_life(limits.dead_peer_timeout, limits.write_timeout);
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
            connection: Box::new(connection),
            lease,
            slot: Slot::default(),
            kinship: None,
            incarnation: None,
            opened,
            used: Instant::now(),
            last_executed: Told::default(),
            statements: ById::default(),
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

    /// Compares what the backend has said over this connection with what the monitor knew of it
    /// *before* it was asked: the same server, with at least the same history.
    pub(super) fn adopt(&mut self, before: &Snapshot) -> Option<Place> {
        let view = before.backend(self.backend)?;
        let place = view.place()?;
        let same = self.proof.server_uuid == Some(place.incarnation.server_uuid);
        let known = view.current_watermark();
        let whole = known.is_none_or(|mark| {
            let executed = self.proof.executed.clone();
            executed.within(&mark.executed).contains(&mark.executed)
        });
        self.incarnation = (same && whole).then_some(place.incarnation);
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

    /// From now on each answer outside of a transaction tells what the backend has executed.
    pub(super) fn tells_executed(&mut self) {
        if self.flavour() == Flavour::MySql {
            let executed = self.proof.executed.clone();
            self.last_executed = Told::new(executed.to_string(), Arc::new(executed));
        } else {
            self.last_executed.clear();
        }
    }

    /// Would an answer of this connection have told what the backend has executed, if that were
    /// anything? MySQL leaves an empty set out, and each one in the middle of a transaction.
    pub(super) fn owes_executed(&self, command: Command) -> bool {
        let autocommits =
            self.status.contains(Status::AUTOCOMMIT) && !self.status.contains(Status::IN_TRANS);
        let runs = matches!(command, Command::Query | Command::StmtExecute);
        !self.last_executed.is_empty() && autocommits && runs
    }

    /// Asks one question of the proxy's own.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn ask(&mut self, sql: &str) -> Result<crate::backend::Row, ConnectError> {
        self.queue_query(sql.as_bytes());
        self.wire.flush().await?;
        self.read_answer(Command::Query).await
    }

    /// Gives it to whoever needs one next, if it can be handed over; else it is closed.
    pub(super) async fn give(self, request: &LoginRequest) {
        let lent =
            self.kinship.is_some() && self.kinship == self.lease.shared.dialer.kinship(request);
        if !lent {
            return self.quit().await;
        }
        let Self {
            connection,
            lease,
            slot,
            kinship,
            opened,
            ..
        } = self;
        let (shared, peer) = (Arc::clone(&lease.shared), Arc::clone(&lease.peer));
        drop(lease);
        // Who kills this client has seen the thread before it was taken from the list, or never
        // does: nobody else may have it then.
        let free = !peer.is_hunted() && !connection.status.contains(Status::IN_TRANS);
        if let (true, Some(kinship)) = (free, kinship) {
            shared.give_to_pool(kinship, *connection, opened).await;
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

/// A session's connections, at most one to each backend.
pub(super) struct Connections {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    slots: Vec<Option<Held>>,
}

impl Connections {
    /// None yet.
    pub(super) fn new(shared: Arc<Shared>, peer: Arc<Peer>) -> Self {
        Self {
            shared,
            peer,
            slots: Vec::new(),
        }
    }

    /// Takes the connection out, to use it; a future that is dropped meanwhile closes it, so that
    /// nobody ever finds one in the middle of a response.
    pub(super) fn take(&mut self, id: BackendId) -> Option<Held> {
        self.slots.get_mut(id.index())?.take()
    }

    /// Opens a connection. What it leads to is proven against what the monitor knew before.
    ///
    /// # Errors
    /// As [`crate::backend::Dialer::connect`].
    pub(super) async fn open(
        &self,
        id: BackendId,
        request: &LoginRequest,
        tracking: &ForEach<String>,
    ) -> Result<Held, ConnectError> {
        let user = &request.credentials.user;
        let config = self.shared.config.load_full();
        let slot = {
            let full = self.shared.pressure.is_full(id);
            let _counted = full.then(|| self.shared.counts_wanting(id));
            let room = self.shared.pressure.slot(id, user, &config.limits);
            room.await?
        };
        let kinship = match config.pool {
            PoolPolicy::Lend | PoolPolicy::LendAtOnce => self.shared.dialer.kinship(request),
            PoolPolicy::Keep | PoolPolicy::Replace => None,
        };
        let lent = match &kinship {
            Some(kinship) => Box::pin(self.borrow(id, kinship, request, tracking)).await,
            None => None,
        };
        let mut held = match lent {
            Some(held) => held,
            None => {
                self.shared.make_room(id).await;
                // A login takes more room than all that a statement needs besides.
                Box::pin(self.open_beside(id, request, tracking)).await?
            }
        };
        held.slot = slot;
        held.kinship = kinship;
        Ok(held)
    }

    /// A connection that another session has given back, as good as a new one. Where the backend
    /// does not want it, it says why to a new one.
    async fn borrow(
        &self,
        id: BackendId,
        kinship: &Kinship,
        request: &LoginRequest,
        tracking: &ForEach<String>,
    ) -> Option<Held> {
        let shared = &self.shared;
        let (connection, opened) = shared.lend(id, kinship)?;
        let before = shared.watch.snapshot();
        let taken = shared.dialer.take_over(connection, request, tracking).await;
        let outcome = match &taken {
            Ok(_) => Handover::Done,
            Err(ConnectError::Refused(_)) => Handover::Refused,
            Err(_) => Handover::Failed,
        };
        shared.metrics.handovers(id.index(), outcome).inc();
        let connection = taken.ok()?;
        let peer = Arc::clone(&self.peer);
        let mut held = Held::new(connection, Arc::clone(shared), peer, opened);
        held.adopt(&before);
        Some(held)
    }

    /// The same beside the limit on connections, for what frees some.
    ///
    /// # Errors
    /// As [`Connections::open`].
    pub(super) async fn open_beside(
        &self,
        id: BackendId,
        request: &LoginRequest,
        tracking: &ForEach<String>,
    ) -> Result<Held, ConnectError> {
        let Shared {
            watch,
            pressure,
            dialer,
            ..
        } = &*self.shared;
        let before = watch.snapshot();
        let life = before.backend(id).and_then(|view| view.incarnation);
        let connecting = dialer.connect(id, request, tracking);
        let connection = pressure.guarded(id, life, connecting).await?;
        let shared = Arc::clone(&self.shared);
        let mut held = Held::new(connection, shared, Arc::clone(&self.peer), Instant::now());
        held.adopt(&before);
        Ok(held)
    }

    /// Opens a connection of an account whose password has expired. Nothing was asked over it, and
    /// it takes one statement at a time.
    ///
    /// # Errors
    /// As [`Connections::open`].
    pub(super) async fn open_expired(
        &self,
        id: BackendId,
        request: &LoginRequest,
    ) -> Result<Held, ConnectError> {
        let config = self.shared.config.load_full();
        let user = &request.credentials.user;
        let room = self.shared.pressure.slot(id, user, &config.limits);
        let slot = room.await?;
        let connection = self.shared.dialer.connect_expired(id, request).await?;
        let shared = Arc::clone(&self.shared);
        let mut held = Held::new(connection, shared, Arc::clone(&self.peer), Instant::now());
        held.slot = slot;
        Ok(held)
    }

    /// Puts a connection back that is between two commands.
    pub(super) fn put(&mut self, mut held: Held) {
        held.used = Instant::now();
        held.wire.rest();
        let index = held.backend.index();
        if self.slots.len() <= index {
            self.slots.reserve_exact(index + 1 - self.slots.len());
            self.slots.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(held);
        }
    }

    /// A connection that stays where it is.
    pub(super) fn look(&mut self, id: BackendId) -> Option<&mut Held> {
        self.slots.get_mut(id.index())?.as_mut()
    }

    /// Every connection.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Held> {
        self.slots.iter_mut().flatten()
    }

    /// Takes every connection, to reset or close it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Held> {
        self.slots.iter_mut().filter_map(Option::take)
    }
}
