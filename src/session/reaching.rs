//! A session's connection to a reader, as a statement needs it.

use std::pin::pin;
use std::sync::Arc;

use super::PoolPolicy;
use super::connections::Held;
use super::job::Job;
use super::prepared::Unbound;
use super::pressure::Patience;
use super::reader::LAG_ERRORS;
use super::session::Session;
use super::state::{Replay, diff};
use super::visible::tracking_on_reader;
use crate::backend::ConnectError;
use crate::gtid::Set;
use crate::protocol::Capabilities;
use crate::routing::{BackendId, Exclusion, Place};
use crate::sql::{Class, ForEach, WriterRead};
use crate::telemetry::ErrorKind;

/// Beyond so many intervals of executed set, readers are not asked to tell it with their answers:
/// that would cost more than asking when it matters.
const FREE_WATERMARK_INTERVALS: usize = 24;

impl Session {
    /// A connection to a reader that knows the statement, and what it has to be told first.
    pub(super) async fn ready_reader(
        &mut self,
        place: Place,
        job: &Job,
    ) -> Result<(Box<Held>, Replay), Exclusion> {
        if self.is_at_hand(place, job)
            && let Some(held) = self.connections.take(place.backend)
        {
            return Ok((held, Replay::default()));
        }
        Box::pin(self.make_ready(place, job)).await
    }

    /// Is the session's own connection to a reader as a statement needs it? So it is nearly always.
    pub(super) fn is_at_hand(&mut self, place: Place, job: &Job) -> bool {
        let keeps = matches!(self.config.pool, PoolPolicy::Keep | PoolPolicy::Lend);
        if !keeps || self.collation_due || self.role_due {
            return false;
        }
        let Some(held) = self.connections.look(place.backend) else {
            return false;
        };
        held.place() == Some(place)
            && self.state.is_on(&held.state)
            && held.is_bound(job)
            && held.foreign.is_gone()
            && !held.wire.is_over()
    }

    /// The same as [`Session::reader_at`], for as long as it is worth while to wait for this reader.
    async fn make_ready(
        &mut self,
        place: Place,
        job: &Job,
    ) -> Result<(Box<Held>, Replay), Exclusion> {
        let shared = Arc::clone(&self.shared);
        let limit = self.config.limits.first_byte_timeout;
        let ready = pin!(self.reader_at(place, job));
        Patience::before(&shared, place.backend, limit, ready).await
    }

    /// Makes such a connection, or makes the session's own one such.
    async fn reader_at(
        &mut self,
        place: Place,
        job: &Job,
    ) -> Result<(Box<Held>, Replay), Exclusion> {
        let mut held = self.reader_connection(place, job).await?;
        if let Err(unbound) = self.bind(&mut held, job).await {
            return Err(self.unbound_at_reader(held, place, unbound));
        }
        match diff(&self.state, &held.state) {
            Ok(replay) => Ok((held, replay)),
            Err(_) => Err(Exclusion::ReplayFailed),
        }
    }

    /// The reader could not be made to know a prepared statement.
    fn unbound_at_reader(&mut self, held: Box<Held>, place: Place, unbound: Unbound) -> Exclusion {
        let how = match unbound {
            Unbound::Refused(refusal) => {
                self.connections.put(held);
                match LAG_ERRORS.contains(&refusal.code) {
                    true => Exclusion::LagError,
                    false => Exclusion::ReplayFailed,
                }
            }
            Unbound::State => Exclusion::ReplayFailed,
            Unbound::Lost(error) => {
                let backend = self.shared.name(place.backend);
                tracing::warn!(client = self.entry.id, backend, %error, "backend connection lost");
                self.prepared.lose_cursors(place.backend);
                self.shared.watch.report_failure(place.backend);
                Exclusion::Unreachable
            }
        };
        self.retried(how);
        how
    }

