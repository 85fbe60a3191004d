//! A whole run: every lag, every target, round after round.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use tokio::sync::watch;
use tokio::time::sleep;

use super::arguments::Plan;
use super::choice::Ranks;
use super::error::Error;
use super::meter::Meter;
use super::oracle::Ledger;
use super::order::{self, Slice};
use super::play::{Measured, Play, Stage, behind};
use super::progress;
use super::report::{Cell, Counted, Round, SliceFacts, cell};
use super::road::Road;
use super::schema::Schema;
use super::site::Site;
use super::tally::{Class, Tally};
use super::target::Target;
use super::tide::Tide;
use crate::cli::local::{ANY_PORT, Metrics, Proxy};
use crate::net::Endpoint;
use crate::routing::Reads;
use crate::session::AuthMode;

/// From one write beside the load to the next, while a lag settles.
const TRICKLE: Duration = Duration::from_millis(20);

/// How long nothing is played to see what runs all the time.
const IDLE: Duration = Duration::from_secs(1);

/// How long a Tidegate may take to end.
const DRAIN: Duration = Duration::from_secs(2);

/// What a run found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) cells: Vec<Cell>,
    pub(super) slices: Vec<SliceFacts>,
    pub(super) lags: Vec<(f64, f64)>,
    pub(super) interrupted: bool,
}

/// What was counted for one target at one lag.
#[derive(Debug)]
struct Heap {
    tally: Tally,
    rounds: Vec<Round>,
    metrics: Vec<Metrics>,
}

/// Everything that is needed to play.
#[derive(Debug)]
pub(super) struct Run<'r> {
    plan: &'r Plan,
    site: &'r Site,
    schema: &'r Schema,
    stages: Vec<Stage>,
    ranks: Arc<Ranks>,
    meter: Meter,
    tide: Option<Tide>,
    /// SELECTs each second while nothing is played.
    idle: Vec<f64>,
    began: Instant,
    heaps: BTreeMap<(usize, usize), Heap>,
    found: Found,
}

impl<'r> Run<'r> {
    /// Starts a Tidegate for each target that is one.
    pub(super) async fn prepare(
        plan: &'r Plan,
        site: &'r Site,
        schema: &'r Schema,
        ranks: Arc<Ranks>,
    ) -> Result<Self, Error> {
        let mut stages = Vec::new();
        for (number, target) in plan.targets.iter().enumerate() {
            let proxy = proxy(plan, site, target).await?;
            stages.push(Stage {
                road: road(site, target, proxy.as_ref()),
                target: target.clone(),
                table: schema.table(number),
                ledger: Arc::new(Ledger::new(ranks.rows())),
                proxy,
            });
        }
        Ok(Self {
            plan,
            site,
            schema,
            stages,
            ranks,
            meter: Meter::open(site).await?,
            tide: site.lab.clone().map(Tide::new),
            idle: Vec::new(),
            began: Instant::now(),
            heaps: BTreeMap::new(),
            found: Found::default(),
        })
    }

