//! Statements inside a read-only transaction on a reader. It can't move, and the server itself
//! keeps it from writing.

use super::super::causality::Settlement;
use super::super::policy::Level;
use super::super::reason::Reason;
use super::super::snapshot::{BackendView, Place};
use super::{Deciding, Decision, Isolation, Kind, RefuseKind};

impl Deciding<'_> {
    pub(super) fn in_read_only(
        &mut self,
        place: Place,
        snapshot_taken: bool,
        isolation: Isolation,
    ) -> Decision {
        match self.need.kind {
            // MySQL's own answer is error 1792, and the transaction goes on.
            Kind::Write => Decision::refuse(RefuseKind::ReadOnlyTransaction),
            // Ends this transaction, and begins another where that belongs.
            Kind::Begin { .. } => self.ungated(Reason::TransactionControl),
            Kind::BeginReadOnly => self.read(),
            Kind::Admin => self.ungated(Reason::Admin),
            // The writer's connection holds the session's state; the reader's is told of it.
            Kind::State => self.ungated(Reason::SessionState),
            Kind::Prepare => self.ungated(Reason::PreparedStatement),
            Kind::Variables => self.gated(Reason::InstanceRead),
            Kind::WriterRead(reason) if reason != Reason::LockingRead => self.gated(reason),
            _ if self.asks_for_the_writer(snapshot_taken && isolation.keeps_its_snapshot()) => {
                self.gated(Reason::WriterLevel)
            }
            _ if self.world.is_excluded(place.backend) => Decision::refuse(RefuseKind::StateLost),
            Kind::Control => Decision::Run {
                place,
                reason: Reason::TransactionControl,
            },
            Kind::LastStatement => self.last_statement(),
            Kind::Read { .. }
            | Kind::ReadWithFunctions { .. }
            | Kind::WriterRead(_)
            | Kind::Other(_) => self.read_in_transaction(place, snapshot_taken, isolation),
        }
    }

    /// Gated before the snapshot is taken; REPEATABLE READ then keeps what it has.
    fn read_in_transaction(
        &mut self,
        place: Place,
        snapshot_taken: bool,
        isolation: Isolation,
    ) -> Decision {
        let run = Decision::Run {
            place,
            reason: Reason::ReadOnlyTransaction,
        };
        let fixed = snapshot_taken && isolation.keeps_its_snapshot();
        let tables = !matches!(self.need.kind, Kind::Read { tables: false });
        if fixed || !tables || self.level() == Level::Eventual || self.has_waited_for(place) {
            return run;
        }
        if let Err(first) = self.find_floor() {
            return first;
        }
        match self.settle(place) {
            Settlement::Done => {}
            Settlement::Ask(backends) => return self.probe(backends),
            Settlement::Impossible => return Decision::refuse(RefuseKind::TokenUnknown),
        }
        let view = self.world.snapshot.backend(place.backend);
        let view = view.filter(|view| view.place() == Some(place));
        if view.is_some_and(|view: &BackendView| self.covers(view)) {
            return run;
        }
        match view.and(self.deadline(self.policy.wait)) {
            Some(until) => {
                let token = self.token();
                Decision::Wait {
                    place,
                    token,
                    until,
                    reason: Reason::ReaderBehind,
                    draining: false,
                }
            }
            None => Decision::refuse(RefuseKind::Timeout),
        }
    }

    /// A hint inside the transaction that asks for more than this transaction can show: the writer
    /// answers it, outside of the transaction.
    fn asks_for_the_writer(&self, fixed: bool) -> bool {
        let asks = self.need.asks;
        let bounded = asks.max_staleness.is_some() || asks.level == Some(Level::Bounded);
        let more = matches!(asks.level, Some(Level::Writer | Level::Strong)) || fixed && bounded;
        let read = matches!(
            self.need.kind,
            Kind::Read { .. } | Kind::ReadWithFunctions { .. }
        );
        read && more
    }
}
