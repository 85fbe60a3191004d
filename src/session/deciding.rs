//! Asking routing about a statement: what it needs, what is known of the session, and what was
//! decided.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::job::Job;
use super::loads::Loads;
use super::pressure::Queued;
use super::session::Session;
use super::{Ended, Shared};
use crate::error::ClientError;
use crate::gtid::Set;
use crate::routing::{
    Asks, BackendId, Causality, Decision, Exclusion, Level, Load, Need, Place, ReadMark, Reason,
    Role, SessionFacts, Transaction, Waiting, decide,
};
use crate::sql::{Class, Last};

/// What has been tried for one statement.
#[derive(Default)]
pub(super) struct Tried {
    pub excluded: SmallVec<[(BackendId, Exclusion); 4]>,
    /// When the last of these has failed.
    pub failed: Option<Instant>,
    pub waiting: Option<Waiting>,
    /// It has lost a connection to a backend that is up as far as is known, and tried that again.
    pub anew: bool,
    /// Those that claim to be the writer were asked once more.
    pub rivals_asked: bool,
    /// When the first wait began.
    pub waited_since: Option<Instant>,
    /// Its room among the reads that the writer runs in the readers' stead.
    pub room: Option<OwnedSemaphorePermit>,
    /// It has waited for room as long as it may.
    pub no_room: bool,
    /// Its place in the line of those that wait.
    pub queued: Option<Queued>,
    /// Its turn on the reader that it waited for; none if that took longer than it may wait.
    pub turn: Option<(BackendId, Option<OwnedSemaphorePermit>)>,
}

/// What was noted under the scope's lock of a decision to run.
pub(super) struct Begun {
    pub mark: Option<ReadMark>,
    pub token: Option<Arc<Set>>,
    /// What the backend was then.
    pub role: Role,
}

impl Begun {
    fn nothing() -> Self {
        Self {
            mark: None,
            token: None,
            role: Role::Writer,
        }
    }
}

impl Tried {
    /// A backend has failed for it.
    pub(super) fn exclude(&mut self, id: BackendId, how: Exclusion) {
        self.excluded.push((id, how));
        self.failed = Some(Instant::now());
    }

    /// Does it have to wait before the writer takes it?
    pub(super) fn needs_room(&self, reason: Reason) -> bool {
        reason.is_fallback() && self.room.is_none()
    }

    /// Has it waited for this reader, with others that do not have to fall upon it all at once?
    pub(super) fn needs_turn(&self, place: Place) -> bool {
        let waited = self.waiting.as_ref().is_some_and(|it| it.place == place);
        waited
            && self
                .turn
                .as_ref()
                .is_none_or(|(of, _)| *of != place.backend)
    }

    /// May it run there at once?
    pub(super) fn may_run(&self, place: Place, reason: Reason) -> bool {
        !self.needs_room(reason) && !self.needs_turn(place)
    }

    /// Does it have to wait before anything else can be done, and is not in line yet? Room and turns
    /// that are free it takes at once.
    pub(super) fn waits(&mut self, decision: &Decision, shared: &Shared) -> bool {
        let waits = match decision {
            Decision::Wait { .. } => true,
            Decision::Run { reason, .. } if self.needs_room(*reason) => {
                self.room = shared.fallback.load_full().try_acquire_owned().ok();
                self.room.is_none() && !self.no_room
            }
            Decision::Run { place, .. } if self.needs_turn(*place) => {
                let turns = shared.loads.turns(place.backend);
                let turn = turns.and_then(|turns| turns.try_acquire_owned().ok());
                let waits = turn.is_none();
                if !waits {
                    self.turn = Some((place.backend, turn));
                }
                waits
            }
            Decision::Run { .. } | Decision::Probe { .. } | Decision::Refuse { .. } => false,
        };
        waits && self.queued.is_none()
    }

    /// Waits for its turn on a reader, as long as it may; then it runs all the same.
    pub(super) async fn take_turn(&mut self, place: Place, loads: &Loads, until: Instant) {
        // The one on another reader is given back first.
        self.turn = None;
        let turn = match loads.turns(place.backend) {
            Some(turns) => timeout_at(until.into(), turns.acquire_owned()).await,
            None => return,
        };
        self.turn = Some((place.backend, turn.ok().and_then(Result::ok)));
    }

    /// Waits for room at the writer; who came first is first.
    pub(super) async fn find_room(&mut self, free: &Arc<Semaphore>, until: Instant) {
        if let Ok(room) = Arc::clone(free).try_acquire_owned() {
            self.room = Some(room);
            return;
        }
        self.waited_since.get_or_insert_with(Instant::now);
        match timeout_at(until.into(), Arc::clone(free).acquire_owned()).await {
            Ok(Ok(room)) => self.room = Some(room),
            _ => self.no_room = true,
        }
    }
}

