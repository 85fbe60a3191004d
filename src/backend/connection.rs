//! One data connection to a backend.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::proof::LastTold;
use super::{Beginning, ConnectionState, Greeting, Proof};
use crate::net::{Wire, WireError};
use crate::protocol::track::{self, Change};
use crate::protocol::{
    Boundary, Capabilities, Command, ErrPacket, Part, PrepareOk, ProtocolError, Reader, Status,
    Want, put_query,
};
use crate::routing::BackendId;
use crate::sql::{Flavour, ForEach};

/// Leaves the FOUND_ROWS() of a new connection: 0, and in MariaDB 1.
fn first_rows(flavour: Flavour) -> &'static [u8] {
    match flavour {
        Flavour::MySql => b"SELECT 0 LIMIT 0",
        Flavour::MariaDb => b"SELECT 0 LIMIT 1",
    }
}

/// The answer to one of the proxy's own questions is never larger than this, in bytes.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// Why a connection to a backend could not be made. Only [`ConnectError::Refused`] is the
/// backend's word about the account; everything else says something about the backend.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The backend answered with an error, such as 1045 for a wrong password.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The connection failed or broke.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The backend sent something that can't be decoded.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// It took longer than the configured limit.
    #[error("timed out")]
    TimedOut,
    /// TLS is required and the backend has none.
    #[error("[[backend]] tls requires TLS, and the backend does not offer it")]
    NoTls,
    /// The password would have to travel in clear text.
    #[error(
        "the account's plugin asks for the password in clear text, which takes [[backend]] tls"
    )]
    NotSecure,
    /// The backend does not know the password at once, and wants to be told it.
    #[error("the backend does not know the password, or another one")]
    NotKnown,
    /// The backend sent a packet that has no place in a login.
    #[error("unexpected packet during login")]
    Unexpected,
    /// The backend lacks a capability that the proxy builds on (before MySQL 5.7).
    #[error("the backend knows no session tracking")]
    TooOld,
    /// The account's plugin is not known to the proxy.
    #[error("authentication plugin {0:?} is not supported")]
    Plugin(String),
    /// The backend's RSA key can't be used.
    #[error("the backend's public key can't be used")]
    PublicKey,
    /// As many connections are open as there may be, and none came free in time.
    #[error("as many connections are open as [limits] backend_connections allows")]
    Full,
    /// The last attempts have failed; the next one is due soon.
    #[error("not tried, since the last attempts have failed")]
    Resting,
    /// No backend has this id.
    #[error("no such backend")]
    NotConfigured,
    /// It is not the backend that the monitor watches under this name, or has less history.
    #[error("it is not the server that the monitor reaches under this name")]
    Stranger,
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Wire(error.into())
    }
}

/// An error packet from a backend, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error number.
    pub code: u16,
    /// The SQLSTATE, if the packet had one.
    pub state: Option<[u8; 5]>,
    /// The message, in the connection's character set.
    pub message: Vec<u8>,
}

impl Refusal {
    /// The packet again, for a client that is to read it as it came.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        let packet = ErrPacket {
            code: self.code,
            state: self.state,
            message: &self.message,
        };
        packet.encode(&mut payload);
        payload
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}",
            self.code,
            String::from_utf8_lossy(&self.message)
        )
    }
}

/// A logged-in connection, with what it is known to be and to have been told.
#[derive(Debug)]
pub struct Connection {
    /// The stream; the relay works on it directly.
    pub wire: Wire,
    /// How long a silent backend is believed to be there, as the system was told: see
    /// [`crate::net::Stream::expect_life`].
    pub believed: Option<(Duration, Duration)>,
    /// Which backend.
    pub backend: BackendId,
    /// The backend's id of the thread that serves this connection.
    pub thread_id: u64,
    /// The port that it shows in its process list; none over a unix socket.
    pub port: Option<u16>,
    /// What was agreed with the backend.
    pub capabilities: Capabilities,
    /// The flags of the last answer.
    pub status: Status,
    /// The OK packet that ended the login.
    pub login_ok: Vec<u8>,
    /// When the backend last let its account in.
    pub authenticated: Instant,
    /// What the backend said of itself.
    pub greeting: Greeting,
    /// What it has been told.
    pub state: ConnectionState,
    /// The SET that said what it tracks; empty if something else has been said since. That a reader's
    /// connection has begun to tell what is executed there counts for nothing: any session may have it.
    pub tracking: String,
    /// What it proved when it was opened, or when it was last asked again.
    pub proof: Proof,
    /// Session variables that changed with the last answer to a question of the proxy's own.
    pub changed: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The first row of an answer; `None` for NULL. Empty if there was no row.
pub type Row = Vec<Option<Vec<u8>>>;

impl Connection {
    /// Whose server it is.
    pub fn flavour(&self) -> Flavour {
        Flavour::of(&self.greeting.version)
    }

