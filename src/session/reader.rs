//! Running a statement on a reader that has what the session must see.
//!
//! Nothing reaches the client before the answer is known to be good, as far as it fits into the
//! buffer: until then another backend can take over.

use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::loads::Home;
use super::login::encode_error;
use super::observe::ReaderNotes;
use super::pressure::Patience;
use super::read_only::COMMIT;
use super::relay::{Progress, Relay, RelayError};
use super::session::Session;
use super::state::Replay;
use super::statement::{Attempt, Run};
use super::visible::{Filter, tracking_on_reader};
use crate::backend::ConnectError;
use crate::error::ClientError;
use crate::gtid::Set;
use crate::net::WireError;
use crate::protocol::{Command, End};
use crate::routing::{BackendId, Exclusion, Place};
use crate::telemetry::{ErrorKind, RetryCause};

/// Errors of a reader that its lag alone explains, since the writer may know the table, column,
/// key, partition, schema, routine, privilege, role or account already; and those with which a
/// reader refuses what turns out to write after all (a view over a function that writes).
pub(super) const LAG_ERRORS: &[u16] = &[
    1044, 1045, 1049, 1054, 1072, 1109, 1128, 1142, 1143, 1146, 1176, 1191, 1227, 1290, 1305, 1356,
    1370, 1449, 1630, 1735, 1792, 1836, 1959, 3530,
];

/// Those of them that tell that it writes.
const REFUSED_WRITES: &[u16] = &[1290, 1792, 1836];

/// What a reader's answer turned out to be.
enum Verdict {
    /// To be handed to the client.
    Good,
    /// Not as it is.
    Flawed(Flaw),
}

/// Why an answer is not handed to the client.
enum Flaw {
    /// It is to be thrown away, and asked elsewhere.
    Again(Exclusion),
    /// It is older than the token, and partly at the client already.
    Stale,
}

/// An answer that a reader has given, or begun to give.
pub(super) struct Relayed {
    progress: Progress,
    ended: Result<End, RelayError>,
    /// When it had ended.
    at: Instant,
}

impl Relayed {
    /// The connection broke before anything of the answer had come.
    fn lost(error: WireError) -> Self {
        Self::none(RelayError::Backend(error))
    }

    /// Nothing of the answer has come, and none will.
    pub(super) fn none(error: RelayError) -> Self {
        Self {
            progress: Progress::default(),
            ended: Err(error),
            at: Instant::now(),
        }
    }
}

/// How far a reader has been asked.
#[derive(Clone, Copy)]
pub(super) enum Asking<'a> {
    /// Not at all. The answer has to cover this.
    Anew(Option<&'a Arc<Set>>),
    /// The statement was queued then, with nothing before it, and may have left.
    Since(Instant),
}

impl Session {
    /// Runs a read, or a statement of a read-only transaction, on a reader.
    pub(super) async fn at_reader(&mut self, run: Run, job: &mut Job) -> Result<Attempt, Ended> {
        if self.transaction.is_on_reader() && !self.transaction.is_at(run.place) {
            Box::pin(self.end_on_reader(COMMIT)).await;
        }
        self.settle_at(run.place.backend);
        let ready = self.ready_reader(run.place, job).await;
        let (mut held, replay) = match ready {
            Ok(ready) => ready,
            Err(how) => {
                if let Some(mark) = run.mark {
                    self.scope.lock().cancel_read(mark);
                }
                return Box::pin(self.without_reader(how, job)).await;
            }
        };
        if self.entry.is_killed() {
            return self.killed(run.mark);
        }
        self.client.set_sequence(job.request.sequence);
        self.address(&mut held, job);
        let mut notes = ReaderNotes::after(held.last_end.take());
        let token = run.token.as_ref();
        let asked = self.ask_reader(&mut held, &replay, job, &mut notes, Asking::Anew(token));
        let relayed = asked.await;
        self.settle_at_reader(run, job, held, notes, relayed).await
    }

