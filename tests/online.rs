//! `check --online` on a real cluster that was set up badly on purpose.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;
mod wire;

use std::process::Command;

use tidegate::backend::online::{self, Severity};
use tidegate::gtid::Set;
use tidegate::lab::{Cluster, Flavour, Instance, MONITOR};

/// A cluster whose readers have everything, since errant transactions are looked for.
async fn healthy() -> support::Alone {
    let lab = support::lab_alone().await;
    for reader in lab.readers() {
        reader.set_delay(0).await.unwrap();
    }
    lab
}

async fn lines(lab: &Cluster) -> Vec<String> {
    let findings = online::check(&wire::config(lab).backend).await;
    findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_lab_with_the_least_rights_for_its_monitor_has_nothing_to_mend() {
    let lab = healthy().await;
    let none: [&str; 0] = [];
    assert_eq!(lines(&lab).await, none);
}

#[tokio::test]
async fn what_weakens_a_promise_is_told_with_the_way_out() {
    if support::skips(Flavour::MySql, "MariaDB has a test of its own") {
        return;
    }
    let lab = healthy().await;
    let [first, second] = lab.readers() else {
        panic!("two readers");
    };
    let breaks = [
        "STOP REPLICA SQL_THREAD",
        "SET GLOBAL replica_preserve_commit_order = OFF",
        "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
        "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB = (nobody_misses_it)",
    ];
    first.execute(breaks).await.unwrap();
    let errant = [
        "SET GLOBAL super_read_only = OFF",
        "CREATE TABLE IF NOT EXISTS app.errant (id INT)",
    ];
    second.execute(errant).await.unwrap();
    let revoke = format!("REVOKE PROCESS ON *.* FROM '{}'@'%'", MONITOR.user);
    let not_replicated = ["SET sql_log_bin = 0", revoke.as_str()];
    lab.writer().execute(not_replicated).await.unwrap();
    let told = lines(&lab).await;

    let grant = format!("GRANT PROCESS ON *.* TO '{}'@'%'", MONITOR.user);
    let not_replicated = ["SET sql_log_bin = 0", grant.as_str()];
    lab.writer().execute(not_replicated).await.unwrap();
    let mends = [
        "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB = ()",
        "SET GLOBAL sql_mode = DEFAULT",
        "SET GLOBAL replica_preserve_commit_order = ON",
        "START REPLICA SQL_THREAD",
    ];
    first.execute(mends).await.unwrap();
    let mends = ["DROP TABLE app.errant", "SET GLOBAL super_read_only = ON"];
    second.execute(mends).await.unwrap();
    adopt_errant(&lab, second).await;

    for expected in [
        "fault: backend w1: the monitor's account lacks PROCESS",
        "fault: backend r1: filters leave transactions out (Replicate_Ignore_DB=nobody_misses_it)",
        "fault: backend r1: replica_preserve_commit_order is OFF",
        "warning: backend r1: its applier is stopped",
        "fault: backend r1: sql_mode is 'ANSI_QUOTES'",
        "warning: backend r2: super_read_only is OFF",
        "warning: backend r2: it has errant transactions",
    ] {
        let found = told
            .iter()
            .filter(|line| line.starts_with(expected))
            .count();
        assert_eq!(found, 1, "{expected}: {told:#?}");
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

/// Gives the writer empty transactions with the GTIDs of a reader's own.
async fn adopt_errant(lab: &Cluster, reader: &Instance) {
    let mut errant = Set::parse(&reader.executed().await.unwrap()).unwrap();
    errant.subtract(&Set::parse(&lab.writer().executed().await.unwrap()).unwrap());
    let (uuid, numbers) = errant
        .to_string()
        .split_once(':')
        .map(split)
        .expect("errant");
    let mut statements = Vec::new();
    for number in numbers {
        statements.push(format!("SET gtid_next = '{uuid}:{number}'"));
        statements.extend(["BEGIN", "COMMIT", "SET gtid_next = AUTOMATIC"].map(str::to_owned));
    }
    lab.writer().execute(statements).await.unwrap();
}

/// The numbers of one interval.
fn split((uuid, interval): (&str, &str)) -> (String, std::ops::RangeInclusive<u64>) {
    let (first, last) = interval.split_once('-').unwrap_or((interval, interval));
    (
        uuid.to_owned(),
        first.parse().unwrap()..=last.parse().unwrap(),
    )
}

#[tokio::test]
async fn what_weakens_a_promise_on_mariadb_is_told_with_the_way_out() {
    if support::skips(Flavour::MariaDb, "MySQL has a test of its own") {
        return;
    }
    let lab = healthy().await;
    let [first, second] = lab.readers() else {
        panic!("two readers");
    };
    let breaks = [
        "STOP REPLICA",
        "SET GLOBAL replicate_ignore_db = 'nobody_misses_it'",
        "START REPLICA IO_THREAD",
        "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
    ];
    first.execute(breaks).await.unwrap();
    let position = second.executed().await.unwrap();
    let errant = [
        "SET GLOBAL read_only = OFF",
        "CREATE TABLE app.errant (id INT)",
        "DROP TABLE app.errant",
    ];
    second.execute(errant).await.unwrap();
    let account = format!("'{}'@'%'", MONITOR.user);
    let revokes = [
        "SET sql_log_bin = 0".to_owned(),
        format!("REVOKE BINLOG MONITOR ON *.* FROM {account}"),
        "SET GLOBAL gtid_strict_mode = OFF".to_owned(),
    ];
    lab.writer().execute(revokes).await.unwrap();
    let told = lines(&lab).await;
    let (running, _) = wire::proxy(wire::config(&lab)).await;
    let counted = async {
        while running.metrics.errant_gtids(2).get() != 1 {
            tokio::task::yield_now().await;
        }
    };

    let grants = [
        "SET sql_log_bin = 0".to_owned(),
        format!("GRANT BINLOG MONITOR ON *.* TO {account}"),
        "SET GLOBAL gtid_strict_mode = ON".to_owned(),
    ];
    lab.writer().execute(grants).await.unwrap();
    let shown = tokio::time::timeout(std::time::Duration::from_secs(30), counted).await;
    running.drain().await;
    let mends = [
        "STOP REPLICA",
        "SET GLOBAL replicate_ignore_db = ''",
        "SET GLOBAL sql_mode = DEFAULT",
        "START REPLICA",
    ];
    first.execute(mends).await.unwrap();
    let mends = [
        "STOP REPLICA",
        "RESET MASTER",
        &format!("SET GLOBAL gtid_slave_pos = '{position}'"),
        "SET GLOBAL read_only = ON",
        "START REPLICA",
    ];
    second.execute(mends).await.unwrap();
    for expected in [
        "fault: backend w1: the monitor's account lacks BINLOG MONITOR",
        "fault: backend w1: gtid_strict_mode is OFF",
        "fault: backend r1: filters leave transactions out (Replicate_Ignore_DB=nobody_misses_it)",
        "warning: backend r1: its applier is stopped",
        "fault: backend r1: sql_mode is 'ANSI_QUOTES'",
        "warning: backend r2: read_only is OFF",
        "warning: backend r2: it has errant transactions",
    ] {
        let found = told
            .iter()
            .filter(|line| line.starts_with(expected))
            .count();
        assert_eq!(found, 1, "{expected}: {told:#?}");
    }
    assert_eq!(told.len(), 7, "{told:#?}");
    assert!(shown.is_ok(), "the errant ones are counted");
}

#[tokio::test]
async fn errant_transactions_of_a_reader_are_counted() {
    if support::skips(Flavour::MySql, "MariaDB has a test of its own") {
        return;
    }
    let lab = healthy().await;
    let reader = &lab.readers()[1];
    let errant = [
        "SET GLOBAL super_read_only = OFF",
        "CREATE TABLE app.counted_errant (id INT)",
        "DROP TABLE app.counted_errant",
        "SET GLOBAL super_read_only = ON",
    ];
    reader.execute(errant).await.unwrap();
    let (running, _) = wire::proxy(wire::config(&lab)).await;
    let counted = async {
        while running.metrics.errant_gtids(2).get() != 2 {
            tokio::task::yield_now().await;
        }
    };
    let shown = tokio::time::timeout(std::time::Duration::from_secs(30), counted).await;
    adopt_errant(&lab, reader).await;
    assert!(shown.is_ok(), "{}", running.metrics.errant_gtids(2).get());
    assert_eq!(running.metrics.errant_gtids(1).get(), 0);
    running.drain().await;
}

#[tokio::test]
async fn a_backend_that_is_gone_is_a_fault_and_the_others_are_asked_all_the_same() {
    let lab = support::lab_alone().await;
    lab.readers()[1].kill9().await.unwrap();
    let findings = online::check(&wire::config(&lab).backend).await;
    let gone: Vec<_> = findings.iter().filter(|it| it.backend == "r2").collect();
    assert_eq!(gone.len(), 1, "{findings:#?}");
    assert_eq!(gone[0].severity, Severity::Fault);
    assert!(gone[0].found.starts_with("it can't be asked"));
}

#[tokio::test]
async fn the_command_line_tells_it_and_its_exit_code_says_whether_a_promise_is_broken() {
    let lab = healthy().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidegate.toml");
    let mut text = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[monitor]\nuser = \"{}\"\npassword = \"{}\"\n",
        MONITOR.user, MONITOR.password
    );
    let names = [("w1", "writer"), ("r1", "reader"), ("r2", "reader")];
    for (instance, (name, role)) in lab.instances().zip(names) {
        let port = instance.port();
        text.push_str(&format!(
            "[[backend]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nrole = \"{role}\"\n"
        ));
    }
    std::fs::write(&file, text).unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["check", "--online", "--config"]).arg(&file);
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = run();
    assert_eq!(code, Some(0), "{text}");
    lab.readers()[0]
        .execute(["SET GLOBAL sql_mode = ''"])
        .await
        .unwrap();
    let (code, text) = run();
    lab.readers()[0]
        .execute(["SET GLOBAL sql_mode = DEFAULT"])
        .await
        .unwrap();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("fault: backend r1: sql_mode is ''"), "{text}");
}
