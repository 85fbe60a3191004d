//! Client ids that a query of the list of processes compares with: the writer knows them as those
//! of its threads.

use super::connections::Held;
use super::job::Job;
use super::registry::Registry;
use super::relay::RelayError;
use super::session::Session;
use crate::protocol::{Command, query_text};
use crate::sql::{IdColumns, compared_numbers};

impl Session {
    /// Hands a statement on, with the writer's numbers in place of the ids of clients.
    pub(super) async fn send_named(
        &mut self,
        held: &mut Held,
        job: &mut Job,
    ) -> Result<(), RelayError> {
        let Some(named) = self.name_threads(held, job) else {
            return self.send(held, &mut job.request).await;
        };
        // Sent again, it may be to another connection.
        let original = std::mem::replace(&mut job.request.payload, named.as_slice().into());
        let sent = self.send(held, &mut job.request).await;
        job.request.payload = original;
        sent
    }

    /// The payload of such a query, if it names a client that the writer serves.
    fn name_threads(&self, held: &Held, job: &Job) -> Option<Vec<u8>> {
        let ids = job.statement.as_ref()?.ids.as_ref()?;
        if !matches!(ids, IdColumns::Named(_)) || job.command != Command::Query || job.request.more
        {
            return None;
        }
        let payload = &job.request.payload;
        let sql = query_text(payload, self.capabilities).ok()?;
        let before = payload.len() - sql.len();
        let mut named = None;
        for range in compared_numbers(sql, self.lex) {
            let digits = sql
                .get(range.clone())
                .and_then(|it| std::str::from_utf8(it).ok());
            let id = digits.and_then(|digits| digits.parse().ok());
            let Some(id) = id.filter(|id| Registry::is_client_id(*id)) else {
                continue;
            };
            let clients = &self.shared.registry;
            let clients = clients.threads_on(held.backend, held.proof.server_uuid);
            let thread = clients
                .into_iter()
                .find(|(_, client)| u64::from(*client) == id);
            let Some((thread, _)) = thread else {
                continue;
            };
            // No server counts further than a client's id has digits.
            let digits = format!("{thread:<width$}", width = range.len());
            let named = named.get_or_insert_with(|| payload.to_vec());
            let place = named.get_mut(before + range.start..before + range.end)?;
            place.copy_from_slice(digits.as_bytes().get(..range.len())?);
        }
        named
    }
}
