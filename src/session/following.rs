//! The writer changes: a session goes along, or is told what it has lost.

use super::connections::Held;
use super::job::Job;
use super::session::Session;
use super::statement::Run;
use super::writer::NoWriter;
use crate::backend::{ConnectError, question};
use crate::routing::{BackendId, Reason, Role, Transaction};
use crate::sql::{Class, Marks};

impl Session {
    /// Does a statement run as one on the writer? What the session has on a connection is used there
    /// also after the backend's role has changed: on the one to the writer that it knows, and on the
    /// one to a reader that was promoted with a transaction open.
    pub(super) fn runs_as(&self, run: &Run, job: &Job) -> Role {
        let asks_for_last = matches!(job.class(), Some(Class::LastStatement));
        let goes_on = match run.reason {
            Reason::ReadOnlyTransaction => true,
            Reason::TransactionControl => !job.begins(),
            _ => asks_for_last,
        };
        if goes_on && self.transaction.is_at(run.place) {
            return Role::Reader;
        }
        let stays = asks_for_last || matches!(self.transaction, Transaction::OnWriter { .. });
        match stays && run.place.backend == self.writer {
            true => Role::Writer,
            false => run.role,
        }
    }

    /// What only the old connection can tell is asked for there.
    pub(super) async fn learn_before_following(&mut self, writer: BackendId, job: &Job) {
        if self.writer != writer {
            // What stays unknown is lost with it.
            let _ = self.knows_collation(job).await;
            let _ = self.knows_role(job).await;
            self.take_insert_id().await;
        }
    }

    /// What LAST_INSERT_ID() returns goes along.
    pub(super) async fn take_insert_id(&mut self) {
        if !self.marks.intersects(Marks::LAST_INSERT_ID) {
            return;
        }
        let Some(mut held) = self.connections.take(self.writer) else {
            return;
        };
        if let Ok(row) = held.ask(&question(["LAST_INSERT_ID()"])).await {
            let told = row.into_iter().next().flatten();
            let told = told.and_then(|told| String::from_utf8(told).ok());
            self.insert_id = told.and_then(|told| told.parse().ok());
            self.connections.put(held);
        }
        if self.insert_id.is_some() {
            self.marks.remove(Marks::LAST_INSERT_ID);
        }
    }

    /// Tells the new writer what LAST_INSERT_ID() has to return.
    ///
    /// # Errors
    /// As [`Held::ask`].
    pub(super) async fn tell_insert_id(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        if let Some(id) = self.insert_id {
            held.ask(&format!("SET last_insert_id = {id}")).await?;
            self.insert_id = None;
            held.has_insert_id = id != 0;
            if held.has_insert_id {
                self.marks |= Marks::LAST_INSERT_ID;
            }
        }
        Ok(())
    }

    /// Goes to the writer of now; nothing that only the old connection had is left behind.
    ///
    /// # Errors
    /// [`NoWriter::StateLost`] if something would be.
    pub(super) async fn follow_writer(&mut self, writer: BackendId) -> Result<(), NoWriter> {
        if self.writer == writer {
            return Ok(());
        }
        if self.holds_state() {
            return Err(NoWriter::StateLost);
        }
        self.move_to_writer(writer).await;
        Ok(())
    }

    /// The same if the writer that the session knows is a reader now, which it reads from.
    pub(super) async fn leave_old_writer(&mut self, reader: BackendId) {
        let writer = self.shared.writer();
        if reader == self.writer && writer != reader && !self.holds_state() {
            self.move_to_writer(writer).await;
        }
    }

    async fn move_to_writer(&mut self, writer: BackendId) {
        tracing::info!(
            client = self.entry.id,
            from = self.shared.name(self.writer),
            to = self.shared.name(writer),
            "follows the writer"
        );
        // Those were told what a writer's are told, and what a reader's are.
        for backend in [self.writer, writer] {
            if let Some(held) = self.connections.take(backend) {
                held.quit().await;
            }
            self.prepared.lose_cursors(backend);
        }
        self.writer = writer;
        self.tracks_as_wished = false;
        self.tracking_doubted = false;
    }
}
