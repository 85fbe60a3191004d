//! Running a statement on the writer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::connections::Held;
use super::crowd;
use super::found_rows::{found_rows, restore_found_rows};
use super::ids::Ids;
use super::job::Job;
use super::observe::{RowTap, WriterNotes};
use super::own::Taken;
use super::prepared::Unbound;
use super::pressure::Patience;
use super::read_only::begin_read_only;
use super::relay::{Progress, Relay, RelayError};
use super::scopes::ScopeHandle;
use super::session::Session;
use super::state::{Replay, diff};
use super::statement::{Attempt, Run};
use super::visible::Filter;
use crate::backend::ConnectError;
use crate::protocol::{Command, Status};
use crate::routing::{Exclusion, Place, ReadMark, UnknownCause};
use crate::sql::{Class, Kill, Marks};

/// Why there is no connection to the writer for a statement.
pub(super) enum NoWriter {
    /// None could be opened: the statement has not been sent.
    Connect(ConnectError),
    /// The one that held the session's state is gone, and the state with it.
    StateLost,
}

impl From<ConnectError> for NoWriter {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl Session {
    /// Runs any statement at the writer.
    pub(super) async fn at_writer(
        &mut self,
        mut run: Run,
        job: &mut Job,
    ) -> Result<Attempt, Ended> {
        let stays_read_only = self.end_before_beginning(job).await;
        if self.loses_transaction_to(run.place.backend) {
            self.cancel(run.mark);
            self.skip_rest(&mut job.request).await?;
            return self.abandon_on_reader(job).await;
        }
        let mut held = match self.ready_writer(run.place, job).await {
            Ok(held) => held,
            Err(error) => {
                if let Some(mark) = run.mark {
                    self.scope.lock().cancel_read(mark);
                }
                return self.without_writer(error, run.place, job).await;
            }
        };
        if self.entry.is_killed() {
            return self.killed(run.mark);
        }
        let shared = Arc::clone(&self.shared);
        let limit = shared.config.load().limits.silent_timeout;
        // Pinned here, or all of it is moved for each statement.
        let bound = {
            let bound = pin!(self.bind_at_writer(&mut held, job));
            Patience::before(&shared, run.place.backend, limit, bound).await
        };
        match bound {
            Ok(()) => {}
            Err(unbound) => return self.unbound_at_writer(unbound, held, run, job).await,
        }
        let told = async {
            begin_read_only(&mut held, stays_read_only).await?;
            self.guard_second_run(&mut held, job).await?;
            self.tell_own(&mut held, job).await
        };
        if let Err(error) = told.await {
            return self.lost_before(error, held, run, job).await;
        }
        self.address(&mut held, job);
        let scopes = self.scopes_of_write();
        let mut notes = WriterNotes::new(&scopes).tapping(self.row_tap(job, &held));
        let (progress, ended) = match self.send_named(&mut held, job).await {
            Ok(()) => self.relay_from_writer(job, &mut held, &mut notes).await,
            Err(error) => (Progress::default(), Err(error)),
        };
        self.count_backend_bytes(&mut held);
        if let Some(attempt) = self
            .refused_read_only(&mut held, job, &mut run, &progress)
            .await?
        {
            self.connections.put(held);
            return Ok(attempt);
        }
        let now = Instant::now();
        if let Some(mark) = run.mark {
            let mut scope = self.scope.lock();
            // What a write saw was committed before it, and readers keep that order.
            if ended.is_ok() && notes.gtids && matches!(job.class(), Some(Class::Write)) {
                scope.cancel_read(mark);
            } else {
                scope.end_read(mark, now);
            }
        }
        match ended {
            Ok(_) => {}
            Err(RelayError::Client(_)) => {
                self.lose_unless_pure(job, UnknownCause::ConnectionLost, Some(&held));
                self.abandon(held, job);
                return Err(Ended::ClientGone);
            }
            Err(RelayError::Backend(error)) => {
                let backend = self.shared.name(held.backend);
                tracing::warn!(client = self.entry.id, backend, %error, "backend connection lost");
                return self.writer_lost(held, job, &progress).await;
            }
        }
        self.executed(&mut held, job, progress.error());
        self.was_prepared(&mut held, job, notes.prepared);
        self.settle(&mut held, job, &progress, &notes, run.place);
        held.has_insert_id |= self.may_have_insert_id(job);
        held.doubtful |= progress.error().is_some() && !job.is_pure();
        if progress.error().is_none() && self.may_set_own(job) {
            match self.take_own(&mut held).await {
                Ok(Taken::Good) => {}
                Ok(Taken::Refused(error)) => self.refuse_own(error, job, &progress).await?,
                Err(error) => {
                    let backend = self.shared.name(held.backend);
                    tracing::warn!(client = self.entry.id, backend, %error, "backend connection lost");
                    return self.writer_lost(held, job, &progress).await;
                }
            }
        }
        let refused = self.end_second_run(&mut held, job, &progress).await?;
        self.connections.put(held);
        if let Some(attempt) = refused {
            return Ok(attempt);
        }
        self.ran_at(run.place, job, &progress);
        self.note_second_run(job, &progress);
        let backend = run.place.backend.index();
        self.shared.metrics.statement(backend, run.reason.index());
        self.flush().await?;
        match killed_itself(job, &progress) {
            true => Err(Ended::Killed),
            false => self.answered(job, &progress),
        }
    }

