//! Clients that have asked once, stay and do nothing.

use std::fs;
use std::time::Duration;

use mysql_async::Conn;
use tidegate::lab::{APP, Cluster};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::proxies::{Road, cpu_seconds};
use crate::{Error, Options, descriptors, logins};

/// Logins at a time.
const AT_ONCE: usize = 16;

/// Backend connections that a crowd shares.
const SHARED: usize = 50;

/// What was left to do after the last one's answer is done after that.
const REST: Duration = Duration::from_secs(2);

/// One crowd.
struct Crowd {
    name: &'static str,
    wanted: usize,
    tls: bool,
    /// Its clients share backend connections.
    shares: bool,
}

pub(crate) async fn all(cluster: &Cluster, options: &Options) -> Result<(), Error> {
    let crowds = [
        Crowd {
            name: "plain",
            wanted: options.idle,
            tls: false,
            shares: true,
        },
        Crowd {
            name: "TLS",
            wanted: options.idle_tls,
            tls: true,
            shares: true,
        },
        Crowd {
            name: "plain, each with its own connections to writer and reader",
            wanted: options.idle_keeping,
            tls: false,
            shares: false,
        },
    ];
    println!("clients that have logged in, asked once and stay");
    for crowd in &crowds {
        measure(cluster, crowd, options).await?;
    }
    Ok(())
}

async fn measure(cluster: &Cluster, crowd: &Crowd, options: &Options) -> Result<(), Error> {
    let count = descriptors::clients(crowd.wanted)?;
    eprintln!("bench: {count} clients that stay, {}", crowd.name);
    let shares = format!(
        "backend_connections = {SHARED}\nconnection_wait = \"1m\"\n[pool]\nmode = \"transaction\"\n"
    );
    let more = format!(
        "[log]\nfilter = \"warn\"\n[limits]\nclients = {}\n{}",
        count + 100,
        if crowd.shares { &shares } else { "" }
    );
    let road = Road::tidegate_with(cluster, options.build(), "idle", &more).await?;
    let pid = road.pid().ok_or("Tidegate has ended")?;
    // What Tidegate makes once, at the first clients, is not the others' cost.
    drop(log_in(&road, crowd.tls, AT_ONCE).await?);
    sleep(REST).await;
    let alone = used(pid, options.idle_seconds).await?;
    let before = resident_kib(pid)?;
    let conns = log_in(&road, crowd.tls, count).await?;
    sleep(REST).await;
    let after = resident_kib(pid)?;
    let idle = used(pid, options.idle_seconds).await?;
    let conns = ask_all(conns).await?;
    sleep(REST).await;
    let again = resident_kib(pid)?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = |now: u64| (now as f64 - before as f64) / count as f64;
    println!(
        "  {count:>6} {}: {:.1} KiB each ({before} KiB before, {after} KiB after); \
         {:.1} KiB each after one more select; \
         CPU in {} s: {idle:.2} s, without clients {alone:.2} s",
        crowd.name,
        each(after),
        each(again),
        options.idle_seconds
    );
    if count < crowd.wanted {
        println!(
            "         not {}: there are too few file descriptors",
            crowd.wanted
        );
    }
    drop(conns);
    road.end().await
}

/// So many that have their first answer.
async fn log_in(road: &Road, tls: bool, count: usize) -> Result<Vec<Conn>, Error> {
    let mut conns = Vec::with_capacity(count);
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        if tasks.len() >= AT_ONCE
            && let Some(conn) = tasks.join_next().await
        {
            conns.push(conn??);
        }
        tasks.spawn(logins::log_in(road.port(), tls, APP.user.to_owned()));
    }
    while let Some(conn) = tasks.join_next().await {
        conns.push(conn??);
    }
    Ok(conns)
}

/// All of them ask once more, a few at a time.
async fn ask_all(conns: Vec<Conn>) -> Result<Vec<Conn>, Error> {
    let mut asked = Vec::with_capacity(conns.len());
    let mut tasks = JoinSet::new();
    for mut conn in conns {
        if tasks.len() >= AT_ONCE
            && let Some(conn) = tasks.join_next().await
        {
            asked.push(conn??);
        }
        tasks.spawn(async move {
            logins::ask(&mut conn).await?;
            Ok::<_, Error>(conn)
        });
    }
    while let Some(conn) = tasks.join_next().await {
        asked.push(conn??);
    }
    Ok(asked)
}

/// CPU seconds of a process over some time.
async fn used(pid: u32, seconds: u64) -> Result<f64, Error> {
    let before = cpu_seconds(pid)?;
    sleep(Duration::from_secs(seconds)).await;
    Ok(cpu_seconds(pid)? - before)
}

/// VmRSS of proc(5)'s status, in KiB.
fn resident_kib(pid: u32) -> Result<u64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS")?.parse()?)
}
