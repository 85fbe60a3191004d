//! The commands of prepared statements
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase_ps.html>).

use std::sync::Arc;

use super::super::Ended;
use super::super::command::Request;
use super::super::connections::Held;
use super::super::job::{Job, Uses};
use super::super::session::Session;
use super::super::statement::Asked;
use super::super::wishes::Wishes;
use super::{Context, Entry, LongData, OnBackend, Origin, Prepared};
use crate::error::ClientError;
use crate::net::WireError;
use crate::protocol::{Capabilities, Command, ExecuteHead, PrepareOk, statement_id};
use crate::routing::Transaction;
use crate::sql::Statement;

/// The longest text that can be prepared, in bytes: MySQL's default for `max_allowed_packet`.
const TEXT_LIMIT: usize = 64 << 20;

impl Session {
    /// A command about prepared statements.
    pub(in crate::session) async fn prepared_statement(
        &mut self,
        command: Command,
        request: Request,
    ) -> Result<(), Ended> {
        match command {
            Command::StmtExecute => {
                let asked = self.read_execution(request);
                self.do_as_asked(asked).await
            }
            Command::StmtPrepare => Box::pin(self.prepare(request)).await,
            Command::StmtFetch => Box::pin(self.fetch(request)).await,
            Command::StmtReset => Box::pin(self.reset_prepared(request)).await,
            Command::StmtSendLongData => Box::pin(self.long_data(request)).await,
            _ => Box::pin(self.close_prepared(request)).await,
        }
    }

    /// COM_STMT_PREPARE: runs where the statement would, if that is a read, since that is where it
    /// will be executed; else on the writer.
    async fn prepare(&mut self, mut request: Request) -> Result<(), Ended> {
        let id = self.prepared.next_id();
        match request.complete(&mut self.client, TEXT_LIMIT).await {
            Ok(true) => {}
            Ok(false) => {
                self.skip_rest(&mut request).await?;
                return self.refuse(&ClientError::packet_too_large()).await;
            }
            Err(WireError::Closed | WireError::Io(_)) => return Err(Ended::ClientGone),
            Err(_) => return Err(Ended::Protocol),
        }
        let text = request.payload.get(1..).unwrap_or_default();
        let wishes = match self.wishes_of_text(text) {
            Ok(wishes) => wishes,
            Err(error) => {
                self.client.set_sequence(request.sequence);
                return self.refuse(&error).await;
            }
        };
        let limits = self.shared.config.load().prepared;
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let permit = self
            .shared
            .prepared
            .enter(&limits, self.prepared.count(), bytes);
        let permit = match permit {
            Ok(permit) => permit,
            Err(many) => {
                self.client.set_sequence(request.sequence);
                let error = ClientError::too_many_prepared(many.count(), many.key());
                return self.refuse(&error).await;
            }
        };
        let statement = match self.can_read(text) {
            true => self.classify(text),
            false => Arc::new(Statement::unknown()),
        };
        let prepared = Arc::new(Prepared {
            id,
            text: text.to_vec().into(),
            statement,
            context: Context::default(),
            wishes,
        });
        let uses = Uses::Prepares {
            prepared,
            permit: Some(permit),
        };
        let job = Job::new(Command::StmtPrepare, request, None, Wishes::default());
        let mut job = job.using(uses);
        self.execute(&mut job).await
    }

    /// A backend has prepared it for the client.
    pub(in crate::session) fn was_prepared(
        &mut self,
        held: &mut Held,
        job: &mut Job,
        ok: Option<PrepareOk>,
    ) {
        if let Uses::Prepares { prepared, permit } = &mut job.uses
            && let (Some(ok), Some(permit)) = (ok, permit.take())
        {
            let mut origin = Origin {
                text: prepared.text.clone(),
                state: held.state.clone(),
            };
            // What was set meanwhile is found out later.
            origin.state.unknown |= self.tracks_as_wished;
            let known = OnBackend::new(ok.statement_id, origin);
            held.statements.insert(prepared.id, known);
            let prepared = Prepared {
                id: prepared.id,
                text: prepared.text.clone(),
                statement: Arc::clone(&prepared.statement),
                // Only now all of it is known, the collation of SET NAMES for one.
                context: self.context(),
                wishes: prepared.wishes.clone(),
            };
            self.prepared.enter(prepared, &ok, permit);
        }
    }

