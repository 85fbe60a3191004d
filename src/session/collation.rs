//! What SET NAMES does not tell.
//!
//! MySQL's tracker names the three character sets that SET NAMES and SET CHARACTER SET change, and
//! not the collation that goes with them. So the writer's connection is asked, before the next
//! statement and with one that leaves warnings, ROW_COUNT() and FOUND_ROWS() as SET left them.

use super::connections::Held;
use super::job::Job;
use super::session::Session;
use crate::backend::ConnectError;
use crate::protocol::Command;
use crate::sql::Class;

/// Its answer reports the value.
const QUESTION: &[u8] = b"SET collation_connection = @@collation_connection";

impl Session {
    /// Asks for the collation, if it is not known and the statement may depend on it.
    ///
    /// # Errors
    /// As [`crate::backend::Connection::read_answer`].
    pub(super) async fn learn_collation(
        &mut self,
        held: &mut Held,
        job: &Job,
    ) -> Result<(), ConnectError> {
        match matches!(job.class(), Some(Class::LastStatement)) {
            true => Ok(()),
            false => self.ask_for_collation(held).await,
        }
    }

    /// The same on the writer's connection, before a reader is told; false if it stays unknown.
    pub(super) async fn knows_collation(&mut self, job: &Job) -> bool {
        matches!(job.class(), Some(Class::LastStatement)) || self.takes_collation().await
    }

    /// The same, before another connection is told.
    pub(super) async fn takes_collation(&mut self) -> bool {
        if !self.collation_due {
            return true;
        }
        let Some(mut held) = self.connections.take(self.writer) else {
            return false;
        };
        match self.ask_for_collation(&mut held).await {
            Ok(()) | Err(ConnectError::Refused(_)) => self.connections.put(held),
            Err(_) => return false,
        }
        !self.collation_due
    }

    async fn ask_for_collation(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        if !self.collation_due {
            return Ok(());
        }
        held.queue_query(QUESTION);
        held.wire.flush().await?;
        held.read_answer(Command::Query).await?;
        let is_it = |(name, _): &&(Vec<u8>, Vec<u8>)| name == b"collation_connection";
        if let Some((_, value)) = held.changed.iter().find(is_it) {
            let value = value.clone();
            let name: Box<str> = "collation_connection".into();
            self.state.variables.insert(name.clone(), value.clone());
            held.state.variables.insert(name, value);
            self.collation_due = false;
        }
        Ok(())
    }
}
