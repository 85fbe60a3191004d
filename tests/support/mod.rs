//! What integration tests share: one cluster for each test program, started by the first test that
//! asks for it. It ends with the program.

#![cfg(test)]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::env;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mysql_async::OptsBuilder;
use tidegate::lab::{APP, APP_SCHEMA, Cluster, Flavour, Instance, Options};
use tidegate::routing::Role;
use tokio::runtime::Builder;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard, oneshot};

/// How far the shared readers stay behind, in seconds.
pub(crate) const DELAYS: [u32; 2] = [1, 2];

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static TURN: RwLock<()> = RwLock::const_new(());
/// Set while a test has the cluster to itself: what it has done to it is mended before the next.
static TOUCHED: AtomicBool = AtomicBool::new(false);

/// How the application logs in where a Tidegate listens.
pub(crate) fn application(port: u16) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(APP.user))
        .pass(Some(APP.password))
        .prefer_socket(false)
        .db_name(Some(APP_SCHEMA))
}

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

impl Alone {
    /// The cluster, for tasks that end before the turn does.
    #[allow(dead_code, reason = "each test program uses its own part of this")]
    pub(crate) fn cluster(&self) -> &'static Cluster {
        self.cluster
    }
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

/// Whose servers the tests of this run use: MySQL's, unless `TIDEGATE_FLAVOUR` says `mariadb`.
pub(crate) fn flavour() -> Flavour {
    match env::var("TIDEGATE_FLAVOUR").as_deref() {
        Err(_) | Ok("") | Ok("mysql") => Flavour::MySql,
        Ok("mariadb") => Flavour::MariaDb,
        Ok(other) => panic!("TIDEGATE_FLAVOUR={other}: mysql and mariadb are known"),
    }
}

/// Whether a test can't be played on the servers of this run, and says why.
pub(crate) fn skips(only: Flavour, why: &str) -> bool {
    let skips = flavour() != only;
    if skips {
        println!("skipped: {why}");
    }
    skips
}

/// A cluster of that flavour, with readers that stay behind by these numbers of seconds.
pub(crate) fn options(delays: impl IntoIterator<Item = u32>) -> Options {
    Options {
        flavour: flavour(),
        ..Options::with_delays(delays)
    }
}

/// Lets acknowledgements be held on an instance, if it is the writer. It stays so for the next test.
pub(crate) async fn allow_semi_sync(instance: &Instance) {
    let statements: &[&str] = match flavour() {
        Flavour::MySql => {
            let installed = "SELECT COUNT(*) FROM information_schema.plugins \
                             WHERE plugin_name = 'rpl_semi_sync_source'";
            let row = instance.row(installed).await.unwrap();
            if row.and_then(|mut row| row.take::<u64, _>(0)) != Some(0) {
                return;
            }
            &[
                "SET sql_log_bin = 0",
                "SET @was = @@global.super_read_only",
                "SET GLOBAL super_read_only = OFF",
                "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
                "SET GLOBAL super_read_only = @was",
                "SET GLOBAL rpl_semi_sync_source_timeout = 60000",
            ]
        }
        Flavour::MariaDb => &[
            "SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC",
            "SET GLOBAL rpl_semi_sync_master_timeout = 60000",
        ],
    };
    instance.execute(statements).await.unwrap();
}

/// Lets the writer wait for acknowledgements, which no reader of a lab sends, before it shows what
/// it has committed, or no longer.
pub(crate) async fn hold_acknowledgements(writer: &Instance, hold: bool) {
    let which = match flavour() {
        Flavour::MySql => "source",
        Flavour::MariaDb => "master",
    };
    let switch = format!("SET GLOBAL rpl_semi_sync_{which}_enabled = {hold}");
    writer.execute([switch]).await.unwrap();
}

/// Has each instance hold its own name in `app.whoami`.
pub(crate) async fn name_backends(lab: &Cluster) {
    let read_only = flavour().read_only_variable();
    for (instance, name) in lab.instances().zip(["w1", "r1", "r2"]) {
        let statements = [
            "SET sql_log_bin = 0",
            &format!("SET @was = @@global.{read_only}"),
            &format!("SET GLOBAL {read_only} = OFF"),
            "CREATE TABLE IF NOT EXISTS app.whoami (id INT PRIMARY KEY, name VARCHAR(9))",
            &format!("REPLACE INTO app.whoami VALUES (1, '{name}')"),
            &format!("SET GLOBAL {read_only} = @was"),
        ];
        instance.execute(statements).await.unwrap();
    }
}

/// Copies a directory to where there is none.
pub(crate) async fn copy_tree(from: &Path, to: &Path) {
    let copied = tokio::process::Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .args([from, to])
        .status();
    assert!(copied.await.unwrap().success());
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
                let cluster = Cluster::start(options(DELAYS)).await;
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
    let mut promoted = cluster.readers().iter();
    if let Some(promoted) = promoted.find(|reader| reader.role() == Role::Writer) {
        let writer = cluster.writer();
        cluster.switch_over(promoted, writer).await.unwrap();
    }
    for (reader, delay) in cluster.readers().iter().zip(DELAYS) {
        reader.set_delay(delay).await.unwrap();
    }
}
