//! The console: a listener that speaks MySQL, so that any MySQL client shows what Tidegate does and
//! tells it what to do. No backend hears of it.

mod command;
mod show;
mod table;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::command::Command;
use self::table::{Table, send_error, send_ok, send_table};
use super::Operator;
use crate::backend::Greeting;
use crate::error::Secret;
use crate::net::{Endpoint, Listener, Origin, Plain, Wire};
use crate::protocol::{self, Capabilities, query_text};
use crate::routing::Reads;
use crate::session::{AuthMode, Shared, admit, explain_for};

/// Where the console listens, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Without a password, one that only this machine reaches.
    pub address: Endpoint,
    /// The account.
    pub user: String,
    /// Its password, perhaps empty.
    pub password: Secret,
}

/// What drivers choose their SQL by.
const VERSION: &str = "8.4.0-tidegate-console";

/// So many consoles at a time; more wait.
const CONNECTIONS: usize = 32;

/// The longest command, in bytes.
const COMMAND_LIMIT: usize = 64 * 1024;

/// A console that sends nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(8 * 60 * 60);

/// How long to wait when the system gives no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// MySQL's errors for what the console does not know or can't do.
const UNKNOWN_COMMAND: (u16, &str) = (1047, "08S01");
const SYNTAX: (u16, &str) = (1064, "42000");
const NO_SUCH_THREAD: (u16, &str) = (1094, "HY000");
const NOT_DONE: (u16, &str) = (1105, "HY000");
const NOT_PREPARED: (u16, &str) = (1295, "HY000");

/// What a console shows and moves.
#[derive(Clone)]
pub struct Board {
    /// Shown, and moved.
    pub shared: Arc<Shared>,
    /// What else can be done.
    pub operator: Arc<dyn Operator>,
    /// Who may use it.
    pub config: Arc<Config>,
}

/// Serves consoles until the future is dropped.
pub async fn serve(listener: Arc<Listener>, board: Board) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let next = AtomicU32::new(1);
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let (plain, origin) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "can't accept a console");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let board = board.clone();
        let id = next.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            serve_one(&board, plain, id, origin).await;
            drop(permit);
        });
    }
}

async fn serve_one(board: &Board, plain: Plain, id: u32, origin: Origin) {
    let greeting = Greeting {
        version: VERSION.to_owned(),
        collation: board.shared.greeting.load().collation,
        capabilities: Capabilities::default(),
    };
    let config = &board.config;
    let passwords = [(config.user.clone(), config.password.clone())];
    let auth = AuthMode::Users(passwords.into_iter().collect());
    let limit = board.shared.config.load().login_timeout;
    let admitted = admit(&board.shared, plain, &greeting, id, &auth, origin);
    let host = origin.to_string();
    let guest = match timeout(limit, admitted).await {
        Ok(Ok(guest)) => guest,
        Ok(Err(error)) => {
            board.shared.metrics.logins_failed().inc();
            tracing::warn!(from = host, %error, "console login failed");
            return;
        }
        Err(_) => return,
    };
    tracing::info!(from = host, user = guest.user, "console opened");
    let mut console = Console {
        board,
        wire: guest.wire,
        capabilities: guest.capabilities,
        host: &host,
    };
    // Whoever has left needs no answer.
    let _ = console.run().await;
    console.wire.close().await;
}

/// One client of the console.
struct Console<'a> {
    board: &'a Board,
    wire: Wire,
    capabilities: Capabilities,
    host: &'a str,
}

impl Console<'_> {
    async fn run(&mut self) -> std::io::Result<()> {
        self.ok().await?;
        loop {
            self.wire.restart_sequence();
            let Ok(Ok(payload)) = timeout(IDLE, self.wire.read_payload(COMMAND_LIMIT)).await else {
                return Ok(());
            };
            let command = payload.first().copied();
            match command.and_then(protocol::Command::from_byte) {
                Some(protocol::Command::Quit) => return Ok(()),
                Some(
                    protocol::Command::Ping
                    | protocol::Command::InitDb
                    | protocol::Command::ResetConnection,
                ) => self.ok().await?,
                Some(protocol::Command::Query) => {
                    let text = query_text(&payload, self.capabilities).unwrap_or_default();
                    let text = String::from_utf8_lossy(text);
                    match Command::parse(&text) {
                        Ok(Command::Quit) => return Ok(()),
                        Ok(command) => self.answer(command).await?,
                        Err(expected) => self.error(SYNTAX, &expected).await?,
                    }
                }
                Some(protocol::Command::StmtPrepare) => {
                    let text = "This command is not supported in the prepared statement protocol \
                                yet (Tidegate: send it as text)";
                    self.error(NOT_PREPARED, text).await?;
                }
                _ => self.error(UNKNOWN_COMMAND, "Unknown command").await?,
            }
        }
    }

    async fn answer(&mut self, command: Command) -> std::io::Result<()> {
        let shared = &self.board.shared;
        match command {
            Command::Show(what, like) => {
                let table = show::table(self.board, what).await;
                self.table(&table.like(like.as_deref())).await
            }
            Command::Explain { user, sql } => match explain_for(shared, &user, &sql) {
                Ok(rows) => self.table(&Table::of_pairs(["name", "value"], rows)).await,
                Err(error) => self.error((error.code, error.state), &error.message).await,
            },
            Command::Select(columns) => self.table(&Table::of_values(columns)).await,
            Command::Help => self.table(&show::help()).await,
            Command::Nothing | Command::Quit => self.ok().await,
            acts => {
                tracing::warn!(from = self.host, command = ?acts, "console command");
                self.act(acts).await
            }
        }
    }

    /// What changes something.
    async fn act(&mut self, command: Command) -> std::io::Result<()> {
        let Board {
            shared, operator, ..
        } = self.board;
        match command {
            Command::SetReads(reads) => {
                shared.switch_reads(reads);
                self.ok().await
            }
            Command::Drain(backend, drained) => match operator.drain(&backend, drained) {
                Ok(()) => self.ok().await,
                Err(error) => self.error(NOT_DONE, &error).await,
            },
            Command::Reload => match operator.reload().await {
                Ok(warnings) => self.table(&Table::of_lines("warning", warnings)).await,
                Err(faults) => {
                    let text = format!("nothing was changed: {}", faults.join(" | "));
                    self.error(NOT_DONE, &text).await
                }
            },
            Command::Kill(id) => match shared.registry.find(id) {
                Some(peer) => {
                    peer.cut();
                    self.ok().await
                }
                None => {
                    self.error(NO_SUCH_THREAD, &format!("Unknown thread id: {id}"))
                        .await
                }
            },
            _ => self.ok().await,
        }
    }

    async fn ok(&mut self) -> std::io::Result<()> {
        send_ok(&mut self.wire, self.capabilities).await
    }

    async fn error(&mut self, number: (u16, &str), text: &str) -> std::io::Result<()> {
        send_error(&mut self.wire, number, text).await
    }

    async fn table(&mut self, table: &Table) -> std::io::Result<()> {
        send_table(&mut self.wire, self.capabilities, table).await
    }
}

/// How the switch for reads is shown.
fn reads_name(reads: Reads) -> String {
    reads.name().to_owned()
}
