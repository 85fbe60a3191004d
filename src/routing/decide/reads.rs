//! What may run on a reader, and what binds it to the writer.

use smallvec::SmallVec;

use super::super::policy::{BackendId, Level, ReadFrom, Role};
use super::super::reason::Reason;
use super::super::snapshot::BackendView;
use super::{Deciding, Decision, Exclusion, Isolation, Kind, Transaction};

impl Deciding<'_> {
    /// A statement that a reader may take, unless something binds it to the writer.
    pub(super) fn read(&mut self) -> Decision {
        if let Some(reason) = self.bound_to_writer() {
            return self.gated(reason);
        }
        let tables = !matches!(
            self.need.kind,
            Kind::Read { tables: false } | Kind::Variables
        );
        if self.policy.read_from == ReadFrom::Writer && self.world.writer.is_ok() {
            return match tables {
                true => self.gated(Reason::ReadFromWriter),
                false => self.ungated(Reason::ReadFromWriter),
            };
        }
        if !tables {
            return self.without_tables();
        }
        // Where a reader's state was at fault, another reader's would be as well.
        let failed = self.facts.excluded.iter().map(|(_, how)| *how);
        if failed
            .clone()
            .any(|how| matches!(how, Exclusion::LagError | Exclusion::ReplayFailed))
        {
            return self.gated(self.or_retry(Reason::NoReader));
        }
        match self.level() {
            Level::Eventual => self.eventual(),
            _ => self.session(),
        }
    }

    /// Why the writer has to take it, if so.
    fn bound_to_writer(&self) -> Option<Reason> {
        let facts = self.facts;
        if matches!(facts.transaction, Transaction::OnWriter { .. }) {
            return Some(Reason::Transaction);
        }
        if !facts.autocommit {
            return Some(Reason::AutocommitOff);
        }
        if facts.pin.is_some() {
            return facts.pin;
        }
        if matches!(
            facts.isolation,
            Isolation::ReadUncommitted | Isolation::Serializable
        ) {
            return Some(Reason::Isolation);
        }
        if let Kind::ReadWithFunctions { functions } = self.need.kind {
            let routines = &self.world.snapshot.routines;
            if !functions
                .iter()
                .all(|name| routines.reads_only(facts.schema, name))
            {
                return Some(Reason::UnknownFunction);
            }
        }
        (self.level() == Level::Writer).then_some(Reason::WriterLevel)
    }

    fn without_tables(&mut self) -> Decision {
        let reason = self.reads(Reason::ReadNoTables);
        match self
            .choose(&self.open_readers())
            .and_then(BackendView::place)
        {
            Some(place) => Decision::Run { place, reason },
            None => self.ungated(reason),
        }
    }

    fn eventual(&mut self) -> Decision {
        match self.eligible_readers() {
            Ok(readers) => match self.choose(&readers).and_then(BackendView::place) {
                Some(place) => Decision::Run {
                    place,
                    reason: self.reads(Reason::ReadEventual),
                },
                None => self.ungated(self.or_retry(Reason::NoReader)),
            },
            Err(reason) => self.ungated(self.or_retry(reason)),
        }
    }

    pub(super) fn probe(&self, backends: SmallVec<[BackendId; 2]>) -> Decision {
        let is_writer = |id: &BackendId| {
            self.world
                .snapshot
                .backend(*id)
                .is_some_and(|view| view.role == Role::Writer)
        };
        let reason = if self.causality.is_lost() {
            Reason::TokenUnknown
        } else if backends.iter().all(is_writer) {
            Reason::ReadAfterWriterRead
        } else {
            Reason::ReadAfterOtherReader
        };
        Decision::Probe { backends, reason }
    }

    /// The reason for a read on a reader.
    pub(super) fn reads(&self, reason: Reason) -> Reason {
        match self.need.kind {
            Kind::BeginReadOnly => Reason::ReadOnlyTransaction,
            Kind::Variables | Kind::WriterRead(_) => Reason::InstanceReadNoWriter,
            _ => self.or_retry(reason),
        }
    }

    /// The reason, unless the statement has failed elsewhere: then that is why it is here.
    pub(super) fn or_retry(&self, reason: Reason) -> Reason {
        match self.facts.excluded.last() {
            Some((_, Exclusion::Unreachable)) => Reason::RetriedReaderLost,
            Some((_, Exclusion::LagError)) => Reason::RetriedLagError,
            Some((_, Exclusion::Alarm)) => Reason::AlarmRerouted,
            Some((_, Exclusion::ReplayFailed)) => Reason::ReplayFailed,
            Some((_, Exclusion::Full)) => Reason::ReaderFull,
            None => reason,
        }
    }
}
