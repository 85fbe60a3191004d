//! Another program in place of the one that runs, and what systemd is told.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod process;
#[path = "consistency/stage.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod stage;
mod support;
mod wire;

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use process::{LIMIT, Process, connect, signal};

/// The process that the log says was handed over to, the last of so many.
async fn successor(process: &Process, times: usize) -> String {
    process.until_log_says(" handed over pid=", times).await;
    let log = process.log();
    let (_, pid) = log.rsplit_once(" handed over pid=").expect("a line");
    pid.split_whitespace().next().expect("a number").to_owned()
}

/// Ends a process that is no child of the test.
async fn end(process: &Process, pid: &str, times: usize) {
    signal(pid, "TERM").await;
    process.until_log_says(" drained", times).await;
}

/// Connects, writes, reads back and leaves, again and again.
async fn load(port: u16, id: u32, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    let mut value = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        value += 1;
        let mut conn = connect(port).await.expect("no connection is refused");
        let write = format!("UPDATE app.upgraded SET v = {value} WHERE id = {id}");
        conn.query_drop(write).await.expect("a write");
        let read = format!("SELECT v FROM app.upgraded WHERE id = {id}");
        let seen: Option<u64> = conn.query_first(read).await.expect("a read");
        assert_eq!(seen, Some(value), "p1: a stale read");
        conn.disconnect().await.expect("a farewell");
        done.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn no_client_is_refused_while_one_process_after_the_other_takes_over() {
    let lab = support::lab().await;
    lab.writer()
        .execute([
            "DROP TABLE IF EXISTS app.upgraded",
            "CREATE TABLE app.upgraded (id INT PRIMARY KEY, v BIGINT)",
            "INSERT INTO app.upgraded VALUES (0, 0), (1, 0), (2, 0), (3, 0)",
        ])
        .await
        .unwrap();
    let process = Process::start(&lab, "").await;
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for id in 0..4 {
        let load = load(process.port, id, Arc::clone(&stop), Arc::clone(&done));
        clients.push(tokio::spawn(load));
    }
    let more = async |count: u64| {
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < before + count {
            assert!(
                clients.iter().all(|client| !client.is_finished()),
                "a client has failed"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    more(20).await;
    process.signal("USR2").await;
    let mut pid = successor(&process, 1).await;
    for round in 2..=4 {
        // The one before has ended.
        process
            .until_log_says("the process before has ended", round - 1)
            .await;
        more(20).await;
        signal(&pid, "USR2").await;
        pid = successor(&process, round).await;
    }
    more(40).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client has failed");
    }
    println!(
        "4 upgrades under {} connections",
        done.load(Ordering::Relaxed)
    );
    end(&process, &pid, 5).await;
    assert!(
        connect(process.port).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn p1_accounts_see_what_they_wrote_through_the_other_process() {
    let stage = stage::Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.both",
            "CREATE TABLE app.both (v INT)",
        ])
        .await;
    let process = Process::start(&stage.lab, "[consistency]\nscope = \"user\"\n").await;
    let mut old = process.client().await.unwrap();
    // In a transaction, so that the drain leaves it alone.
    old.query_drop("BEGIN").await.unwrap();
    process.signal("USR2").await;
    let pid = successor(&process, 1).await;
    stage.freeze().await;
    let count = async |conn: &mut Conn| -> u32 {
        let count = conn.query_first("SELECT COUNT(*) FROM app.both").await;
        count.unwrap().unwrap()
    };
    let mut new = process.client().await.unwrap();
    assert_eq!(count(&mut new).await, 0);
    old.query_drop("INSERT INTO app.both VALUES (1)")
        .await
        .unwrap();
    old.query_drop("COMMIT").await.unwrap();
    assert_eq!(
        count(&mut new).await,
        1,
        "another connection, another process, one account"
    );
    drop(old);
    process
        .until_log_says("the process before has ended", 1)
        .await;
    assert_eq!(count(&mut new).await, 1);
    stage.thaw().await;
    new.disconnect().await.unwrap();
    end(&process, &pid, 2).await;
    stage.end().await;
}

#[tokio::test]
async fn a_program_that_can_not_start_takes_over_from_nobody() {
    let lab = support::lab().await;
    let mut process = Process::start(&lab, "").await;
    let mut conn = process.client().await.unwrap();
    std::fs::write(process.config_path(), "[listen]\naddress = 7\n").unwrap();
    process.signal("USR2").await;
    process
        .until_log_says("not handed over; this process goes on", 1)
        .await;
    conn.query_drop("SELECT 1").await.unwrap();
    process
        .client()
        .await
        .unwrap()
        .query_drop("SELECT 1")
        .await
        .unwrap();
    process.signal("TERM").await;
    let status = tokio::time::timeout(LIMIT, process.child.wait()).await;
    assert!(status.unwrap().unwrap().success());
}

#[tokio::test]
async fn systemd_hands_a_listener_over_and_is_told_what_goes_on() {
    let lab = support::lab().await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let told = || {
        let mut bytes = [0; 200];
        let length = manager.recv(&mut bytes).expect("a state");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    // A shell in systemd's place: descriptor 3 listens, and the process is the one that is named.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = directory.path().join("tidegate.toml");
    let text = process::configuration(&lab, (port, process::free_port()), 2, "");
    std::fs::write(&path, text).unwrap();
    let mut child = {
        let listener = socket2::SockRef::from(&listener).try_clone().unwrap();
        listener.set_cloexec(false).unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&listener);
        let script = format!(
            "exec 3<&{descriptor} {descriptor}<&-; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve --config \"$1\""
        );
        let child = tokio::process::Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_tidegate")])
            .arg(&path)
            .env("NOTIFY_SOCKET", &socket)
            .stderr(std::fs::File::create(directory.path().join("log")).unwrap())
            .kill_on_drop(true)
            .spawn();
        child.unwrap()
    };
    assert!(told().starts_with("READY=1\n"));
    let mut conn = connect(port).await.unwrap();
    conn.query_drop("SELECT 1").await.unwrap();
    let pid = child.id().unwrap().to_string();
    signal(&pid, "USR2").await;
    assert!(told().starts_with("READY=1\n"), "the next one is ready");
    let handed = told();
    let next = handed
        .strip_prefix("MAINPID=")
        .and_then(|it| it.split('\n').next());
    let next = next.expect("the next process is named").to_owned();
    assert_ne!(next, pid);
    let status = tokio::time::timeout(LIMIT, child.wait()).await;
    assert!(
        status.unwrap().unwrap().success(),
        "the one before ends by itself"
    );
    let mut conn = connect(port).await.unwrap();
    conn.query_drop("SELECT 1").await.unwrap();
    conn.disconnect().await.unwrap();
    signal(&next, "TERM").await;
    assert!(told().starts_with("STOPPING=1\n"));
}
