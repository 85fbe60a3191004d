//! One mysqld of a cluster.

use std::io::{self, PipeWriter};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, Row};
use tokio::sync::Mutex;

use super::accounts::{Account, ROOT};
use super::files::{self, Layout};
use super::process::{self, Process};
use super::programs::{Apart, Programs};
use super::{Error, Flavour, launch};
use crate::routing::Role;

/// How often a state is looked at that nothing tells of.
const POLL: Duration = Duration::from_millis(5);

/// What an instance is made from.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    /// What it begins as.
    pub(super) role: Role,
    /// Unique in the cluster, from 1.
    pub(super) server_id: u32,
    /// Where its files are to be; not there yet.
    pub(super) directory: PathBuf,
    pub(super) socket: PathBuf,
    /// More options for mysqld.
    pub(super) mysqld_args: Vec<String>,
    pub(super) apart: Apart,
}

/// A running mysqld (or one that was killed and may be started again). It ends with the cluster.
///
/// Its methods may be called from any runtime, as long as the one that started it runs.
#[derive(Debug)]
pub struct Instance {
    pub(super) plan: Plan,
    pub(super) port: u16,
    pub(super) programs: Arc<Programs>,
    pub(super) layout: Layout,
    pub(super) hold: PipeWriter,
    pub(super) process: Mutex<Option<Process>>,
    /// Whether it takes writes now, and would after a start.
    takes_writes: AtomicBool,
}

impl Instance {
    /// Copies the data directory and starts a server on it, which then takes a moment until it is
    /// up.
    pub(super) async fn start(
        plan: Plan,
        programs: Arc<Programs>,
        template: &Path,
        hold: PipeWriter,
    ) -> Result<Self, Error> {
        let layout = Layout::make(plan.directory.clone())?;
        let (from, to) = (template.to_owned(), layout.data());
        // A start that is given up leaves the copying behind: the directory has to outlive it.
        let held = hold.try_clone().map_err(Error::io("sharing a pipe"))?;
        let copying = tokio::task::spawn_blocking(move || {
            let copied = files::copy_tree(&from, &to);
            drop(held);
            copied
        });
        let copied = copying
            .await
            .map_err(io::Error::from)
            .and_then(|copied| copied);
        copied.map_err(Error::path("copying into", &plan.directory))?;
        let (port, process) = (launch::free_port()?, Mutex::new(None));
        let takes_writes = AtomicBool::new(plan.role == Role::Writer);
        let this = Self {
            plan,
            port,
            programs,
            layout,
            hold,
            process,
            takes_writes,
        };
        this.spawn().await?;
        Ok(this)
    }

    /// The name in the lab: `writer`, `reader1`, …
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Whose server it is.
    pub fn flavour(&self) -> Flavour {
        self.programs.flavour
    }

    /// What it is in the cluster now.
    pub fn role(&self) -> Role {
        match self.takes_writes.load(Ordering::Acquire) {
            true => Role::Writer,
            false => Role::Reader,
        }
    }

    /// It is this from now on, and after each start.
    pub(super) fn becomes(&self, role: Role) {
        self.takes_writes
            .store(role == Role::Writer, Ordering::Release);
    }

    /// `@@server_id`: 1 for the writer, then counting up.
    pub fn server_id(&self) -> u32 {
        self.plan.server_id
    }

