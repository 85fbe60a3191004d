//! Making a backend connection know a statement.

use std::sync::Arc;

use super::super::connections::Held;
use super::super::job::{Job, Uses};
use super::super::session::Session;
use super::super::state::{SessionState, diff};
use super::super::visible::tracking_on_reader;
use super::{CONTEXT, Context, LongData, Origin, Prepared};
use crate::backend::{ConnectError, Refusal};
use crate::protocol::{Command, Status, set_statement_id};
use crate::routing::BackendId;
use crate::sql::Flavour;

/// What one backend connection knows of a statement.
#[derive(Debug)]
pub(in crate::session) struct OnBackend {
    /// What the backend calls it.
    id: u32,
    /// What it was prepared as.
    origin: Origin,
    /// The types of its parameters that this connection was told last.
    types: Option<Arc<[u8]>>,
    /// It was told others before: what the backend made of those may have stayed.
    had_other_types: bool,
    /// Something of an earlier execution is left there: values, or a cursor.
    pub stale: bool,
    /// It was executed with a cursor. MySQL 9.7.4 answers the next execution without one with an
    /// OK packet where rows are due, which leaves every client waiting: it has to be prepared
    /// again.
    had_cursor: bool,
}

/// Why a connection can't be made to know a statement.
#[derive(Debug)]
pub(in crate::session) enum Unbound {
    /// The backend refuses the statement; the connection is in order.
    Refused(Refusal),
    /// The session's state, or the one that the statement was prepared in, can't be reached on
    /// this connection.
    State,
    /// The connection is gone.
    Lost(ConnectError),
}

impl From<ConnectError> for Unbound {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused(refusal) => Self::Refused(refusal),
            other => Self::Lost(other),
        }
    }
}

impl OnBackend {
    /// A statement that has just been prepared.
    pub(in crate::session) fn new(id: u32, origin: Origin) -> Self {
        Self {
            id,
            origin,
            types: None,
            had_other_types: false,
            stale: false,
            had_cursor: false,
        }
    }

    /// What the backend calls it.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Is it as one that was prepared just now, and has been told its types?
    pub(super) fn is_as_prepared(&self) -> bool {
        !(self.stale || self.had_cursor || self.had_other_types)
    }

    /// Was it prepared like this, and told these types?
    pub(super) fn fits(&self, origin: &Origin, types: Option<&Arc<[u8]>>) -> bool {
        self.types.as_ref() == types && self.origin == *origin
    }

    /// Can one stand in for the other?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.fits(&other.origin, other.types.as_ref())
    }

    fn tell_types(&mut self, types: Option<&Arc<[u8]>>) {
        let told = self.types.as_ref();
        self.had_other_types |= told.is_some() && told != types;
        self.types = types.cloned();
    }
}

impl Session {
    /// Sees to it that the connection knows the statement that a command executes, in the state in
    /// which it was prepared. Does nothing for other commands.
    ///
    /// One round trip, when the connection does not know it; else none.
    pub(in crate::session) async fn bind(
        &mut self,
        held: &mut Held,
        job: &Job,
    ) -> Result<(), Unbound> {
        self.end_foreign(held, job).await?;
        match &job.uses {
            Uses::Executes {
                prepared,
                head,
                types,
            } => {
                let known = held.statements.get(&prepared.id);
                if !head.cursor && known.is_some_and(|known| known.had_cursor) {
                    held.close_statement(prepared.id).await;
                }
                self.known_on(held, prepared, types.as_ref()).await?;
                Ok(())
            }
            Uses::Nothing | Uses::Prepares { .. } => Ok(()),
        }
    }

    /// What the connection calls a statement, whose parameters are of these types; it is prepared
    /// there if it has to be.
    pub(super) async fn known_on(
        &mut self,
        held: &mut Held,
        prepared: &Arc<Prepared>,
        types: Option<&Arc<[u8]>>,
    ) -> Result<u32, Unbound> {
        if let Some(known) = held.statements.get_mut(&prepared.id) {
            let (id, stale) = (known.id, std::mem::take(&mut known.stale));
            if stale {
                held.reset_statement(id).await?;
            }
            return Ok(id);
        }
        let state = self.state_in(&prepared.context);
        let origin = Origin {
            text: prepared.text.clone(),
            state: state.on_connection(),
        };
        if let Some(known) = held.shelf.take(&origin, types) {
            let id = known.id;
            held.statements.insert(prepared.id, known);
            return Ok(id);
        }
        let replay = diff(&state, &held.state).map_err(|_| Unbound::State)?;
        if replay.reset && held.backend == self.writer && self.holds_state() {
            return Err(Unbound::State);
        }
        let (backend, flavour) = (held.backend, held.flavour());
        held.queue_replay(&replay, || self.tracking_on(backend, flavour));
        held.queue_prepare(&prepared.text);
        held.wire.flush().await.map_err(ConnectError::from)?;
        match held.read_replay(&replay).await {
            Ok(()) => {}
            // The answer to PREPARE is still to come.
            Err(ConnectError::Refused(_)) => return Err(Unbound::State),
            Err(error) => return Err(error.into()),
        }
        held.state = state.on_connection();
        let ok = held.read_prepared().await?;
        let known = OnBackend::new(ok.statement_id, origin);
        held.statements.insert(prepared.id, known);
        Ok(ok.statement_id)
    }

