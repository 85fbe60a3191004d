//! The operator's switch: reads are split, or all run on the writer from now on.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use super::deciding::Tried;
use super::job::Job;
use super::session::Session;
use crate::routing::{Decision, Kind, Reads};

/// Whether reads are split, for all sessions and at once. What is running goes on where it is.
#[derive(Debug, Default)]
pub struct ReadsSwitch(AtomicU8);

impl ReadsSwitch {
    /// One that stands there.
    pub fn new(reads: Reads) -> Self {
        let switch = Self::default();
        switch.set(reads);
        switch
    }

    /// Where it stands.
    pub fn now(&self) -> Reads {
        match self.0.load(Ordering::Relaxed) {
            1 => Reads::Writer,
            2 => Reads::Mirror,
            _ => Reads::Split,
        }
    }

    /// Moves it: the next statement of every session goes by it.
    pub fn set(&self, reads: Reads) {
        self.0.store(reads as u8, Ordering::Relaxed);
    }
}

impl Session {
    /// Do reads that could run elsewhere have to run on the writer? A read-only transaction on a
    /// reader ends there.
    pub(super) fn is_switched(&self, job: &Job) -> bool {
        self.shared.reads.now() != Reads::Split
            && (!self.transaction.is_on_reader() || job.begins())
    }

    /// Counts where a read would have run.
    pub(super) fn mirror(&self, job: &Job) {
        if self.shared.reads.now() != Reads::Mirror {
            return;
        }
        let functions = job.functions();
        let splits = matches!(
            job.kind(&functions),
            Kind::Read { .. } | Kind::ReadWithFunctions { .. } | Kind::BeginReadOnly
        );
        if !splits {
            return;
        }
        let scope = self.scope.lock().without_reads();
        let decision = self.consider(job, &Tried::default(), Instant::now(), false, scope);
        let (backend, reason) = match decision {
            Decision::Run { place, reason } | Decision::Wait { place, reason, .. } => {
                (Some(place.backend.index()), reason)
            }
            Decision::Probe { reason, .. } | Decision::Refuse { reason, .. } => (None, reason),
        };
        self.shared.metrics.mirrored(backend, reason.index());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_stands_where_it_was_put() {
        let switch = ReadsSwitch::new(Reads::Mirror);
        assert_eq!(switch.now(), Reads::Mirror);
        for reads in [Reads::Writer, Reads::Split] {
            switch.set(reads);
            assert_eq!(switch.now(), reads);
        }
    }
}
