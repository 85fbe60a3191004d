//! What one scope must see: its token, and the places where it has read.
//!
//! A [`Causality`] belongs to one session (scope `connection`) or to several that run at once
//! (scope `user`). It is synchronous; whoever shares it puts it under a mutex and holds that over
//! [`decide`](super::decide) and the [`Causality::begin_read`] that follows, so that no other
//! session of the scope decides in between.
//!
//! The rules that keep P1 and P2, and who keeps them:
//! - A write's GTIDs are acknowledged here *before* its OK goes on to the client. A statement at
//!   the writer that ends without GTIDs and is no proven pure read is [lost](Causality::lose).
//! - Every statement that may show rows of tables is a read, on the writer too (`saw_writer`), and
//!   leaves a mark. One that ends with GTIDs of its own needs none: what it saw was committed
//!   before it, and a backend that has executed it has that too (commit order is preserved).
//! - As long as a scope stays in one place it needs no read token: a server does not go backwards.
//!   When it moves, what it saw in every other place is found out first, by a [`Probe`] that was
//!   sent after the read ended.
//! - If a place is gone, the writer stands in for it: what any reader shows is already owned or
//!   executed on the writer. Another server that has become the writer since does not: what was seen
//!   before that is told by its own place, or is in doubt.
//! - What came from a reader is gated at the writer as well, which may be behind (semi-sync,
//!   AFTER_SYNC). A plain write needs no gate: it shows no rows, and the rows of a transaction that
//!   the writer has not finished are locked until it has.
//!
//! Tokens only ever grow. A GTID that was owned when a probe saw it, and was then given up, stays
//! in the token until the server uses its number again; until then reads go to the writer.
//!
//! [`Probe`]: super::Probe

mod debt;
mod inherited;
mod lost;
mod settle;

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::gtid::{Set, Token, Uuid};

use self::debt::{Debt, Mark};
use self::inherited::Inherited;
use self::lost::Lost;
use super::policy::BackendId;
use super::snapshot::{Place, Snapshot};
use super::world::World;

pub use self::debt::ReadMark;
pub use self::inherited::LostWrites;
pub use self::lost::{MAX_LOST_THREADS, UnknownCause};
pub(super) use self::settle::Settlement;

/// Intervals that a token may have beyond those of the writer's executed set, before it is
/// replaced by its union with that.
pub const MAX_TOKEN_INTERVALS: usize = 64;

/// What one scope must see, and where it has read.
#[derive(Clone, Debug)]
pub struct Causality {
    /// The token, as far as it is known. Shared with statements that wait for it.
    known: Arc<Set>,
    /// The part of it that came from reads, which is all that a read at level `bounded` must see
    /// of it.
    seen: Arc<Set>,
    /// The part of it that the writer is not proven to have executed.
    gated: Set,
    /// The writer that `gated` speaks of; a new one has to prove the whole token.
    proven_on: Option<Uuid>,
    lost: Lost,
    /// What it had to see when another server became the writer.
    inherited: Inherited,
    /// What that one does not have, until somebody is told.
    lost_writes: Option<LostWrites>,
    /// At most one for each backend.
    marks: SmallVec<[Mark; 2]>,
    /// Reads on places that are gone.
    gone: Debt,
    /// GTIDs that a reader has and the writer's lineage does not know: proven, not yet shown.
    errant: Set,
    errant_unshown: Set,
    next_serial: u64,
}

impl Causality {
    /// The causality of a scope of which nothing is remembered: it has to see `floor`, the
    /// writer's executed set as fetched at start. If that never could be fetched, the token is
    /// unknown until the writer is asked after `now`.
    pub fn starting_from(floor: Token, now: Instant) -> Self {
        let mut fresh = Self {
            known: Arc::default(),
            seen: Arc::default(),
            gated: Set::default(),
            proven_on: None,
            lost: Lost::default(),
            inherited: Inherited::default(),
            lost_writes: None,
            marks: SmallVec::new(),
            gone: Debt::default(),
            errant: Set::default(),
            errant_unshown: Set::default(),
            next_serial: 0,
        };
        match floor {
            Token::Known(set) => fresh.known = Arc::new(set),
            Token::Unknown => fresh.lost.add(UnknownCause::NoFloor, now, None),
        }
        fresh
    }

