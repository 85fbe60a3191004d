//! The backend connections that serve one session.
//!
//! A session keeps what it opened, unless `[pool] mode` lets others have it between two statements.
//! Nobody else may find a connection in the middle of a response, so one is taken out to be used and
//! put back when the response has ended.

use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::crowd;
pub(super) use super::held::Held;
use super::pressure::Slot;
use super::registry::Peer;
use super::state::SessionState;
use crate::backend::{ConnectError, Kinship, LoginRequest};
use crate::routing::BackendId;
use crate::sql::ForEach;
use crate::telemetry::Handover;

/// What a session needs of a connection that another one has left, to go on there as it is.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// What every connection of it has to be told.
    pub state: &'a SessionState,
    /// When its client logged in.
    pub since: Instant,
}

/// A place among all connections to a backend, for one of this kind.
#[derive(Debug)]
pub(super) struct Room {
    slot: Slot,
    kinship: Option<Kinship>,
}

impl Room {
    /// That of a connection that is given up for another one.
    pub(super) fn of(held: &mut Held) -> Self {
        Self {
            slot: std::mem::take(&mut held.slot),
            kinship: held.kinship.take(),
        }
    }

    fn filled_by(self, mut held: Box<Held>) -> Box<Held> {
        held.slot = self.slot;
        held.kinship = self.kinship;
        held
    }
}

/// A session's connections, at most one to each backend.
pub(super) struct Connections {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    /// Behind pointers: each is moved in and out with each statement.
    slots: Vec<Option<Box<Held>>>,
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
    pub(super) fn take(&mut self, id: BackendId) -> Option<Box<Held>> {
        self.slots.get_mut(id.index())?.take()
    }

    /// Opens a connection, or takes over one that another session has given back. What it leads to
    /// is proven against what the monitor knew before. Without `wanted` the backend is asked about
    /// the account in any case.
    ///
    /// # Errors
    /// As [`crate::backend::Dialer::connect`].
    pub(super) async fn open(
        &self,
        id: BackendId,
        request: &LoginRequest,
        tracking: &ForEach<String>,
        wanted: Option<Wanted<'_>>,
    ) -> Result<Box<Held>, ConnectError> {
        let slot = self.room(id, request).await?;
        let _one_of_many = crowd::enter();
        let kinship = self.shared.kinship(request);
        let lent = match &kinship {
            Some(kinship) => match wanted.and_then(|it| self.take_as_it_is(id, kinship, it)) {
                None => Box::pin(self.borrow(id, kinship, request, Some(tracking))).await,
                lent => lent,
            },
            None => None,
        };
        let room = Room { slot, kinship };
        match lent {
            Some(held) => Ok(room.filled_by(held)),
            // A login takes more room than all that a statement needs besides.
            None => Box::pin(self.open_in(room, id, request, tracking)).await,
        }
    }

    /// Opens a connection, whatever others have given back.
    ///
    /// # Errors
    /// As [`Connections::open`].
    pub(super) async fn open_in(
        &self,
        room: Room,
        id: BackendId,
        request: &LoginRequest,
        tracking: &ForEach<String>,
    ) -> Result<Box<Held>, ConnectError> {
        self.shared.make_room(id).await;
        let held = self.open_beside(id, request, tracking).await?;
        Ok(room.filled_by(held))
    }

    /// Asks a backend about the account over a connection of this kind that nobody has. What a
    /// session begins with is asked, too, and is to be read. If there is no such connection, or the
    /// backend does not take the account there, there is room for a new one.
    ///
    /// # Errors
    /// [`ConnectError::Full`].
    pub(super) async fn ask_on_spare(
        &self,
        id: BackendId,
        kinship: Kinship,
        request: &LoginRequest,
    ) -> Result<Result<Box<Held>, Room>, ConnectError> {
        let slot = self.room(id, request).await?;
        let _one_of_many = crowd::enter();
        let lent = Box::pin(self.borrow(id, &kinship, request, None)).await;
        let room = Room {
            slot,
            kinship: Some(kinship),
        };
        Ok(match lent {
            Some(held) => Ok(room.filled_by(held)),
            None => Err(room),
        })
    }

