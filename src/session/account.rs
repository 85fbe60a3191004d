//! COM_CHANGE_USER and COM_PROCESS_KILL: the commands in which the proxy has a word of its own.

use std::sync::Arc;
use std::time::Instant;

use super::command::Request;
use super::connections::Held;
use super::lending::LeftBehind;
use super::login::{Challenge, LoginFailure, make_nonce};
use super::pins::Pins;
use super::pressure::Patience;
use super::session::Session;
use super::state::SessionState;
use super::visible::{Visible, tracking_on_reader};
use super::{Ended, Registry};
use crate::backend::{ConnectError, Credentials, LoginRequest};
use crate::error::ClientError;
use crate::protocol::auth::native;
use crate::protocol::{Capabilities, ChangeUser, Command};
use crate::routing::Transaction;
use crate::sql::Marks;

impl Session {
    /// Logs the client in again, as MySQL does: with a new challenge, and with nothing left of the
    /// old session. A refusal ends the connection.
    pub(super) async fn change_user(&mut self, request: Request) -> Result<(), Ended> {
        self.client.set_sequence(request.sequence);
        let Ok(wish) = ChangeUser::parse(&request.payload, self.capabilities) else {
            self.refuse(&ClientError::malformed()).await?;
            return Err(Ended::Protocol);
        };
        let can_switch = self.capabilities.contains(Capabilities::PLUGIN_AUTH);
        // What the client answered was made for an old nonce: ask anew whoever can be asked.
        let (auth, plugin, nonce) = match can_switch {
            true => (Vec::new(), Vec::new(), make_nonce()),
            false => (wish.auth, native::NAME.into(), self.nonce),
        };
        let challenge = Challenge {
            user: &wish.user,
            auth,
            plugin,
            nonce,
            can_switch,
            host: &self.host,
        };
        let config = self.shared.config.load_full();
        let asked = challenge
            .password(&mut self.client, &config.auth, &self.shared.keys)
            .await;
        let password = match asked {
            Ok(password) => password,
            Err(LoginFailure::Refused(error)) => {
                self.shared.metrics.logins_failed().inc();
                self.refuse(&error).await?;
                return Err(Ended::Refused);
            }
            Err(LoginFailure::Gone(_)) => return Err(Ended::ClientGone),
        };
        let collation = match u8::try_from(wish.collation) {
            Ok(0) | Err(_) => self.request.collation,
            Ok(collation) => collation,
        };
        self.give_up_connections().await;
        self.request = LoginRequest {
            credentials: Credentials {
                user: wish.user.clone(),
                password,
            },
            database: wish.database.filter(|name| !name.is_empty()),
            collation,
            attributes: wish.attributes.or(self.request.attributes.take()),
            ..self.request.clone()
        };
        self.begin_anew();
        let user = String::from_utf8_lossy(&self.request.credentials.user).into_owned();
        self.entry.peer().introduce(&user, &self.host);
        match self.try_log_in().await? {
            true => Ok(()),
            false => Err(Ended::Refused),
        }
    }

    /// Nothing is left of the session but what its scope must see: a pool that changes users may
    /// have written as another one.
    fn begin_anew(&mut self) {
        let user = &self.request.credentials.user;
        self.policy = self.shared.policy_of(user);
        let snapshot = self.shared.watch.snapshot();
        let scope = self.shared.scopes.open(self.policy.scope, user, &snapshot);
        let moves = !scope.is(&self.standing.own);
        self.move_to(scope);
        if moves {
            // Whatever still commits for the old account is waited for by the new one too.
            let lost = self.scope.lock().lost_threads().to_vec();
            for thread in lost {
                self.await_thread(self.writer, thread, Instant::now());
            }
        }
        self.forget();
        self.role_due = false;
        self.state =
            SessionState::after_login(self.request.collation, self.request.database.clone());
    }

