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
use std::time::Instant;

use super::aside::Alarm;
use super::awaiting::News;
use super::command::{Request, is_relayed};
use super::connections::{Connections, Held};
use super::dump::is_replication;
use super::expired::Barred;
use super::lending::LeftBehind;
use super::loads::Home;
use super::login::{Claimed, encode_error};
use super::pins::Pins;
use super::prepared::Statements;
use super::pressure::Member;
use super::registry::{Entry, Peer};
use super::relay::RelayError;
use super::scopes::ScopeHandle;
use super::shortcut::{Todo, Way};
use super::standing::Standing;
use super::state::SessionState;
use super::trail::Trail;
use super::visible::Visible;
use super::{Config, Ended, Shared};
use crate::backend::{ConnectError, Defaults, LoginRequest, Row};
use crate::error::ClientError;
use crate::net::{Wire, WireError};
use crate::protocol::{Capabilities, Command, MAX_PAYLOAD, NONCE, OkPacket, Status, Translator};
use crate::routing::{BackendId, Isolation, Place, Policy, Transaction};
use crate::sql::Flavour;
use crate::sql::{LexMode, Marks, Target};
use crate::telemetry::{Direction, ErrorKind, Side};

/// One client's session after its login.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) entry: Entry,
    /// Its place among the clients of its account.
    pub(super) member: Option<Member>,
    peer: Arc<Peer>,
    /// Why nothing is done for it.
    pub(super) barred: Option<Barred>,
    /// The error with which a backend has refused its login.
    pub(super) refused: Option<u16>,
    pub(super) client: Wire,
    /// What it waits for at most.
    pub(super) alarm: Alarm,
    pub(super) capabilities: Capabilities,
    /// When it logged in.
    pub(super) logged_in: Instant,
    /// What the client's first answer was made for.
    pub(super) nonce: [u8; NONCE],
    pub(super) request: LoginRequest,
    pub(super) host: String,
    pub(super) connections: Connections,
    /// The configuration that it goes by.
    pub(super) config: Arc<Config>,
    /// How its reads are treated.
    pub(super) policy: Policy,
    /// What it must see, with those that share its scope.
    pub(super) scope: ScopeHandle,
    /// What it asks for, and which scopes it has been in.
    pub(super) standing: Standing,
    /// User variables that were set on a reader's connection.
    pub(super) carried: Vec<(BackendId, Target)>,
    /// The reader that it reads from.
    pub(super) home: Option<Home>,
    /// Where the last statement ran.
    pub(super) last_statement: Option<Place>,
    /// Where the last one ran that set ROW_COUNT().
    pub(super) last_counted: Option<Place>,
    /// Where the last one ran that set FOUND_ROWS().
    pub(super) last_select: Option<Place>,
    /// It ended with warnings or an error.
    pub(super) has_words: bool,
    /// What the last statements left on connections that others have now.
    pub(super) left_behind: LeftBehind,
    /// The way of the last read, if others may follow.
    pub(super) trail: Option<Trail>,
    /// Why the next read-only transaction runs on the writer: the last one could not go on.
    pub(super) read_only_at_writer: bool,

    /// The flags of the last answer.
    pub(super) status: Status,
    pub(super) autocommit: bool,
    pub(super) transaction: Transaction,
    /// The open transaction on the writer has changed rows.
    pub(super) transaction_wrote: bool,
    /// What every backend connection has to be told.
    pub(super) state: SessionState,
    /// What lives on the writer's connection alone.
    pub(super) marks: Marks,
    /// What lives there and has a name, or can be counted.
    pub(super) pins: Pins,
    /// The writer's connection has roles that it has not told.
    pub(super) role_due: bool,
    /// The writer's connection has a collation that it has not told.
    pub(super) collation_due: bool,
    /// It may have written what reaches no reader, ever.
    pub(super) unreplicated: bool,
    /// The statements that the client has prepared.
    pub(super) prepared: Statements,
    /// What the session began with; most begin with the same.
    pub(super) initial: Arc<Defaults>,
    /// On which backend.
    pub(super) began_on: BackendId,
    /// That was a reader, since there was no writer.
    pub(super) began_on_reader: bool,
    /// The writer that it knows: what it has on a connection to a writer alone is there.
    pub(super) writer: BackendId,
    /// What LAST_INSERT_ID() returned there, on the way to another writer.
    pub(super) insert_id: Option<u64>,
    /// How its SQL is to be read.
    pub(super) lex: LexMode,
    pub(super) charset_readable: bool,
    pub(super) default_isolation: Isolation,

    /// What the client has asked to be told.
    pub(super) visible: Visible,
    /// The writer's connection tracks what the client asked for, not what the proxy needs.
    pub(super) tracks_as_wished: bool,
    /// It tracks GTIDs all the same, since a transaction was open.
    pub(super) tracks_gtids: bool,
    /// A routine may have switched the proxy's own tracking off.
    pub(super) tracking_doubted: bool,
    pub(super) followed_before: Row,
}

