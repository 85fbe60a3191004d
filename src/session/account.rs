//! COM_CHANGE_USER and COM_PROCESS_KILL: the commands in which the proxy has a word of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::Request;
use super::connections::Held;
use super::lending::LeftBehind;
use super::login::{Challenge, LoginFailure, make_nonce};
use super::pins::Pins;
use super::pressure::Patience;
use super::registry::{Peer, Thread};
use super::session::Session;
use super::state::SessionState;
use super::visible::{Visible, tracking_on_reader};
use super::{Ended, Registry};
use crate::backend::{ConnectError, Credentials, LoginRequest};
use crate::error::ClientError;
use crate::protocol::auth::native;
use crate::protocol::{Capabilities, ChangeUser, Command};
use crate::routing::{BackendId, Transaction};
use crate::sql::ForEach;
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
        self.begin_on(held);
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

    /// KILL of a client of this proxy: each backend thread that serves it is killed where it runs,
    /// as this session's account, so that the backends decide whether it may.
    pub(super) async fn kill_client(&mut self, id: u64, query_only: bool) -> Result<(), Ended> {
        let Some(peer) = self.shared.registry.find(id) else {
            return self.refuse(&ClientError::no_such_thread(id)).await;
        };
        let _hunt = peer.hunt();
        if !query_only {
            peer.ask_kill();
        }
        let what = if query_only { "QUERY" } else { "CONNECTION" };
        let mut killed = Vec::new();
        let refused = self.kill_threads(&peer, what, &mut killed).await;
        match (&refused, query_only) {
            (None, false) => {
                peer.kill();
                // It may have opened another connection meanwhile. Whoever opens one looks whether
                // it was killed after it has entered the thread, so that none is left over.
                let _ = self.kill_threads(&peer, what, &mut killed).await;
            }
            _ => peer.spare(),
        }
        match refused {
            None => self.send_ok().await,
            Some((backend, error)) => self.refuse_connection(backend, &error).await,
        }
    }

    /// Kills the threads that are not among the `killed` yet; the first refusal, if there is one.
    async fn kill_threads(
        &self,
        peer: &Peer,
        what: &str,
        killed: &mut Vec<Thread>,
    ) -> Option<(BackendId, ConnectError)> {
        let tracking = ForEach::new(tracking_on_reader);
        for thread in peer.threads() {
            if killed.contains(&thread) {
                continue;
            }
            killed.push(thread);
            let backend = thread.backend;
            let opened = self
                .connections
                .open_beside(backend, &self.request, &tracking)
                .await;
            let mut held = match opened {
                Ok(held) => held,
                Err(error) => return Some((backend, error)),
            };
            match is_there(&mut held, &thread).await {
                Ok(true) => {}
                Ok(false) => {
                    // Another life of the backend has threads of its own by this id.
                    held.quit().await;
                    continue;
                }
                Err(error) => return Some((backend, error)),
            }
            match held.ask(&format!("KILL {what} {}", thread.id)).await {
                // Gone already: nothing is left to kill there.
                Err(ConnectError::Refused(refusal)) if refusal.code == NO_SUCH_THREAD => {}
                Err(error @ ConnectError::Refused(_)) => return Some((backend, error)),
                Ok(_) | Err(_) => {}
            }
            held.quit().await;
        }
        None
    }
}

/// MySQL's error "Unknown thread id".
const NO_SUCH_THREAD: u16 = 1094;

/// Is this a thread of the very life of the backend that `held` leads to? In doubt it is not: a
/// stranger must not be hit.
pub(super) async fn is_there(held: &mut Held, thread: &Thread) -> Result<bool, ConnectError> {
    if thread.server_uuid != held.proof.server_uuid {
        return Ok(false);
    }
    let row = held.ask("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
    let seconds = text(row.into_iter().nth(1)).and_then(|text| text.parse().ok());
    let uptime = Duration::from_secs(seconds.ok_or(ConnectError::Unexpected)?);
    if let Some(sure) = thread.is_of(uptime) {
        return Ok(sure);
    }
    let list = "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID =";
    let row = held.ask(&format!("{list} {}", thread.id)).await?;
    Ok(text(row.into_iter().next()).is_some_and(|host| thread.is_from(&host)))
}

fn text(cell: Option<Option<Vec<u8>>>) -> Option<String> {
    String::from_utf8(cell??).ok()
}