    /// Plays everything, or until it is told to stop: then what is complete counts.
    pub(super) async fn play(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Error> {
        tokio::select! {
            played = self.play_all() => played,
            _ = stop.wait_for(|stop| *stop) => {
                self.found.interrupted = true;
                Ok(())
            }
        }
    }

    async fn play_all(&mut self) -> Result<(), Error> {
        if self
            .plan
            .targets
            .iter()
            .any(|it| matches!(it, Target::Other { .. }))
        {
            let before = self.meter.read(None).await;
            sleep(IDLE).await;
            let rise = self.meter.read(None).await.since(&before);
            let secs = IDLE.as_secs_f64();
            self.idle = rise.selects.iter().map(|count| count / secs).collect();
        }
        let plan = self.plan;
        let slices = order::slices(plan.rounds, plan.lags.len(), plan.targets.len());
        let mut lag = None;
        for (done, slice) in slices.iter().enumerate() {
            if lag.replace((slice.round, slice.lag)) != Some((slice.round, slice.lag)) {
                self.change_lag(*slice).await?;
            }
            let line = self.measure(*slice).await?;
            progress(&format!("{} of {}: {line}", done + 1, slices.len()));
        }
        Ok(())
    }

    /// Sets the lag of a slice, and writes beside the load until it is there and known.
    async fn change_lag(&mut self, slice: Slice) -> Result<(), Error> {
        let lag = self.plan.lags.get(slice.lag).copied().flatten();
        let Some((tide, lag)) = self.tide.as_mut().zip(lag) else {
            return Ok(());
        };
        tide.set(lag).await?;
        let mut conn = self.site.connect("the writer", &self.site.writer).await?;
        let update = format!("UPDATE {} SET version = version + 1", self.schema.beside());
        let settled = Instant::now() + order::settling(lag);
        while Instant::now() < settled {
            let done = conn.query_drop(&update).await;
            done.map_err(Error::statement("writing beside the load"))?;
            sleep(TRICKLE).await;
        }
        // Nobody is left whom a failure would interest.
        let _ = conn.disconnect().await;
        Ok(())
    }

    /// Measures once, and says what came of it.
    async fn measure(&mut self, slice: Slice) -> Result<String, Error> {
        let Some(stage) = self.stages.get(slice.target) else {
            return Ok(String::new());
        };
        let play = Play {
            workload: &self.plan.workload,
            ranks: &self.ranks,
            warm_up: self.plan.warm_up,
            // Every target gets the same requests.
            seed: self
                .plan
                .seed
                .wrapping_add((slice.round * self.plan.lags.len() + slice.lag) as u64),
            gauge: gauge(&self.stages),
        };
        let at = self.began.elapsed().as_secs_f64();
        let measured = stage.measure(&play, &mut self.meter).await?;
        if let Some(error) = self.tide.as_mut().and_then(Tide::failed) {
            return Err(error.into());
        }
        let round = self.round(slice, &measured);
        let facts = slice_facts(slice, at, &measured, self.plan.workload.duration);
        let line = self.line(slice, &facts, &round);
        let began = self.began;
        let lags = measured.lags.iter();
        let lags = lags.map(|(when, lag)| ((*when - began).as_secs_f64(), *lag));
        self.found.lags.extend(lags);
        self.found.slices.push(facts);
        self.keep(slice, measured, round)?;
        Ok(line)
    }

    /// What is kept of one measurement.
    fn round(&self, slice: Slice, measured: &Measured) -> Round {
        let Measured { tally, rise, lags } = measured;
        let secs = self.plan.workload.duration.as_secs_f64();
        let reads = tally.reads() as f64;
        let of_reads = |count: f64| (reads > 0.0).then(|| (count / reads).min(1.0));
        let stage = self.stages.get(slice.target);
        let at_readers = match stage.map(|stage| (&stage.target, &stage.proxy)) {
            Some((Target::Direct, _)) => of_reads(0.0),
            Some((Target::Naive, _)) => of_reads(tally.at_readers as f64),
            Some((_, Some(proxy))) => {
                let at_readers = rise.metrics.statements(&proxy.readers());
                of_reads(at_readers as f64)
            }
            Some((_, None)) => rise.share_at_readers(&self.idle, secs),
            None => None,
        };
        Round {
            at_readers,
            writer_queries: rise.queries.map(|count| count / secs),
            writer_cpu: rise.cpu.map(|cpu| cpu / secs),
            lags: lags.iter().map(|(_, lag)| *lag).collect(),
            ..Round::of(slice.round, tally)
        }
    }

    fn keep(&mut self, slice: Slice, measured: Measured, round: Round) -> Result<(), Error> {
        let heap = match self.heaps.entry((slice.lag, slice.target)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Heap {
                tally: Tally::new()?,
                rounds: Vec::new(),
                metrics: Vec::new(),
            }),
        };
        heap.tally.add(&measured.tally);
        heap.rounds.push(round);
        heap.metrics.push(measured.rise.metrics);
        Ok(())
    }