    /// Puts into the token what the writer has told of what was lost there, and of reads in places
    /// that are gone, as far as it has.
    pub fn settle_at_writer(&mut self, snapshot: &Snapshot, now: Instant) {
        let world = World::new(snapshot, &[]);
        self.refresh(&world, now);
        self.settle_where_gone(now, &world);
    }

    /// The token with all that was seen anywhere, for somebody who goes on elsewhere; or the
    /// backends that have to be probed first. None if that can't be told.
    ///
    /// # Errors
    /// The backends.
    pub fn whole(
        &mut self,
        snapshot: &Snapshot,
        arrived: Instant,
    ) -> Result<Option<Arc<Set>>, SmallVec<[BackendId; 2]>> {
        let world = World::new(snapshot, &[]);
        self.refresh(&world, arrived);
        match self.settle_everywhere(arrived, &world) {
            Settlement::Done => Ok(Some(Arc::clone(&self.known))),
            Settlement::Ask(backends) => Err(backends),
            Settlement::Impossible => Ok(None),
        }
    }

    /// Adds the GTIDs that came with the OK of a write. Call it before the OK goes on.
    pub fn acknowledge(&mut self, gtids: &Set) {
        self.require(gtids);
    }

    /// Notes a write whose GTIDs are not known, `at` the time when its statement ended: the token
    /// is unknown until the writer's executed set has been fetched after that. With `thread`, a
    /// connection id on the writer that may still be committing, it stays so until
    /// [`Causality::thread_gone`].
    pub fn lose(&mut self, cause: UnknownCause, at: Instant, thread: Option<u64>) {
        self.lost.add(cause, at, thread);
    }

    /// The connection ids on the writer that have to be proven gone.
    pub fn lost_threads(&self) -> &[u64] {
        self.lost.threads()
    }

    /// Notes that the writer was asked and no longer had this thread; `at` is when the answer
    /// came. What it committed is in an executed set that is fetched later.
    pub fn thread_gone(&mut self, thread: u64, at: Instant) {
        self.lost.thread_gone(thread, at);
    }

    /// Notes that the writer's server has ended, and with it all the threads that were waited for.
    pub fn all_threads_gone(&mut self, at: Instant) {
        self.lost.all_threads_gone(at);
    }