    /// What a session begins with here.
    pub fn beginning(&self) -> Beginning {
        Beginning {
            backend: self.backend,
            flavour: self.flavour(),
            status: self.status,
            defaults: Arc::clone(&self.proof.defaults),
        }
    }

    /// Asks the backend who it is, and switches session tracking on.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn ask_and_track(
        &mut self,
        tracking: &ForEach<String>,
    ) -> Result<(), ConnectError> {
        self.queue_first(tracking);
        self.wire.flush().await?;
        self.read_first().await
    }

    /// Queues what a connection is asked and told before a session has it.
    pub(super) fn queue_first(&mut self, tracking: &ForEach<String>) {
        // SET comes last: it leaves ROW_COUNT() as it is on a new connection.
        self.queue_proof();
        self.queue_query(first_rows(self.flavour()));
        self.queue_tracking(tracking.of(self.flavour()).clone());
    }

    /// Queues two statements that leave what they would find on a new connection: the first as to
    /// FOUND_ROWS(), and the second, which sets nothing, no warnings and the ROW_COUNT() of a SET.
    pub fn queue_as_new(&mut self) {
        self.queue_query(first_rows(self.flavour()));
        self.queue_query(b"SET @@session.sql_select_limit = @@session.sql_select_limit");
    }

    /// Reads the answers to [`Connection::queue_first`].
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub(super) async fn read_first(&mut self) -> Result<(), ConnectError> {
        self.read_proof().await?;
        self.read_answer(Command::Query).await?;
        self.read_answer(Command::Query).await?;
        Ok(())
    }

    /// The same for a connection of [`Dialer::connect_expired`](super::Dialer::connect_expired),
    /// which gets what the client asked for at its login, too.
    ///
    /// # Errors
    /// As [`Connection::read_answer`]; refused with 1820, it is as it was before.
    pub async fn set_up(
        &mut self,
        tracking: &ForEach<String>,
        wanted: Capabilities,
    ) -> Result<(), ConnectError> {
        // Asked alone: of a batch that is refused, three answers would be due.
        self.queue_query(b"SELECT 0 LIMIT 0");
        self.wire.flush().await?;
        self.read_answer(Command::Query).await?;
        if wanted.contains(Capabilities::MULTI_STATEMENTS) {
            self.wire.restart_sequence();
            self.wire.queue(&[Command::SetOption as u8, 0, 0]);
            self.wire.flush().await?;
            self.read_answer(Command::SetOption).await?;
            self.capabilities.insert(Capabilities::MULTI_STATEMENTS);
        }
        self.ask_and_track(tracking).await
    }

    /// Queues a COM_QUERY without sending it.
    pub fn queue_query(&mut self, sql: &[u8]) {
        let mut payload = Vec::with_capacity(sql.len() + 3);
        put_query(&mut payload, self.capabilities, sql);
        self.wire.restart_sequence();
        self.wire.queue(&payload);
    }

    /// Queues the SET that says what the connection tracks.
    pub fn queue_tracking(&mut self, tracking: String) {
        self.queue_query(tracking.as_bytes());
        self.tracking = tracking;
    }

    /// Queues a command that has no arguments.
    pub fn queue_command(&mut self, command: Command) {
        self.wire.restart_sequence();
        self.wire.queue(&[command as u8]);
    }

    /// Queues a command as a client has sent it.
    pub fn queue_as_it_came(&mut self, payload: &[u8]) {
        self.wire.restart_sequence();
        self.wire.queue(payload);
    }

    /// Queues a COM_STMT_PREPARE, whose answer [`Connection::read_prepared`] reads.
    pub fn queue_prepare(&mut self, sql: &[u8]) {
        self.wire.restart_sequence();
        self.wire
            .queue(&[&[Command::StmtPrepare as u8], sql].concat());
    }

