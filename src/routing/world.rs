//! A snapshot as one statement sees it: without the backends that have failed it already, and
//! with the writer found.

use std::time::Instant;

use smallvec::SmallVec;

use crate::gtid::{Set, Uuid};

use super::decide::Exclusion;
use super::policy::{BackendId, Role};
use super::snapshot::{BackendView, Place, Probe, Snapshot};

pub(super) struct World<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) writer: Result<&'a BackendView, WriterFault>,
    excluded: &'a [(BackendId, Exclusion)],
}

/// Why there is no writer to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriterFault {
    Missing,
    Ambiguous,
}

impl<'a> World<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, excluded: &'a [(BackendId, Exclusion)]) -> Self {
        let mut world = Self {
            snapshot,
            writer: Err(WriterFault::Missing),
            excluded,
        };
        let mut proven = snapshot
            .backends
            .iter()
            .filter(|view| view.role == Role::Writer && view.writable)
            .filter(|view| view.place().is_some());
        world.writer = match (proven.next(), proven.next()) {
            _ if snapshot.rivals => Err(WriterFault::Ambiguous),
            (Some(_), Some(_)) => Err(WriterFault::Ambiguous),
            (Some(writer), None) if !world.is_excluded(writer.id) => Ok(writer),
            _ => Err(WriterFault::Missing),
        };
        world
    }

    pub(super) fn is_excluded(&self, id: BackendId) -> bool {
        self.excluded.iter().any(|(excluded, _)| *excluded == id)
    }

    /// Whether this life of a backend goes on, by all that is known: one that has failed a statement
    /// is not gone.
    pub(super) fn goes_on(&self, place: Place) -> bool {
        let view = self.snapshot.backend(place.backend);
        view.and_then(BackendView::place) == Some(place)
    }

    /// Whether it has failed this statement in such a way.
    pub(super) fn has_failed(&self, id: BackendId, how: Exclusion) -> bool {
        self.excluded.contains(&(id, how))
    }

    /// The newest probe of this life of a backend, if it was sent at `due` or later.
    pub(super) fn probe_of(&self, place: Place, due: Instant) -> Option<&'a Probe> {
        let probe = self.snapshot.backend(place.backend)?.probe.as_deref();
        probe.filter(|it| it.incarnation == place.incarnation && it.started >= due)
    }

    /// The writer's newest probe, if it was sent at `due` or later.
    pub(super) fn writer_probe(&self, due: Instant) -> Option<&'a Probe> {
        let probe = self.writer.ok()?.current_probe();
        probe.filter(|probe| probe.started >= due)
    }

    /// Who numbers the transactions of the lineage: this writer, or the last one that was seen.
    pub(super) fn writer_uuid(&self) -> Option<Uuid> {
        let writer = self.writer.ok().and_then(|view| view.incarnation);
        writer
            .map(|it| it.server_uuid)
            .or_else(|| self.snapshot.samples.writer())
    }

    /// Lower bounds of what the writer's lineage has executed.
    pub(super) fn lineage(&self) -> SmallVec<[&'a Set; 3]> {
        let sample = self
            .snapshot
            .samples
            .newest()
            .map(|sample| &*sample.executed);
        self.executed_by_writer()
            .into_iter()
            .chain(sample)
            .collect()
    }

    /// Whether this writer has executed anything of that source.
    pub(super) fn writer_knows(&self, source: &Uuid) -> bool {
        let executed = self.executed_by_writer();
        executed
            .iter()
            .flat_map(|set| set.uuids())
            .any(|it| it == source)
    }

    /// Lower bounds of what this writer itself has executed; none without a writer.
    pub(super) fn executed_by_writer(&self) -> SmallVec<[&'a Set; 2]> {
        let Ok(writer) = self.writer else {
            return SmallVec::new();
        };
        let probe = writer.current_probe().map(|probe| &*probe.executed);
        writer
            .current_watermark()
            .map(|it| &*it.executed)
            .into_iter()
            .chain(probe)
            .collect()
    }
}