    /// May LAST_INSERT_ID() return something now that it did not before?
    fn may_have_insert_id(&self, job: &Job) -> bool {
        let hides = matches!(job.class(), None | Some(Class::Other(_)));
        hides || self.marks.intersects(Marks::LAST_INSERT_ID)
    }

    /// Why the rows of an answer are looked at, if they are.
    fn row_tap(&self, job: &Job, held: &Held) -> Option<RowTap> {
        let statement = job.statement.as_ref()?;
        if statement.lock_call.is_some() {
            return Some(RowTap::One);
        }
        let columns = statement.ids.clone()?;
        let clients = &self.shared.registry;
        let clients = clients.threads_on(held.backend, held.proof.server_uuid);
        let binary = job.command == Command::StmtExecute;
        Some(RowTap::Ids(Ids::new(columns, clients, binary)))
    }

    /// The client was killed before its statement was sent.
    pub(super) fn killed(&self, mark: Option<ReadMark>) -> Result<Attempt, Ended> {
        if let Some(mark) = mark {
            self.scope.lock().cancel_read(mark);
        }
        Err(Ended::Killed)
    }

    async fn relay_from_writer(
        &mut self,
        job: &Job,
        held: &mut Held,
        notes: &mut WriterNotes<'_>,
    ) -> (Progress, Result<crate::protocol::End, RelayError>) {
        let holds = self.may_set_own(job);
        let filter = match self.tracks_as_wished {
            true if self.tracking_doubted => Filter::Wanted(&self.visible),
            true if self.tracks_gtids => Filter::AllButGtids,
            true => Filter::All,
            false => Filter::Wanted(&self.visible),
        };
        let finishes = self.finishes(job);
        let _one_of_many = crowd::enter();
        let limits = &self.config.limits;
        let patience = Patience::with_writer(&self.shared, held.backend, limits, &mut self.alarm);
        let patience = patience.unless(finishes);
        let relay = Relay::new(
            job.command,
            &mut self.client,
            self.capabilities,
            held,
            filter,
            notes,
            patience,
        );
        let relay = match self.transaction.is_on_reader() {
            true => relay.within(Status::IN_TRANS | Status::IN_TRANS_READONLY),
            false => relay,
        };
        let relay = match holds {
            true => relay.holding(),
            false => relay,
        };
        let relay = relay.asking_for_cursor(job.asks_for_cursor());
        relay.naming(job.client_statement()).run().await
    }