    /// Reads COM_STMT_EXECUTE, which runs as its text would.
    pub(in crate::session) fn read_execution(&mut self, request: Request) -> Asked {
        let capabilities = self.capabilities;
        // MySQL looks at the command's fixed part before it looks for the statement.
        let fixed = ExecuteHead::parse(&request.payload, 0, Capabilities(0));
        let (Ok(id), Ok(_)) = (statement_id(&request.payload), fixed) else {
            return Asked::Refuse(request, ClientError::malformed());
        };
        let Some(entry) = self.prepared.find(id) else {
            return Asked::Refuse(request, ClientError::unknown_prepared(id));
        };
        let Ok(head) = ExecuteHead::parse(&request.payload, entry.params, capabilities) else {
            return Asked::Refuse(request, ClientError::malformed());
        };
        if matches!(entry.long, LongData::Lost) {
            return Asked::Refuse(request, ClientError::connection_lost("the writer"));
        }
        let types = match head.own_types(&request.payload) {
            // The same as before, nearly always.
            Some(told) => match &entry.types {
                Some(known) if **known == *told => Some(Arc::clone(known)),
                _ => Some(Arc::from(told)),
            },
            None => entry.types.clone(),
        };
        let prepared = Arc::clone(&entry.prepared);
        let wishes = match wishes(entry, &head, &request.payload) {
            Ok(wishes) => wishes,
            Err(error) => return Asked::Refuse(request, error),
        };
        self.leave_cursor(id);
        let statement = Some(Arc::clone(&prepared.statement));
        let uses = Uses::Executes {
            prepared,
            head,
            types,
        };
        Asked::Run(Job::new(Command::StmtExecute, request, statement, wishes).using(uses))
    }

    pub(super) async fn not_executed(
        &mut self,
        request: Request,
        error: &ClientError,
    ) -> Result<(), Ended> {
        self.skip(request).await?;
        self.refuse(error).await
    }

    /// COM_STMT_RESET: drops what came ahead of the next execution, and closes the cursor.
    async fn reset_prepared(&mut self, request: Request) -> Result<(), Ended> {
        let Ok(id) = statement_id(&request.payload) else {
            return self.not_executed(request, &ClientError::malformed()).await;
        };
        if self.prepared.find(id).is_none() {
            let error = ClientError::unknown_prepared(id);
            return self.not_executed(request, &error).await;
        }
        if let Some(backend) = self.leave_cursor(id) {
            self.mark_stale(backend, id);
        }
        if self.prepared.set_long(id, LongData::None).is_on_writer() {
            self.mark_stale(self.writer, id);
        }
        self.skip(request).await?;
        self.learn_status().await;
        self.send_ok().await
    }

    /// After an error nobody knows whether the statement began or ended a transaction: an ERR
    /// packet has no flags. The writer's connection is asked, with a command that leaves nothing.
    async fn learn_status(&mut self) {
        if !matches!(self.transaction, Transaction::OnWriter { .. }) {
            return;
        }
        if let Some(mut held) = self.connections.take(self.writer) {
            held.queue_command(Command::Ping);
            let asked = held.wire.flush().await.is_ok();
            // One that is lost is found out by the next statement.
            if asked && held.read_answer(Command::Ping).await.is_ok() {
                self.status = held.status;
                self.connections.put(held);
            }
        }
    }

    /// COM_STMT_CLOSE, which has no answer.
    async fn close_prepared(&mut self, request: Request) -> Result<(), Ended> {
        let id = statement_id(&request.payload);
        self.skip(request).await?;
        let Ok(id) = id else {
            return Ok(());
        };
        if let Some(entry) = self.prepared.remove(id) {
            if entry.long.is_on_writer() {
                self.mark_stale(self.writer, id);
            }
            let most = self.shared.shelf_size();
            for held in self.connections.all() {
                held.shelve(id, most).await;
            }
        }
        Ok(())
    }
}

/// What an execution asks for: as its text, and as its query attributes.
fn wishes(entry: &Entry, head: &ExecuteHead, payload: &[u8]) -> Result<Wishes, ClientError> {
    let mut wishes = entry.prepared.wishes.clone();
    let is_long = |param| entry.long.has(param);
    let attributes = head.attributes(payload, entry.params, is_long);
    wishes.narrow(&Wishes::of_attributes(&attributes)?);
    Ok(wishes)
}
