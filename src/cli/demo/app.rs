//! The played application: a pool of two connections, notes that are written and read back, and
//! old notes that are read in between.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Error;
use super::road::{Connection, Road};
use super::tally::Tally;
use crate::cli::local::{Metrics, fetch};
use crate::lab::Cluster;

/// How often the application writes.
pub(super) const ROUNDS: u32 = 3;

/// From one write to the next; about two seconds of it pass until the first reader has the note.
pub(super) const ROUND: Duration = Duration::from_secs(5);

/// From one read to the next.
pub(super) const THINK: Duration = Duration::from_millis(40);

/// The notes that are there from the start have the ids from 1 to this.
const OLD_NOTES: u32 = 10;

/// How long the readers may take until they have the old notes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a table for each road, and waits until every reader has it.
pub(super) async fn prepare(cluster: &Cluster, roads: usize) -> Result<(), Error> {
    for number in 0..roads {
        let table = table(number);
        let rows: Vec<_> = (1..=OLD_NOTES)
            .map(|id| format!("({id}, 'old note')"))
            .collect();
        let statements = [
            format!("CREATE TABLE {table} (id INT PRIMARY KEY, body VARCHAR(40) NOT NULL)"),
            format!("INSERT INTO {table} VALUES {}", rows.join(", ")),
        ];
        cluster.writer().execute(statements).await?;
    }
    super::progress("waiting until the readers have the tables");
    match cluster.settle(PATIENCE).await? {
        true => Ok(()),
        false => Err(Error::NotSettled),
    }
}

/// The application on one road.
#[derive(Debug)]
pub(super) struct App<'p> {
    road: Road<'p>,
    table: String,
    pool: [Connection; 2],
    /// Connections lent so far.
    lent: usize,
    /// What Tidegate had sent to readers before the application came.
    at_readers_before: u64,
    tally: Tally,
}

impl<'p> App<'p> {
    /// Opens the pool.
    pub(super) async fn start(
        cluster: &Cluster,
        road: Road<'p>,
        number: usize,
    ) -> Result<Self, Error> {
        Ok(Self {
            road,
            table: table(number),
            pool: [road.connect(cluster).await?, road.connect(cluster).await?],
            lent: 0,
            at_readers_before: at_readers(road).await?,
            tally: Tally::new(road.name()),
        })
    }

    /// Writes a note, reads it back on the connection that wrote it and on the other one, and
    /// goes on reading it and old ones, on both.
    pub(super) async fn round(&mut self, round: u32) {
        let end = Instant::now() + ROUND;
        let new = OLD_NOTES + round;
        self.lend().await;
        self.write(new).await;
        self.read(new).await;
        self.lend().await;
        self.read(new).await;
        let mut ticks = interval_at(Instant::now() + THINK, THINK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ids = (1..=OLD_NOTES).flat_map(|old| [new, new, old, old]).cycle();
        for id in ids {
            if ticks.tick().await >= end {
                return;
            }
            self.lend().await;
            self.read(id).await;
        }
    }

    /// What came of it.
    pub(super) async fn end(mut self) -> Result<Tally, Error> {
        let own: usize = self.pool.iter().map(Connection::at_readers).sum();
        let seen = at_readers(self.road).await?;
        self.tally.at_readers = own as u64 + seen.saturating_sub(self.at_readers_before);
        Ok(self.tally)
    }

    /// Takes the next connection of the pool, as it was when it was new.
    async fn lend(&mut self) {
        self.lent += 1;
        let result = self.lent_one().reset().await;
        self.tally.ran(&result);
    }

    async fn write(&mut self, id: u32) {
        let sql = format!("INSERT INTO {} VALUES ({id}, 'new note')", self.table);
        let result = self.lent_one().query(&sql).await;
        self.tally.ran(&result);
    }

    /// Reads a note that has been written: not to find it is stale.
    async fn read(&mut self, id: u32) {
        let sql = format!("SELECT body FROM {} WHERE id = {id}", self.table);
        let since = Instant::now();
        let result = self.lent_one().query(&sql).await;
        self.tally.read(&result, since.elapsed());
    }

    fn lent_one(&mut self) -> &mut Connection {
        let [one, other] = &mut self.pool;
        if self.lent.is_multiple_of(2) {
            one
        } else {
            other
        }
    }
}

fn table(number: usize) -> String {
    format!("app.notes{}", number + 1)
}

async fn at_readers(road: Road<'_>) -> Result<u64, Error> {
    match road {
        Road::Splitter => Ok(0),
        Road::Tidegate(proxy, _) => {
            let text = fetch(proxy.metrics_port()).await?;
            Ok(Metrics::parse(&text).statements(&proxy.readers()))
        }
    }
}