    fn line(&self, slice: Slice, facts: &SliceFacts, round: &Round) -> String {
        let name = self.plan.targets.get(slice.target).map(Target::to_string);
        let lag = match self.plan.lags.get(slice.lag).copied().flatten() {
            Some(lag) => format!("{} s behind", lag.as_secs_f64()),
            None => match gauge(&self.stages).and_then(behind) {
                Some(lag) => format!("{lag:.1} s behind"),
                None => "readers as they are".to_owned(),
            },
        };
        let share = round.at_readers.map_or(String::new(), |share| {
            format!(", {:.0} % on readers", share * 100.0)
        });
        let trouble = match facts.errors {
            0 => String::new(),
            errors => format!(", {errors} errors"),
        };
        format!(
            "round {}, {lag}, {}: reads p50 {:.2} ms, p99 {:.2} ms, {} stale{share}{trouble}",
            slice.round + 1,
            name.unwrap_or_default(),
            facts.p50,
            facts.p99,
            facts.stale,
        )
    }

    /// Ends what was started, and says what was found.
    pub(super) async fn end(mut self) -> Found {
        // Its appliers are the lab's, which ends as well.
        drop(self.tide);
        let base = base(&self.plan.targets);
        for ((lag, target), heap) in &self.heaps {
            let proxy = self.stages.get(*target).and_then(|it| it.proxy.as_ref());
            let readers = proxy.map(Proxy::readers).unwrap_or_default();
            let base = self.heaps.get(&(*lag, base));
            let counted = Counted {
                tally: &heap.tally,
                rounds: &heap.rounds,
                base: base.map(|heap| heap.rounds.as_slice()).unwrap_or_default(),
                metrics: &heap.metrics,
                readers: &readers,
            };
            self.found.cells.push(cell(*lag, *target, &counted));
        }
        for proxy in self.stages.into_iter().filter_map(|stage| stage.proxy) {
            proxy.stop().await;
        }
        self.meter.close().await;
        self.found
    }
}

/// A Tidegate that knows how far the readers are, if there is one.
fn gauge(stages: &[Stage]) -> Option<&Proxy> {
    stages.iter().find_map(|stage| stage.proxy.as_ref())
}

/// What ratios relate to: everything at the writer, if that is among the targets.
pub(super) fn base(targets: &[Target]) -> usize {
    let direct = targets.iter().position(|it| *it == Target::Direct);
    direct.unwrap_or_default()
}

async fn proxy(plan: &Plan, site: &Site, target: &Target) -> Result<Option<Proxy>, Error> {
    let Some(mut config) = site.config.clone() else {
        return Ok(None);
    };
    let policy = target.policy(config.session.policy, plan.max_staleness);
    let Some(policy) = policy else {
        return Ok(None);
    };
    let address: Endpoint = ANY_PORT
        .parse()
        .map_err(|error| Error::Usage(format!("{ANY_PORT}: {error}")))?;
    config.session.policy = policy;
    // What is compared is the level and the scope; accounts of the user's must not have others.
    config.session.user_policies.clear();
    config.session.auth = AuthMode::Passthrough;
    config.session.reads = Reads::Split;
    config.session.drain_timeout = DRAIN;
    config.listen.addresses = vec![address];
    config.http = None;
    Ok(Some(Proxy::start(config).await?))
}

fn road(site: &Site, target: &Target, proxy: Option<&Proxy>) -> Road {
    match target {
        Target::Naive => Road::Split {
            writer: site.opts(&site.writer),
            readers: site.readers.iter().map(|it| site.opts(it)).collect(),
        },
        Target::Other { address, .. } => Road::Whole(site.opts(address)),
        Target::Direct | Target::Tidegate { .. } => {
            let address = proxy.map_or(&site.writer, Proxy::address);
            Road::Whole(site.opts(address))
        }
    }
}

fn slice_facts(slice: Slice, at_s: f64, measured: &Measured, duration: Duration) -> SliceFacts {
    let tally = &measured.tally;
    let reads = tally.all_reads();
    let at = |quantile| match reads.is_empty() {
        true => 0.0,
        false => reads.value_at_quantile(quantile) as f64 / 1e3,
    };
    let answered = tally.reads() + tally.count(Class::Write);
    SliceFacts {
        at_s,
        round: slice.round,
        lag: slice.lag,
        target: slice.target,
        p50: at(0.5),
        p99: at(0.99),
        rate: answered as f64 / duration.as_secs_f64(),
        stale: tally.stale,
        errors: tally.errors.values().sum(),
    }
}