    /// Room for one more connection.
    async fn room(&self, id: BackendId, request: &LoginRequest) -> Result<Slot, ConnectError> {
        let user = &request.credentials.user;
        let config = self.shared.config.load_full();
        let full = self.shared.pressure.is_full(id);
        let _counted = full.then(|| self.shared.counts_wanting(id));
        let room = self.shared.pressure.slot(id, user, &config.limits);
        room.await
    }

    /// A connection that another session has given back, on which nothing is left that the caller
    /// could not undo.
    fn take_as_it_is(
        &self,
        id: BackendId,
        kinship: &Kinship,
        wanted: Wanted<'_>,
    ) -> Option<Box<Held>> {
        let shared = &self.shared;
        let spare = shared.lend_as_it_is(id, kinship, wanted)?;
        shared
            .metrics
            .handovers(id.index(), Handover::AsItWas)
            .inc();
        let peer = Arc::clone(&self.peer);
        Some(Box::new(Held::as_it_was(spare, Arc::clone(shared), peer)))
    }

    /// A connection that another session has given back, as good as a new one; without `tracking`
    /// only the account is asked for. Where the backend does not want it, it says why to a new one.
    async fn borrow(
        &self,
        id: BackendId,
        kinship: &Kinship,
        request: &LoginRequest,
        tracking: Option<&ForEach<String>>,
    ) -> Option<Box<Held>> {
        let shared = &self.shared;
        let before = shared.watch.snapshot();
        let life = before.backend(id)?.place()?.incarnation;
        let spare = match tracking {
            Some(_) => shared.lend(id, kinship, life),
            None => shared.lend_to_ask(id, kinship, life),
        }?;
        let (mut connection, opened) = (spare.connection, spare.opened);
        let dialer = &shared.dialer;
        let taken = match tracking {
            Some(tracking) => dialer.take_over(&mut connection, request, tracking).await,
            None => dialer.ask_about(&mut connection, request).await,
        };
        if tracking.is_some() || taken.is_err() {
            self.count(id, &taken);
        }
        taken.ok()?;
        let peer = Arc::clone(&self.peer);
        let mut held = Held::new(connection, Arc::clone(shared), peer, opened);
        held.stays_in(life);
        Some(Box::new(held))
    }

    /// Reads what a session begins with, over a connection of [`Connections::ask_on_spare`]; false if
    /// that is of no use.
    pub(super) async fn hear(&self, held: &mut Held) -> bool {
        let heard = self.shared.dialer.hear(held).await;
        held.proof.defaults = self.shared.share_defaults(&held.proof.defaults);
        self.count(held.backend, &heard);
        heard.is_ok()
    }

    /// Counts a connection that was to change hands by a login.
    fn count(&self, id: BackendId, taken: &Result<(), ConnectError>) {
        let outcome = match taken {
            Ok(()) => Handover::Done,
            Err(ConnectError::Refused(_) | ConnectError::NotKnown) => Handover::Refused,
            Err(_) => Handover::Failed,
        };
        self.shared.metrics.handovers(id.index(), outcome).inc();
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
    ) -> Result<Box<Held>, ConnectError> {
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
        let connection = Box::new(connection);
        let mut held = Held::new(connection, shared, Arc::clone(&self.peer), Instant::now());
        held.adopt(&before);
        Ok(Box::new(held))
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
    ) -> Result<Box<Held>, ConnectError> {
        let config = self.shared.config.load_full();
        let user = &request.credentials.user;
        let room = self.shared.pressure.slot(id, user, &config.limits);
        let slot = room.await?;
        self.shared.make_room(id).await;
        let connection = self.shared.dialer.connect_expired(id, request).await?;
        let shared = Arc::clone(&self.shared);
        let connection = Box::new(connection);
        let mut held = Held::new(connection, shared, Arc::clone(&self.peer), Instant::now());
        held.slot = slot;
        Ok(Box::new(held))
    }

    /// Puts a connection back that is between two commands.
    pub(super) fn put(&mut self, mut held: Box<Held>) {
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
        self.slots.get_mut(id.index())?.as_deref_mut()
    }

    /// Every connection.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Held> {
        self.slots.iter_mut().flatten().map(|held| &mut **held)
    }

    /// Takes every connection, to reset or close it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Box<Held>> {
        self.slots.iter_mut().filter_map(Option::take)
    }
}
