//! COM_CHANGE_USER and COM_PROCESS_KILL: the commands in which the proxy has a word of its own.

use super::command::Request;
use super::login::{Challenge, LoginFailure, make_nonce};
use super::session::Session;
use super::visible::Visible;
use super::{Ended, Registry};
use crate::backend::{ConnectError, Credentials, LoginRequest};
use crate::error::ClientError;
use crate::protocol::{Capabilities, ChangeUser, Command};

impl Session {
    /// Logs the client in again, as MySQL does: with a new challenge, and with nothing left of the
    /// old session. A refusal ends the connection.
    pub(super) async fn change_user(&mut self, request: Request) -> Result<(), Ended> {
        self.client.set_sequence(request.sequence);
        let Ok(wish) = ChangeUser::parse(&request.payload, self.capabilities) else {
            self.refuse(&ClientError::malformed()).await?;
            return Err(Ended::Protocol);
        };
        let challenge = Challenge {
            user: &wish.user,
            auth: Vec::new(),
            // What the client answered was made for an old nonce: always ask anew.
            plugin: Vec::new(),
            nonce: make_nonce(),
            can_switch: self.capabilities.contains(Capabilities::PLUGIN_AUTH),
            host: &self.host,
        };
        let mode = &self.shared.config.auth;
        let asked = challenge
            .password(&mut self.client, mode, &self.shared.keys)
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
        for held in self.connections.drain() {
            held.quit().await;
        }
        self.visible = Visible::default();
        match self.log_in().await? {
            true => Ok(()),
            false => Err(Ended::Refused),
        }
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
            return self.forward(Command::ProcessKill, request).await;
        }
        self.client.set_sequence(request.sequence);
        let Some(peer) = self.shared.registry.find(id) else {
            return self.refuse(&ClientError::no_such_thread(id)).await;
        };
        for (_, thread) in peer.threads() {
            let mut held = match self.writer().await {
                Ok(held) => held,
                Err(error) => return self.refuse_connection(&error).await,
            };
            held.queue_query(format!("KILL CONNECTION {thread}").as_bytes());
            let asked = async {
                held.wire.flush().await?;
                held.read_answer(Command::Query).await
            };
            match asked.await {
                Ok(_) => self.connections.put(held),
                Err(ConnectError::Refused(refusal)) => {
                    self.connections.put(held);
                    self.client.queue(&refusal.encode());
                    return self.flush().await;
                }
                Err(_) => return Err(Ended::StateLost),
            }
        }
        peer.kill();
        self.send_ok().await
    }
}
