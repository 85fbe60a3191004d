//! `[pool] mode = "transaction"`: a session keeps a backend connection inside a transaction, and as
//! long as it holds something that no other one has. Between two statements whoever needs it more
//! may have it.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::connections::Wanted;
use super::job::Job;
use super::session::Session;
use super::{PoolPolicy, Shared};
use crate::backend::{Kinship, LoginRequest};
use crate::error::ClientError;
use crate::protocol::Command;
use crate::routing::{BackendId, Place, Transaction};
use crate::sql::{Class, Flavour, Last, Marks, asks_for_insert_id, mentions_any};

/// For so long warnings and errors are kept for the client to ask for them, though others wait. A
/// driver asks at once; while it does not, nobody is served by that connection.
const WORDS: Duration = Duration::from_millis(200);

/// What the last statements left on a connection that others have now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftBehind {
    /// There were warnings or errors.
    diagnostics: bool,
    /// GET DIAGNOSTICS reads more than those.
    statement: bool,
    row_count: bool,
    found_rows: bool,
    /// The writer's connection was lost while it was asked for what goes along with the session.
    lost: bool,
    /// Its connection to the writer knows the last number of a sequence (MariaDB).
    numbers: bool,
    insert_id: InsertId,
}

/// Is it known what LAST_INSERT_ID() has to return?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InsertId {
    #[default]
    Known,
    /// It went with a connection, of which the client has been told nothing.
    Lost,
    /// The client has read an error since.
    Told,
}

impl LeftBehind {
    /// A statement has run.
    pub(super) fn ran(&mut self, counted: bool, selected: bool) {
        self.diagnostics = false;
        self.statement = false;
        self.row_count &= !counted;
        self.found_rows &= !selected;
    }

    /// Tidegate has asked something since the last statement, which left words or none.
    pub(super) fn overwritten(&mut self, words: bool) {
        self.diagnostics = words;
        self.statement = true;
        self.row_count = true;
    }

    /// Does the session lack what only its connection to the writer knew?
    pub(super) fn is_lost(self) -> bool {
        self.lost
    }

    /// It is lost what LAST_INSERT_ID() returned.
    pub(super) fn insert_id_lost(&mut self) {
        self.insert_id = InsertId::Lost;
    }

    /// Is it known what LAST_INSERT_ID() has to return?
    pub(super) fn knows_insert_id(self) -> bool {
        self.insert_id == InsertId::Known
    }

    /// LAST_INSERT_ID() has something to return again.
    pub(super) fn insert_id_known(&mut self) {
        self.insert_id = InsertId::Known;
    }

    /// The client has read that a connection was lost.
    pub(super) fn told(&mut self) {
        if self.insert_id == InsertId::Lost {
            self.insert_id = InsertId::Told;
        }
    }

    /// Does a statement ask for what is gone?
    fn is_asked_for(self, job: &Job) -> bool {
        if !matches!(job.class(), Some(Class::LastStatement)) {
            return false;
        }
        match job.statement.as_ref().map(|statement| statement.last) {
            Some(Last::RowCount) => self.row_count,
            Some(Last::FoundRows) => self.found_rows,
            Some(Last::Diagnostics) | None => {
                let all = job.leaves().intersects(Marks::USER_VARIABLE);
                self.diagnostics || all && self.statement
            }
        }
    }
}

impl Shared {
    /// So many prepared statements stay with a connection that are not in use. One that is never
    /// handed on keeps none: nobody else would need them.
    pub(super) fn shelf_size(&self) -> usize {
        match self.lends() {
            true => self.config.load().keeping.prepared_statements,
            false => 0,
        }
    }

    /// Which sessions could have one another's connections; none for one that has its own.
    pub(super) fn kinship(&self, request: &LoginRequest) -> Option<Kinship> {
        self.lends().then(|| self.dialer.kinship(request))?
    }

    /// May others have a session's connections between two statements?
    pub(super) fn lends(&self) -> bool {
        matches!(
            self.config.load().pool,
            PoolPolicy::Lend | PoolPolicy::LendAtOnce
        )
    }
}

impl Session {
    /// The connections that others may have now.
    pub(super) fn lendable(&mut self) -> SmallVec<[BackendId; 4]> {
        let all: SmallVec<[BackendId; 4]> = self.connections.all().map(|it| it.backend).collect();
        all.into_iter().filter(|id| self.may_lend(*id)).collect()
    }

