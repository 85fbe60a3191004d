//! KILL as SQL, of an id that a user variable holds: `SET @id = 3221225473; KILL QUERY @id`.

use super::Ended;
use super::job::Job;
use super::registry::Registry;
use super::session::Session;
use crate::backend::{ConnectError, question};
use crate::error::ClientError;
use crate::protocol::{Command, query_text};
use crate::sql::{Class, Kill, killed_variable};

impl Session {
    /// KILL: a client of this proxy, or a thread of the writer.
    pub(super) async fn kill(&mut self, job: &mut Job) -> Result<(), Ended> {
        if let Some((id, query_only)) = self.client_to_kill(job).await? {
            self.client.set_sequence(job.request.sequence);
            return self.kill_client(id, query_only).await;
        }
        self.run_own_statement(job).await
    }

    /// The client of this proxy that a statement is to kill, if it is one; other ids mean threads
    /// of the writer, which is asked for the value of a variable. Whether only its query.
    async fn client_to_kill(&mut self, job: &Job) -> Result<Option<(u64, bool)>, Ended> {
        let Some(Class::Kill(Kill { id, query_only })) = job.class() else {
            return Ok(None);
        };
        let id = match id {
            Some(id) => Some(*id),
            None => self.id_in_variable(job).await?,
        };
        let client = id.filter(|id| Registry::is_client_id(*id));
        Ok(client.map(|id| (id, *query_only)))
    }

    async fn id_in_variable(&mut self, job: &Job) -> Result<Option<u64>, Ended> {
        let sql = match job.command {
            Command::Query => query_text(&job.request.payload, self.capabilities),
            _ => Ok(job.text()),
        };
        let Some(name) = sql.ok().and_then(|sql| killed_variable(sql, self.lex)) else {
            return Ok(None);
        };
        // Without a connection there is no variable either.
        let Some(mut held) = self.connections.take(self.writer) else {
            return Ok(None);
        };
        let name = format!("@{name}");
        let row = match held.ask(&question([name.as_str()])).await {
            Ok(row) => row,
            Err(ConnectError::Refused(_)) => Vec::new(),
            Err(_) => {
                self.refuse(&ClientError::connection_lost("the writer"))
                    .await?;
                return Err(Ended::StateLost);
            }
        };
        self.connections.put(held);
        let value = row.into_iter().next().flatten();
        let digits = value.and_then(|value| String::from_utf8(value).ok());
        Ok(digits.and_then(|digits| digits.parse().ok()))
    }
}
