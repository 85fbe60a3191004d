//! Running a statement on a reader that has what the session must see.
//!
//! Nothing reaches the client before the answer is known to be good, as far as it fits into the
//! buffer: until then another backend can take over.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::login::encode_error;
use super::observe::ReaderNotes;
use super::prepared::Unbound;
use super::pressure::Patience;
use super::read_only::COMMIT;
use super::relay::{Progress, Relay, RelayError};
use super::session::Session;
use super::state::{Replay, diff};
use super::statement::{Attempt, Run};
use super::visible::{Filter, tracking_on_reader};
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::gtid::Set;
use crate::protocol::Capabilities;
use crate::routing::{BackendId, Exclusion, Place};
use crate::sql::ForEach;
use crate::telemetry::{ErrorKind, RetryCause};

/// Beyond so many intervals of executed set, readers are not asked to tell it with each answer:
/// that would cost more than asking when it matters.
const FREE_WATERMARK_INTERVALS: usize = 24;

/// Errors of a reader that its lag alone explains, since the writer may know the table, column,
/// key, partition, schema, routine, privilege, role or account already; and those with which a
/// reader refuses what turns out to write after all (a view over a function that writes).
const LAG_ERRORS: &[u16] = &[
    1044, 1045, 1049, 1054, 1072, 1109, 1128, 1142, 1143, 1146, 1176, 1191, 1227, 1290, 1305, 1356,
    1370, 1449, 1630, 1735, 1792, 1836, 1959, 3530,
];

/// Those of them that tell that it writes.
const REFUSED_WRITES: &[u16] = &[1290, 1792, 1836];

/// What a reader's answer turned out to be.
enum Verdict {
    /// To be handed to the client.
    Good,
    /// To be thrown away, and asked elsewhere.
    Again(Exclusion),
    /// Older than the token, and partly at the client already.
    Stale,
}

impl Session {
    /// Runs a read, or a statement of a read-only transaction, on a reader.
    pub(super) async fn at_reader(&mut self, run: Run, job: &mut Job) -> Result<Attempt, Ended> {
        if self.transaction.is_on_reader() && !self.transaction.is_at(run.place) {
            self.end_on_reader(COMMIT).await;
        }
        let ready = self.ready_reader(run.place, job).await;
        let (mut held, replay) = match ready {
            Ok(ready) => ready,
            Err(how) => {
                if let Some(mark) = run.mark {
                    self.scope.lock().cancel_read(mark);
                }
                return self.without_reader(how, job).await;
            }
        };
        if self.entry.is_killed() {
            return self.killed(run.mark);
        }
        self.client.set_sequence(job.request.sequence);
        self.address(&mut held, job);
        let mut notes = ReaderNotes::default();
        let shared = Arc::clone(&self.shared);
        let running = shared.loads.begin(run.place.backend);
        let relayed = self.ask_reader(&mut held, &replay, job, &mut notes).await;
        if matches!(&relayed, Ok((progress, Ok(_))) if !progress.flushed()) {
            running.answered();
        }
        drop(running);
        self.count_backend_bytes(&mut held);
        let (progress, ended) = match relayed {
            Ok(relayed) => relayed,
            Err(how) => {
                if let Some(mark) = run.mark {
                    self.scope.lock().cancel_read(mark);
                }
                if how == Exclusion::ReplayFailed {
                    self.note_refused_state();
                }
                self.retried(how);
                return self.without_reader(how, job).await;
            }
        };
        let verdict = match &ended {
            Ok(_) => self.judge(
                &mut held,
                run.place,
                &progress,
                &notes,
                job,
                run.token.as_deref(),
            ),
            Err(_) => Verdict::Good,
        };
        let refused = progress.error().filter(|it| REFUSED_WRITES.contains(it));
        job.refused_as_write |= refused.is_some() && matches!(verdict, Verdict::Again(_));
        if let Some(mark) = run.mark {
            let mut scope = self.scope.lock();
            let shown = progress.flushed() || matches!(verdict, Verdict::Good);
            match shown {
                true => scope.end_read(mark, Instant::now()),
                false => scope.cancel_read(mark),
            }
        }
        match ended {
            Err(RelayError::Client(_)) => {
                self.abandon(held, job);
                Err(Ended::ClientGone)
            }
            Err(RelayError::Backend(error)) => {
                let backend = self.shared.name(held.backend);
                tracing::warn!(client = self.entry.id, backend, %error, "backend connection lost");
                drop(held);
                self.reader_lost(run.place, job, &progress).await
            }
            Ok(_) => {
                let moved = notes.schema.as_deref().is_some_and(|schema| {
                    schema != held.state.schema.as_deref().unwrap_or_default()
                });
                // What it says of the schema is a change of state to it, also if that is the same.
                let changed = notes.state_changed && notes.schema.is_none();
                held.state.unknown |= changed || moved || notes.variable_changed;
                self.executed(&mut held, job, progress.error());
                if matches!(verdict, Verdict::Good) {
                    self.was_prepared(&mut held, job, notes.prepared);
                }
                if matches!(verdict, Verdict::Good) && progress.error().is_none() {
                    self.note_variables(held.backend, job);
                }
                let reason = run.reason.index();
                let backend = run.place.backend.index();
                let attempt = self
                    .hand_on(held, run.place, job, &progress, verdict)
                    .await?;
                if matches!(attempt, Attempt::Done) {
                    self.shared.metrics.statement(backend, reason);
                }
                Ok(attempt)
            }
        }
    }