    /// Have values for this execution gone to the writer already?
    pub(in crate::session) fn has_data_on_writer(&self, job: &Job) -> bool {
        match &job.uses {
            Uses::Executes { prepared, .. } => {
                let entry = self.prepared.look(prepared.id);
                entry.is_some_and(|entry| entry.long.is_on_writer())
            }
            Uses::Nothing | Uses::Prepares { .. } => false,
        }
    }

    /// The SET that switches tracking on after a reset.
    fn tracking_on(&self, backend: BackendId, flavour: Flavour) -> String {
        match backend == self.writer {
            true => self.tracking(flavour),
            false => tracking_on_reader(flavour),
        }
    }

    /// The session's state, but for what the text of a statement was read with.
    fn state_in(&mut self, context: &Context) -> SessionState {
        let current = self.context();
        let values = current.values.into_iter().zip(&context.values);
        let differing: Vec<_> = CONTEXT
            .into_iter()
            .zip(values)
            .filter(|(_, (now, then))| now != *then)
            .collect();
        // What the session has from its login only has to be told to go back to it.
        for (name, (now, _)) in &differing {
            let known = self.state.variables.entry((*name).into());
            known.or_insert_with(|| now.clone());
        }
        let mut state = self.state.clone();
        if context.schema.is_some() {
            // Without a schema every name had one of its own, so any will do.
            state.schema.clone_from(&context.schema);
        }
        for (name, (_, then)) in differing {
            state.variables.insert(name.into(), then.clone());
        }
        state
    }

    /// What a statement that is prepared now is read with.
    pub(super) fn context(&self) -> Context {
        let value = |name: &str| {
            let set = self.state.variables.get(name).cloned();
            let initial = || self.initial.get(name).cloned();
            set.or_else(initial).unwrap_or_default()
        };
        Context {
            schema: self.state.schema.clone(),
            values: CONTEXT.map(value),
        }
    }

    /// Puts into an execution what this connection calls the statement, with the types of its
    /// parameters if the connection has been told others, and queues the values that came ahead.
    pub(in crate::session) fn address(&mut self, held: &mut Held, job: &mut Job) {
        let Uses::Executes {
            prepared,
            head,
            types,
        } = &mut job.uses
        else {
            return;
        };
        let Some(known) = held.statements.get_mut(&prepared.id) else {
            return;
        };
        let id = known.id;
        let told = known.types.as_ref().zip(types.as_ref());
        let same = told.is_some_and(|(told, wanted)| Arc::ptr_eq(told, wanted));
        if head.relies_on_types()
            && !same
            && let Some(types) = types
        {
            let whole = head.with_types(&job.request.payload, types);
            job.request.payload = whole.as_slice().into();
            head.types_were_added(types.len());
        }
        known.tell_types(types.as_ref());
        // It was parsed as an execution, so it has a place for the id.
        let _ = set_statement_id(&mut job.request.payload, id);
        if let Some(entry) = self.prepared.find(prepared.id) {
            held.queue_long_data(id, &entry.long);
        }
    }

    /// Draws the conclusions from an execution's answer.
    pub(in crate::session) fn executed(&mut self, held: &mut Held, job: &Job, error: Option<u16>) {
        let Uses::Executes {
            prepared,
            head,
            types,
        } = &job.uses
        else {
            return;
        };
        let Some(entry) = self.prepared.find(prepared.id) else {
            return;
        };
        // MySQL has not even looked at the values then, and keeps what came ahead.
        let untold = head.relies_on_types() && types.is_none();
        let unread = error.is_some_and(|code| UNREAD.contains(&code)) && !untold;
        if !unread {
            entry.types.clone_from(types);
        }
        let had_data = !matches!(entry.long, LongData::None);
        let on_writer = unread && entry.long.is_on_writer();
        let opened = head.cursor && held.status.contains(Status::CURSOR_EXISTS);
        entry.cursor = (opened && error.is_none()).then_some(held.backend);
        if let Some(known) = held.statements.get_mut(&prepared.id) {
            known.had_cursor |= opened;
            known.stale = error.is_some() && had_data && !on_writer;
        }
        if !unread {
            self.prepared.set_long(prepared.id, LongData::None);
        }
    }
}

/// Errors with which MySQL refuses an execution before it takes its values: "Incorrect arguments"
/// and "Malformed communication packet".
const UNREAD: [u16; 2] = [1210, 1835];

impl Held {
    /// Ends what is left of an execution.
    ///
    /// # Errors
    /// As [`crate::backend::Connection::read_answer`].
    pub(super) async fn reset_statement(&mut self, id: u32) -> Result<(), ConnectError> {
        let mut payload = vec![Command::StmtReset as u8];
        payload.extend_from_slice(&id.to_le_bytes());
        self.wire.restart_sequence();
        self.wire.queue(&payload);
        self.wire.flush().await?;
        self.read_answer(Command::StmtReset).await?;
        Ok(())
    }

    /// Is there nothing to do before a command's execution, or is it no execution?
    pub(in crate::session) fn is_bound(&self, job: &Job) -> bool {
        let Uses::Executes { prepared, head, .. } = &job.uses else {
            return true;
        };
        let known = self.statements.get(&prepared.id);
        known.is_some_and(|known| !known.stale && (head.cursor || !known.had_cursor))
    }

    /// What the connection calls a statement, if it knows it.
    pub(super) fn knows(&self, id: u32) -> Option<u32> {
        self.statements.get(&id).map(|known| known.id)
    }
}
