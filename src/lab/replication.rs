//! A reader's replication, for a test to slow down and stop.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::accounts::REPLICATION;
use super::{Error, Instance};
use crate::routing::Role;

impl Instance {
    /// How long a reader may take until it is connected to the writer.
    const FOLLOW_PATIENCE: Duration = Duration::from_secs(30);

    /// Makes this reader follow a writer at a distance of whole seconds, and waits until it is
    /// connected.
    pub(super) async fn follow(&self, writer: &Self, delay_secs: u32) -> Result<(), Error> {
        let change = format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, \
             SOURCE_USER = '{}', SOURCE_PASSWORD = '{}', SOURCE_AUTO_POSITION = 1, \
             SOURCE_DELAY = {delay_secs}, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1, \
             SOURCE_RETRY_COUNT = 86400",
            writer.port(),
            REPLICATION.user,
            REPLICATION.password,
        );
        self.execute([change.as_str(), "START REPLICA"]).await?;
        let since = Instant::now();
        let state = "SELECT CONCAT(service_state, ' ', last_error_message) \
                     FROM performance_schema.replication_connection_status";
        loop {
            let row = self.row(state).await?;
            let state = row
                .and_then(|mut row| row.take::<String, _>(0))
                .unwrap_or_default();
            if state.starts_with("ON") {
                return Ok(());
            }
            // An error while it still tries may pass; one that has stopped it won't.
            let stopped = state.trim_end() != "OFF" && state.starts_with("OFF");
            if stopped || since.elapsed() > Self::FOLLOW_PATIENCE {
                return Err(Error::Start {
                    name: self.name().to_owned(),
                    why: format!("it doesn't follow the writer: {state}"),
                    log: self.layout.complaints(),
                });
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
            .await
    }

    /// Changes how far the reader stays behind, in whole seconds. A stopped applier is started.
    ///
    /// # Errors
    /// [`Error::Query`] if the reader refuses, [`Error::Usage`] on the writer.
    pub async fn set_delay(&self, delay_secs: u32) -> Result<(), Error> {
        let change = format!("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {delay_secs}");
        let statements = [
            "STOP REPLICA SQL_THREAD",
            &change,
            "START REPLICA SQL_THREAD",
        ];
        self.as_reader()?.execute(statements).await
    }

    /// The delay that is in force, in seconds; 0 on the writer.
    ///
    /// # Errors
    /// [`Error::Query`] if it can't be asked.
    pub async fn delay(&self) -> Result<u32, Error> {
        let statement = "SELECT desired_delay \
                         FROM performance_schema.replication_applier_configuration";
        let row = self.row(statement).await?;
        Ok(row.and_then(|mut row| row.take(0)).unwrap_or_default())
    }

    fn as_reader(&self) -> Result<&Self, Error> {
        match self.role() {
            Role::Reader => Ok(self),
            Role::Writer => Err(Error::Usage("the writer has no applier".to_owned())),
        }
    }
}
