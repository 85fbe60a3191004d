//! Reads that wait for a reader or for room at the writer, and what ends their wait.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tidegate::config::Config;
use tidegate::routing::OnTimeout;
use tidegate::session::Registry;
use tokio::task::JoinSet;

use crate::stage::{LIMIT, SHED, Stage, WRITER, on_a_reader, readers_again, reads_until};

const READ: &str = "SELECT v FROM app.waited WHERE id = 1";

/// The readers stand still, and this session has written what they lack.
async fn behind(stage: &Stage) -> Conn {
    let create = "CREATE TABLE app.waited (id INT PRIMARY KEY, v VARCHAR(20))";
    let drop = "DROP TABLE IF EXISTS app.waited";
    stage
        .prepare([drop, create, "INSERT INTO app.waited VALUES (1, 'old')"])
        .await;
    stage.freeze().await;
    let mut conn = stage.client().await;
    conn.query_drop("UPDATE app.waited SET v = 'new'")
        .await
        .unwrap();
    conn
}

async fn read(conn: &mut Conn, sql: &str) -> Result<Option<String>, u16> {
    match conn.query_first(sql).await {
        Ok(row) => Ok(row),
        Err(Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[tokio::test]
async fn p9_reads_beyond_the_limit_at_the_writer_wait_and_are_then_shed() {
    let few = |reads, wait| {
        move |config: &mut Config| {
            config.session.fallback_reads = reads;
            config.session.policy.wait = Duration::from_millis(wait);
        }
    };
    let stage = Stage::with(few(0, 20)).await;
    let mut conn = behind(&stage).await;
    assert_eq!(read(&mut conn, READ).await, Err(SHED));
    // What belongs on the writer is none of these reads.
    let locking = format!("{READ} LOCK IN SHARE MODE");
    assert_eq!(read(&mut conn, &locking).await, Ok(Some("new".to_owned())));
    let at_writer = format!("{READ} /* tidegate: level=writer */");
    assert_eq!(
        read(&mut conn, &at_writer).await,
        Ok(Some("new".to_owned()))
    );
    let refused = stage.running.metrics.render();
    assert!(refused.contains("reason=\"refused_shed\"} 1"), "{refused}");
    stage.thaw().await;
    readers_again(&mut conn, "shedding").await;
    stage.end().await;
}

#[tokio::test]
async fn p9_a_read_that_finds_no_room_at_the_writer_gets_the_next_that_is_free() {
    let stage = Stage::with(|config| {
        config.session.fallback_reads = 1;
        config.session.policy.wait = Duration::from_secs(20);
        config.session.policy.max_lag = Duration::from_millis(500);
    })
    .await;
    let mut conn = behind(&stage).await;
    let mut slow = stage.client().await;
    // From now on no reader is close enough to be waited for.
    reads_until(&mut slow, "the lag", |name| name == WRITER).await;
    let sleeping = format!("{READ} AND SLEEP(0.5) = 0");
    let (first, second) = tokio::join!(read(&mut slow, &sleeping), read(&mut conn, READ));
    assert_eq!(first, Ok(Some("new".to_owned())));
    assert_eq!(second, Ok(Some("new".to_owned())));
    stage.end().await;
}

#[tokio::test]
async fn p9_reads_that_waited_for_a_reader_do_not_fall_upon_it_all_at_once() {
    const READS: i64 = 150;
    const TURNS: u64 = 64;
    let stage = Stage::with(|config| {
        config.session.max_clients = 200;
        config.session.policy.wait = Duration::from_secs(60);
    })
    .await;
    let mut conn = behind(&stage).await;
    let token: Option<String> = conn.query_first("SELECT @tidegate_token").await.unwrap();
    let token = token.expect("it can be told");
    let mut reads = JoinSet::new();
    for _ in 0..READS {
        let mut conn = stage.client().await;
        conn.query_drop(format!("SET @tidegate_token = '{token}'"))
            .await
            .unwrap();
        let sleeping = format!("{READ} AND SLEEP(0.1) = 0");
        reads.spawn(async move { read(&mut conn, &sleeping).await });
    }
    let waiting = || {
        let metrics = &stage.running.metrics;
        metrics.waiting_reads(1).get() + metrics.waiting_reads(2).get()
    };
    let all_wait = async {
        while waiting() < READS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, all_wait)
        .await
        .expect("all wait");
    // On each reader, how many of them it runs.
    let mut most = 0;
    let (done, mut end) = tokio::sync::watch::channel(false);
    let looking = async {
        let running = "SELECT COUNT(*) FROM information_schema.processlist \
                       WHERE info LIKE '%SLEEP(0.1)%' AND id <> CONNECTION_ID()";
        let mut eyes = Vec::new();
        for reader in stage.lab.readers() {
            eyes.push(reader.conn().await.unwrap());
        }
        while !*end.borrow_and_update() {
            for eye in &mut eyes {
                let now: Option<u64> = eye.query_first(running).await.unwrap();
                most = most.max(now.unwrap_or_default());
            }
        }
    };
    let playing = async {
        stage.thaw().await;
        while let Some(read) = reads.join_next().await {
            assert_eq!(read.unwrap(), Ok(Some("new".to_owned())));
        }
        done.send_replace(true);
    };
    tokio::join!(playing, looking);
    assert!((2..=TURNS).contains(&most), "{most} at once");
    stage.end().await;
}

#[tokio::test]
async fn a_wait_ends_with_its_client_and_with_kill() {
    let stage = Stage::with(|config| {
        config.session.policy.wait = Duration::from_secs(60);
        config.session.policy.on_timeout = OnTimeout::Error;
    })
    .await;
    let mut conn = behind(&stage).await;
    let mut other = stage.client().await;
    on_a_reader(&mut other).await;
    let waiting = tokio::spawn(async move { conn.query_first::<String, _>(READ).await });
    let clients = || stage.running.metrics.client_connections().get();
    assert_eq!(clients(), 2);
    tokio::time::sleep(Duration::from_millis(100)).await;
    waiting.abort();
    let gone = async {
        while clients() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(
        tokio::time::timeout(LIMIT, gone).await.is_ok(),
        "it still waits"
    );
    let mut conn = stage.client().await;
    conn.query_drop("UPDATE app.waited SET v = 'newer'")
        .await
        .unwrap();
    let id = conn.id();
    assert!(Registry::is_client_id(u64::from(id)));
    let waiting = tokio::spawn(async move { conn.query_first::<String, _>(READ).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    other.query_drop(format!("KILL {id}")).await.unwrap();
    let ended = tokio::time::timeout(LIMIT, waiting).await;
    assert!(ended.expect("it ends").unwrap().is_err());
    stage.end().await;
}
