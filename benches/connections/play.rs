//! All ways to log in on all roads, which take turns.

use std::time::Duration;

use tidegate::lab::fetch::{self, Tool};
use tidegate::lab::{APP, Cluster};

use crate::logins::{self, Way, Who};
use crate::proxies::{Road, cpu_seconds};
use crate::report::{DIRECT, HAPROXY, KEEPING, KEEPING_NEW, Measured, POOL, Report};
use crate::{Error, Options};

/// Connections to each backend of a pool: enough for all clients at a time, and they stay.
const POOLED: usize = 32;

/// One that is measured.
struct Turn {
    name: &'static str,
    road: usize,
    who: Who,
}

pub(crate) async fn all(
    cluster: &Cluster,
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let haproxy = fetch::tool("haproxy").await?;
    let new = Who::New(options.accounts);
    let turn = |name, road, who| Turn { name, road, who };
    // A server asks for the password itself only while it has not verified it: each of these logs in
    // with an account of its own. Tidegate asks each client for it, so that for Tidegate the usual
    // case is an account that the servers know.
    let asked = [
        turn(DIRECT, 0, new),
        turn(HAPROXY, 1, new),
        turn(KEEPING_NEW, 2, new),
        turn(KEEPING, 2, Who::Known),
        turn(POOL, 3, Who::Known),
    ];
    let (cached_ways, asking): (Vec<Way>, Vec<Way>) =
        options.ways.iter().partition(|way| **way == Way::Cached);
    if !asking.is_empty() {
        let roads = roads(cluster, options, &haproxy, "").await?;
        play(cluster, options, &roads, &asking, &asked, report).await?;
        end(roads).await?;
    }
    if cached_ways.is_empty() {
        return Ok(());
    }
    // There is a digest to compare only if Tidegate knows the password by itself.
    let users = format!(
        "[auth]\nmode = \"users\"\n[[user]]\nname = \"{}\"\npassword = \"{}\"\n",
        APP.user, APP.password
    );
    let cached = [
        turn(DIRECT, 0, Who::Known),
        turn(HAPROXY, 1, Who::Known),
        turn(KEEPING, 2, Who::Known),
        turn(POOL, 3, Who::Known),
    ];
    let roads = self::roads(cluster, options, &haproxy, &users).await?;
    play(cluster, options, &roads, &cached_ways, &cached, report).await?;
    end(roads).await
}

/// Direct, HAProxy, Tidegate whose clients keep their connections, and Tidegate with a pool.
async fn roads(
    cluster: &Cluster,
    options: &Options,
    haproxy: &Tool,
    auth: &str,
) -> Result<[Road; 4], Error> {
    let pool =
        format!("{auth}[pool]\nmode = \"transaction\"\n[limits]\nbackend_connections = {POOLED}\n");
    Ok([
        Road::direct(cluster)?,
        Road::haproxy(cluster, haproxy).await?,
        Road::tidegate_with(cluster, options.build(), "keeping", auth).await?,
        Road::tidegate_with(cluster, options.build(), "pool", &pool).await?,
    ])
}

async fn play(
    cluster: &Cluster,
    options: &Options,
    roads: &[Road; 4],
    ways: &[Way],
    turns: &[Turn],
    report: &mut Report,
) -> Result<(), Error> {
    let limit = Duration::from_secs(options.seconds);
    for road in roads {
        // The servers know the account, and the pool has connections, from here on.
        let way = ways.first().copied().unwrap_or(Way::Cached);
        let most = options.clients.iter().copied().max().unwrap_or(1);
        logins::run(road.port(), way, Who::Known, most, Duration::from_secs(1)).await?;
    }
    for round in 0..options.rounds {
        for &way in ways {
            eprintln!(
                "bench: round {} of {}, {}",
                round + 1,
                options.rounds,
                way.name()
            );
            for &clients in &options.clients {
                let order = turns.iter().cycle().skip(round % turns.len().max(1));
                for turn in order.take(turns.len()) {
                    let Some(road) = roads.get(turn.road) else {
                        continue;
                    };
                    if turn.who != Who::Known {
                        logins::forget(cluster).await?;
                    } else {
                        // What was forgotten for another road is verified again.
                        logins::log_in(road.port(), way == Way::Tls, APP.user.to_owned())
                            .await?
                            .disconnect()
                            .await?;
                    }
                    let found = measure(road, way, turn.who, clients, limit).await?;
                    report.add((way, clients), turn.name, found);
                }
            }
        }
    }
    Ok(())
}

async fn measure(
    road: &Road,
    way: Way,
    who: Who,
    clients: usize,
    limit: Duration,
) -> Result<Measured, Error> {
    let cpu = || road.pid().map(cpu_seconds).transpose();
    let before = cpu()?;
    let seen = logins::run(road.port(), way, who, clients, limit).await?;
    let after = cpu()?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = |(before, after)| (after - before) / seen.count as f64 * 1e3;
    Ok(Measured {
        seen,
        cpu_ms: before.zip(after).map(each),
    })
}

async fn end<const N: usize>(roads: [Road; N]) -> Result<(), Error> {
    for road in roads {
        road.end().await?;
    }
    Ok(())
}
