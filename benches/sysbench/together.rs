//! Two roads at the same time, for ratios near one: what else the machine does hits both of them in
//! the same moment, and not one more than the other.

use tidegate::lab::Cluster;
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::load::Load;
use crate::proxies::{LOGINS, Measured, Road, most_memory};
use crate::workload::Workload;

/// Plays the same on both, with half of the connections each.
pub(crate) async fn measure(
    cluster: &Cluster,
    load: &Load,
    [one, other]: [&Road; 2],
    (workload, threads): (Workload, usize),
    seconds: u64,
) -> Result<[Measured; 2], Error> {
    let played = (workload, (threads / 2).max(1));
    let (one, other) = tokio::try_join!(
        alone(cluster, load, one, played, seconds),
        alone(cluster, load, other, played, seconds),
    )?;
    Ok([one, other])
}

/// The servers count the statements of both, so those of one are what its client counts.
async fn alone(
    cluster: &Cluster,
    load: &Load,
    road: &Road,
    played: (Workload, usize),
    seconds: u64,
) -> Result<Measured, Error> {
    let warm = async {
        sleep(LOGINS).await;
        (Instant::now(), road.counters(cluster).await)
    };
    let (sample, (since, before)) = load.run(road.port(), played, seconds, warm).await?;
    let elapsed = since.elapsed().as_secs_f64();
    let (before, after) = (before?, road.counters(cluster).await?);
    let used = before.cpu.zip(after.cpu);
    Ok(Measured {
        sample,
        cpu: used.map(|(before, after)| (after - before) / (sample.qps * elapsed) * 1e5),
        at_reader: (after.at_reader - before.at_reader) / (after.selects - before.selects),
        memory: road.pid().map(most_memory).transpose()?,
    })
}
