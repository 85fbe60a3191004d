//! A session's login at a backend.

use std::time::Instant;

use super::Ended;
use super::connections::Held;
use super::expired::{Barred, MUST_CHANGE_PASSWORD};
use super::login::encode_error;
use super::session::Session;
use super::visible::{Filter, tracking_on_reader};
use super::word::{Joined, OnSpare, Way};
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::protocol::{Capabilities, OkPacket, Translator};
use crate::routing::{BackendId, Role};
use crate::sql::ForEach;

impl Session {
    /// Logs in at the writer and tells the client what the writer said; false if it said no.
    pub(super) async fn log_in(&mut self) -> Result<bool, Ended> {
        self.logged_in = Instant::now();
        // Who changes users gives up a place of the old one first.
        self.member = None;
        if let Err(error) = self.take_attributes() {
            self.refuse(&error).await?;
            return Ok(false);
        }
        self.writer = self.shared.writer();
        let mut asking = match self.join_others().await {
            Joined::Told(word) => return self.enter_by(&word).await,
            Joined::Asks(asking) => asking,
        };
        let (way, is_in) = match self.log_in_on_spare(&mut asking).await? {
            OnSpare::Over(is_in) => return Ok(is_in),
            OnSpare::Begun(room) => (Way::Room(room), true),
            OnSpare::Not(way) => (way, false),
        };
        let opened = match self.open_at_writer(way).await {
            Ok(held) => {
                self.shared.greet_as(&held.greeting);
                self.tell_others(asking, &held);
                Ok(held)
            }
            Err(failed) => {
                // Nothing that others could use.
                drop(asking);
                self.open_at_reader(failed).await
            }
        };
        match opened {
            Ok(held) => self.enter_on(held, is_in).await,
            Err((backend, ConnectError::Refused(refusal)))
                if refusal.code == MUST_CHANGE_PASSWORD =>
            {
                self.log_in_expired(backend, is_in).await
            }
            Err((backend, error)) if is_in => {
                let backend = self.shared.name(backend);
                tracing::warn!(client = self.entry.id, backend, %error, "lost after its login");
                self.barred = Some(Barred::Lost(error_after_login(&error)));
                Ok(true)
            }
            Err((backend, error)) => {
                self.refuse_login(backend, &error).await?;
                Ok(false)
            }
        }
    }

    /// Begins on a connection of its own.
    async fn enter_on(&mut self, held: Box<Held>, is_in: bool) -> Result<bool, Ended> {
        if !is_in && !self.take_place().await? {
            held.quit().await;
            return Ok(false);
        }
        self.begin_on(held.beginning());
        if !is_in {
            self.welcome(&held.login_ok, held.capabilities).await?;
        }
        self.connections.put(held);
        self.warm_up();
        Ok(true)
    }

    /// Tells the client why it is not let in.
    pub(super) async fn refuse_login(
        &mut self,
        backend: BackendId,
        error: &ConnectError,
    ) -> Result<(), Ended> {
        match error {
            ConnectError::Refused(_) => self.refuse_connection(backend, error).await,
            ConnectError::Full => self.refuse(&ClientError::too_many_connections()).await,
            error => {
                tracing::warn!(client = self.entry.id, %error, "no backend for a login");
                self.refuse(&ClientError::all_gone()).await
            }
        }
    }

    /// Takes a place among the clients of its account; false if there is none, and the client is
    /// told. Only after the login: nobody may take the places of an account that is not theirs.
    pub(super) async fn take_place(&mut self) -> Result<bool, Ended> {
        let user = &self.request.credentials.user;
        let limits = &self.shared.config.load().limits;
        match self.shared.pressure.enter_client(user, limits) {
            Ok(member) => {
                self.member = member;
                Ok(true)
            }
            Err(error) => {
                self.refuse(&error).await?;
                Ok(false)
            }
        }
    }

    /// Tells the client what the backend said to its login.
    pub(super) async fn welcome(
        &mut self,
        login_ok: &[u8],
        capabilities: Capabilities,
    ) -> Result<(), Ended> {
        let Ok(ok) = OkPacket::parse(login_ok, capabilities) else {
            return Err(Ended::StateLost);
        };
        let seen = Filter::Wanted(&self.visible).apply(ok.session);
        let seen = seen.map_err(|_| Ended::StateLost)?;
        let mut payload = Vec::new();
        Translator::new(self.capabilities).final_ok(&ok, &seen, &mut payload);
        self.client.queue(&payload);
        self.flush().await?;
        self.entry.peer().note_let_in();
        Ok(())
    }

    async fn open_at_writer(&self, way: Way) -> Result<Box<Held>, ConnectError> {
        let (id, request) = (self.writer, &self.request);
        let tracking = self.tracking_for_each();
        match way {
            Way::Line => self.connections.open(id, request, &tracking, None).await,
            Way::Room(room) => {
                let opening = self.connections.open_in(room, id, request, &tracking);
                opening.await
            }
            Way::Full => Err(ConnectError::Full),
        }
    }

    /// While the writer can't be reached, logs in at a reader: reads go on.
    async fn open_at_reader(
        &self,
        failed: ConnectError,
    ) -> Result<Box<Held>, (BackendId, ConnectError)> {
        if matches!(failed, ConnectError::Refused(_)) {
            return Err((self.writer, failed));
        }
        let snapshot = self.shared.watch.snapshot();
        let readers = snapshot
            .backends
            .iter()
            .filter(|view| view.role == Role::Reader && view.up && !view.draining);
        let tracking = ForEach::new(tracking_on_reader);
        for view in readers {
            match self
                .connections
                .open(view.id, &self.request, &tracking, None)
                .await
            {
                Ok(held) => return Ok(held),
                Err(refused @ ConnectError::Refused(_)) => return Err((view.id, refused)),
                Err(_) => {}
            }
        }
        Err((self.writer, failed))
    }
}

/// What a client reads that was let in before it was known that it can't be served.
pub(super) fn error_after_login(error: &ConnectError) -> Vec<u8> {
    match error {
        ConnectError::Refused(refusal) => refusal.encode(),
        ConnectError::Full => encode_error(&ClientError::too_many_connections()),
        _ => encode_error(&ClientError::all_gone()),
    }
}