    /// Nothing lives on the writer's connection any more.
    fn forget(&mut self) {
        self.visible = Visible::of(self.visible.flavour);
        self.tracks_as_wished = false;
        self.tracking_doubted = false;
        self.unreplicated |= self.marks.intersects(Marks::SQL_LOG_BIN);
        self.marks = Marks::NONE;
        self.insert_id = None;
        self.pins = Pins::default();
        self.carried.clear();
        self.collation_due = false;
        self.prepared.clear();
        self.transaction = Transaction::None;
        self.transaction_wrote = false;
        self.read_only_at_writer = false;
        self.last_statement = None;
        self.last_counted = None;
        self.last_select = None;
        self.has_words = false;
        self.left_behind = LeftBehind::default();
    }

    /// COM_RESET_CONNECTION: what MySQL forgets is forgotten on every connection of the session,
    /// and the token is kept, since pools reset what they lend.
    pub(super) async fn reset(&mut self, request: Request) -> Result<(), Ended> {
        self.client.set_sequence(request.sequence);
        if self.transaction_wrote {
            // Whoever resets gives up an open transaction; MySQL rolls it back.
            tracing::debug!(client = self.entry.id, "reset with an open transaction");
        }
        self.have_writer().await;
        let all: Vec<Box<Held>> = self.connections.drain().collect();
        self.forget();
        self.standing.reset();
        self.state.reset();
        let (writers, readers): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|held| held.backend == self.writer);
        // The writer's first: it says what the session begins with.
        for mut held in writers.into_iter().chain(readers) {
            // A reader's connection that can't be reset is made anew when it is needed.
            if self.reset_in_time(&mut held).await.is_ok() {
                self.connections.put(held);
            }
        }
        self.send_ok().await
    }

    /// Resets a connection, unless its backend answers nobody any more.
    async fn reset_in_time(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        let shared = Arc::clone(&self.shared);
        let limit = self.config.limits.first_byte_timeout;
        let backend = held.backend;
        let reset = async {
            match backend == self.writer {
                true => self.reset_connection(held).await,
                false => self.reset_on_reader(held).await,
            }
        };
        Patience::before(&shared, backend, limit, reset).await
    }

    /// The same on a reader, where nothing of the session is left but what a new connection would
    /// be told.
    async fn reset_on_reader(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        let tracking = tracking_on_reader(held.flavour());
        held.queue_command(Command::ResetConnection);
        // Its globals may have changed since it was opened, and the session begins at them again.
        held.queue_proof();
        held.queue_tracking(tracking);
        held.wire.flush().await?;
        held.read_answer(Command::ResetConnection).await?;
        held.read_proof().await?;
        held.read_answer(Command::Query).await?;
        held.forget();
        self.keep_defaults(held);
        Ok(())
    }

    async fn reset_connection(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        let tracking =
            Visible::of(held.flavour()).tracking_on_writer(held.flavour(), std::iter::empty());
        held.queue_command(Command::ResetConnection);
        held.queue_proof();
        held.queue_tracking(tracking);
        held.wire.flush().await?;
        held.read_answer(Command::ResetConnection).await?;
        held.read_proof().await?;
        held.read_answer(Command::Query).await?;
        held.forget();
        self.begin_on(held.beginning());
        Ok(())
    }

    /// Ends another client's session, by the id that the client knows itself by; other ids are
    /// threads of the writer. The backend decides whether this account may.
    pub(super) async fn process_kill(&mut self, request: Request) -> Result<(), Ended> {
        let id = request
            .payload
            .get(1..5)
            .and_then(|bytes| bytes.first_chunk::<4>());
        let Some(id) = id.map(|bytes| u64::from(u32::from_le_bytes(*bytes))) else {
            self.client.set_sequence(request.sequence);
            return self.refuse(&ClientError::malformed()).await;
        };
        if !Registry::is_client_id(id) {
            return self.statement(Command::ProcessKill, request).await;
        }
        self.client.set_sequence(request.sequence);
        self.kill_client(id, false).await
    }
}