impl Session {
    /// What a statement needs; `functions` are its own.
    pub(super) fn need<'a>(&self, job: &Job, functions: &'a [&'a str], switched: bool) -> Need<'a> {
        let at_writer = switched
            || self.read_only_at_writer && matches!(job.class(), Some(Class::BeginReadOnly { .. }));
        let writer = Asks {
            level: Some(Level::Writer),
            ..Asks::default()
        };
        Need {
            kind: job.kind(functions),
            asks: if at_writer { writer } else { job.wishes.asks },
        }
    }

    /// What would be decided about a statement now. Nothing begins.
    ///
    /// `scope` is what the statement would have to see; what is found out by deciding is kept for
    /// no one.
    pub(super) fn consider(
        &self,
        job: &Job,
        tried: &Tried,
        arrived: Instant,
        switched: bool,
        mut scope: Causality,
    ) -> Decision {
        let functions = job.functions();
        let need = self.need(job, &functions, switched);
        let loads = self.shared.loads.now();
        let facts = self.facts(job, tried, arrived, &loads);
        let snapshot = self.shared.watch.snapshot();
        decide(&need, &facts, &mut scope, &snapshot, arrived)
    }

    /// Asks `decide`, and notes under the same lock that the read begins.
    pub(super) fn decide(&self, job: &Job, tried: &Tried, arrived: Instant) -> (Decision, Begun) {
        let functions = job.functions();
        let switched = self.is_switched(job);
        let need = self.need(job, &functions, switched);
        let loads = self.shared.loads.now();
        let facts = self.facts(job, tried, arrived, &loads);
        let snapshot = self.shared.watch.look();
        let mut scope = self.scope.lock();
        let mut decision = decide(&need, &facts, &mut scope, &snapshot, Instant::now());
        if let Decision::Run { reason, .. } = &mut decision
            && switched
            && *reason == Reason::WriterLevel
        {
            *reason = Reason::ReadsSwitched;
        }
        if let Some(told) = self.tell_lost_writes(job, &mut scope) {
            decision = told;
        }
        if let Some(errant) = scope.take_errant() {
            self.log_errant(&errant);
        }
        let Decision::Run { place, .. } = decision else {
            return (decision, Begun::nothing());
        };
        let token = self.promised(job, &scope, tried, place);
        let mark = job.shows_rows().then(|| scope.begin_read(place));
        let view = snapshot.backend(place.backend);
        let role = view.map_or(Role::Writer, |view| view.role);
        (decision, Begun { mark, token, role })
    }

    #[cold]
    fn log_errant(&self, errant: &Set) {
        tracing::warn!(client = self.entry.id, %errant, "errant transactions on a reader");
    }

    /// What an answer from `place` has to cover.
    pub(super) fn promised(
        &self,
        job: &Job,
        scope: &Causality,
        tried: &Tried,
        place: Place,
    ) -> Option<Arc<Set>> {
        let fixed = matches!(
            self.transaction,
            Transaction::ReadOnlyOn {
                snapshot_taken: true,
                ..
            }
        );
        let level = self.standing_policy().narrowed(job.wishes.asks).level;
        if !job.shows_rows() || fixed || level == Level::Eventual {
            return None;
        }
        let token = match level {
            Level::Bounded => scope.seen(),
            _ => scope.known(),
        };
        // What the scope has done since the wait began runs beside this statement.
        let waited = tried.waiting.as_ref().filter(|it| it.place == place);
        Some(Arc::clone(waited.map_or(token, |waiting| &waiting.token)))
    }

    pub(super) fn facts<'a>(
        &'a self,
        job: &'a Job,
        tried: &'a Tried,
        arrived: Instant,
        loads: &'a [Load],
    ) -> SessionFacts<'a> {
        let schema = match job.prepared_in() {
            Some(schema) => schema.and_then(|name| std::str::from_utf8(name).ok()),
            None => self.schema_name(),
        };
        SessionFacts {
            policy: self.standing_policy(),
            session: u64::from(self.entry.id),
            home: self.home.as_ref().map(|home| home.backend),
            loads,
            pin: self.pin(job),
            transaction: self.transaction,
            autocommit: self.autocommit,
            isolation: self.isolation(),
            schema,
            last_statement: self.last_place(job),
            arrived,
            waits_from: tried.failed.unwrap_or(arrived),
            excluded: &tried.excluded,
            carried: self.standing.token.as_ref(),
            waiting: tried.waiting.as_ref(),
        }
    }

    /// Where that was left which a statement reads.
    pub(super) fn last_place(&self, job: &Job) -> Option<Place> {
        match job.statement.as_ref().map(|statement| statement.last) {
            Some(Last::RowCount) => self.last_counted,
            Some(Last::FoundRows) => self.last_select,
            Some(Last::Diagnostics) | None => self.last_statement,
        }
    }

    /// Waits for something, unless the client goes or is killed meanwhile: nobody would read the
    /// answer.
    ///
    /// # Errors
    /// [`Ended::ClientGone`] and [`Ended::Killed`].
    pub(super) async fn unless_gone(
        &mut self,
        waiting: impl Future<Output = ()>,
    ) -> Result<(), Ended> {
        tokio::select! {
            biased;
            () = waiting => Ok(()),
            () = self.client.gone() => Err(Ended::ClientGone),
            () = self.entry.killed() => Err(Ended::Killed),
        }
    }

    /// Takes a place in the line of those that wait.
    ///
    /// # Errors
    /// What the client reads if the line is full.
    pub(super) fn queue_up(&self, tried: &mut Tried) -> Result<(), ClientError> {
        let user = &self.request.credentials.user;
        let limits = &self.config.limits;
        tried.queued = Some(self.shared.pressure.queue_up(user, limits)?);
        Ok(())
    }

    /// Until when a statement that arrived then may wait.
    pub(super) fn may_wait_until(&self, job: &Job, tried: &Tried, arrived: Instant) -> Instant {
        let policy = self.standing_policy().narrowed(job.wishes.asks);
        let from = tried.failed.unwrap_or(arrived);
        from.checked_add(policy.wait).unwrap_or(from)
    }

    /// Nothing came of a decision to run.
    pub(super) fn cancel(&self, mark: Option<ReadMark>) {
        if let Some(mark) = mark {
            self.scope.lock().cancel_read(mark);
        }
    }

    /// Counts the wait, if there was one, which this reason has ended.
    pub(super) fn observe_wait(&self, tried: &Tried, reason: Reason) {
        if let Some(since) = tried.waited_since {
            let metrics = &self.shared.metrics;
            metrics.read_waited(since.elapsed(), reason.index());
        }
    }
}
