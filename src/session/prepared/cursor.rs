//! Cursors: the rows of an execution stay on the backend, and the client fetches them.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_fetch.html>

use super::super::Ended;
use super::super::command::Request;
use super::super::connections::Held;
use super::super::job::Job;
use super::super::observe::ReaderNotes;
use super::super::pressure::Patience;
use super::super::relay::{Relay, RelayError};
use super::super::session::Session;
use super::super::statement::Attempt;
use super::super::visible::Filter;
use super::super::wishes::Wishes;
use crate::error::ClientError;
use crate::protocol::{Command, Reader, Status, set_statement_id, statement_id};
use crate::routing::{BackendId, Reason};

impl Session {
    /// COM_STMT_FETCH: from the connection that has the cursor. Its rows were fixed when it was
    /// opened, so nothing has to be gated.
    pub(super) async fn fetch(&mut self, request: Request) -> Result<(), Ended> {
        let Ok(id) = statement_id(&request.payload) else {
            return self.not_executed(request, &ClientError::malformed()).await;
        };
        if Reader::new(&request.payload).bytes(9, "fetch").is_err() {
            return self.not_executed(request, &ClientError::malformed()).await;
        }
        let Some(entry) = self.prepared.find(id) else {
            let error = ClientError::unknown_prepared(id);
            return self.not_executed(request, &error).await;
        };
        let Some(backend) = entry.cursor else {
            let error = ClientError::no_cursor(id);
            return self.not_executed(request, &error).await;
        };
        let held = self.connections.take(backend);
        let Some((held, known)) = held.and_then(|held| held.knows(id).map(|known| (held, known)))
        else {
            self.prepared.lose_cursors(backend);
            let error = ClientError::connection_lost("the cursor's backend");
            return self.not_executed(request, &error).await;
        };
        let mut job = Job::new(Command::StmtFetch, request, None, Wishes::default());
        // It was read as a command with an id.
        let _ = set_statement_id(&mut job.request.payload, known);
        self.fetch_from(held, id, &mut job).await
    }

    async fn fetch_from(
        &mut self,
        mut held: Box<Held>,
        id: u32,
        job: &mut Job,
    ) -> Result<(), Ended> {
        let is_writer = held.backend == self.writer;
        let mut notes = ReaderNotes::default();
        let (progress, ended) = match self.send(&mut held, &mut job.request).await {
            Ok(()) => {
                let filter = match is_writer {
                    true => Filter::Wanted(&self.visible),
                    false => Filter::FromReader,
                };
                let limits = &self.config.limits;
                let patience =
                    Patience::with_writer(&self.shared, held.backend, limits, &mut self.alarm);
                let mut relay = Relay::new(
                    Command::StmtFetch,
                    &mut self.client,
                    self.capabilities,
                    &mut held,
                    filter,
                    &mut notes,
                    patience,
                );
                relay.run().await
            }
            Err(error) => (Default::default(), Err(error)),
        };
        self.count_backend_bytes(&mut held);
        match ended {
            Ok(end) => {
                let over = end
                    .status()
                    .is_none_or(|status| status.contains(Status::LAST_ROW_SENT));
                if over && let Some(entry) = self.prepared.find(id) {
                    entry.cursor = None;
                }
                let backend = held.backend.index();
                self.last_statement = held.place();
                self.connections.put(held);
                self.shared
                    .metrics
                    .statement(backend, Reason::Cursor.index());
                self.flush().await
            }
            Err(RelayError::Client(_)) => Err(Ended::ClientGone),
            Err(RelayError::Backend(error)) => {
                let name = self.shared.name(held.backend);
                tracing::warn!(client = self.entry.id, backend = name, %error, "backend connection lost");
                self.cursor_lost(held, job, &progress).await
            }
        }
    }

    /// The connection that had the cursor is gone.
    async fn cursor_lost(
        &mut self,
        held: Box<Held>,
        job: &Job,
        progress: &super::super::relay::Progress,
    ) -> Result<(), Ended> {
        let backend = held.backend;
        self.prepared.lose_cursors(backend);
        if backend == self.writer {
            // What else the connection held decides how this ends.
            self.writer_lost(held, job, progress).await?;
            return Ok(());
        }
        let place = held.place();
        drop(held);
        let Some(place) = place else {
            return Err(Ended::StateLost);
        };
        match self.reader_lost(place, job, progress).await? {
            Attempt::Done => Ok(()),
            Attempt::Again(_) | Attempt::Anew { .. } | Attempt::Held(_) => {
                self.client.set_sequence(job.request.sequence);
                self.refuse(&ClientError::connection_lost("the reader"))
                    .await
            }
        }
    }

    /// The statement's cursor, if it has one, is not fetched from any more. An execution on the same
    /// connection closes it; else what is left of it goes with the connection's next one.
    pub(super) fn leave_cursor(&mut self, id: u32) -> Option<BackendId> {
        self.prepared.find(id)?.cursor.take()
    }

    /// Something of the statement has to be ended on a backend before it runs there again.
    pub(super) fn mark_stale(&mut self, backend: BackendId, id: u32) {
        if let Some(held) = self.connections.look(backend)
            && let Some(known) = held.statements.get_mut(&id)
        {
            known.stale = true;
        }
    }
}
