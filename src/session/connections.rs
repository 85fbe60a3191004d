//! The backend connections that serve one session.
//!
//! A session keeps what it opened (1:1). Nobody else may find a connection in the middle of a
//! response, so one is taken out to be used and put back when the response has ended.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Shared;
use super::registry::Peer;
use crate::backend::{ConnectError, Connection, LoginRequest};
use crate::protocol::Command;
use crate::routing::BackendId;
use crate::telemetry::ConnectionState;

/// A connection in a session's hands; the books are kept by dropping it.
pub(super) struct Held {
    connection: Connection,
    shared: Arc<Shared>,
    peer: Arc<Peer>,
}

impl Held {
    fn new(connection: Connection, shared: Arc<Shared>, peer: Arc<Peer>) -> Self {
        let id = connection.backend;
        peer.add_thread(id, connection.thread_id);
        shared
            .metrics
            .backend_connections(id.index(), ConnectionState::Active)
            .inc();
        Self {
            connection,
            shared,
            peer,
        }
    }

    /// Tells the backend that nothing more comes.
    pub(super) async fn quit(mut self) {
        self.queue_command(Command::Quit);
        // Nobody is left whom a failure would interest.
        let _ = self.wire.flush().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let id = self.connection.backend;
        self.peer.remove_thread(id, self.connection.thread_id);
        self.shared
            .metrics
            .backend_connections(id.index(), ConnectionState::Active)
            .dec();
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
        let slots = shared.backend_names.iter().map(|_| None).collect();
        Self {
            shared,
            peer,
            slots,
        }
    }

    /// Takes the connection out, to use it; a future that is dropped meanwhile closes it, so that
    /// nobody ever finds one in the middle of a response.
    pub(super) fn take(&mut self, id: BackendId) -> Option<Held> {
        self.slots.get_mut(id.index())?.take()
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// As [`crate::backend::Dialer::connect`].
    pub(super) async fn open(
        &mut self,
        id: BackendId,
        request: &LoginRequest,
        tracking: &str,
    ) -> Result<Held, ConnectError> {
        let connection = self.shared.dialer.connect(id, request, tracking).await?;
        Ok(Held::new(
            connection,
            Arc::clone(&self.shared),
            Arc::clone(&self.peer),
        ))
    }

    /// Puts a connection back that is between two commands.
    pub(super) fn put(&mut self, held: Held) {
        if let Some(slot) = self.slots.get_mut(held.backend.index()) {
            *slot = Some(held);
        }
    }

    /// Takes every connection, to reset or close it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Held> {
        self.slots.iter_mut().filter_map(Option::take)
    }
}
