//! Which instance is the writer: for a test to switch over, as operators and their tools do.

use std::time::Duration;

use super::{Cluster, Error, Flavour, Instance};
use crate::routing::Role;

/// How long an instance may take until it has executed what another one had.
const PATIENCE: Duration = Duration::from_secs(30);

impl Instance {
    /// Lets it take no more writes. Commits that are under way end first.
    ///
    /// # Errors
    /// [`Error::Query`] if it refuses.
    pub async fn demote(&self) -> Result<(), Error> {
        let variable = self.flavour().read_only_variable();
        self.execute([format!("SET GLOBAL {variable} = ON")])
            .await?;
        self.becomes(Role::Reader);
        Ok(())
    }

    /// Starts it again as a reader of another one, after a crash in which it lost its place.
    ///
    /// # Errors
    /// [`Error`] if it doesn't come up, or can't follow.
    pub async fn come_back(&self, writer: &Self) -> Result<(), Error> {
        self.becomes(Role::Reader);
        self.restart().await?;
        self.follow_from_now(writer).await
    }

    /// Makes it nobody's reader, and lets it take writes.
    ///
    /// # Errors
    /// [`Error::Query`] if it refuses.
    pub async fn promote(&self) -> Result<(), Error> {
        let statements = [
            "STOP REPLICA",
            "RESET REPLICA ALL",
            // In MySQL super_read_only goes with it.
            "SET GLOBAL read_only = OFF",
        ];
        self.execute(statements).await?;
        self.becomes(Role::Writer);
        Ok(())
    }

    /// Makes it a reader of another one, whatever it was before, and waits until it is connected.
    ///
    /// # Errors
    /// [`Error`] if it refuses, or can't follow.
    pub async fn follow_from_now(&self, writer: &Self) -> Result<(), Error> {
        self.execute(["STOP REPLICA"]).await?;
        if self.flavour() == Flavour::MariaDb {
            // Who was a writer has not applied what it wrote itself.
            let position = self.position().await?;
            let set = format!("SET GLOBAL gtid_slave_pos = '{position}'");
            self.execute([set]).await?;
        }
        self.follow(writer, 0).await
    }

    /// What it has executed, whatever it is and was.
    ///
    /// # Errors
    /// [`Error::Query`] if it can't be asked.
    pub async fn position(&self) -> Result<String, Error> {
        let question = match self.flavour() {
            Flavour::MySql => "SELECT @@global.gtid_executed",
            Flavour::MariaDb => "SELECT @@global.gtid_current_pos",
        };
        let row = self.row(question).await?;
        let told = row.and_then(|row| row.get_opt(0).and_then(Result::ok));
        Ok(told.unwrap_or_default())
    }
}

impl Cluster {
    /// Makes `to` the writer instead of `from`, and the others its readers, as a planned switchover
    /// does: no write is lost. Nothing takes writes for the time that `to` needs to have them all.
    ///
    /// # Errors
    /// [`Error`] if an instance refuses or is not there.
    pub async fn switch_over(&self, from: &Instance, to: &Instance) -> Result<(), Error> {
        from.demote().await?;
        let position = from.position().await?;
        if !to.wait_executed(&position, PATIENCE).await? {
            return Err(Error::Usage(format!("{} does not catch up", to.name())));
        }
        to.promote().await?;
        for other in self.instances().filter(|it| it.name() != to.name()) {
            if other.pid().await.is_some() {
                other.follow_from_now(to).await?;
            }
        }
        Ok(())
    }
}