    /// Draws the conclusions from a reader's answer, or from what came instead.
    pub(super) async fn settle_at_reader(
        &mut self,
        run: Run,
        job: &mut Job,
        mut held: Box<Held>,
        mut notes: ReaderNotes,
        relayed: Result<Relayed, Exclusion>,
    ) -> Result<Attempt, Ended> {
        held.last_end = notes.end.take();
        self.count_backend_bytes(&mut held);
        let Relayed {
            progress,
            ended,
            at,
        } = match relayed {
            Ok(relayed) => relayed,
            Err(how) => {
                if let Some(mark) = run.mark {
                    self.scope.lock().cancel_read(mark);
                }
                if how == Exclusion::ReplayFailed {
                    self.note_refused_state();
                }
                self.retried(how);
                return Box::pin(self.without_reader(how, job)).await;
            }
        };
        let verdict = match &ended {
            Ok(_) => self.judge(
                &mut held,
                run.place,
                &progress,
                &notes,
                job,
                run.token.as_ref(),
            ),
            Err(_) => Verdict::Good,
        };
        let refused = progress.error().filter(|it| REFUSED_WRITES.contains(it));
        job.refused_as_write |=
            refused.is_some() && matches!(verdict, Verdict::Flawed(Flaw::Again(_)));
        if let Some(mark) = run.mark {
            let mut scope = self.scope.lock();
            let shown = progress.flushed() || matches!(verdict, Verdict::Good);
            match shown {
                true => scope.end_read(mark, at),
                false => scope.cancel_read(mark),
            }
        }
        match ended {
            Err(RelayError::Client(_)) => {
                self.abandon(held, job);
                Err(Ended::ClientGone)
            }
            Err(RelayError::Backend(error)) => {
                self.log_loss(held.backend, &error);
                drop(held);
                Box::pin(self.reader_lost(run.place, job, &progress)).await
            }
            Ok(_) => {
                let good = matches!(verdict, Verdict::Good);
                self.settle_answer(&mut held, job, &notes, &progress, good);
                let attempt = match verdict {
                    Verdict::Good => self.hand_on(held, run.place, job, &progress).await?,
                    Verdict::Flawed(flaw) => {
                        let withheld = self.withhold(held, run.place, job, &progress, flaw);
                        Box::pin(withheld).await?
                    }
                };
                if matches!(attempt, Attempt::Done) {
                    let (backend, reason) = (run.place.backend.index(), run.reason.index());
                    self.shared.metrics.statement(backend, reason);
                }
                Ok(attempt)
            }
        }
    }

    /// Takes note of what an answer says of the connection and of what it has executed; `good` is one
    /// for the client.
    fn settle_answer(
        &mut self,
        held: &mut Held,
        job: &mut Job,
        notes: &ReaderNotes,
        progress: &Progress,
        good: bool,
    ) {
        let schema = notes.schema.as_deref();
        let moved = schema.is_some_and(|it| it != held.state.schema.as_deref().unwrap_or_default());
        // What it says of the schema is a change of state to it, also if that is the same.
        let changed = notes.state_changed && schema.is_none();
        held.state.unknown |= changed || moved || notes.variable_changed;
        self.executed(held, job, progress.error());
        if good {
            self.was_prepared(held, job, notes.prepared);
        }
        if good && progress.error().is_none() {
            self.note_variables(held.backend, job);
        }
    }

    /// Sends what the connection has to be told and the statement in one go, and relays the answer.
    pub(super) async fn ask_reader(
        &mut self,
        held: &mut Held,
        replay: &Replay,
        job: &Job,
        notes: &mut ReaderNotes,
        asking: Asking<'_>,
    ) -> Result<Relayed, Exclusion> {
        let backend = held.backend;
        let running = match asking {
            Asking::Anew(_) => self.shared.loads.begin(backend, Instant::now()),
            Asking::Since(then) => self.shared.loads.go_on(backend, then),
        };
        let is_told = !replay.is_empty();
        if is_told {
            let flavour = held.flavour();
            held.queue_replay(replay, || tracking_on_reader(flavour));
            if replay.reset {
                notes.end = None;
            }
        }
        // Behind a reset, which ends it.
        let mut tells = false;
        if let Asking::Anew(token) = asking {
            tells = self.has_to_be_told(held, job, token);
            if tells {
                held.queue_telling();
            }
            held.queue_as_it_came(&job.request.payload);
        }
        if let Err(error) = held.wire.flush().await {
            return Ok(Relayed::lost(error.into()));
        }
        let limit = self.config.limits.first_byte_timeout;
        if is_told {
            let told = Box::pin(held.read_replay(replay));
            let told = Patience::before(&self.shared, backend, limit, told).await;
            told.map_err(Exclusion::from)?;
            held.state = self.state.on_connection();
        }
        if tells {
            let told = Box::pin(held.read_answer(Command::Query));
            match Patience::before(&self.shared, backend, limit, told).await {
                Ok(_) => {}
                // As if it were lost with the read.
                Err(ConnectError::Wire(error)) => return Ok(Relayed::lost(error)),
                Err(error) => return Err(error.into()),
            }
        }
        let mut relay = Relay::new(
            job.command,
            &mut self.client,
            self.capabilities,
            held,
            Filter::FromReader,
            notes,
            Patience::with_reader(&self.shared, backend, &self.config.limits, &mut self.alarm),
        )
        .asking_for_cursor(job.asks_for_cursor())
        .naming(job.client_statement())
        .holding();
        let (progress, ended) = relay.run().await;
        let at = Instant::now();
        if ended.is_ok() && !progress.flushed() {
            running.answered(at);
        }
        Ok(Relayed {
            progress,
            ended,
            at,
        })
    }

