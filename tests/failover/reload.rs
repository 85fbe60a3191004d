//! Roles by configuration, and a configuration that names another writer.

use std::fs;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::Cluster;

use crate::process::{Process, configuration};
use crate::stage::{LIMIT, Stage, number, served_by, until_served_by, until_written, write};

/// Has the configuration name this backend as the writer, and the process read it.
async fn name_writer(process: &Process, lab: &Cluster, writer: &str, times: usize) {
    let text = configuration(lab, (process.port, process.http), 2, MORE);
    let text = text.replace("role = \"writer\"", "role = \"reader\"");
    let (before, own) = text.split_once(&format!("\"{writer}\"")).expect("it");
    let own = own.replacen("role = \"reader\"", "role = \"writer\"", 1);
    fs::write(process.config_path(), format!("{before}\"{writer}\"{own}")).unwrap();
    process.signal("HUP").await;
    let says = "the configuration was taken up";
    process.until_log_says(says, times).await;
}

const MORE: &str = "[consistency]\nscope = \"user\"\n[failover]\nhold = \"0s\"\n";

/// So many rows are seen, also on readers.
async fn sees(conn: &mut Conn, rows: u64) {
    for _ in 0..10 {
        let count: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM app.kept, app.whoami")
            .await
            .unwrap();
        assert_eq!(count, Some(rows));
    }
}

#[tokio::test]
async fn p1_p5_sessions_follow_a_configuration_that_names_another_writer_and_back() {
    let lab = Stage::lab(2).await;
    let process = Process::start(&lab, MORE).await;
    let mut conn = process.client().await.unwrap();
    let mut idle = process.client().await.unwrap();
    let mut inside = process.client().await.unwrap();
    let mut keeps = process.client().await.unwrap();
    until_written(&mut conn, "one").await;
    until_written(&mut idle, "two").await;
    let table = "CREATE TEMPORARY TABLE app.mine (id INT)";
    keeps.query_drop(table).await.unwrap();
    inside.query_drop("BEGIN").await.unwrap();
    number(&mut inside, &write("in vain")).await.unwrap();
    let (old, new) = (lab.writer(), &lab.readers()[0]);
    lab.switch_over(old, new).await.unwrap();

    // Others have moved the writer, and the configuration has not: nobody takes writes.
    assert!(number(&mut conn, &write("early")).await.is_err());
    name_writer(&process, &lab, "r1", 1).await;
    until_written(&mut conn, "three").await;
    sees(&mut conn, 3).await;
    until_written(&mut idle, "four").await;
    sees(&mut idle, 4).await;
    let lost = number(&mut inside, "COMMIT").await;
    assert_eq!(lost, Err(1213), "a transaction that drivers run again");
    sees(&mut inside, 4).await;
    let lost = keeps.query_drop("INSERT INTO app.mine VALUES (1)").await;
    assert!(lost.is_err(), "its table is on the old writer alone");
    // The one of before is a reader like others.
    let mut others = Vec::new();
    let mut fresh = process.client().await.unwrap();
    while served_by(&mut fresh).await != "w1" {
        // They stay: whoever comes goes to the reader with fewer sessions, and that may be the other
        // one for good if they left.
        others.push(fresh);
        fresh = process.client().await.unwrap();
    }
    sees(&mut fresh, 4).await;
    lab.readers()[1].kill9().await.unwrap();
    until_served_by(&mut conn, "w1").await;
    lab.readers()[1].restart().await.unwrap();

    lab.switch_over(new, old).await.unwrap();
    name_writer(&process, &lab, "w1", 2).await;
    until_written(&mut conn, "five").await;
    sees(&mut conn, 5).await;
    assert!(lab.settle(LIMIT).await.unwrap());
    for (what, times) in [("early", 0), ("in vain", 0), ("three", 1), ("five", 1)] {
        let question = format!("SELECT COUNT(*) FROM app.kept WHERE what = '{what}'");
        let row = old.row(&question).await.unwrap();
        assert_eq!(row.and_then(|row| row.get(0)), Some(times), "{what}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn p5_one_that_is_named_the_writer_and_takes_no_writes_gets_none_and_nobody_else_either() {
    let lab = Stage::lab(2).await;
    let process = Process::start(&lab, MORE).await;
    let mut conn = process.client().await.unwrap();
    until_written(&mut conn, "one").await;
    name_writer(&process, &lab, "r1", 1).await;
    // The one of before would still take them.
    for _ in 0..20 {
        assert_eq!(number(&mut conn, &write("astray")).await, Err(1836));
    }
    // Reads go on, of those that do not have to ask the writer first.
    let mut fresh = process.client().await.unwrap();
    let read = "SELECT name FROM app.whoami /* tidegate: level=eventual */";
    fresh.query_drop(read).await.unwrap();
    name_writer(&process, &lab, "w1", 2).await;
    until_written(&mut conn, "two").await;
    sees(&mut conn, 2).await;
    lab.stop().await;
}