    /// Sends what the connection has to be told and the statement in one go, and relays the answer.
    async fn ask_reader(
        &mut self,
        held: &mut Held,
        replay: &Replay,
        job: &Job,
        notes: &mut ReaderNotes,
    ) -> Result<(Progress, Result<crate::protocol::End, RelayError>), Exclusion> {
        let backend = held.backend;
        let watermarks = self.wants_watermarks(held.backend);
        let flavour = held.flavour();
        held.queue_replay(replay, || tracking_on_reader(flavour, watermarks));
        if replay.reset && !watermarks {
            held.last_executed.clear();
        }
        held.wire.restart_sequence();
        held.wire.queue(&job.request.payload);
        if let Err(error) = held.wire.flush().await {
            let lost = RelayError::Backend(error.into());
            return Ok((Progress::default(), Err(lost)));
        }
        if !replay.is_empty() {
            let shared = Arc::clone(&self.shared);
            let limit = shared.config.load().limits.first_byte_timeout;
            let told: Result<(), ConnectError> = {
                let told = pin!(held.read_replay(replay));
                Patience::before(&shared, backend, limit, told).await
            };
            told.map_err(Exclusion::from)?;
            held.state = self.state.on_connection();
        }
        let relay = Relay::new(
            job.command,
            &mut self.client,
            self.capabilities,
            held,
            Filter::FromReader,
            notes,
            Patience::with_reader(&self.shared, backend),
        );
        let relay = relay.asking_for_cursor(job.asks_for_cursor());
        Ok(relay.naming(job.client_statement()).holding().run().await)
    }

    /// Looks at an answer before the client does.
    fn judge(
        &self,
        held: &mut Held,
        place: Place,
        progress: &Progress,
        notes: &ReaderNotes,
        job: &Job,
        token: Option<&Set>,
    ) -> Verdict {
        if let Some(code) = progress.error() {
            return match LAG_ERRORS.contains(&code) && !progress.flushed() {
                true => Verdict::Again(Exclusion::LagError),
                false => Verdict::Good,
            };
        }
        let text = match &notes.executed {
            Some(text) => text,
            // A reader that has executed nothing at all says nothing of it.
            None if held.owes_executed(job.command) => "",
            None => return Verdict::Good,
        };
        let Some(executed) = held.last_executed.read(text) else {
            return Verdict::Good;
        };
        let covers = token.is_none_or(|token| executed.contains(token));
        if !covers {
            // The watermark promised more than the backend has: it is not what it was taken for.
            let backend = self.shared.name(place.backend);
            tracing::error!(backend, "an answer is older than the backend's watermark");
            let alarms = self
                .shared
                .metrics
                .consistency_alarms(place.backend.index());
            alarms.inc();
            self.shared.watch.alarm(place);
            return match progress.flushed() {
                true => Verdict::Stale,
                false => Verdict::Again(Exclusion::Alarm),
            };
        }
        if held.last_executed.take(text, &executed) {
            self.shared.watch.learn(place, executed);
        }
        Verdict::Good
    }

