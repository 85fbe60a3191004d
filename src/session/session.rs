//! The command loop of one client.
//!
//! ```text
//!           command                     relayed, or refused with an error
//! Awaiting ---------> Running ----------------------------------------> Awaiting
//!    |                   | client gone, or the backend connection that
//!    | quit, kill,       | held the session's state is lost
//!    v drain             v
//!  Ended               Ended
//! ```

use std::sync::Arc;

use super::command::Request;
use super::connections::{Connections, Held};
use super::login::{Claimed, encode_error};
use super::registry::Entry;
use super::relay::{Progress, Relay, RelayError};
use super::visible::Visible;
use super::{Ended, Shared};
use crate::backend::{ConnectError, LoginRequest};
use crate::error::ClientError;
use crate::net::{Wire, WireError};
use crate::protocol::{Capabilities, Command, OkPacket, Status, Translator};
use crate::telemetry::{Direction, ErrorKind, Side};

/// One client's session after its login.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) entry: Entry,
    pub(super) client: Wire,
    pub(super) capabilities: Capabilities,
    pub(super) request: LoginRequest,
    pub(super) host: String,
    pub(super) visible: Visible,
    pub(super) connections: Connections,
    /// The flags of the last answer.
    pub(super) status: Status,
}

impl Session {
    /// A session whose client has named its account; whether it may log in is the writer's word.
    pub(super) fn new(shared: Arc<Shared>, entry: Entry, claimed: Claimed, host: String) -> Self {
        Self {
            connections: Connections::new(Arc::clone(&shared), entry.peer()),
            shared,
            entry,
            client: claimed.wire,
            capabilities: claimed.capabilities,
            request: claimed.request,
            host,
            visible: Visible::default(),
            status: Status::AUTOCOMMIT,
        }
    }

    /// Logs in at the writer and tells the client what the writer said; false if it said no.
    pub(super) async fn log_in(&mut self) -> Result<bool, Ended> {
        let held = match self.open_writer().await {
            Ok(held) => held,
            Err(error) => {
                self.refuse_connection(&error).await?;
                return Ok(false);
            }
        };
        self.shared.greeting.store(Arc::new(held.greeting.clone()));
        let ok = held.login_ok.clone();
        let Ok(ok) = OkPacket::parse(&ok, held.capabilities) else {
            return Err(Ended::StateLost);
        };
        let mut payload = Vec::new();
        let seen = self
            .visible
            .filter(ok.session)
            .map_err(|_| Ended::StateLost)?;
        Translator::new(self.capabilities).final_ok(&ok, &seen, &mut payload);
        self.status = held.status;
        self.connections.put(held);
        self.client.queue(&payload);
        self.flush().await?;
        Ok(true)
    }

    /// Serves commands until the session ends, then closes its backend connections.
    pub(super) async fn run(&mut self) -> Ended {
        let mut draining = self.shared.draining.clone();
        let ended = loop {
            self.count_bytes();
            self.client.rest();
            let idle = !self.status.contains(Status::IN_TRANS);
            let drained = async {
                // The sender lives as long as the process serves.
                let _ = draining.wait_for(|draining| *draining).await;
            };
            let request = tokio::select! {
                biased;
                request = Request::read(&mut self.client) => request,
                () = self.entry.killed() => break Ended::Killed,
                () = drained, if idle => break Ended::Drained,
            };
            let request = match request {
                Ok(request) => request,
                Err(error) => break self.client_failed(&error).await,
            };
            if let Err(ended) = self.dispatch(request).await {
                break ended;
            }
        };
        self.count_bytes();
        self.close().await;
        ended
    }

    /// Closes the session's backend connections and the client's.
    pub(super) async fn close(&mut self) {
        for held in self.connections.drain() {
            held.quit().await;
        }
        self.client.close().await;
    }

    async fn dispatch(&mut self, request: Request) -> Result<(), Ended> {
        match request.command {
            Some(Command::Quit) => Err(Ended::Quit),
            Some(Command::ChangeUser) => self.change_user(request).await,
            Some(Command::ProcessKill) => self.process_kill(request).await,
            Some(command) if is_relayed(command) => self.forward(command, request).await,
            _ => self.unknown_command(request).await,
        }
    }

    /// Sends a command to the writer and its response to the client.
    pub(super) async fn forward(
        &mut self,
        command: Command,
        request: Request,
    ) -> Result<(), Ended> {
        let mut held = match self.writer().await {
            Ok(held) => held,
            Err(error) => {
                self.skip(request).await?;
                return self.refuse_connection(&error).await;
            }
        };
        let (progress, ended) = match self.send(&mut held, request).await {
            Ok(()) => self.relay(command, &mut held).await,
            Err(error) => (Progress::default(), Err(error)),
        };
        match ended {
            Ok(_) => {
                self.status = held.status;
                if command == Command::ResetConnection && progress.error().is_none() {
                    self.retrack(&mut held).await?;
                }
                self.connections.put(held);
                self.flush().await
            }
            Err(RelayError::Client(_)) => Err(Ended::ClientGone),
            Err(RelayError::Backend(error)) => {
                let backend = self.shared.name(held.backend);
                tracing::warn!(client = self.entry.id, backend, %error, "backend connection lost");
                self.backend_lost(&progress).await
            }
        }
    }

    /// Hands a command on; a long one as it comes.
    async fn send(&mut self, held: &mut Held, mut request: Request) -> Result<(), RelayError> {
        let backend = |error: std::io::Error| RelayError::Backend(error.into());
        held.wire.restart_sequence();
        loop {
            held.wire.queue_packet(&request.payload);
            held.wire.flush().await.map_err(backend)?;
            if !request.more {
                self.client.set_sequence(request.sequence);
                return Ok(());
            }
            request
                .read_more(&mut self.client)
                .await
                .map_err(RelayError::Client)?;
        }
    }

