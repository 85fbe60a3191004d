//! What came of a schedule.

use std::hash::{DefaultHasher, Hash, Hasher};

use tidegate::routing::RefuseKind;

use crate::scope::{Promise, Violation};

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
    pub(crate) statements: u64,
    pub(crate) reads_on_readers: u64,
    pub(crate) reads_on_writer: u64,
    /// Refused for want of a writer or of time, and for any other cause.
    pub(crate) refused_unserved: u64,
    pub(crate) refused_otherwise: u64,
    pub(crate) probes: u64,
    pub(crate) waits: u64,
    pub(crate) retries: u64,
    pub(crate) gates: u64,
    pub(crate) errant: u64,
    pub(crate) alarms: u64,
    pub(crate) reconnects: u64,
    pub(crate) carried: u64,
    /// Plain reads that could follow the one before.
    pub(crate) followed: u64,
    pub(crate) most_rounds: u32,
    /// Of all that was shown, when and to whom.
    pub(crate) fingerprint: u64,
}

impl Report {
    pub(crate) fn note(&mut self, shown: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.fingerprint, shown).hash(&mut hasher);
        self.fingerprint = hasher.finish();
    }

    pub(crate) fn refuses(&mut self, kind: RefuseKind) {
        match kind {
            RefuseKind::NoWriter
            | RefuseKind::AllGone
            | RefuseKind::Timeout
            | RefuseKind::TooStale => {
                self.refused_unserved += 1;
            }
            _ => self.refused_otherwise += 1,
        }
    }

    pub(crate) fn first_against(&self, promise: Promise) -> Option<&Violation> {
        self.violations.iter().find(|it| it.promise == promise)
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads_on_readers + self.reads_on_writer
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.violations.extend_from_slice(&other.violations);
        self.statements += other.statements;
        self.reads_on_readers += other.reads_on_readers;
        self.reads_on_writer += other.reads_on_writer;
        self.refused_unserved += other.refused_unserved;
        self.refused_otherwise += other.refused_otherwise;
        self.probes += other.probes;
        self.waits += other.waits;
        self.retries += other.retries;
        self.gates += other.gates;
        self.errant += other.errant;
        self.alarms += other.alarms;
        self.reconnects += other.reconnects;
        self.carried += other.carried;
        self.followed += other.followed;
        self.most_rounds = self.most_rounds.max(other.most_rounds);
        self.note(&other.fingerprint);
    }
}
