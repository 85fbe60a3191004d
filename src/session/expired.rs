//! Sessions of an account whose password has expired: until it has a new one they are good for
//! nothing else, and everything else is error 1820.
//!
//! MySQL lets in clients that say they can change it, MariaDB by its `disconnect_on_expired_password`
//! all. None of the proxy's own questions would be answered, so such a session has one connection,
//! on which what the client asks is handed on as it came, until the proxy's own are answered too.
//!
//! <https://dev.mysql.com/doc/refman/en/expired-password-handling.html>

use super::Ended;
use super::command::Request;
use super::connections::Held;
use super::entering::error_after_login;
use super::session::Session;
use crate::backend::ConnectError;
use crate::net::WireError;
use crate::protocol::{Command, ErrPacket, OkPacket, Translator, put_query};
use crate::routing::{BackendId, UnknownCause};

/// MySQL's error number for anything but a new password.
pub(super) const MUST_CHANGE_PASSWORD: u16 = 1820;

/// The longest statement that changes a password, and the longest answer to it, in bytes.
const LIMIT: usize = 64 * 1024;

/// Why a client that is in gets nothing done.
pub(super) enum Barred {
    /// Its password has expired. This is its connection, which is good for nothing but a new one.
    Expired(Box<Held>),
    /// It was let in, and then it could not be served: the error that it reads when it asks first.
    Lost(Vec<u8>),
}

impl Session {
    /// Answers a command of such a client.
    pub(super) async fn answer_barred(
        &mut self,
        barred: Barred,
        request: Request,
    ) -> Result<(), Ended> {
        match barred {
            Barred::Expired(held) => self.with_expired(held, request).await,
            Barred::Lost(_) if request.command == Some(Command::Quit) => Err(Ended::Quit),
            Barred::Lost(error) => {
                self.skip(request).await?;
                self.client.queue(&error);
                self.flush().await?;
                Err(Ended::StateLost)
            }
        }
    }

    /// Lets the client in to change its password; false if the backend does not. It may be in
    /// already, and knows nothing of that yet.
    pub(super) async fn log_in_expired(
        &mut self,
        backend: BackendId,
        is_in: bool,
    ) -> Result<bool, Ended> {
        let held = match self.connections.open_expired(backend, &self.request).await {
            Ok(held) => held,
            Err(error) if is_in => {
                self.barred = Some(Barred::Lost(error_after_login(&error)));
                return Ok(true);
            }
            Err(error) => {
                self.refuse_connection(backend, &error).await?;
                return Ok(false);
            }
        };
        if !is_in && !self.take_place().await? {
            held.quit().await;
            return Ok(false);
        }
        if !is_in {
            self.welcome(&held.login_ok, held.capabilities).await?;
        }
        self.barred = Some(Barred::Expired(held));
        Ok(true)
    }

    /// Asks a backend that refuses all but a new password.
    async fn with_expired(
        &mut self,
        mut held: Box<Held>,
        mut request: Request,
    ) -> Result<(), Ended> {
        let whole = request.complete(&mut self.client, LIMIT).await;
        if !whole.map_err(|_| Ended::ClientGone)? {
            return Err(Ended::Protocol);
        }
        self.client.set_sequence(request.sequence);
        match request.command {
            Some(Command::Quit) => {
                held.quit().await;
                return Err(Ended::Quit);
            }
            Some(Command::ChangeUser) => {
                held.quit().await;
                return self.change_user(request).await;
            }
            Some(Command::Query | Command::Ping) => {}
            // It changes no password: what the backend says to that, it says to this.
            _ => {
                request.payload.clear();
                put_query(&mut request.payload, held.capabilities, b"DO 0");
            }
        }
        let answer = match ask(&mut held, &request.payload).await {
            Ok(answer) => answer,
            Err(error) => return self.lost_expired(&held, error.into()).await,
        };
        if answer.first() == Some(&ErrPacket::HEADER) {
            self.barred = Some(Barred::Expired(held));
            self.client.queue(&answer);
            return self.flush().await;
        }
        match self.regain(&mut held).await {
            Ok(true) => {
                // Nothing told the GTID of what it wrote.
                self.lose(UnknownCause::NoGtid, None);
                self.begin_on(held.beginning());
                self.acknowledge(&answer, &held)?;
                self.connections.put(held);
            }
            Ok(false) => {
                self.acknowledge(&answer, &held)?;
                self.barred = Some(Barred::Expired(held));
            }
            Err(error) => return self.lost_expired(&held, error).await,
        }
        self.flush().await
    }

    /// Tells the proxy's own wishes to the connection; false if the password is still the old one.
    async fn regain(&mut self, held: &mut Held) -> Result<bool, ConnectError> {
        let tracking = self.tracking_for_each();
        let before = self.shared.watch.snapshot();
        match held.set_up(&tracking, self.request.capabilities).await {
            Ok(()) => {
                held.adopt(&before);
                Ok(true)
            }
            Err(ConnectError::Refused(refusal)) if refusal.code == MUST_CHANGE_PASSWORD => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn acknowledge(&mut self, answer: &[u8], held: &Held) -> Result<(), Ended> {
        let ok = OkPacket::parse(answer, held.capabilities).map_err(|_| Ended::StateLost)?;
        let mut payload = Vec::new();
        Translator::new(self.capabilities).final_ok(&ok, &[], &mut payload);
        self.client.queue(&payload);
        Ok(())
    }

    async fn lost_expired(&mut self, held: &Held, error: ConnectError) -> Result<(), Ended> {
        self.lose(UnknownCause::ConnectionLost, Some(held));
        self.refuse_connection(held.backend, &error).await?;
        Err(Ended::StateLost)
    }
}

/// One command and the one packet that answers it: nothing that is allowed has rows.
async fn ask(held: &mut Held, payload: &[u8]) -> Result<Vec<u8>, WireError> {
    held.wire.restart_sequence();
    held.wire.send(payload).await?;
    Ok(held.wire.read_payload(LIMIT).await?.to_vec())
}