    /// Where it listens, on loopback.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The address's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    pub fn socket(&self) -> &Path {
        &self.plan.socket
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.layout.data()
    }

    /// Where its statements may read and write files (`secure_file_priv`).
    pub fn files(&self) -> PathBuf {
        self.layout.files()
    }

    /// The process id; None while it is dead.
    pub async fn pid(&self) -> Option<u32> {
        self.process.lock().await.as_ref().map(Process::pid)
    }

    /// How a client of an account reaches it over TCP.
    pub fn opts(&self, account: Account) -> Opts {
        OptsBuilder::default()
            .ip_or_hostname(Ipv4Addr::LOCALHOST.to_string())
            .tcp_port(self.port)
            .user(Some(account.user))
            .pass(Some(account.password).filter(|password| !password.is_empty()))
            .prefer_socket(false)
            .into()
    }

    /// A new connection of root's.
    ///
    /// # Errors
    /// [`Error::Query`] if the server doesn't take it.
    pub async fn conn(&self) -> Result<Conn, Error> {
        Conn::new(self.opts(ROOT))
            .await
            .map_err(|source| self.query_error(source))
    }

    /// A new pool of root's, which belongs to the runtime of the caller.
    pub fn pool(&self) -> Pool {
        Pool::new(self.opts(ROOT))
    }

    /// Runs statements as root on a connection of their own, one after the other.
    ///
    /// # Errors
    /// [`Error::Query`] for the first that fails; the rest doesn't run.
    pub async fn execute<S: AsRef<str>>(
        &self,
        statements: impl IntoIterator<Item = S>,
    ) -> Result<(), Error> {
        let mut conn = self.conn().await?;
        for statement in statements {
            let done = conn.query_drop(statement.as_ref()).await;
            done.map_err(|source| self.query_error(source))?;
        }
        conn.disconnect()
            .await
            .map_err(|source| self.query_error(source))
    }

    /// The first row that a statement of root's answers.
    ///
    /// # Errors
    /// [`Error::Query`] if it fails.
    pub async fn row(&self, statement: &str) -> Result<Option<Row>, Error> {
        let mut conn = self.conn().await?;
        let row = conn
            .query_first(statement)
            .await
            .map_err(|source| self.query_error(source))?;
        conn.disconnect()
            .await
            .map_err(|source| self.query_error(source))?;
        Ok(row)
    }

    /// `@@global.gtid_executed`; on MariaDB, what a writer has in its binary log
    /// (`@@global.gtid_binlog_pos`) and how far a reader has come (`@@global.gtid_slave_pos`).
    ///
    /// # Errors
    /// [`Error::Query`] if it can't be asked.
    pub async fn executed(&self) -> Result<String, Error> {
        let row = self.row(self.flavour().executed(self.role())).await?;
        Ok(row.and_then(|mut row| row.take(0)).unwrap_or_default())
    }

    /// Waits until a GTID set is executed here; false if that takes longer than the limit.
    ///
    /// # Errors
    /// [`Error::Query`] if the server refuses the set.
    pub async fn wait_executed(&self, set: &str, limit: Duration) -> Result<bool, Error> {
        let statement = self.flavour().wait_executed(set, limit.as_secs_f64());
        let row = self.row(&statement).await?;
        Ok(row.and_then(|mut row| row.take::<i64, _>(0)) == Some(0))
    }

    /// The last lines of the error log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.layout.log_tail(lines)
    }

    /// Kills it (SIGKILL), as a crash would. Without effect on a dead one.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be killed.
    pub async fn kill9(&self) -> Result<(), Error> {
        match self.process.lock().await.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again on the same port and data, after killing it if it runs. A reader's
    /// replication starts again by itself, its applier too.
    ///
    /// # Errors
    /// [`Error::Start`] if it doesn't come up.
    pub async fn restart(&self) -> Result<(), Error> {
        self.kill9().await?;
        self.spawn().await?;
        self.ready().await
    }

    /// Stops it in its tracks (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is dead.
    pub async fn pause(&self) -> Result<(), Error> {
        self.signal("STOP").await?;
        // The signal reaches one thread after the other; a late one would still answer.
        while self
            .pid()
            .await
            .is_some_and(|pid| !process::is_stopped(pid))
        {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Lets it go on after [`Instance::pause`] (SIGCONT).
    ///
    /// # Errors
    /// [`Error::Usage`] if it is dead.
    pub async fn resume(&self) -> Result<(), Error> {
        self.signal("CONT").await
    }

    /// Lets it outlive us.
    pub(super) fn keep(self) -> Result<(), Error> {
        self.process.into_inner().map_or(Ok(()), Process::keep)
    }

    async fn signal(&self, name: &str) -> Result<(), Error> {
        match &*self.process.lock().await {
            Some(process) => process.signal(name).await,
            None => Err(Error::Usage(format!("{} is dead", self.plan.name))),
        }
    }

    pub(super) fn query_error(&self, source: mysql_async::Error) -> Error {
        Error::Query {
            name: self.plan.name.clone(),
            source,
        }
    }
}
