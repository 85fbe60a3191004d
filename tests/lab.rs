//! The lab itself, on real servers.

#![cfg(test)]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::command::{self, DownOptions, Record, UpOptions};
use tidegate::lab::{APP, APP_SCHEMA, Cluster, Flavour, Instance, MONITOR};

const LIMIT: Duration = Duration::from_secs(20);

/// The command lines of all processes that have this text in theirs.
fn processes_with(text: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let lines = pids.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(text)).collect()
}

async fn count(instance: &Instance, table: &str) -> Option<u64> {
    let row = instance
        .row(&format!("SELECT COUNT(*) FROM {table}"))
        .await
        .ok()?;
    row.and_then(|mut row| row.take(0))
}

async fn await_count(instance: &Instance, table: &str, expected: u64) {
    let since = Instant::now();
    while count(instance, table).await != Some(expected) {
        assert!(
            since.elapsed() < LIMIT,
            "{}: {}",
            instance.name(),
            instance.log_tail(20)
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_row_arrives_on_each_reader_after_the_delay_that_is_set() {
    let lab = support::lab().await;
    assert_eq!(lab.readers().len(), support::DELAYS.len());
    let table = "app.arrival";
    lab.writer()
        .execute([format!("CREATE TABLE {table} (id INT PRIMARY KEY)")])
        .await
        .unwrap();
    assert!(lab.settle(LIMIT).await.unwrap());
    lab.writer()
        .execute([format!("INSERT INTO {table} VALUES (1)")])
        .await
        .unwrap();
    for reader in lab.readers() {
        assert_eq!(
            count(reader, table).await,
            Some(0),
            "{} is early",
            reader.name()
        );
    }
    for (reader, delay) in lab.readers().iter().zip(support::DELAYS) {
        assert_eq!(reader.delay().await.unwrap(), delay);
        await_count(reader, table, 1).await;
    }
}

#[tokio::test]
async fn a_stopped_applier_holds_rows_back_until_it_is_started() {
    let lab = support::lab_alone().await;
    let (held, other) = (&lab.readers()[0], &lab.readers()[1]);
    other.set_delay(0).await.unwrap();
    held.set_delay(0).await.unwrap();
    let table = "app.held";
    lab.writer()
        .execute([format!("CREATE TABLE {table} (id INT PRIMARY KEY)")])
        .await
        .unwrap();
    assert!(lab.settle(LIMIT).await.unwrap());

    held.stop_applier().await.unwrap();
    lab.writer()
        .execute([format!("INSERT INTO {table} VALUES (1)")])
        .await
        .unwrap();
    await_count(other, table, 1).await;
    let executed = lab.writer().executed().await.unwrap();
    let reached = held
        .wait_executed(&executed, Duration::from_millis(300))
        .await
        .unwrap();
    assert!(!reached && count(held, table).await == Some(0));

    held.start_applier().await.unwrap();
    await_count(held, table, 1).await;
}

#[tokio::test]
async fn a_killed_reader_comes_back_on_its_port_and_catches_up() {
    let lab = support::lab_alone().await;
    let reader = &lab.readers()[0];
    let (port, pid) = (reader.port(), reader.pid().await.unwrap());
    reader.kill9().await.unwrap();
    assert_eq!(reader.pid().await, None);
    assert!(reader.conn().await.is_err());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    lab.writer()
        .execute(["CREATE TABLE app.killed (id INT PRIMARY KEY)"])
        .await
        .unwrap();
    reader.restart().await.unwrap();
    assert_eq!(reader.port(), port);
    assert!(lab.settle(LIMIT).await.unwrap());
}

#[tokio::test]
async fn a_paused_reader_answers_nothing_until_it_is_resumed() {
    let lab = support::lab_alone().await;
    let reader = &lab.readers()[1];
    let mut conn = reader.conn().await.unwrap();
    reader.pause().await.unwrap();
    let mut answer = Box::pin(conn.query_first::<u8, _>("SELECT 1"));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut answer)
            .await
            .is_err()
    );
    reader.resume().await.unwrap();
    assert_eq!(
        tokio::time::timeout(LIMIT, answer).await.unwrap().unwrap(),
        Some(1)
    );
}

#[tokio::test]
async fn readers_refuse_writes_and_the_writer_takes_them() {
    let lab = support::lab().await;
    let create = "CREATE DATABASE test_refused";
    for reader in lab.readers() {
        let mut app = Conn::new(reader.opts(APP)).await.unwrap();
        let error = app.query_drop(create).await.unwrap_err().to_string();
        assert!(error.contains("read-only"), "{error}");
        // MariaDB has nothing that binds root.
        if support::flavour() == Flavour::MySql {
            let error = reader.execute([create]).await.unwrap_err().to_string();
            assert!(error.contains("super-read-only"), "{error}");
        }
    }
    lab.writer().execute([create]).await.unwrap();
}

#[tokio::test]
async fn the_accounts_can_do_their_work_and_no_more() {
    let lab = support::lab().await;
    for instance in lab.instances() {
        let mut monitor = Conn::new(instance.opts(MONITOR)).await.unwrap();
        let mode = match support::flavour() {
            Flavour::MySql => "SELECT @@gtid_mode = 'ON'",
            Flavour::MariaDb => "SELECT @@gtid_strict_mode",
        };
        assert_eq!(monitor.query_first(mode).await.unwrap(), Some(1));
        monitor.query_drop("SHOW REPLICA STATUS").await.unwrap();
        assert!(
            monitor
                .query_drop(format!("USE {APP_SCHEMA}"))
                .await
                .is_err()
        );
    }
    let mut app = Conn::new(lab.writer().opts(APP)).await.unwrap();
    for statement in [
        "CREATE TABLE app.mine (id INT)",
        "CREATE FUNCTION app.one() RETURNS INT NO SQL RETURN 1",
        "CREATE DATABASE test_mine",
        "CREATE TABLE test_mine.t (id INT)",
    ] {
        app.query_drop(statement).await.unwrap();
    }
    assert!(app.query_drop("SELECT * FROM mysql.user").await.is_err());
}

#[tokio::test]
async fn the_printed_client_line_works_as_it_stands() {
    let lab = support::lab().await;
    // A server of the user's own may come without a client.
    let Some(line) = lab.mysql_line(lab.writer().port()) else {
        return;
    };
    let output = tokio::process::Command::new("sh")
        .args([
            "-c",
            &format!("{line} --batch --skip-column-names --execute='SELECT 6 * 7'"),
        ])
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "42\n",
        "{output:?}"
    );
}

