//! What is done to the backends, the network and Tidegate, one after the other.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tidegate::lab::{Cluster, Instance};
use tokio::time::sleep;

use crate::front::Front;
use crate::network::Network;
use crate::tally::Tally;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    ReaderDies,
    ReaderHangs,
    ReaderLags,
    ReadersRestart,
    WriterDies,
    WriterHangs,
    Cut,
    Delay,
    Kills,
    SwitchOver,
    Restart,
    Crash,
    Upgrade,
    Storm,
    Rolling,
}

impl Fault {
    pub(crate) const ALL: [Self; 15] = [
        Self::ReaderDies,
        Self::Delay,
        Self::ReaderHangs,
        Self::Kills,
        Self::WriterDies,
        Self::ReaderLags,
        Self::Cut,
        Self::WriterHangs,
        Self::ReadersRestart,
        Self::SwitchOver,
        Self::Restart,
        Self::Crash,
        Self::Upgrade,
        Self::Storm,
        Self::Rolling,
    ];

    /// One of each kind, of those that take little time.
    pub(crate) const SHORT: [Self; 9] = [
        Self::ReaderDies,
        Self::Upgrade,
        Self::ReaderHangs,
        Self::Kills,
        Self::Storm,
        Self::WriterDies,
        Self::Cut,
        Self::Crash,
        Self::SwitchOver,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReaderDies => "a reader dies (SIGKILL)",
            Self::ReaderHangs => "a reader hangs (SIGSTOP)",
            Self::ReaderLags => "a reader's applier stops",
            Self::ReadersRestart => "the readers are restarted in turn",
            Self::WriterDies => WRITER_DIES,
            Self::WriterHangs => WRITER_HANGS,
            Self::Cut => CUT,
            Self::Delay => "the network is slow",
            Self::Kills => "sessions are killed",
            Self::SwitchOver => SWITCH_OVER,
            Self::Restart => RESTART,
            Self::Crash => CRASH,
            Self::Upgrade => "Tidegate hands over to another process",
            Self::Storm => "Tidegate reads other configurations",
            Self::Rolling => ROLLING,
        }
    }
}

const WRITER_DIES: &str = "the writer dies (SIGKILL)";
const WRITER_HANGS: &str = "the writer hangs (SIGSTOP)";
const CUT: &str = "the network is cut";
const SWITCH_OVER: &str = "another server becomes the writer, and back";
const RESTART: &str = "Tidegate is restarted (SIGTERM)";
const CRASH: &str = "Tidegate dies (SIGKILL)";
const ROLLING: &str = "everything is restarted in turn";

/// May a read fail while this goes on? With the writer gone nobody can tell what was seen there.
pub(crate) fn takes_the_writer(fault: &str) -> bool {
    [WRITER_DIES, WRITER_HANGS, CUT, ROLLING].contains(&fault)
}

/// May connections be lost while this goes on? Only where the process that has them is.
pub(crate) fn takes_tidegate(fault: &str) -> bool {
    [RESTART, CRASH, ROLLING].contains(&fault)
}

/// Does one thing, and waits until all is well again as far as Tidegate knows.
pub(crate) async fn play(
    fault: Fault,
    lab: &Cluster,
    network: &Network,
    front: &mut Front,
    tally: &Tally,
    chance: &mut StdRng,
) {
    tally.begins(fault.name());
    let reader = lab.readers().choose(chance).expect("a reader");
    match fault {
        Fault::ReaderDies => revive(reader, chance).await,
        Fault::ReaderHangs => hang(reader, Duration::from_millis(3500)).await,
        Fault::ReaderLags => {
            reader.stop_applier().await.unwrap();
            sleep(Duration::from_millis(1500)).await;
            reader.start_applier().await.unwrap();
        }
        Fault::ReadersRestart => {
            for reader in lab.readers() {
                revive(reader, chance).await;
                front.all_up().await;
            }
        }
        Fault::WriterDies => revive(lab.writer(), chance).await,
        Fault::WriterHangs => hang(lab.writer(), Duration::from_millis(3500)).await,
        Fault::Cut => {
            for _ in 0..4 {
                network.cut(chance).await;
                sleep(Duration::from_millis(chance.random_range(10..200))).await;
            }
        }
        Fault::Delay => {
            network.slow(Duration::from_millis(chance.random_range(5..40)));
            sleep(Duration::from_secs(2)).await;
            network.slow(Duration::ZERO);
        }
        Fault::Kills => {
            for _ in 0..10 {
                kill_a_session(reader, chance).await;
                kill_a_session(lab.writer(), chance).await;
                sleep(Duration::from_millis(50)).await;
            }
        }
        Fault::SwitchOver => {
            for (from, to) in [(lab.writer(), reader), (reader, lab.writer())] {
                lab.switch_over(from, to).await.unwrap();
                sleep(Duration::from_millis(300)).await;
            }
        }
        Fault::Restart => front.restart().await,
        Fault::Crash => front.crash().await,
        Fault::Upgrade => front.upgrade().await,
        Fault::Storm => front.storm().await,
        Fault::Rolling => {
            for backend in lab.readers().iter().chain([lab.writer()]) {
                backend.restart().await.unwrap();
                front.all_up().await;
            }
            front.restart().await;
        }
    }
    front.all_up().await;
    assert!(lab.settle(LIMIT).await.unwrap(), "{fault:?}: replication");
    // What it has caused is counted with it.
    sleep(Duration::from_millis(700)).await;
}

async fn revive(instance: &Instance, chance: &mut StdRng) {
    instance.kill9().await.unwrap();
    sleep(Duration::from_millis(chance.random_range(0..700))).await;
    instance.restart().await.unwrap();
}

async fn hang(instance: &Instance, length: Duration) {
    instance.pause().await.unwrap();
    sleep(length).await;
    instance.resume().await.unwrap();
}

async fn kill_a_session(instance: &Instance, chance: &mut StdRng) {
    let sql = "SELECT id FROM information_schema.processlist \
               WHERE user IN ('app', 'witness') ORDER BY command <> 'Query' LIMIT 4";
    let mut conn = instance.conn().await.unwrap();
    let ids: Vec<u64> = mysql_async::prelude::Queryable::query(&mut conn, sql)
        .await
        .unwrap();
    if let Some(id) = ids.choose(chance) {
        // It may be gone by now.
        let kill = format!("KILL {id}");
        let _ = mysql_async::prelude::Queryable::query_drop(&mut conn, kill).await;
    }
}
