//! One backend's watcher: a connection of its own, for questions that take long or are asked
//! often, while somebody waits for the answer. All waiters share it.
//!
//! It blocks in `WAIT_FOR_EXECUTED_GTID_SET` for the nearest token (MySQL manual, "Functions Used
//! with Global Transaction Identifiers (GTIDs)"), in MariaDB `MASTER_GTID_WAIT`, a slice at a
//! time, and publishes the executed set that it finds. A MariaDB writer has no such function; it
//! is asked every few milliseconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::{sleep, timeout};

use super::ask::Asking;
use super::publish::Publisher;
use super::threads::Threads;
use super::waiters::Waiters;
use crate::backend::client::{Broken, Client, Life, all, answer, first, life};
use crate::backend::flavour::Asked;
use crate::gtid::Set;
use crate::routing::{BackendId, Role};
use crate::sql::Flavour;

/// How long one question blocks at most: who comes meanwhile with a nearer token waits so long.
const SLICE: Duration = Duration::from_millis(20);

/// Between two questions where nothing can be waited for.
const PAUSE: Duration = Duration::from_millis(2);

/// Nobody waited for so long: the connection is closed.
const IDLE: Duration = Duration::from_secs(30);

/// The pause after a connection that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Fails with error 1227 unless the account has the PROCESS privilege (MySQL manual, "The
/// INFORMATION_SCHEMA INNODB_TRX Table"). Without it the list of processes leaves others out.
const MAY_SEE_PROCESSES: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TRX";

/// What a watcher works for.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) id: BackendId,
    pub(super) client: Client,
    pub(super) publisher: Arc<Publisher>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) threads: Arc<Threads>,
}

/// Its connection.
#[derive(Debug)]
struct Connected {
    conn: Conn,
    life: Life,
    asking: Asking,
    /// Whether the account sees all processes; none before it was tried.
    sees_processes: Option<bool>,
}

impl Watcher {
    /// Works until it is aborted.
    pub(super) async fn run(self) {
        loop {
            while !self.is_wanted() {
                self.waiters.work.notified().await;
            }
            if let Err(broken) = self.serve().await {
                self.waiters.await_nothing();
                tracing::debug!(backend = self.client.backend.name, error = %broken,
                    "watcher's connection lost");
                let _ = timeout(RETRY_PAUSE, self.kick_meanwhile()).await;
            }
        }
    }

    /// Works on one connection until nobody has waited for a while.
    async fn serve(&self) -> Result<(), Broken> {
        let connecting = async {
            let mut conn = self.client.connect().await?;
            let life = life(&mut conn).await?;
            Ok::<_, Broken>(Connected {
                conn,
                life,
                asking: Asking::new(life, self.publisher.role(self.id)),
                sees_processes: None,
            })
        };
        let mut connected = tokio::select! {
            connected = connecting => connected?,
            never = self.kick_meanwhile() => match never {},
        };
        loop {
            if self.is_wanted() {
                self.round(&mut connected).await?;
            } else if timeout(IDLE, self.waiters.work.notified()).await.is_err() {
                answer(connected.conn.disconnect()).await?;
                return Ok(());
            }
        }
    }

    /// Asks for what is waited for, for a slice at most.
    async fn round(&self, connected: &mut Connected) -> Result<(), Broken> {
        let asked = self.threads.asked();
        if !asked.is_empty() {
            let present = connected.present(&asked).await?;
            self.threads
                .settle(connected.life, &asked, present.as_deref());
        }
        let snapshot = self.publisher.snapshot();
        let place = snapshot.backend(self.id).and_then(|view| view.place());
        let Some((place, token)) =
            place.and_then(|place| Some((place, self.waiters.await_nearest(place)?)))
        else {
            // Only threads are asked for, or what is left is told of the end of its place.
            sleep(SLICE).await;
            return Ok(());
        };
        // Read after the place, so that they belong together unless a newer place made it void.
        if self.publisher.life(self.id) != Some(connected.life) {
            return Err(Broken::Stranger);
        }
        connected.asking.set_role(self.publisher.role(self.id));
        let asked = Instant::now();
        let told = connected.wait(&token).await?;
        let learned = Instant::now();
        let flavour = connected.life.flavour;
        let executed = match connected.asking.role() {
            Role::Reader => self.publisher.complete(flavour, told),
            Role::Writer => told,
        };
        let covered = executed.contains(&token);
        self.waiters.await_nothing();
        self.publisher.executed(place, Arc::new(executed), learned);
        if !covered && flavour == Flavour::MariaDb && learned.duration_since(asked) < SLICE {
            // It has come to that place by other transactions, or there is no such wait.
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Without a connection: lets the monitor ask in its stead.
    async fn kick_meanwhile(&self) -> std::convert::Infallible {
        loop {
            sleep(SLICE).await;
            if self.waiters.count() > 0 {
                self.waiters.kick.notify_one();
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.waiters.count() > 0 || !self.threads.asked().is_empty()
    }
}

impl Connected {
    /// Waits a slice for the token; returns what the backend says that it has executed then.
    async fn wait(&mut self, token: &Set) -> Result<Set, Broken> {
        let question = match (self.life.flavour, self.asking.role()) {
            (Flavour::MariaDb, Role::Writer) => {
                return Ok(self.asking.ask(&mut self.conn).await?.executed);
            }
            (flavour, _) => format!(
                "SELECT {}, {}, {}, {}",
                waiting(flavour, token),
                flavour.applied(),
                flavour.logged(),
                flavour.identity()
            ),
        };
        let told = first(&mut self.conn, &question).await?;
        let (_, applied, logged, identity): (Option<i64>, String, String, String) =
            told.ok_or(Broken::Nonsense)?;
        self.asking.is_same(&identity)?;
        self.asking.executed(&applied, &logged)
    }

    /// Which of these threads the backend still has; none if it does not tell.
    ///
    /// `information_schema` goes through the connections themselves: one is on the list until its
    /// transaction is ended. `performance_schema` may be off or full, and then leaves some out.
    async fn present(&mut self, asked: &HashMap<u64, u64>) -> Result<Option<Vec<u64>>, Broken> {
        if self.sees_processes.is_none() {
            let tried = answer(self.conn.query_drop(MAY_SEE_PROCESSES)).await;
            self.sees_processes = Some(permitted(tried)?.is_some());
        }
        if self.sees_processes != Some(true) {
            return Ok(None);
        }
        let threads: Vec<_> = asked.values().map(u64::to_string).collect();
        let question = format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE ID IN ({})",
            threads.join(", ")
        );
        permitted(all(&mut self.conn, &question).await)
    }
}

/// An expression that waits a slice for a token.
fn waiting(flavour: Flavour, token: &Set) -> String {
    let seconds = SLICE.as_secs_f64();
    match flavour {
        Flavour::MySql => {
            let token = token.to_string().replace('\n', "");
            format!("WAIT_FOR_EXECUTED_GTID_SET('{token}', {seconds})")
        }
        // A token of MySQL's has no position, and never comes here.
        Flavour::MariaDb => match token.position() {
            Some(position) => format!("MASTER_GTID_WAIT('{position}', {seconds})"),
            None => format!("SLEEP({seconds})"),
        },
    }
}

/// The answer; none if the account may not have it or the server has no such table.
fn permitted<T>(answered: Result<T, Broken>) -> Result<Option<T>, Broken> {
    match answered {
        Ok(answer) => Ok(Some(answer)),
        Err(broken) if broken.is_denied() => Ok(None),
        Err(broken) => Err(broken),
    }
}
