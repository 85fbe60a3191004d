//! The decision: where a statement runs now, what has to be found out first, or why it can't run.
//!
//! ```text
//! decide -> Run      begin_read under the same lock, then send it
//!        -> Probe    ask these backends, sent after now; publish; decide again
//!        -> Wait     for this place to execute the token, or until then; decide again
//!        -> Refuse   the statement gets an error
//! ```
//! A backend that does not answer a probe is put into `excluded` before the next decision. Each
//! round answers a probe, excludes a backend or lets time pass, so the rounds end.

mod fresh;
mod input;
mod read_only;
mod readers;
mod reads;
mod session;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::gtid::Set;

use super::causality::Causality;
use super::policy::{BackendId, Policy};
use super::reason::Reason;
use super::snapshot::{Place, Snapshot};
use super::world::World;

pub use self::input::{Exclusion, Isolation, Kind, Need, SessionFacts, Transaction, Waiting};
pub use self::readers::BUSY;
pub use self::writer::WRITER_GATE_PATIENCE;

/// What happens to a statement next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It runs there. The connection must be to that very incarnation.
    Run {
        /// Where.
        place: Place,
        /// Why there.
        reason: Reason,
    },
    /// These backends are asked first what has been seen on them: [`Probe`](super::Probe)s that
    /// are sent after this decision, at once and shared with others that want the same.
    Probe {
        /// Whom to ask.
        backends: SmallVec<[BackendId; 2]>,
        /// Why.
        reason: Reason,
    },
    /// It waits until this place has executed the token, and is decided about again.
    Wait {
        /// Where it will run.
        place: Place,
        /// What has to be executed there.
        token: Arc<Set>,
        /// When the wait is over in any case.
        until: Instant,
        /// Why it waits.
        reason: Reason,
        /// The place is that of a new writer which has not executed all that it has received: once it
        /// has, what it lacks is lost, and nobody waits for it any longer.
        draining: bool,
    },
    /// It gets an error, and the session goes on.
    Refuse {
        /// Which error.
        kind: RefuseKind,
        /// The same, for metrics and logs.
        reason: Reason,
    },
}

/// Why a statement can't run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefuseKind {
    /// No backend is proven to be writable.
    NoWriter,
    /// More than one backend claims to be the writer.
    AmbiguousWriter,
    /// No reader caught up in time, and the policy or a missing writer leaves no other.
    Timeout,
    /// No backend is up.
    AllGone,
    /// The writer still lacks what the scope has seen on a reader.
    WriterBehind,
    /// No reader is known to be within the bound on staleness, and there is no writer.
    TooStale,
    /// What a read must see is unknown, and there is no writer to ask.
    TokenUnknown,
    /// A write in a read-only transaction: MySQL's error 1792.
    ReadOnlyTransaction,
    /// The backend of the open transaction, or of the last statement, is lost.
    StateLost,
    /// A failover has lost what the scope had written or seen.
    LostWrites,
}

/// Decides about one statement of one session.
///
/// It changes `causality` only by putting into its token what the snapshot tells of it. The caller
/// holds the scope's lock over this call and over the `begin_read` of what it lets run.
pub fn decide(
    need: &Need<'_>,
    facts: &SessionFacts<'_>,
    causality: &mut Causality,
    snapshot: &Snapshot,
    now: Instant,
) -> Decision {
    let world = World::new(snapshot, facts.excluded);
    causality.refresh(&world, now);
    Deciding {
        need,
        facts,
        policy: facts.policy.narrowed(need.asks),
        causality,
        world,
        now,
        floor: None,
        unsettled: false,
    }
    .statement()
}

/// One decision in the making.
struct Deciding<'a> {
    need: &'a Need<'a>,
    facts: &'a SessionFacts<'a>,
    /// How it is treated, with what it asks for itself.
    policy: Policy,
    causality: &'a mut Causality,
    world: World<'a>,
    now: Instant,
    /// What it must see by its level alone.
    floor: Option<Arc<Set>>,
    /// For some reader the token could not be completed, for want of a writer that tells.
    unsettled: bool,
}

impl Deciding<'_> {
    fn statement(&mut self) -> Decision {
        if let Transaction::ReadOnlyOn {
            place,
            snapshot_taken,
            isolation,
        } = self.facts.transaction
        {
            return self.in_read_only(place, snapshot_taken, isolation);
        }
        match self.need.kind {
            Kind::Read { .. } | Kind::ReadWithFunctions { .. } | Kind::BeginReadOnly => self.read(),
            // Drivers ask for variables before anything else: reads go on without a writer.
            Kind::Variables | Kind::WriterRead(Reason::InstanceRead)
                if self.world.writer.is_err() =>
            {
                self.read()
            }
            Kind::Variables => self.gated(Reason::InstanceRead),
            Kind::WriterRead(reason) | Kind::Other(reason) => self.gated(reason),
            Kind::LastStatement => self.last_statement(),
            Kind::Write => self.ungated(Reason::Write),
            Kind::Prepare => self.ungated(Reason::PreparedStatement),
            Kind::State => self.ungated(Reason::SessionState),
            Kind::Admin => self.ungated(Reason::Admin),
            Kind::Begin {
                consistent_snapshot: true,
            } => self.gated(Reason::TransactionControl),
            Kind::Begin { .. } | Kind::Control => self.ungated(Reason::TransactionControl),
        }
    }

    /// It reads what is kept on one connection, so no other place will do.
    fn last_statement(&self) -> Decision {
        match self.facts.last_statement {
            Some(place) if self.world.is_excluded(place.backend) => {
                Decision::refuse(RefuseKind::StateLost)
            }
            Some(place) => Decision::Run {
                place,
                reason: Reason::LastStatement,
            },
            None => self.ungated(Reason::LastStatement),
        }
    }
}

impl Decision {
    fn refuse(kind: RefuseKind) -> Self {
        Self::Refuse {
            kind,
            reason: kind.reason(),
        }
    }
}

impl RefuseKind {
    /// The same as a reason.
    pub fn reason(self) -> Reason {
        match self {
            Self::NoWriter => Reason::RefusedNoWriter,
            Self::AmbiguousWriter => Reason::RefusedAmbiguousWriter,
            Self::Timeout => Reason::RefusedTimeout,
            Self::AllGone => Reason::RefusedAllGone,
            Self::WriterBehind => Reason::RefusedWriterBehind,
            Self::TooStale => Reason::RefusedTooStale,
            Self::TokenUnknown => Reason::RefusedTokenUnknown,
            Self::ReadOnlyTransaction => Reason::RefusedReadOnlyTransaction,
            Self::StateLost => Reason::RefusedStateLost,
            Self::LostWrites => Reason::RefusedLostWrites,
        }
    }
}