    /// A connection to a reader that can be brought to the session's state.
    async fn reader_connection(&mut self, place: Place, job: &Job) -> Result<Box<Held>, Exclusion> {
        if !self.knows_collation(job).await || !self.knows_role(job).await {
            return Err(Exclusion::ReplayFailed);
        }
        let in_transaction = self.transaction.is_at(place);
        if !in_transaction {
            self.change_hands(place.backend, job).await;
        }
        if let Some(mut held) = self.connections.take(place.backend) {
            let usable = !held.wire.is_over()
                && (in_transaction || !held.state.unknown)
                && (held.place() == Some(place) || self.is_still(&mut held, place).await);
            if usable && diff(&self.state, &held.state).is_ok() {
                return Ok(held);
            }
            held.quit().await;
            self.prepared.lose_cursors(place.backend);
        }
        if in_transaction {
            return Err(Exclusion::Unreachable);
        }
        self.make_way(place.backend).await;
        let tracking = ForEach::new(tracking_on_reader);
        let wanted = Some(self.wanted());
        let opened = self
            .connections
            .open(place.backend, &self.request, &tracking, wanted)
            .await;
        let mut held = opened.map_err(|error| self.unreachable(place.backend, &error))?;
        if held.place() != Some(place) {
            return Err(self.unreachable(place.backend, &ConnectError::Stranger));
        }
        let tracked = held.track_as(tracking.of(held.flavour())).await;
        tracked.map_err(|error| self.unreachable(place.backend, &error))?;
        self.keep_defaults(&mut held);
        let attributes = Capabilities::QUERY_ATTRIBUTES;
        let same = held.capabilities.contains(attributes)
            == self.request.capabilities.contains(attributes);
        match same {
            true => Ok(held),
            // What the client sends has another form than this backend reads.
            false => Err(Exclusion::ReplayFailed),
        }
    }

    /// The monitor counts another life than this connection was opened in: is it the same all the
    /// same?
    async fn is_still(&self, held: &mut Held, place: Place) -> bool {
        let before = self.shared.watch.snapshot();
        held.prove(&before)
            .await
            .is_ok_and(|proven| proven == Some(place))
    }

    fn unreachable(&self, id: BackendId, error: &ConnectError) -> Exclusion {
        let backend = self.shared.name(id);
        tracing::warn!(client = self.entry.id, backend, %error, "no connection to a reader");
        let (kind, how) = match error {
            ConnectError::Refused(refusal) if LAG_ERRORS.contains(&refusal.code) => {
                (ErrorKind::BackendLogin, Exclusion::LagError)
            }
            ConnectError::Full => {
                self.shared.metrics.errors(ErrorKind::Limit).inc();
                return Exclusion::Full;
            }
            ConnectError::Stranger => (ErrorKind::BackendIdentity, Exclusion::Unreachable),
            _ => (ErrorKind::BackendConnect, Exclusion::Unreachable),
        };
        self.shared.metrics.errors(kind).inc();
        self.shared.watch.report_failure(id);
        self.retried(how);
        how
    }

    /// Does the answer to a read have to tell what the reader has executed, where none does yet? A
    /// server takes a lock for that which all its sessions share, so those that have nothing to be
    /// proven leave it alone.
    pub(super) fn has_to_be_told(&self, held: &Held, job: &Job, token: Option<&Arc<Set>>) -> bool {
        token.is_some_and(|token| !token.is_empty())
            && held.last_executed.is_empty()
            && held.could_tell(job.command)
            // Not one that a switchover has made a reader's, and may make the writer's again.
            && held.backend != self.writer
            && reads_tables(job)
            && self.is_short(held.backend)
    }

    /// Is its executed set short enough to come with each answer?
    fn is_short(&self, id: BackendId) -> bool {
        let snapshot = self.shared.watch.snapshot();
        let mark = snapshot
            .backend(id)
            .and_then(|view| view.current_watermark());
        mark.is_some_and(|mark| mark.executed.interval_count() <= FREE_WATERMARK_INTERVALS)
    }
}

/// Does it read tables, and nothing of the statement before it? A SET would clear that away.
fn reads_tables(job: &Job) -> bool {
    matches!(
        job.class(),
        Some(
            Class::Read { tables: true }
                | Class::ReadWithFunctions(_)
                | Class::WriterRead(WriterRead::Instance)
        )
    )
}

/// Why a reader could not be told the session's state.
impl From<ConnectError> for Exclusion {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused(_) => Self::ReplayFailed,
            _ => Self::Unreachable,
        }
    }
}