    /// Looks at an answer before the client does.
    fn judge(
        &self,
        held: &mut Held,
        place: Place,
        progress: &Progress,
        notes: &ReaderNotes,
        job: &Job,
        token: Option<&Arc<Set>>,
    ) -> Verdict {
        if let Some(code) = progress.error() {
            return match LAG_ERRORS.contains(&code) && !progress.flushed() {
                true => Verdict::Flawed(Flaw::Again(Exclusion::LagError)),
                false => Verdict::Good,
            };
        }
        let text = match &notes.executed {
            Some(text) => &**text,
            // A reader that has executed nothing at all says nothing of it.
            None if held.owes_executed(job.command) => "",
            None => return Verdict::Good,
        };
        let Some(executed) = held.last_executed.read(text) else {
            return Verdict::Good;
        };
        let covers = token.is_none_or(|token| held.last_executed.covers(&executed, token));
        if !covers {
            self.alarm_at(place);
            return match progress.flushed() {
                true => Verdict::Flawed(Flaw::Stale),
                false => Verdict::Flawed(Flaw::Again(Exclusion::Alarm)),
            };
        }
        if held.last_executed.take(text, &executed) {
            self.shared.watch.learn(place, executed);
        }
        Verdict::Good
    }

    /// The watermark promised more than the backend has: it is not what it was taken for.
    #[cold]
    fn alarm_at(&self, place: Place) {
        let backend = self.shared.name(place.backend);
        tracing::error!(backend, "an answer is older than the backend's watermark");
        let metrics = &self.shared.metrics;
        metrics.consistency_alarms(place.backend.index()).inc();
        self.shared.watch.alarm(place);
    }

    /// From now on it reads there: who comes next finds one more, though nothing has been asked yet.
    fn settle_at(&mut self, reader: BackendId) {
        let home = self.home.as_ref().map(|home| home.backend);
        if home != Some(reader) {
            self.home = Some(Home::at(&self.shared.loads, reader));
        }
    }

    #[cold]
    fn log_loss(&self, backend: BackendId, error: &WireError) {
        let backend = self.shared.name(backend);
        tracing::warn!(client = self.entry.id, backend, %error, "backend connection lost");
    }

    /// Hands the answer on.
    async fn hand_on(
        &mut self,
        held: Box<Held>,
        place: Place,
        job: &Job,
        progress: &Progress,
    ) -> Result<Attempt, Ended> {
        self.follow_on_reader(place, job, held.status, progress.error().is_some());
        self.connections.put(held);
        self.ran_at(place, job, progress);
        self.flush().await?;
        self.answered(job, progress)
    }

    /// Throws the answer away, or replaces its end by an error.
    async fn withhold(
        &mut self,
        held: Box<Held>,
        place: Place,
        job: &Job,
        progress: &Progress,
        flaw: Flaw,
    ) -> Result<Attempt, Ended> {
        match flaw {
            Flaw::Again(how) => {
                self.client.output().clear();
                if how == Exclusion::LagError {
                    self.connections.put(held);
                }
                if job.refused_as_write && job.may_have_run.is_some() {
                    return Box::pin(self.refuse_second_run(job)).await;
                }
                self.retried(how);
                if self.transaction.is_at(place) {
                    return Box::pin(self.abandon_on_reader(job)).await;
                }
                Ok(Attempt::Again(how))
            }
            Flaw::Stale => {
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

    pub(super) fn retried(&self, how: Exclusion) {
        let cause = match how {
            Exclusion::Unreachable | Exclusion::Full => RetryCause::BackendLost,
            Exclusion::LagError | Exclusion::ReplayFailed => RetryCause::Lag,
            Exclusion::Alarm => RetryCause::NotCovered,
        };
        self.shared.metrics.retried_reads(cause).inc();
    }
}
