//! A reader's replication, for a test to slow down and stop.

use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable as _;
use tokio::time::{Instant, sleep};

use super::{Error, Flavour, Instance};
use crate::routing::Role;

/// Both flavours know it under this name, MariaDB since 10.5; the names of the columns differ.
const STATUS: &str = "SHOW REPLICA STATUS";

/// So much of a log tells what has just happened.
const LOG_LINES: usize = 20;

/// Whose locks its applier may wait for.
const TRANSACTIONS: &str = "SELECT trx_state, trx_started, trx_mysql_thread_id, trx_query, \
                            trx_rows_locked FROM information_schema.innodb_trx";

impl Instance {
    /// How long a reader may take until it is connected to the writer.
    const FOLLOW_PATIENCE: Duration = Duration::from_secs(30);

    /// Makes this reader follow a writer at a distance of whole seconds, and waits until it is
    /// connected and its applier at work.
    pub(super) async fn follow(&self, writer: &Self, delay_secs: u32) -> Result<(), Error> {
        let change = self.flavour().follow(writer.port(), delay_secs);
        self.execute([change.as_str(), "START REPLICA"]).await?;
        self.connected().await?;
        self.applies().await
    }

    /// Waits until this reader is connected to the writer.
    async fn connected(&self) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let row = self.row(STATUS).await?;
            let cell = |names| row.as_ref().and_then(|row| text(row, names));
            let running = cell(["Replica_IO_Running", "Slave_IO_Running"]).unwrap_or_default();
            if running == "Yes" {
                return Ok(());
            }
            let error = cell(["Last_IO_Error"; 2]).unwrap_or_default();
            // An error while it still tries may pass; one that has stopped it won't.
            let stopped = running == "No" && !error.is_empty();
            if stopped || since.elapsed() > Self::FOLLOW_PATIENCE {
                return Err(Error::Start {
                    name: self.name().to_owned(),
                    why: format!("it doesn't follow the writer: {running} {error}"),
                    log: self.layout.complaints(),
                });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the applier is at work.
    ///
    /// `START REPLICA` returns before the new thread has looked at its temporary directory, by
    /// creating a file there. A server that is told to stop and start it again in that moment can
    /// find the file of the thread before, and the new one ends with "File exists"; it is then
    /// started once more.
    async fn applies(&self) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let row = self.row(STATUS).await?;
            let cell = |names| row.as_ref().and_then(|row| text(row, names));
            let running = cell(["Replica_SQL_Running", "Slave_SQL_Running"]).unwrap_or_default();
            let state = cell(["Replica_SQL_Running_State", "Slave_SQL_Running_State"]);
            let error = cell(["Last_SQL_Error"; 2]).unwrap_or_default();
            // The state that a thread begins with, on both flavours.
            let begins = |state: &String| state.starts_with("Waiting for the next event");
            match running.as_str() {
                "Yes" if state.is_some_and(|it| !it.is_empty() && !begins(&it)) => return Ok(()),
                "No" if error.contains("temporary directory") => {
                    self.execute(["START REPLICA SQL_THREAD"]).await?;
                }
                // What it has met in the binary log is for the caller to find.
                "No" if !error.is_empty() => return Ok(()),
                _ if since.elapsed() > Self::FOLLOW_PATIENCE => {
                    return Err(Error::Start {
                        name: self.name().to_owned(),
                        why: format!("its applier doesn't start: {running} {error}"),
                        log: self.layout.complaints(),
                    });
                }
                _ => {}
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops executing what comes from the writer; receiving goes on.
    ///
    /// # Errors
    /// [`Error::Query`] if the reader refuses, [`Error::Usage`] on the writer.
    pub async fn stop_applier(&self) -> Result<(), Error> {
        self.as_reader()?.execute(["STOP REPLICA SQL_THREAD"]).await
    }

    /// Executes what comes from the writer again, after [`Instance::stop_applier`].
    ///
    /// # Errors
    /// [`Error::Query`] if the reader refuses, [`Error::Usage`] on the writer.
    pub async fn start_applier(&self) -> Result<(), Error> {
        self.as_reader()?
            .execute(["START REPLICA SQL_THREAD"])
            .await?;
        self.applies().await
    }

    /// Changes how far the reader stays behind, in whole seconds. A stopped applier is started.
    ///
    /// # Errors
    /// [`Error::Query`] if the reader refuses, [`Error::Usage`] on the writer.
    pub async fn set_delay(&self, delay_secs: u32) -> Result<(), Error> {
        let change = self.flavour().delay(delay_secs);
        // MariaDB changes nothing of a reader that still receives.
        let what = match self.flavour() {
            Flavour::MySql => "REPLICA SQL_THREAD",
            Flavour::MariaDb => "REPLICA",
        };
        let (stop, start) = (format!("STOP {what}"), format!("START {what}"));
        self.as_reader()?.execute([&stop, &change, &start]).await?;
        self.applies().await
    }

    /// The delay that is in force, in seconds; 0 on the writer.
    ///
    /// # Errors
    /// [`Error::Query`] if it can't be asked.
    pub async fn delay(&self) -> Result<u32, Error> {
        let row = self.row(STATUS).await?;
        let delay = row.and_then(|row| text(&row, ["SQL_Delay"; 2]));
        Ok(delay.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    /// All that the reader says of its replication and of who else is at work there, and the end of
    /// its log, for who wonders why it does not catch up.
    ///
    /// # Errors
    /// [`Error::Query`] if it can't be asked.
    pub async fn replication(&self) -> Result<String, Error> {
        let executed = self.position().await?;
        let status = self.row(STATUS).await?;
        let mut conn = self.conn().await?;
        let mut told = format!("it has {executed}, {status:#?}\n");
        for question in [
            "SHOW FULL PROCESSLIST",
            TRANSACTIONS,
            self.flavour().workers(),
        ] {
            let rows: Result<Vec<Row>, _> = conn.query(question).await;
            for row in rows.map_err(|source| self.query_error(source))? {
                told.push_str(&format!("{:?}\n", row.unwrap()));
            }
        }
        Ok(told + &self.log_tail(LOG_LINES))
    }

    fn as_reader(&self) -> Result<&Self, Error> {
        match self.role() {
            Role::Reader => Ok(self),
            Role::Writer => Err(Error::Usage("the writer has no applier".to_owned())),
        }
    }
}

/// The cell under the first of these names that there is.
fn text(row: &Row, names: [&str; 2]) -> Option<String> {
    let mut cells = names.into_iter().map(|name| row.get_opt(name));
    cells.find_map(|cell| cell.and_then(Result::ok))
}
