//! What is known of the backends: published whole, never changed, so that one decision sees one
//! state of the world.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gtid::{Incarnation, Set, Uuid, Watermark};
use crate::sql::{Flavour, InMariaDb, in_mariadb, only_reads};

use super::lag::LagClock;
use super::policy::{BackendId, Role};

/// All that is known of all backends at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every configured backend.
    pub backends: Vec<BackendView>,
    /// The stored functions that the writer declares as reading only.
    pub routines: Arc<Routines>,
    /// What the writer had executed, and when.
    pub samples: Arc<LagClock>,
    /// Who is the writer, or was it last.
    pub seat: Seat,
    /// More than one backend may be the writer, so none is taken for it.
    pub rivals: bool,
    /// More than one backend takes writes, and the last proven writer keeps them.
    pub contested: bool,
}

/// Who is the writer, or was it last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// The backend that was proven to be the writer last; before that, the one that the
    /// configuration names, if it names one.
    pub backend: Option<BackendId>,
    /// The server that it was then.
    pub server: Option<Uuid>,
    /// Whether it has executed all that it has received from others: what it lacks now is lost.
    pub drained: bool,
    /// How often another server has become the writer.
    pub generation: u64,
}

impl Seat {
    /// May a new writer still execute what it has received as a reader?
    pub fn is_draining(&self) -> bool {
        self.generation > 0 && !self.drained
    }
}

/// What is known of one backend.
#[derive(Clone, Debug)]
pub struct BackendView {
    /// Its place in the configuration.
    pub id: BackendId,
    /// What it is: as the configuration says, or as was found out.
    pub role: Role,
    /// Its share of the reads, relative to the other readers'; at 0 it gets none.
    pub weight: u32,
    /// Whether it is in this proxy's zone, or zones are not told apart. Such readers come first.
    pub near: bool,
    /// Whether the monitor reaches it.
    pub up: bool,
    /// Whether it is proven to take writes: it said so itself in this incarnation, and is the only
    /// one.
    pub writable: bool,
    /// The life that the monitor has proven; none while it is not reached.
    pub incarnation: Option<Incarnation>,
    /// The newest lower bound of what it has executed.
    pub watermark: Option<Watermark>,
    /// How far behind it is; none if that is not known.
    pub lag: Option<Lag>,
    /// Whether it was too far behind, by its own limit, and has not come close enough again since.
    pub lagging: bool,
    /// How its replication is; none if that is not known, and on the writer.
    pub replication: Option<Replication>,
    /// The newest answer about what a read on it may have seen.
    pub probe: Option<Arc<Probe>>,
    /// Until then it gets no new reads, since an answer of it was wrong.
    pub shunned_until: Option<Instant>,
    /// Whether it is being taken out: it gets no new reads.
    pub draining: bool,
    /// Whether it belongs to a group and is not online there: it recovers, was expelled or has left.
    /// It gets no new reads.
    pub recovering: bool,
}

/// How far a reader is behind the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// When the newest writer sample was asked for that the reader's watermark covers: the reader
    /// has everything that was committed before. Its staleness is now minus this.
    pub covered: Instant,
    /// How long it takes from a commit on the writer until this reader has it, as measured last.
    pub behind: Duration,
}

/// How a reader's replication is, by its own word. It is shown, and decides nothing: a reader that
/// follows is judged by how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Its applier runs, however slowly.
    pub applies: bool,
    /// It is connected to its source and receives.
    pub receives: bool,
    /// How far it stays behind on purpose (`SOURCE_DELAY`).
    pub delay: Duration,
}

/// How busy a reader is with what this proxy has sent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Statements that it is running.
    pub running: u32,
    /// Sessions whose reads it has.
    pub sessions: u32,
    /// How long its answers take to begin, as a moving mean; zero before the first.
    pub latency: Duration,
}

/// The answer to `SELECT @@global.gtid_owned, @@global.gtid_executed`, asked in this order.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Before the question was sent: what ended before then is in the answer.
    pub started: Instant,
    /// Owned and executed united: an upper bound of what any read that ended before `started` saw.
    /// Rows are visible a hair before their GTIDs are counted as executed, but not before they
    /// are owned.
    pub seen: Arc<Set>,
    /// Executed alone: a lower bound of what any read that begins after the answer sees.
    pub executed: Arc<Set>,
    /// Which life of the backend answered.
    pub incarnation: Incarnation,
}

/// One life of one backend: a read that stays on it can't go backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which backend.
    pub backend: BackendId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// The functions that only read, as the writer has them: stored ones that are declared so, and
/// those that are native there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routines {
    flavour: Flavour,
    by_schema: HashMap<String, HashSet<String>>,
}

impl Snapshot {
    /// The backend of this id.
    pub fn backend(&self, id: BackendId) -> Option<&BackendView> {
        let at_its_index = self.backends.get(id.index()).filter(|view| view.id == id);
        at_its_index.or_else(|| self.backends.iter().find(|view| view.id == id))
    }
}

impl BackendView {
    /// The life of it that statements may run on; none while it is down.
    pub fn place(&self) -> Option<Place> {
        let incarnation = self.incarnation.filter(|_| self.up)?;
        Some(Place {
            backend: self.id,
            incarnation,
        })
    }

    /// Whether this life of it is proven to have executed all of `set`.
    pub fn has_executed(&self, set: &Set) -> bool {
        self.current_watermark()
            .is_some_and(|watermark| watermark.executed.contains(set))
            || self
                .current_probe()
                .is_some_and(|probe| probe.executed.contains(set))
    }

    /// The watermark, if this life of it has said so.
    pub fn current_watermark(&self) -> Option<&Watermark> {
        self.watermark
            .as_ref()
            .filter(|it| Some(it.incarnation) == self.incarnation)
    }

    /// The newest probe, if this life of it has answered it.
    pub fn current_probe(&self) -> Option<&Probe> {
        self.probe
            .as_deref()
            .filter(|probe| Some(probe.incarnation) == self.incarnation)
    }
}

impl Routines {
    /// Those of a server without stored functions.
    pub fn of(flavour: Flavour) -> Self {
        Self {
            flavour,
            by_schema: HashMap::new(),
        }
    }

    /// Does calling this function leave nothing on the connection that other statements notice?
    pub fn leaves_nothing(&self, current: Option<&str>, name: &str) -> bool {
        self.native(name).is_some() || self.reads_only(current, name)
    }

    fn native(&self, name: &str) -> Option<InMariaDb> {
        match self.flavour {
            Flavour::MySql => None,
            Flavour::MariaDb => in_mariadb(name),
        }
    }

    /// Notes a function that the writer declares as reading only, if its body bears that out and
    /// leaves nothing on the connection.
    pub fn learn(&mut self, schema: &str, name: &str, body: &str) {
        if only_reads(body.as_bytes()) {
            self.insert(schema, name);
        }
    }

    /// Notes that the writer declares this function as reading only.
    pub fn insert(&mut self, schema: &str, name: &str) {
        self.by_schema
            .entry(schema.to_owned())
            .or_default()
            .insert(name.to_lowercase());
    }

    /// Whether the function is declared to read only. A name with a schema before a dot is looked
    /// up there, another in `current`, the session's own.
    pub fn reads_only(&self, current: Option<&str>, name: &str) -> bool {
        if self.native(name) == Some(InMariaDb::Pure) {
            return true;
        }
        let (schema, name) = match name.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (current, name),
        };
        let functions = schema.and_then(|schema| self.by_schema.get(schema));
        functions.is_some_and(|functions| functions.contains(name.to_lowercase().as_str()))
    }
}