    /// Reads what the backend knows a statement by.
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub async fn read_prepared(&mut self) -> Result<PrepareOk, ConnectError> {
        let mut prepared = None;
        let mut note = |part: &Part<'_>, _: &[u8]| {
            if let Part::PrepareOk(ok) = part {
                prepared = Some(*ok);
            }
        };
        self.read_parts(Command::StmtPrepare, &mut note).await?;
        prepared.ok_or(ConnectError::Unexpected)
    }

    /// Queues what a connection is asked and told that leads where it did, before another session has
    /// it; [`Connection::read_beginning`] reads the answers.
    pub(super) fn queue_beginning(&mut self, tracking: Option<&ForEach<String>>) {
        for question in self.proof.questions_of_beginning(self.flavour()) {
            self.queue_query(question.as_bytes());
        }
        self.tracking.clear();
        if let Some(tracking) = tracking {
            self.queue_query(first_rows(self.flavour()));
            self.queue_tracking(tracking.of(self.flavour()).clone());
        }
    }

    /// Reads what a session begins with on a connection whose proof holds in all else.
    ///
    /// # Errors
    /// As [`Connection::read_proof`]; unexpected is also a backend with an `init_connect`.
    pub(super) async fn read_beginning(&mut self, last: &LastTold) -> Result<(), ConnectError> {
        let flavour = self.flavour();
        let mut told = Vec::new();
        let mut note = |part: &Part<'_>, payload: &[u8]| {
            if matches!(part, Part::Row) {
                told.extend_from_slice(payload);
            }
        };
        for _ in self.proof.questions_of_beginning(flavour) {
            self.read_parts(Command::Query, &mut note).await?;
        }
        self.proof.defaults = last.read(flavour, told)?;
        // Nothing that it would track is said of a connection that was asked only.
        if !self.tracking.is_empty() {
            self.read_answer(Command::Query).await?;
            self.read_answer(Command::Query).await?;
        }
        Ok(())
    }

    /// Queues the questions whose answers [`Connection::read_proof`] reads.
    pub fn queue_proof(&mut self) {
        for question in Proof::questions(self.flavour()) {
            self.queue_query(question.as_bytes());
        }
    }

    /// Reads who the backend says it is, and how far it has come.
    ///
    /// # Errors
    /// As [`Connection::read_answer`]; [`ConnectError::Unexpected`] for an answer that makes no
    /// sense.
    pub async fn read_proof(&mut self) -> Result<(), ConnectError> {
        let mut row = self.read_answer(Command::Query).await?;
        row.extend(self.read_answer(Command::Query).await?);
        self.proof = Proof::read(self.flavour(), row)?;
        Ok(())
    }

    /// Reads one whole answer to a question of the proxy's own.
    ///
    /// # Errors
    /// [`ConnectError::Refused`] for an error packet: the connection is in order. Any other error:
    /// it is not, and has to be closed.
    pub async fn read_answer(&mut self, command: Command) -> Result<Row, ConnectError> {
        let mut row = None;
        let mut note = |part: &Part<'_>, payload: &[u8]| {
            if matches!(part, Part::Row) && row.is_none() {
                row = Some(text_row(payload));
            }
        };
        self.read_parts(command, &mut note).await?;
        Ok(row.transpose()?.unwrap_or_default())
    }

    async fn read_parts(
        &mut self,
        command: Command,
        note: &mut (impl FnMut(&Part<'_>, &[u8]) + Send),
    ) -> Result<(), ConnectError> {
        let mut boundary = Boundary::new(command, self.capabilities);
        let mut refused = None;
        self.changed.clear();
        self.wire.set_sequence(1);
        while boundary.end().is_none() {
            let payload = self.wire.read_payload(ANSWER_LIMIT).await?;
            let first = payload.first().copied();
            let part = match boundary.want(payload.len(), first) {
                Want::Pass => boundary.pass(payload.len(), first)?,
                Want::Whole => boundary.whole(&payload)?,
            };
            note(&part, &payload);
            match part {
                Part::Ok(ok) => {
                    for change in track::changes(ok.session) {
                        if let Change::SystemVariable { name, value } = change? {
                            self.changed.push((name.to_vec(), value.to_vec()));
                        }
                    }
                }
                Part::Err(packet) => {
                    refused = Some(Refusal {
                        code: packet.code,
                        state: packet.state,
                        message: packet.message.to_vec(),
                    });
                }
                _ => {}
            }
        }
        if let Some(status) = boundary.end().and_then(|end| end.status()) {
            self.status = status;
        }
        refused.map_or(Ok(()), |refusal| Err(ConnectError::Refused(refusal)))
    }
}

/// What stands for NULL in a row of the text protocol.
const NULL: u8 = 0xfb;

/// Splits a row of the text protocol.
pub(super) fn text_row(payload: &[u8]) -> Result<Row, ProtocolError> {
    let mut reader = Reader::new(payload);
    let mut row = Row::new();
    while reader.remaining() > 0 {
        if payload.get(reader.offset()) == Some(&NULL) {
            reader.u8("NULL")?;
            row.push(None);
        } else {
            row.push(Some(reader.lenenc_bytes("cell")?.to_vec()));
        }
    }
    Ok(row)
}
