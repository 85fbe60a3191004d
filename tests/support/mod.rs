//! What integration tests share: one cluster for each test program, started by the first test that
//! asks for it. It ends with the program.

#![cfg(test)]
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidegate::lab::{Cluster, Options};
use tokio::runtime::Builder;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard, oneshot};

/// How far the shared readers stay behind, in seconds.
pub(crate) const DELAYS: [u32; 2] = [1, 2];

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static TURN: RwLock<()> = RwLock::const_new(());
/// Set while a test has the cluster to itself: what it has done to it is mended before the next.
static TOUCHED: AtomicBool = AtomicBool::new(false);

/// The shared cluster, together with other tests. Use schemas or tables of your own, and leave
/// replication and the processes as they are.
pub(crate) async fn lab() -> Shared {
    loop {
        let turn = TURN.read().await;
        if !TOUCHED.load(Ordering::Acquire) {
            let cluster = cluster().await;
            return Shared {
                cluster,
                _turn: turn,
            };
        }
        drop(turn);
        drop(alone().await);
    }
}

/// The shared cluster for one test alone, which may stop, kill and pause what it likes.
pub(crate) async fn lab_alone() -> Alone {
    let alone = alone().await;
    TOUCHED.store(true, Ordering::Release);
    alone
}

/// See [`lab`].
pub(crate) struct Shared {
    cluster: &'static Cluster,
    _turn: RwLockReadGuard<'static, ()>,
}

/// See [`lab_alone`].
pub(crate) struct Alone {
    cluster: &'static Cluster,
    _turn: RwLockWriteGuard<'static, ()>,
}

impl Deref for Shared {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

impl Deref for Alone {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

async fn alone() -> Alone {
    let turn = TURN.write().await;
    let cluster = cluster().await;
    let alone = Alone {
        cluster,
        _turn: turn,
    };
    if TOUCHED.load(Ordering::Acquire) {
        mend(&alone).await;
        TOUCHED.store(false, Ordering::Release);
    }
    alone
}

/// The cluster lives on a runtime of its own, since each test's runtime ends with the test.
async fn cluster() -> &'static Cluster {
    let start = || async {
        let (tell, started) = oneshot::channel();
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let cluster = Cluster::start(Options::with_delays(DELAYS)).await;
                let _ = tell.send(cluster);
                std::future::pending::<()>().await;
            });
        });
        match started.await.expect("the lab's thread is gone") {
            Ok(cluster) => cluster,
            Err(error) => panic!("no lab: {error}"),
        }
    };
    CLUSTER.get_or_init(start).await
}

async fn mend(cluster: &Cluster) {
    for instance in cluster.instances() {
        match instance.pid().await {
            Some(_) => instance.resume().await.unwrap(),
            None => instance.restart().await.unwrap(),
        }
    }
    for (reader, delay) in cluster.readers().iter().zip(DELAYS) {
        reader.set_delay(delay).await.unwrap();
    }
}