    /// Hands the answer on, throws it away, or replaces its end by an error.
    async fn hand_on(
        &mut self,
        held: Held,
        place: Place,
        job: &Job,
        progress: &Progress,
        verdict: Verdict,
    ) -> Result<Attempt, Ended> {
        match verdict {
            Verdict::Again(how) => {
                self.client.output().clear();
                if how == Exclusion::LagError {
                    self.connections.put(held);
                }
                if job.refused_as_write && job.may_have_run.is_some() {
                    return self.refuse_second_run(job).await;
                }
                self.retried(how);
                if self.transaction.is_at(place) {
                    return self.abandon_on_reader(job).await;
                }
                Ok(Attempt::Again(how))
            }
            Verdict::Stale => {
                // Rows have left already: the result ends with an error instead of its end.
                let (length, sequence) = progress.before_end();
                self.client.output().truncate(length);
                self.client.set_sequence(sequence);
                let error = ClientError::not_proven();
                self.shared.metrics.errors(ErrorKind::BackendIdentity).inc();
                self.client.queue(&encode_error(&error));
                self.flush().await?;
                Err(Ended::StateLost)
            }
            Verdict::Good => {
                self.follow_on_reader(place, job, held.status, progress.error().is_some());
                self.home = Some(place.backend);
                self.connections.put(held);
                self.ran_at(place, job, progress);
                self.flush().await?;
                self.answered(job, progress)
            }
        }
    }

    /// No connection to a reader could be had, or it could not be told the session's state.
    async fn without_reader(&mut self, how: Exclusion, job: &Job) -> Result<Attempt, Ended> {
        match self.transaction.is_on_reader() && !job.begins() {
            true => self.abandon_on_reader(job).await,
            false => Ok(Attempt::Again(how)),
        }
    }

    /// A reader went away while it answered.
    pub(super) async fn reader_lost(
        &mut self,
        place: Place,
        job: &Job,
        progress: &Progress,
    ) -> Result<Attempt, Ended> {
        self.shared.watch.report_failure(place.backend);
        if self.entry.was_killed().await {
            return Err(Ended::Killed);
        }
        if !progress.flushed() {
            self.client.output().clear();
            self.retried(Exclusion::Unreachable);
            if self.transaction.is_at(place) {
                return self.abandon_on_reader(job).await;
            }
            return Ok(Attempt::Again(Exclusion::Unreachable));
        }
        if !progress.at_packet_boundary() {
            // In the middle of a row there is no way to say anything but good-bye.
            return Err(Ended::StateLost);
        }
        // What is still to be written may be the rest of a row that the client has half of.
        self.refuse(&ClientError::connection_lost("the reader"))
            .await?;
        Ok(Attempt::Done)
    }

    fn retried(&self, how: Exclusion) {
        let cause = match how {
            Exclusion::Unreachable | Exclusion::Full => RetryCause::BackendLost,
            Exclusion::LagError | Exclusion::ReplayFailed => RetryCause::Lag,
            Exclusion::Alarm => RetryCause::NotCovered,
        };
        self.shared.metrics.retried_reads(cause).inc();
    }

    /// The same as [`Session::reader_at`], for as long as it is worth while to wait for this reader.
    async fn ready_reader(&mut self, place: Place, job: &Job) -> Result<(Held, Replay), Exclusion> {
        let shared = Arc::clone(&self.shared);
        let limit = shared.config.load().limits.first_byte_timeout;
        // Pinned here, or all of it is moved for each statement.
        let ready = pin!(self.reader_at(place, job));
        Patience::before(&shared, place.backend, limit, ready).await
    }

    /// A connection to a reader that knows the statement, and what it has to be told first.
    async fn reader_at(&mut self, place: Place, job: &Job) -> Result<(Held, Replay), Exclusion> {
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
    fn unbound_at_reader(&mut self, held: Held, place: Place, unbound: Unbound) -> Exclusion {
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
    async fn reader_connection(&mut self, place: Place, job: &Job) -> Result<Held, Exclusion> {
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
        let watermarks = self.wants_watermarks(place.backend);
        let tracking = ForEach::new(|flavour| tracking_on_reader(flavour, watermarks));
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
        match watermarks {
            true => held.tells_executed(),
            false => held.last_executed.clear(),
        }
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

    /// Is its executed set short enough to come with each answer?
    pub(super) fn wants_watermarks(&self, id: BackendId) -> bool {
        let snapshot = self.shared.watch.snapshot();
        let mark = snapshot
            .backend(id)
            .and_then(|view| view.current_watermark());
        mark.is_some_and(|mark| mark.executed.interval_count() <= FREE_WATERMARK_INTERVALS)
    }
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
