//! On a cluster of one's own.

use tidegate::lab::{APP, Cluster, Flavour, Instance, MONITOR};

use crate::SHORT;
use crate::play::{Bench, Found};
use crate::support;

/// The arguments that lead to a cluster.
fn to(lab: &Cluster) -> Vec<String> {
    let mut arguments = vec![
        format!("--writer={}", lab.writer().address()),
        format!("--user={}", APP.user),
        "--password-env=BENCH_PASSWORD".to_owned(),
        format!("--monitor-user={}", MONITOR.user),
        "--monitor-password-env=MONITOR_PASSWORD".to_owned(),
    ];
    let readers = lab.readers().iter();
    arguments.extend(readers.map(|reader| format!("--reader={}", reader.address())));
    arguments
}

fn start(lab: &Cluster, more: &[&str]) -> Bench {
    let to = to(lab);
    let to: Vec<_> = to.iter().map(String::as_str).collect();
    Bench::start(&[&SHORT[..], &to, more])
}

/// The tables of a schema; none without the schema.
async fn tables(writer: &Instance, schema: &str) -> Option<Vec<String>> {
    let there = format!("SHOW DATABASES LIKE '{schema}'");
    writer.row(&there).await.unwrap()?;
    let list = format!(
        "SELECT COALESCE(GROUP_CONCAT(table_name), '') FROM information_schema.tables \
         WHERE table_schema = '{schema}'"
    );
    let row = writer.row(&list).await.unwrap().unwrap();
    let names: String = row.get(0).unwrap();
    let names = names.split(',').filter(|name| !name.is_empty());
    Some(names.map(str::to_owned).collect())
}

#[tokio::test]
async fn its_schema_is_made_and_goes_again() {
    let lab = support::lab().await;
    let other = format!("--add=again={}", lab.writer().address());
    let arguments = [
        "--schema=test_own",
        "--yes",
        "--targets=direct,session,strong",
        other.as_str(),
        "--json=found.json",
        "--workload=web",
        "--pool=3",
        "--rounds=2",
    ];
    let (ended, left) = start(&lab, &arguments).end_keeping(&["found.json"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(left, [""; 0]);
    let found = Found::read(&ended);
    // Twice four: the lag is as it is.
    assert_eq!(found.slices(), 8);
    assert_eq!(found.cell(0, "strong")["old"], 0, "p1");
    let at_readers = &found.cell(0, "again")["at_readers"]["value"];
    assert!(at_readers.as_f64().unwrap() < 0.2, "{at_readers}");
    assert_eq!(tables(lab.writer(), "test_own").await, None);
}

#[tokio::test]
async fn interrupted_it_takes_its_schema_with_it() {
    let lab = support::lab().await;
    let arguments = [
        "--schema=test_stopped",
        "--yes",
        "--targets=direct",
        "--rounds=100",
    ];
    let mut bench = start(&lab, &arguments);
    bench.await_progress("bench: 1 of 100");
    assert!(tables(lab.writer(), "test_stopped").await.is_some());
    bench.signal("INT");
    let (ended, left) = bench.end_keeping(&[]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(left, [""; 0]);
    assert_eq!(tables(lab.writer(), "test_stopped").await, None);
}

#[tokio::test]
async fn it_asks_before_it_begins_and_leaves_alone_what_it_did_not_make() {
    let lab = support::lab().await;
    let statements = [
        "CREATE DATABASE test_mine",
        "CREATE TABLE test_mine.precious (id INT PRIMARY KEY)",
    ];
    lab.writer().execute(statements).await.unwrap();
    let arguments = ["--schema=test_mine", "--targets=direct"];
    let (ended, _) = start(&lab, &arguments).end_keeping(&[]);
    assert_eq!(ended.status.code(), Some(1));
    let told = ended.told();
    assert!(
        told.contains("which is there already") && told.contains("--yes"),
        "{told}"
    );
    let precious = Some(vec!["precious".to_owned()]);
    assert_eq!(tables(lab.writer(), "test_mine").await, precious);

    let arguments = [
        "--schema=test_mine",
        "--targets=direct",
        "--yes",
        "--rounds=1",
    ];
    let (ended, _) = start(&lab, &arguments).end_keeping(&[]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(tables(lab.writer(), "test_mine").await, precious);
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let lab = support::lab().await;
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let add = format!("--add=gone={address}");
    let arguments = [
        "--yes",
        "--targets=direct",
        "--schema=test_gone",
        add.as_str(),
    ];
    let (ended, left) = start(&lab, &arguments).end_keeping(&[]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(left, [""; 0]);
    let told = ended.told();
    assert!(told.contains(&format!("gone at {address}")), "{told}");
    assert_eq!(tables(lab.writer(), "test_gone").await, None);
}

#[tokio::test]
async fn a_cluster_without_gtids_is_told_from_one_with_them() {
    if support::skips(Flavour::MySql, "gtid_mode is MySQL's") {
        return;
    }
    let lab = Cluster::start(support::options([])).await.unwrap();
    let steps = ["ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"];
    let steps = steps.map(|mode| format!("SET GLOBAL gtid_mode = {mode}"));
    lab.writer().execute(steps).await.unwrap();
    let (ended, _) = start(&lab, &["--yes", "--targets=direct,session"]).end_keeping(&[]);
    assert_eq!(ended.status.code(), Some(1));
    let told = ended.told();
    assert!(told.contains("gtid_mode is OFF"), "{told}");
    assert!(told.contains("--targets direct,naive"), "{told}");
    // That way out leads out.
    let (ended, _) =
        start(&lab, &["--yes", "--targets=direct,naive", "--rounds=1"]).end_keeping(&[]);
    assert!(ended.status.success(), "{ended:?}");
    lab.stop().await;
}