    fn may_lend(&mut self, id: BackendId) -> bool {
        self.is_plain(id) && !self.has_words_at(id)
    }

    /// Is there nothing on a connection that another one would not have, or could not be told once
    /// it is known?
    fn is_plain(&self, id: BackendId) -> bool {
        if self.transaction != Transaction::None || self.carried.iter().any(|(at, _)| *at == id) {
            return false;
        }
        if id != self.writer {
            return !self.prepared.are_held_by(id, false);
        }
        let mut marks = self.marks;
        marks.remove(Marks::LAST_INSERT_ID);
        // What was measured is there until a reset, also if nothing is any more.
        let measured = ["profiling", "optimizer_trace"];
        let measured = measured
            .iter()
            .any(|name| self.state.variables.contains_key(*name));
        marks.is_empty() && !self.holds_objects() && !measured && !self.left_behind.numbers
    }

    /// LASTVAL() tells of the connection's own numbers (MariaDB).
    pub(super) fn note_sequences(&mut self, job: &Job) {
        if self.visible.flavour != Flavour::MariaDb || !self.shared.lends() {
            return;
        }
        let mentions = |names: &[&'static str]| mentions_any(job.text(), names.iter().copied());
        let standard = || mentions(&["value"]) && mentions(&["next"]);
        self.left_behind.numbers |= mentions(&["nextval", "setval"]) || standard();
    }

    /// Has the last statement left words for the client there, which it had no time to ask for?
    fn has_words_at(&mut self, id: BackendId) -> bool {
        let there = self.has_words && is_at(self.last_statement, id);
        let held = self.connections.look(id).filter(|_| there);
        held.is_some_and(|held| held.used.elapsed() < WORDS)
    }

    /// When that time is over: never, if there is nothing of the kind.
    pub(super) fn words_until(&mut self) -> Option<Instant> {
        let id = self.last_statement?.backend;
        let held = self.connections.look(id)?.used;
        let lends = self.shared.lends() && self.has_words_at(id);
        lends.then(|| Instant::from_std(held + WORDS))
    }

    /// Gives connections to those who wait for them.
    pub(super) async fn lend_to_waiting(&mut self) {
        if !self.shared.pressure.limits_connections() || !self.shared.lends() {
            return;
        }
        for id in self.lendable() {
            if self.shared.pressure.is_wanted(id) {
                Box::pin(self.lend_on(id)).await;
            }
        }
    }

    /// Before a statement runs there: gives the connection up where every statement gets another.
    pub(super) async fn change_hands(&mut self, id: BackendId, job: &Job) {
        let asks = matches!(job.class(), Some(Class::LastStatement));
        if asks || job.command == Command::StmtPrepare {
            return;
        }
        match self.config.pool {
            PoolPolicy::Keep | PoolPolicy::Lend => {}
            PoolPolicy::LendAtOnce => Box::pin(self.lend_on(id)).await,
            PoolPolicy::Replace => self.replace(id).await,
        }
    }

    async fn replace(&mut self, id: BackendId) {
        let keeps = match id == self.writer {
            true => self.holds_state(),
            false => self.transaction.is_on_reader() || self.prepared.are_held_by(id, false),
        };
        if !keeps && let Some(held) = self.connections.take(id) {
            held.quit().await;
        }
    }

    /// Learns from the writer's connection what goes along with the session; false if it has to
    /// stay.
    async fn learn_before_lending(&mut self) -> bool {
        let has_insert_id = self.marks.intersects(Marks::LAST_INSERT_ID);
        let others = self.tracks_as_wished || self.collation_due || self.role_due;
        if !(has_insert_id || others) {
            return true;
        }
        // Whoever gives up waiting, here or above, loses the connection and what it knew.
        self.left_behind.lost = true;
        let limit = self.config.limits.first_byte_timeout;
        let timers = self.shared.timers.clone();
        let learning = async {
            self.end_tracking_as_wished().await;
            self.takes_collation().await && self.takes_role().await && {
                self.take_insert_id().await;
                !self.tracks_as_wished && !self.marks.intersects(Marks::LAST_INSERT_ID)
            }
        };
        let learned = timers.limit(limit, learning).await.unwrap_or(false);
        let gone = self.connections.look(self.writer).is_none();
        // If only LAST_INSERT_ID() is lost, its mark tells the next statement.
        self.left_behind.lost = gone && others;
        learned && !gone
    }

    /// A statement that named a variable of tracking leaves the connection as the client wished: not
    /// for longer than nobody else needs it.
    async fn end_tracking_as_wished(&mut self) {
        if !self.tracks_as_wished {
            return;
        }
        if let Some(mut held) = self.connections.take(self.writer)
            && self.track_again(&mut held).await.is_ok()
        {
            self.connections.put(held);
        }
    }

    /// Before the session waits for a connection to a backend, it gives others up: of two sessions
    /// that have what the other wants, none would ever get on.
    pub(super) async fn make_way(&mut self, wanted: BackendId) {
        if !self.shared.lends() || !self.shared.pressure.is_full(wanted) {
            return;
        }
        let all: SmallVec<[BackendId; 4]> = self.connections.all().map(|it| it.backend).collect();
        for id in all {
            // A statement that has come is not a question for the last one's words.
            if id != wanted {
                Box::pin(self.lend_on(id)).await;
            }
        }
    }

    /// Gives a connection away.
    pub(super) async fn lend_on(&mut self, id: BackendId) {
        if !self.is_plain(id) {
            return;
        }
        // What is asked from here on overwrites it.
        let left = &mut self.left_behind;
        if is_at(self.last_statement, id) {
            left.statement = true;
            left.diagnostics = self.has_words;
        }
        left.row_count |= is_at(self.last_counted, id);
        left.found_rows |= is_at(self.last_select, id);
        if id == self.writer && !self.learn_before_lending().await {
            return;
        }
        if let Some(mut held) = self.connections.take(id)
            && self.end_own(&mut held).await.is_ok()
        {
            let told = self.all_is_told(id);
            held.give(&self.request, told).await;
        }
    }

    /// Is all known that the session has set on a connection, by the state that is kept of it?
    fn all_is_told(&self, id: BackendId) -> bool {
        let due = self.collation_due || self.role_due || self.tracks_as_wished;
        id != self.writer || !due
    }

    /// What the session needs of a connection of another one.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            state: &self.state,
            since: self.logged_in,
        }
    }

    /// Refuses a question about a statement whose connection others have now, or which is lost;
    /// true if it did.
    pub(super) async fn refuses_left_behind(
        &mut self,
        job: &mut Job,
    ) -> Result<bool, super::Ended> {
        let error = match self.left_behind.is_asked_for(job) {
            true => Some(ClientError::left_behind()),
            false => self.lacks_insert_id(job),
        };
        let Some(error) = error else {
            return Ok(false);
        };
        self.skip_rest(&mut job.request).await?;
        self.refuse(&error).await?;
        Ok(true)
    }

    /// The error for a statement that might read what LAST_INSERT_ID() does not return any more. A
    /// trigger or a routine may read it unseen: whatever could run one is refused until the client
    /// has been told once.
    fn lacks_insert_id(&mut self, job: &Job) -> Option<ClientError> {
        let executes = matches!(job.command, Command::Query | Command::StmtExecute);
        if self.left_behind.insert_id == InsertId::Known || !executes {
            return None;
        }
        if asks_for_insert_id(job.text(), self.lex) {
            self.left_behind.told();
            return Some(ClientError::insert_id_lost());
        }
        let untold = self.left_behind.insert_id == InsertId::Lost;
        if !untold || job.may_run_twice() && self.autocommit {
            return None;
        }
        self.left_behind.told();
        Some(ClientError::state_lost())
    }

    /// Closes the connections of a session that has ended, or keeps them for the next.
    pub(super) async fn give_up_connections(&mut self) {
        let lends = self.shared.lends() && !*self.shared.draining.borrow();
        let all: Vec<_> = self.connections.drain().collect();
        for held in all {
            match lends && self.is_plain(held.backend) && !self.entry.is_killed() {
                true => {
                    let told = self.all_is_told(held.backend);
                    held.give(&self.request, told).await;
                }
                false => held.quit().await,
            }
        }
    }

    /// COM_RESET_CONNECTION asks the writer what a session begins with, over its connection.
    pub(super) async fn have_writer(&mut self) {
        if !self.shared.lends() || self.connections.look(self.writer).is_some() {
            return;
        }
        let tracking = self.tracking_for_each();
        let opened = self
            .connections
            .open(self.writer, &self.request, &tracking, None)
            .await;
        // Without one nothing is learned, as without a writer.
        if let Ok(held) = opened {
            self.connections.put(held);
        }
    }
}

fn is_at(place: Option<Place>, id: BackendId) -> bool {
    place.is_some_and(|place| place.backend == id)
}