    /// The same as [`Session::writer_at`], for as long as it is worth while to wait for the writer.
    async fn ready_writer(&mut self, place: Place, job: &Job) -> Result<Box<Held>, NoWriter> {
        let shared = Arc::clone(&self.shared);
        let holds_state = self.holds_state();
        let limit = shared.config.load().limits.silent_timeout;
        let ready = pin!(self.writer_at(place, job));
        match Patience::before(&shared, place.backend, limit, ready).await {
            // What it held is gone with it.
            Err(NoWriter::Connect(ConnectError::TimedOut)) if holds_state => {
                Err(NoWriter::StateLost)
            }
            ready => ready,
        }
    }

    /// The connection to the writer for a statement, told everything that the session was told.
    async fn writer_at(&mut self, place: Place, job: &Job) -> Result<Box<Held>, NoWriter> {
        let leftovers = matches!(job.class(), Some(Class::LastStatement))
            || job.command == Command::StmtPrepare;
        self.change_hands(place.backend, job).await;
        self.learn_before_following(place.backend, job).await;
        let mut held = self.writer_connection(place).await?;
        self.tell_insert_id(&mut held).await?;
        self.learn_collation(&mut held, job).await?;
        if job.statement.as_ref().is_some_and(|it| it.names_tracking) {
            self.track_for_client(&mut held).await?;
        } else if self.tracks_as_wished && !leftovers {
            let rows = found_rows(&mut held).await?;
            self.track_again(&mut held).await?;
            restore_found_rows(&mut held, rows).await?;
        }
        self.track_also(&mut held, job).await?;
        Ok(held)
    }

    /// The connection that the session has to the writer, if it still is what it was, or else a
    /// new one.
    pub(super) async fn writer_connection(&mut self, place: Place) -> Result<Box<Held>, NoWriter> {
        self.follow_writer(place.backend).await?;
        let Some(mut held) = self.connections.take(place.backend) else {
            let had_one = self.marks.intersects(Marks::LAST_INSERT_ID);
            return match had_one || self.left_behind.is_lost() {
                true => Err(NoWriter::StateLost),
                false => Ok(self.open_writer_at(place).await?),
            };
        };
        if !held.wire.is_over() {
            if held.place() == Some(place) {
                return Ok(held);
            }
            // The monitor counts another life than this connection was opened in. It may be the
            // same server all the same, if only the monitor's connection broke.
            let before = self.shared.watch.snapshot();
            let proven = held.prove(&before).await;
            if proven.is_ok_and(|proven| proven == Some(place)) {
                return Ok(held);
            }
        }
        match self.holds_state() {
            true => Err(NoWriter::StateLost),
            false => Ok(self.open_writer_at(place).await?),
        }
    }

    async fn open_writer_at(&mut self, place: Place) -> Result<Box<Held>, ConnectError> {
        self.make_way(place.backend).await;
        let tracking = self.tracking_for_each();
        // Whom a reader has let in, the writer has yet to be asked about.
        let wanted = (!self.began_on_reader).then(|| self.wanted());
        let opened = self
            .connections
            .open(place.backend, &self.request, &tracking, wanted);
        let mut held = opened.await?;
        if held.place() != Some(place) {
            return Err(ConnectError::Stranger);
        }
        held.track_as(tracking.of(held.flavour())).await?;
        if held.has_insert_id && self.insert_id.is_none() {
            // That of another session, where this one has none.
            self.insert_id = Some(0);
        }
        self.tracks_as_wished = false;
        self.tracking_doubted = false;
        self.keep_defaults(&mut held);
        let replay = diff(&self.state, &held.state).map_err(|_| ConnectError::Unexpected)?;
        self.replay_at_writer(&mut held, &replay).await?;
        Ok(held)
    }

