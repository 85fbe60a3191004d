//! One measurement: one target, for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::choice::{Choice, Ranks};
use super::error::Error;
use super::meter::{Meter, Rise};
use super::oracle::{Ledger, Memory};
use super::pool::Pool;
use super::road::{Road, Statements};
use super::schedule::Schedule;
use super::tally::Tally;
use super::target::Target;
use super::user::User;
use super::workload::Workload;
use crate::cli::local::Proxy;

/// How often the lag is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A target, ready to be played on.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) target: Target,
    pub(super) road: Road,
    pub(super) table: String,
    pub(super) ledger: Arc<Ledger>,
    /// Its Tidegate.
    pub(super) proxy: Option<Proxy>,
}

/// How it is played.
#[derive(Clone, Debug)]
pub(super) struct Play<'p> {
    pub(super) workload: &'p Workload,
    pub(super) ranks: &'p Arc<Ranks>,
    pub(super) warm_up: Duration,
    pub(super) seed: u64,
    /// A Tidegate that knows how far the readers are.
    pub(super) gauge: Option<&'p Proxy>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) tally: Tally,
    pub(super) rise: Rise,
    /// How far the furthest reader was behind: when, and seconds.
    pub(super) lags: Vec<(Instant, f64)>,
}

impl Stage {
    /// Plays. Connections are opened before and closed after.
    pub(super) async fn measure(
        &self,
        play: &Play<'_>,
        meter: &mut Meter,
    ) -> Result<Measured, Error> {
        let Play {
            workload, warm_up, ..
        } = play;
        let pools = self.pools(workload).await;
        let tally = Arc::new(Mutex::new(Tally::new()?));
        let start = Instant::now();
        let (from, end) = (start + *warm_up, start + *warm_up + workload.duration);
        let mut users = JoinSet::new();
        for (user, pool) in (0..).zip(pools.iter().cycle().take(workload.threads)) {
            let count = u32::try_from(workload.threads).unwrap_or(u32::MAX);
            let hint = self.target.hint(user);
            users.spawn(
                User {
                    choice: Choice::new(workload, Arc::clone(play.ranks), user, play.seed),
                    schedule: Schedule::new(start, end, workload.think, user, count),
                    statements: Statements::new(&self.table, &hint, workload.form),
                    pool: Arc::clone(pool),
                    reset: workload.reset,
                    ledger: Arc::clone(&self.ledger),
                    memory: Memory::default(),
                    tally: Arc::clone(&tally),
                    counts_from: from,
                }
                .play(),
            );
        }
        sleep_until(from.into()).await;
        let before = meter.read(self.proxy.as_ref()).await;
        let mut lags = Vec::new();
        while Instant::now() < end {
            lags.extend(play.gauge.and_then(behind).map(|lag| (Instant::now(), lag)));
            sleep(LOOK.min(end.saturating_duration_since(Instant::now()))).await;
        }
        let rise = meter.read(self.proxy.as_ref()).await.since(&before);
        // A user ends with the answer to its last statement, which has a limit.
        while users.join_next().await.is_some() {}
        for pool in &pools {
            pool.close().await;
        }
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Measured { tally, rise, lags })
    }

    /// One that all share, or one with a single connection for each user.
    async fn pools(&self, workload: &Workload) -> Vec<Arc<Pool>> {
        let (count, size) = match workload.pool {
            0 => (workload.threads, 1),
            size => (1, size),
        };
        // Each user has two statements of its own where they carry a key.
        let road = self.road.clone().keeping(2 * workload.threads);
        let mut pools = Vec::new();
        for _ in 0..count {
            pools.push(Arc::new(Pool::open(road.clone(), size).await));
        }
        pools
    }
}

/// How far the furthest reader is behind, in seconds, if all are known.
pub(super) fn behind(gauge: &Proxy) -> Option<f64> {
    let lags: Option<Vec<f64>> = gauge.lags().into_iter().collect();
    lags?.into_iter().max_by(f64::total_cmp)
}
