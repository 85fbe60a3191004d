//! Which readers may take a read, and which of them does.

use std::time::Duration;

use smallvec::SmallVec;

use crate::gtid::Set;

use super::super::policy::Role;
use super::super::reason::Reason;
use super::super::snapshot::{BackendView, Load};
use super::Deciding;

/// With fewer statements than this a reader is not busy, whatever the others do: a session that
/// leaves it has to ask first what it has seen there.
pub const BUSY: u32 = 8;

/// By so much a reader has to be slower than the quickest before sessions leave it.
const MUCH: f64 = 2.0;

/// Differences below it are noise.
const LEAST_LATENCY: Duration = Duration::from_micros(200);

pub(super) type Readers<'a> = SmallVec<[&'a BackendView; 8]>;

impl<'a> Deciding<'a> {
    /// The readers that are up and open for new reads, however far behind.
    pub(super) fn open_readers(&self) -> Readers<'a> {
        let world = &self.world;
        let views = world.snapshot.backends.iter();
        views
            .filter(|view| view.role == Role::Reader && view.weight > 0 && !view.draining)
            .filter(|view| !view.recovering)
            .filter(|view| view.place().is_some() && !world.is_excluded(view.id))
            .filter(|view| view.shunned_until.is_none_or(|until| until <= self.now))
            .collect()
    }

    /// The readers that are close enough behind the writer to take reads of tables, or the reason
    /// why there are none.
    pub(super) fn eligible_readers(&self) -> Result<Readers<'a>, Reason> {
        let mut readers = self.open_readers();
        if readers.is_empty() {
            return Err(Reason::NoReader);
        }
        readers.retain(|view| self.is_close(view));
        if readers.is_empty() {
            Err(Reason::ReadersLag)
        } else {
            Ok(readers)
        }
    }

    /// The one that a session reads from: one in its own zone, if there is any; there where it was,
    /// else by its number and the weights (weighted rendezvous hashing), unless that one has more
    /// sessions than its share already: few would hardly ever be even by chance. One that would answer
    /// much later than the quickest is left.
    pub(super) fn choose(&self, readers: &Readers<'a>) -> Option<&'a BackendView> {
        if let [only] = readers.as_slice() {
            return Some(*only);
        }
        let any_near = readers.iter().any(|view| view.near);
        let open = || {
            readers
                .iter()
                .copied()
                .filter(|view| view.near || !any_near)
        };
        let home = open().find(|view| Some(view.id) == self.facts.home);
        let favourite = home.or_else(|| self.first_choice(open()))?;
        let by_cost = |view: &&BackendView| self.cost(view);
        let quickest = open().min_by(|a, b| by_cost(a).total_cmp(&by_cost(b)))?;
        let much_later = self.load(favourite).running >= BUSY
            && self.cost(favourite) > MUCH * self.cost(quickest);
        Some(if much_later { quickest } else { favourite })
    }

    /// Where a session begins to read.
    fn first_choice(
        &self,
        readers: impl Iterator<Item = &'a BackendView> + Clone,
    ) -> Option<&'a BackendView> {
        let by_score = |view: &&BackendView| score(self.facts.session, view);
        let by_chance = readers
            .clone()
            .max_by(|a, b| by_score(a).total_cmp(&by_score(b)))?;
        let per_weight =
            |sessions: u32, view: &BackendView| f64::from(sessions) / f64::from(view.weight.max(1));
        let with_this = |view: &&BackendView| per_weight(self.load(view).sessions + 1, view);
        let emptiest = readers.min_by(|a, b| with_this(a).total_cmp(&with_this(b)))?;
        let has_its_share =
            per_weight(self.load(by_chance).sessions, by_chance) >= with_this(&emptiest);
        Some(if has_its_share { emptiest } else { by_chance })
    }

    fn load(&self, view: &BackendView) -> Load {
        self.facts
            .loads
            .get(view.id.index())
            .copied()
            .unwrap_or_default()
    }

    /// How late another statement would be answered, relative to the other readers.
    fn cost(&self, view: &BackendView) -> f64 {
        let load = self.load(view);
        let latency = load.latency.max(LEAST_LATENCY).as_secs_f64();
        f64::from(load.running + 1) * latency / f64::from(view.weight.max(1))
    }

    /// How long it will take, as predicted, until this reader has executed `token`.
    pub(super) fn predict(&self, view: &BackendView, token: &Set) -> Duration {
        let written = self
            .world
            .snapshot
            .samples
            .first_covering(token)
            .unwrap_or(self.now);
        let behind = view.lag.map_or(Duration::MAX, |lag| lag.behind);
        let ready = written.checked_add(behind);
        ready.map_or(Duration::MAX, |ready| {
            ready.saturating_duration_since(self.now)
        })
    }

    /// Whether a reader's lag is known and within the policy's limit. While there is no writer
    /// nothing new can be missed: who has the writer's last known state is close enough.
    fn is_close(&self, view: &BackendView) -> bool {
        let Some(lag) = view.lag.filter(|_| view.current_watermark().is_some()) else {
            return false;
        };
        let behind = self.now.saturating_duration_since(lag.covered);
        if !view.lagging && behind <= self.policy.max_lag {
            return true;
        }
        let newest = self.world.snapshot.samples.newest();
        self.world.writer.is_err() && newest.is_some_and(|last| view.has_executed(&last.executed))
    }
}

/// The reader of the highest score takes the session: `weight / -ln(u)`, u even over (0, 1).
fn score(session: u64, view: &BackendView) -> f64 {
    let mixed = mix(mix(session) ^ u64::from(view.id.0));
    let u = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    f64::from(view.weight) / -u.ln()
}

/// The finaliser of splitmix64: neighbouring numbers come out unrelated.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
