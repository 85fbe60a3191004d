//! A session's login at a backend.

use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::connections::Held;
use super::expired::MUST_CHANGE_PASSWORD;
use super::session::Session;
use super::visible::{Filter, tracking_on_reader};
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::protocol::{OkPacket, Translator};
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
        let held = match self.open_any().await {
            Ok(held) => held,
            Err((backend, ConnectError::Refused(refusal)))
                if refusal.code == MUST_CHANGE_PASSWORD =>
            {
                return self.log_in_expired(backend).await;
            }
            Err((backend, error @ ConnectError::Refused(_))) => {
                self.refuse_connection(backend, &error).await?;
                return Ok(false);
            }
            Err((_, ConnectError::Full)) => {
                self.refuse(&ClientError::too_many_connections()).await?;
                return Ok(false);
            }
            Err((_, error)) => {
                tracing::warn!(client = self.entry.id, %error, "no backend for a login");
                self.refuse(&ClientError::all_gone()).await?;
                return Ok(false);
            }
        };
        if !self.take_place().await? {
            held.quit().await;
            return Ok(false);
        }
        if held.backend == self.writer {
            self.shared.greeting.store(Arc::new(held.greeting.clone()));
        }
        self.begin_on(&held);
        self.welcome(&held).await?;
        self.connections.put(held);
        self.warm_up();
        Ok(true)
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
    pub(super) async fn welcome(&mut self, held: &Held) -> Result<(), Ended> {
        let Ok(ok) = OkPacket::parse(&held.login_ok, held.capabilities) else {
            return Err(Ended::StateLost);
        };
        let seen = Filter::Wanted(&self.visible).apply(ok.session);
        let seen = seen.map_err(|_| Ended::StateLost)?;
        let mut payload = Vec::new();
        Translator::new(self.capabilities).final_ok(&ok, &seen, &mut payload);
        self.client.queue(&payload);
        self.flush().await
    }

    /// Logs in at the writer, or while it can't be reached at a reader: reads go on.
    async fn open_any(&mut self) -> Result<Box<Held>, (BackendId, ConnectError)> {
        let writer = self.shared.writer();
        self.writer = writer;
        let tracking = self.tracking_for_each();
        let failed = match self
            .connections
            .open(writer, &self.request, &tracking, None)
            .await
        {
            Ok(held) => return Ok(held),
            Err(refused @ ConnectError::Refused(_)) => return Err((writer, refused)),
            Err(error) => error,
        };
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
        Err((writer, failed))
    }
}