impl Session {
    /// A session whose client has named its account; whether it may log in is a backend's word.
    pub(super) fn new(shared: Arc<Shared>, entry: Entry, claimed: Claimed, host: String) -> Self {
        let request = claimed.request;
        let policy = shared.policy_of(&request.credentials.user);
        let snapshot = shared.watch.snapshot();
        let user = &request.credentials.user;
        let scope = shared.scopes.open(policy.scope, user, &snapshot);
        let state = SessionState::after_login(request.collation, request.database.clone());
        let writer = shared.writer();
        let alarm = Alarm::new(&shared.timers);
        Self {
            peer: entry.peer(),
            refused: None,
            connections: Connections::new(Arc::clone(&shared), entry.peer()),
            config: shared.config.load_full(),
            shared,
            entry,
            member: None,
            barred: None,
            client: claimed.wire,
            alarm,
            capabilities: claimed.capabilities,
            logged_in: Instant::now(),
            nonce: claimed.nonce,
            request,
            host,
            policy,
            standing: Standing::new(scope.clone()),
            scope,
            carried: Vec::new(),
            home: None,
            last_statement: None,
            last_counted: None,
            last_select: None,
            has_words: false,
            left_behind: LeftBehind::default(),
            trail: None,
            read_only_at_writer: false,
            status: Status::AUTOCOMMIT,
            autocommit: true,
            transaction: Transaction::None,
            transaction_wrote: false,
            state,
            marks: Marks::NONE,
            pins: Pins::default(),
            role_due: false,
            unreplicated: false,
            collation_due: false,
            prepared: Statements::default(),
            initial: Arc::default(),
            began_on: writer,
            began_on_reader: false,
            insert_id: None,
            writer,
            lex: LexMode::default(),
            charset_readable: true,
            default_isolation: Isolation::Serializable,
            visible: Visible::of(Flavour::default()),
            tracks_as_wished: false,
            tracks_gtids: false,
            tracking_doubted: false,
            followed_before: Row::new(),
        }
    }

    /// Serves commands until the session ends, then closes its backend connections.
    pub(super) async fn run(&mut self) -> Ended {
        let mut news = News::of(&self.shared, self.entry.killing());
        let ended = loop {
            self.count_bytes();
            self.client.rest();
            let request = match self.next_request(&mut news).await {
                Ok(request) => request,
                Err(ended) => break ended,
            };
            self.take_up_config();
            self.peer.note_busy(true);
            let done = self.answer(request).await;
            self.peer.note_busy(false);
            if let Err(ended) = done {
                break ended;
            }
        };
        self.count_bytes();
        if self.client.has_stalled() {
            self.shared.metrics.errors(ErrorKind::ClientStalled).inc();
        }
        Box::pin(self.close()).await;
        ended
    }

    /// Does what one command asks for.
    async fn answer(&mut self, request: Request) -> Result<(), Ended> {
        if self.rests_too_long() {
            Box::pin(self.keep_alive()).await?;
        }
        match self.set_out(request) {
            Way::Short(read) => self.go_along(read).await,
            // Elsewhere, and only now: it takes far more than a session that waits.
            // Made in its place: `Box::pin` would make it elsewhere and move it.
            Way::Long(todo) => {
                Box::into_pin(Box::write(Box::new_uninit(), self.dispatch(todo))).await
            }
        }
    }

    /// Closes the session's backend connections and the client's.
    pub(super) async fn close(&mut self) {
        self.give_up_connections().await;
        if let Some(Barred::Expired(held)) = self.barred.take() {
            held.quit().await;
        }
        self.client.close().await;
    }

