//! The clients: a real driver, on connections that it opens again when they are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tidegate::lab::{APP, Account};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::tally::{Tally, Told};

/// Only reads. Its account has what it must see for itself, so no write of others makes it wait.
pub(crate) const WITNESS: Account = Account {
    user: "witness",
    password: "saw it",
};

/// A statement that takes longer than this hangs, whatever goes on.
const HANGS: Duration = Duration::from_secs(40);

/// A client that is so silent between two commands is cut off by a process that has handed over.
/// On a machine that has too much to do it may be silent without wanting it.
const SILENT: Duration = Duration::from_millis(400);

/// What such a client did.
pub(crate) const AFTER_SILENCE: &str = "read after a silence";

/// Statements of one connection; then another one is opened, as pools do.
const STATEMENTS: usize = 100;

/// Errors of statements that have not run: no writer, none that is proven, no connection, shed.
const NOT_RUN: [u16; 7] = [1040, 1213, 1290, 1429, 1792, 1836, 3024];

/// What every client shares.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) tally: Arc<Tally>,
    pub(crate) ids: Arc<AtomicU64>,
    pub(crate) end: watch::Receiver<bool>,
}

/// How a statement failed.
enum Failed {
    /// With an error of this number; the connection is there.
    Server(u16),
    /// The connection is lost.
    Lost,
}

impl Load {
    fn goes_on(&self) -> bool {
        !*self.end.borrow()
    }

    /// A connection, at the first attempt that succeeds.
    async fn connect(&self, account: Account, kind: &'static str) -> Option<Conn> {
        while self.goes_on() {
            let opts = OptsBuilder::default()
                .ip_or_hostname("127.0.0.1")
                .tcp_port(self.port)
                .user(Some(account.user))
                .pass(Some(account.password))
                .prefer_socket(false)
                .db_name(Some("app"));
            match timeout(HANGS, Conn::new(opts))
                .await
                .expect("a login hangs")
            {
                Ok(conn) => return Some(conn),
                Err(error) => {
                    self.failed(kind, "login", &error);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        None
    }

    fn failed(&self, kind: &'static str, what: &str, error: &Error) -> Failed {
        match error {
            Error::Server(error) => {
                self.tally
                    .error(kind, format!("{what}: {} {}", error.code, error.message));
                Failed::Server(error.code)
            }
            _ => {
                self.tally.error(kind, format!("{what}: connection lost"));
                Failed::Lost
            }
        }
    }

    /// Reads for ever: nothing that it sees may go backwards.
    pub(crate) async fn read(self) {
        const KIND: &str = "read";
        let mut newest: Option<u64> = None;
        let mut last = None;
        while let Some(mut conn) = self.connect(WITNESS, KIND).await {
            let mut answered = Instant::now();
            for _ in 0..STATEMENTS {
                if !self.goes_on() {
                    break;
                }
                self.tally.lock().statements += 1;
                let silent = answered.elapsed() >= SILENT;
                let read = conn.query_first::<Option<u64>, _>("SELECT MAX(seq) FROM app.chaos");
                match timeout(HANGS, read).await.expect("a read hangs") {
                    Ok(row) => {
                        let seen = row.flatten();
                        if seen < newest {
                            self.tally.stale(format!("{seen:?} after {newest:?}"));
                        }
                        newest = seen;
                        self.tally.lock().reads += 1;
                        self.tally.went_well(KIND, &mut last);
                    }
                    Err(error) => {
                        let what = match silent {
                            true => AFTER_SILENCE,
                            false => "read",
                        };
                        if let Failed::Lost = self.failed(KIND, what, &error) {
                            break;
                        }
                    }
                }
                answered = Instant::now();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Writes, alone or in transactions, and reads each back at once.
    pub(crate) async fn write(self, seed: u64) {
        const KIND: &str = "write";
        let mut chance = StdRng::seed_from_u64(seed);
        let mut last = None;
        while let Some(mut conn) = self.connect(APP, KIND).await {
            for _ in 0..STATEMENTS / 2 {
                if !self.goes_on() {
                    break;
                }
                let id = self.ids.fetch_add(1, Ordering::Relaxed);
                let rows = if chance.random_bool(0.3) { 2 } else { 1 };
                let wrote = self.insert(&mut conn, id, rows).await;
                let (told, lost) = match wrote {
                    Ok(()) => (Told::Done, false),
                    Err((Failed::Server(code), _)) if NOT_RUN.contains(&code) => {
                        (Told::Refused, false)
                    }
                    Err((Failed::Server(_), sent)) => (of_unanswered(sent), false),
                    Err((Failed::Lost, sent)) => (of_unanswered(sent), true),
                };
                self.tally.wrote(id, told, rows);
                if told == Told::Done {
                    self.tally.went_well(KIND, &mut last);
                }
                if lost || told == Told::Done && self.read_back(&mut conn, id, rows).await {
                    break;
                }
                if told != Told::Done {
                    // Whatever is left of a transaction.
                    let rollback = timeout(HANGS, conn.query_drop("ROLLBACK")).await;
                    if let Err(error) = rollback.expect("a rollback hangs")
                        && let Failed::Lost = self.failed(KIND, "ROLLBACK", &error)
                    {
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Writes so many rows with this number; says whether what failed may have had an effect.
    async fn insert(&self, conn: &mut Conn, id: u64, rows: u64) -> Result<(), (Failed, bool)> {
        let insert = format!("INSERT INTO app.chaos (id) VALUES ({id})");
        let script: &[(&str, bool)] = match rows {
            1 => &[(&insert, true)],
            _ => &[
                ("BEGIN", false),
                (&insert, false),
                (&insert, false),
                ("COMMIT", true),
            ],
        };
        for (sql, commits) in script {
            self.tally.lock().statements += 1;
            let done = timeout(HANGS, conn.query_drop(*sql)).await;
            if let Err(error) = done.expect("a write hangs") {
                let what = if *sql == insert { "INSERT" } else { sql };
                return Err((self.failed("write", what, &error), *commits));
            }
        }
        Ok(())
    }

    /// What was acknowledged is seen by the next read; says whether the connection is lost.
    async fn read_back(&self, conn: &mut Conn, id: u64, rows: u64) -> bool {
        let sql = format!("SELECT COUNT(*) FROM app.chaos WHERE id = {id}");
        self.tally.lock().statements += 1;
        let read = timeout(HANGS, conn.query_first::<u64, _>(sql)).await;
        match read.expect("a read hangs") {
            Ok(Some(count)) if count >= rows => false,
            Ok(count) => {
                self.tally
                    .stale(format!("{count:?} of {rows} rows of {id}"));
                false
            }
            Err(error) => matches!(self.failed("read of a write", "read", &error), Failed::Lost),
        }
    }
}

/// A write without an answer.
fn of_unanswered(may_have_run: bool) -> Told {
    match may_have_run {
        true => Told::Unknown,
        false => Told::Refused,
    }
}