    /// Notes that a read is about to be sent to `place`. Call it under the same lock as the
    /// decision, and before the read is sent.
    pub fn begin_read(&mut self, place: Place) -> ReadMark {
        if let Some(mark) = self.marks.iter_mut().find(|mark| mark.place == place) {
            mark.debt.in_flight += 1;
            return ReadMark {
                serial: mark.serial,
            };
        }
        if let Some(at) = self
            .marks
            .iter()
            .position(|it| it.place.backend == place.backend)
        {
            self.bury(at);
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let debt = Debt {
            in_flight: 1,
            ..Debt::default()
        };
        self.marks.push(Mark {
            serial,
            place,
            debt,
            inherited: false,
        });
        ReadMark { serial }
    }

    /// Notes that the last byte of a read came, or that it broke off, at `at`.
    pub fn end_read(&mut self, mark: ReadMark, at: Instant) {
        let debt = self.debt_of(mark);
        debt.in_flight = debt.in_flight.saturating_sub(1);
        debt.end(at);
    }

    /// Notes that a read has ended of which nothing was shown to anybody.
    pub fn cancel_read(&mut self, mark: ReadMark) {
        let debt = self.debt_of(mark);
        debt.in_flight = debt.in_flight.saturating_sub(1);
        self.marks
            .retain(|mark| mark.debt.in_flight > 0 || mark.debt.ended.is_some());
    }

    /// The same, as if nothing had been read: what a decision would be had all reads stayed in one
    /// place.
    #[must_use]
    pub fn without_reads(&self) -> Self {
        Self {
            marks: SmallVec::new(),
            gone: Debt::default(),
            ..self.clone()
        }
    }

    /// Takes in what another scope has seen: the old account's on COM_CHANGE_USER, or an evicted
    /// scope's into the floor. Of a read of `other` that still runs counts what it has shown
    /// until `at`.
    pub fn merge_from(&mut self, other: &Self, at: Instant) {
        if self.proven_on != other.proven_on {
            // Neither gate is complete for both: the next decision begins with the whole token.
            self.proven_on = None;
        }
        self.require(&other.known);
        self.has_seen(&other.seen);
        self.gated.union(&other.gated);
        self.lost.absorb(&other.lost);
        self.inherit_from(other);
        self.gone.absorb(other.gone.interrupted(at));
        for theirs in &other.marks {
            let debt = theirs.debt.interrupted(at);
            let mut marks = self.marks.iter_mut();
            match marks.find(|ours| ours.place == theirs.place) {
                Some(ours) => {
                    ours.debt.absorb(debt);
                    ours.inherited |= theirs.inherited;
                }
                None => {
                    self.inherited.doubt(theirs);
                    self.gone.absorb(debt);
                }
            }
        }
    }

    /// Replaces a token that has become long by its union with what the writer is known to have
    /// executed: that is a stronger token, and as short as the writer's own set.
    pub fn compact(&mut self, writer_executed: &Set) {
        if self.known.interval_count() > MAX_TOKEN_INTERVALS + writer_executed.interval_count() {
            self.require(writer_executed);
        }
        if self.seen.interval_count() > MAX_TOKEN_INTERVALS + writer_executed.interval_count() {
            self.has_seen(writer_executed);
        }
    }

    /// What the scope must see, as far as writes go; what was seen where it read last is not yet
    /// in it.
    pub fn token(&self) -> Token {
        if self.is_lost() {
            Token::Unknown
        } else {
            Token::Known((*self.known).clone())
        }
    }

    /// Why the token was last unknown, if it is.
    pub fn unknown_cause(&self) -> Option<UnknownCause> {
        self.lost.cause
    }

    /// GTIDs that readers have and the writer's lineage does not, found since the last call. They
    /// are left out of the token, since no other backend would ever have them.
    pub fn take_errant(&mut self) -> Option<Set> {
        let found = std::mem::take(&mut self.errant_unshown);
        (!found.is_empty()).then_some(found)
    }

    /// The part of the token that is known.
    pub fn known(&self) -> &Arc<Set> {
        &self.known
    }

    /// The part of the token that came from reads.
    pub fn seen(&self) -> &Arc<Set> {
        &self.seen
    }

    /// The part of the token that the writer has to be asked for.
    pub(super) fn gated(&self) -> &Set {
        &self.gated
    }

    /// Whether writes were lost that the writer has not been asked for yet.
    pub(super) fn is_lost(&self) -> bool {
        !self.lost.debt.is_paid() || self.lost.is_pending()
    }

    /// Brings it up to what is known of the writer; the first step of every decision.
    pub(super) fn refresh(&mut self, world: &World<'_>, now: Instant) {
        let Some(incarnation) = world.writer.ok().and_then(|writer| writer.incarnation) else {
            return;
        };
        let executed = world.executed_by_writer();
        if self.proven_on != Some(incarnation.server_uuid) {
            let before = self.proven_on.replace(incarnation.server_uuid);
            self.gated = (*self.known).clone();
            // As long as nobody else was the writer nothing can be lost.
            if before.is_some() || world.snapshot.seat.generation > 0 {
                self.note_change(before, now);
            }
        }
        self.account_for(world, now);
        if !self.gated.is_empty() {
            executed.iter().for_each(|set| self.gated.subtract(set));
        }
        if self.known.interval_count() > MAX_TOKEN_INTERVALS {
            executed.iter().for_each(|set| self.compact(set));
        }
    }

    fn require(&mut self, set: &Set) {
        if !self.known.contains(set) {
            Arc::make_mut(&mut self.known).union(set);
        }
    }

    fn has_seen(&mut self, set: &Set) {
        self.require(set);
        if !self.seen.contains(set) {
            Arc::make_mut(&mut self.seen).union(set);
        }
    }

    /// The place of a mark is gone: from now on the writer has to tell what was seen there.
    fn bury(&mut self, at: usize) {
        let mark = self.marks.swap_remove(at);
        self.gone.absorb(mark.debt);
    }

    fn debt_of(&mut self, read: ReadMark) -> &mut Debt {
        let mark = self
            .marks
            .iter_mut()
            .find(|mark| mark.serial == read.serial);
        mark.map_or(&mut self.gone, |mark| &mut mark.debt)
    }
}