    async fn relay(
        &mut self,
        command: Command,
        held: &mut Held,
    ) -> (Progress, Result<crate::protocol::End, RelayError>) {
        let relay = Relay::new(
            command,
            &mut self.client,
            self.capabilities,
            held,
            &self.visible,
        );
        let relayed = relay.run().await;
        let (received, sent) = held.wire.take_counts();
        self.shared
            .metrics
            .bytes(Side::Backend, Direction::In)
            .inc_by(received);
        self.shared
            .metrics
            .bytes(Side::Backend, Direction::Out)
            .inc_by(sent);
        relayed
    }

    /// A reset switched tracking off; it is switched on again before anything else runs.
    async fn retrack(&mut self, held: &mut Held) -> Result<(), Ended> {
        held.queue_query(self.visible.tracking_statement().as_bytes());
        let asked = async {
            held.wire.flush().await?;
            held.read_answer(Command::Query).await
        };
        asked.await.map(drop).map_err(|_| Ended::StateLost)
    }

    /// The session's state went with its connection, so the client has to hear of it and begin
    /// anew: going on would lose variables, locks and temporary tables behind its back.
    async fn backend_lost(&mut self, progress: &Progress) -> Result<(), Ended> {
        if self.entry.is_killed() {
            return Err(Ended::Killed);
        }
        if progress.at_packet_boundary() {
            let error = match self.status.contains(Status::IN_TRANS) {
                true => ClientError::transaction_lost(),
                false => ClientError::connection_lost("the writer"),
            };
            self.refuse(&error).await?;
        }
        Err(Ended::StateLost)
    }

    /// The connection to the writer, opened if there is none.
    pub(super) async fn writer(&mut self) -> Result<Held, ConnectError> {
        match self.connections.take(self.shared.writer) {
            Some(held) => Ok(held),
            None => self.open_writer().await,
        }
    }

    async fn open_writer(&mut self) -> Result<Held, ConnectError> {
        let tracking = self.visible.tracking_statement();
        self.connections
            .open(self.shared.writer, &self.request, &tracking)
            .await
    }

    /// MySQL's answer to what it does not know, either.
    async fn unknown_command(&mut self, request: Request) -> Result<(), Ended> {
        self.skip(request).await?;
        self.refuse(&ClientError::unknown_command()).await
    }

    /// Reads a command to its end without doing anything with it.
    async fn skip(&mut self, mut request: Request) -> Result<(), Ended> {
        while request.more {
            request
                .read_more(&mut self.client)
                .await
                .map_err(|_| Ended::ClientGone)?;
        }
        self.client.set_sequence(request.sequence);
        Ok(())
    }

    /// Tells the client why there is no backend connection: in the backend's own words, if it had
    /// any.
    pub(super) async fn refuse_connection(&mut self, error: &ConnectError) -> Result<(), Ended> {
        let backend = self.shared.name(self.shared.writer);
        if let ConnectError::Refused(refusal) = error {
            self.shared.metrics.errors(ErrorKind::BackendLogin).inc();
            tracing::info!(
                client = self.entry.id,
                backend,
                code = refusal.code,
                "refused"
            );
            self.client.queue(&refusal.encode());
            return self.flush().await;
        }
        tracing::warn!(client = self.entry.id, backend, %error, "no connection to the writer");
        self.refuse(&ClientError::no_writer()).await
    }

    /// An OK of the proxy's own.
    pub(super) async fn send_ok(&mut self) -> Result<(), Ended> {
        let ok = OkPacket {
            status: self.status,
            ..OkPacket::default()
        };
        let mut payload = Vec::new();
        Translator::new(self.capabilities).final_ok(&ok, &[], &mut payload);
        self.client.queue(&payload);
        self.flush().await
    }

    /// Sends an error of the proxy's own; the session goes on.
    pub(super) async fn refuse(&mut self, error: &ClientError) -> Result<(), Ended> {
        self.shared.metrics.errors(super::error_kind(error)).inc();
        self.client.queue(&encode_error(error));
        self.flush().await
    }

    /// Writes what is queued for the client.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        self.client.flush().await.map_err(|_| Ended::ClientGone)
    }

    /// The client's stream failed between two commands.
    async fn client_failed(&mut self, error: &WireError) -> Ended {
        let answer = match error {
            WireError::Closed | WireError::Io(_) => return Ended::ClientGone,
            WireError::TooLarge { .. } => ClientError::packet_too_large(),
            WireError::OutOfOrder { .. } => ClientError::out_of_order(),
            WireError::Protocol(_) => ClientError::malformed(),
        };
        // The session ends either way.
        let _ = self.refuse(&answer).await;
        Ended::Protocol
    }

    fn count_bytes(&mut self) {
        let (received, sent) = self.client.take_counts();
        self.shared
            .metrics
            .bytes(Side::Client, Direction::In)
            .inc_by(received);
        self.shared
            .metrics
            .bytes(Side::Client, Direction::Out)
            .inc_by(sent);
    }
}

/// Commands that the writer answers; MySQL knows no other from a client, but for replication.
fn is_relayed(command: Command) -> bool {
    matches!(
        command,
        Command::Query
            | Command::Ping
            | Command::InitDb
            | Command::Statistics
            | Command::FieldList
            | Command::ProcessInfo
            | Command::Debug
            | Command::SetOption
            | Command::ResetConnection
            | Command::StmtPrepare
            | Command::StmtExecute
            | Command::StmtFetch
            | Command::StmtReset
            | Command::StmtSendLongData
            | Command::StmtClose
    )
}