#[tokio::test]
async fn a_dropped_cluster_leaves_no_process_and_no_directory() {
    let cluster = Cluster::start(support::options([0])).await.unwrap();
    let directory = cluster.directory().to_owned();
    let name = directory.to_str().unwrap().to_owned();
    assert_ne!(processes_with(&name), [""; 0]);
    assert!(directory.is_dir());
    drop(cluster);
    assert_eq!(processes_with(&name), [""; 0]);
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_long_directory_works_and_takes_its_sockets_with_it() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("d".repeat(120));
    let mut options = support::options([]);
    options.directory = Some(directory.clone());
    let cluster = Cluster::start(options).await.unwrap();
    let sockets = cluster.writer().socket().parent().unwrap().to_owned();
    assert!(cluster.writer().socket().exists() && !sockets.starts_with(&directory));
    cluster.stop().await;
    assert!(!sockets.exists() && !directory.exists());
}

#[tokio::test]
async fn a_mysqld_that_does_not_come_up_is_reported_with_its_log_and_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("lab");
    let mut options = support::options([]);
    options.directory = Some(directory.clone());
    options.mysqld_args = vec!["--no-such-option".to_owned()];
    let error = Cluster::start(options).await.unwrap_err().to_string();
    assert!(
        error.starts_with("writer did not start: exit status: "),
        "{error}"
    );
    assert!(
        error.contains("unknown option '--no-such-option'"),
        "{error}"
    );
    assert!(!directory.exists());
}

#[tokio::test]
async fn up_starts_what_outlives_it_and_down_ends_it() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("lab");
    let up = UpOptions {
        flavour: support::flavour(),
        readers: Some(1),
        delays: Vec::new(),
        directory: directory.clone(),
        mysqld: None,
    };
    let down = DownOptions {
        directory: directory.clone(),
    };
    command::up(up.clone()).await.unwrap();
    let record = Record::read(&directory).unwrap().unwrap();
    assert_eq!(
        record
            .readers
            .iter()
            .map(|r| r.delay_secs)
            .collect::<Vec<_>>(),
        [1]
    );
    for pid in record.instances().map(|instance| instance.pid) {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(line.contains(directory.to_str().unwrap()), "{line}");
    }
    for instance in record.instances() {
        let url = format!("mysql://root@{}", instance.address);
        Conn::from_url(url)
            .await
            .unwrap()
            .disconnect()
            .await
            .unwrap();
    }

    let error = command::up(up).await.unwrap_err().to_string();
    assert!(error.contains("a lab is up here already"), "{error}");

    command::down(down.clone()).await.unwrap();
    assert_eq!(processes_with(directory.to_str().unwrap()), [""; 0]);
    assert!(!directory.exists());
    assert!(command::down(down).await.is_err());
}