    /// No connection to the writer could be had; the statement was not sent.
    async fn without_writer(
        &mut self,
        error: NoWriter,
        place: Place,
        job: &mut Job,
    ) -> Result<Attempt, Ended> {
        if !matches!(error, NoWriter::Connect(ConnectError::Full)) {
            self.shared.watch.report_failure(place.backend);
        }
        let error = match error {
            NoWriter::Connect(error) => error,
            NoWriter::StateLost => return self.lost_before_sending(job).await,
        };
        let is_refusal = matches!(error, ConnectError::Refused(_));
        if job.is_read() && !is_refusal && !self.holds_state() {
            return Ok(Attempt::Again(Exclusion::Unreachable));
        }
        self.not_sent(place.backend, error, job).await
    }

    /// Makes the writer's connection know a prepared statement, and be in the session's state
    /// again.
    async fn bind_at_writer(&mut self, held: &mut Held, job: &Job) -> Result<(), Unbound> {
        self.bind(held, job).await?;
        let replay = diff(&self.state, &held.state).map_err(|_| Unbound::State)?;
        if replay.is_empty() {
            return Ok(());
        }
        if replay.reset && self.holds_state() {
            return Err(Unbound::State);
        }
        match self.replay_at_writer(held, &replay).await {
            // Other answers may be outstanding behind it.
            Err(ConnectError::Refused(_)) => Err(Unbound::Lost(ConnectError::Unexpected)),
            told => Ok(told?),
        }
    }

    /// Tells the writer's connection what it lacks of the session's state.
    async fn replay_at_writer(&self, held: &mut Held, replay: &Replay) -> Result<(), ConnectError> {
        let flavour = held.flavour();
        held.queue_replay(replay, || self.tracking(flavour));
        held.wire.flush().await?;
        held.read_replay(replay).await?;
        held.state = self.state.on_connection();
        Ok(())
    }

    /// The writer's connection could not be made to know a prepared statement, which has not been
    /// sent.
    async fn unbound_at_writer(
        &mut self,
        unbound: Unbound,
        held: Box<Held>,
        run: Run,
        job: &mut Job,
    ) -> Result<Attempt, Ended> {
        if let Some(mark) = run.mark {
            self.scope.lock().cancel_read(mark);
        }
        let error = match unbound {
            Unbound::Refused(refusal) => {
                // As MySQL answers if it can't prepare a statement anew, after its table is gone.
                self.connections.put(held);
                ConnectError::Refused(refusal)
            }
            Unbound::State => ConnectError::Unexpected,
            Unbound::Lost(error) => {
                drop(held);
                if self.holds_state() {
                    return self
                        .without_writer(NoWriter::StateLost, run.place, job)
                        .await;
                }
                error
            }
        };
        self.not_sent(run.place.backend, error, job).await
    }

    /// The connection broke before the statement was sent.
    async fn lost_before(
        &mut self,
        error: ConnectError,
        held: Box<Held>,
        run: Run,
        job: &mut Job,
    ) -> Result<Attempt, Ended> {
        self.unbound_at_writer(Unbound::Lost(error), held, run, job)
            .await
    }

    /// The scopes that must see what a statement writes now: its own, and those of the keys that
    /// statements of its transaction gave.
    pub(super) fn scopes_of_write(&self) -> Vec<ScopeHandle> {
        let mut scopes = vec![self.scope.clone()];
        let within = self.standing.within.iter();
        scopes.extend(within.filter(|it| !it.is(&self.scope)).cloned());
        scopes
    }
}

/// KILL CONNECTION_ID(): the backend has ended the connection that ran it.
fn killed_itself(job: &Job, progress: &Progress) -> bool {
    let kills = Class::Kill(Kill {
        id: None,
        query_only: false,
    });
    let ended = progress.error().is_some_and(|code| KILLED.contains(&code));
    job.class() == Some(&kills) && ended
}

/// What a server answers to whoever has killed itself: MySQL ER_QUERY_INTERRUPTED, MariaDB
/// ER_CONNECTION_KILLED.
const KILLED: [u16; 2] = [1317, 1927];