    async fn dispatch(&mut self, todo: Todo) -> Result<(), Ended> {
        let request = match todo {
            Todo::Request(request) => request,
            Todo::Statement(asked) => return self.do_as_asked(asked).await,
        };
        if let Some(barred) = self.barred.take() {
            return Box::pin(self.answer_barred(barred, request)).await;
        }
        if !matches!(request.command, Some(Command::Query | Command::StmtExecute)) {
            self.trail = None;
        }
        match request.command {
            Some(Command::Quit) => Err(Ended::Quit),
            Some(Command::ChangeUser) => Box::pin(self.change_user(request)).await,
            Some(Command::ProcessKill) => Box::pin(self.process_kill(request)).await,
            Some(Command::ResetConnection) => Box::pin(self.reset(request)).await,
            Some(Command::Ping) if !self.holds_state() => {
                self.client.set_sequence(request.sequence);
                self.send_ok().await
            }
            Some(
                command @ (Command::StmtPrepare
                | Command::StmtExecute
                | Command::StmtFetch
                | Command::StmtReset
                | Command::StmtSendLongData
                | Command::StmtClose),
            ) => self.prepared_statement(command, request).await,
            Some(command) if is_replication(command) => {
                Box::pin(self.replicate(command, request)).await
            }
            Some(command) if is_relayed(command) => {
                self.note_command(command, &request);
                self.statement(command, request).await
            }
            _ => self.unknown_command(request).await,
        }
    }

    /// What a command says besides what its answer will.
    fn note_command(&mut self, command: Command, request: &Request) {
        match (command, request.payload.get(1..)) {
            // Connections that are opened later have to agree.
            (Command::SetOption, Some([0, 0])) => {
                self.request
                    .capabilities
                    .insert(Capabilities::MULTI_STATEMENTS);
            }
            (Command::SetOption, Some([1, 0])) => {
                self.request
                    .capabilities
                    .remove(Capabilities::MULTI_STATEMENTS);
            }
            _ => {}
        }
    }

    /// Hands a command on; a long one as it comes.
    pub(super) async fn send(
        &mut self,
        held: &mut Held,
        request: &mut Request,
    ) -> Result<(), RelayError> {
        let backend = |error: std::io::Error| RelayError::Backend(error.into());
        held.wire.restart_sequence();
        if !request.more {
            held.wire.queue(&request.payload);
            held.wire.flush().await.map_err(backend)?;
            self.client.set_sequence(request.sequence);
            return Ok(());
        }
        // What was put into the first packet moves the ends of all others.
        let mut due = std::mem::take(&mut request.payload);
        loop {
            while due.len() >= MAX_PAYLOAD {
                held.wire.queue_packet(&due.split_to(MAX_PAYLOAD));
                held.wire.flush().await.map_err(backend)?;
            }
            if !request.more {
                held.wire.queue_packet(&due);
                held.wire.flush().await.map_err(backend)?;
                self.client.set_sequence(request.sequence);
                return Ok(());
            }
            request
                .read_more(&mut self.client)
                .await
                .map_err(RelayError::Client)?;
            due.extend_from_slice(&std::mem::take(&mut request.payload));
        }
    }

    /// Counts what passed on a backend connection.
    pub(super) fn count_backend_bytes(&self, held: &mut Held) {
        let (received, sent) = held.wire.take_counts();
        let bytes = |direction| self.shared.metrics.bytes(Side::Backend, direction);
        bytes(Direction::In).inc_by(received);
        bytes(Direction::Out).inc_by(sent);
    }

    /// MySQL's answer to what it does not know, either.
    async fn unknown_command(&mut self, request: Request) -> Result<(), Ended> {
        self.skip(request).await?;
        self.refuse(&ClientError::unknown_command()).await
    }

    /// Reads a command to its end without doing anything with it.
    pub(super) async fn skip(&mut self, mut request: Request) -> Result<(), Ended> {
        self.skip_rest(&mut request).await
    }

    /// The same, for one that is still needed.
    pub(super) async fn skip_rest(&mut self, request: &mut Request) -> Result<(), Ended> {
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
    pub(super) async fn refuse_connection(
        &mut self,
        backend: BackendId,
        error: &ConnectError,
    ) -> Result<(), Ended> {
        let backend = self.shared.name(backend);
        if let ConnectError::Refused(refusal) = error {
            self.refused = Some(refusal.code);
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
        if matches!(error, ConnectError::Full) {
            return self.refuse(&ClientError::too_many_connections()).await;
        }
        self.refuse(&ClientError::no_writer()).await
    }

    /// An OK of the proxy's own.
    pub(super) async fn send_ok(&mut self) -> Result<(), Ended> {
        let ok = OkPacket {
            status: self.status.lasting(),
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
    pub(super) async fn client_failed(&mut self, error: &WireError) -> Ended {
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
