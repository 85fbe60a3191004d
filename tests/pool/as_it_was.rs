//! A session goes on where another one was, without a word to the backend if nothing differs.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tidegate::lab::{APP, Flavour, Instance};
use tidegate::protocol::Command;
use tidegate::telemetry::Handover;

use crate::stage::{Stage, on_a_reader};
use crate::wire::compare::texts;
use crate::wire::{Client, MODERN};
use crate::{lending, support};

/// How many connections the backends have had change hands in this way.
fn handed(stage: &Stage, outcome: Handover) -> u64 {
    let count = |backend| stage.running.metrics.handovers(backend, outcome).get();
    (0..3).map(count).sum()
}

async fn counted(instance: &Instance, name: &str) -> u64 {
    let sql = format!("SHOW GLOBAL STATUS LIKE '{name}'");
    let row = instance.row(&sql).await.unwrap().expect("a counter");
    row.get::<String, _>(1).unwrap().parse().unwrap()
}

/// The same at all backends.
async fn counted_everywhere(stage: &Stage, name: &str) -> u64 {
    let mut sum = counted(stage.lab.writer(), name).await;
    for reader in stage.lab.readers() {
        sum += counted(reader, name).await;
    }
    sum
}

async fn stage() -> Stage {
    let stage = Stage::with(lending(1)).await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.handed",
            "CREATE TABLE app.handed (id INT PRIMARY KEY AUTO_INCREMENT, v INT)",
            "INSERT INTO app.handed (v) VALUES (1), (2), (3)",
            "CREATE DATABASE IF NOT EXISTS test_pool_other",
        ])
        .await;
    stage
}

async fn one<T: mysql_async::prelude::FromValue>(conn: &mut Conn, sql: &str) -> T {
    let row: Option<Row> = conn.query_first(sql).await.expect(sql);
    row.expect(sql).take(0).expect(sql)
}

/// Two sessions that take turns, each on the connections that the other one has just had.
async fn pair(stage: &Stage) -> [Conn; 2] {
    let mut pair = [stage.client().await, stage.client().await];
    for _ in 0..3 {
        for conn in &mut pair {
            conn.query_drop("UPDATE app.handed SET v = v + 0 WHERE id = 1")
                .await
                .unwrap();
            on_a_reader(conn).await;
        }
    }
    pair
}

#[tokio::test]
async fn where_nothing_differs_nothing_is_sent() {
    let stage = stage().await;
    let mut pair = pair(&stage).await;
    let before = [
        handed(&stage, Handover::AsItWas),
        handed(&stage, Handover::Done),
    ];
    let set = counted_everywhere(&stage, "Com_set_option").await;
    const ROUNDS: u64 = 20;
    for _ in 0..ROUNDS {
        for conn in &mut pair {
            let sum: u64 = one(conn, "SELECT SUM(id) FROM app.handed").await;
            assert_eq!(sum, 6);
            conn.query_drop("UPDATE app.handed SET v = 5 WHERE id = 2")
                .await
                .unwrap();
        }
    }
    let as_it_was = handed(&stage, Handover::AsItWas) - before[0];
    assert!(as_it_was >= ROUNDS, "{as_it_was} times of {ROUNDS}");
    assert_eq!(handed(&stage, Handover::Done), before[1], "logged in again");
    let set = counted_everywhere(&stage, "Com_set_option").await - set;
    // Who asks for the counters sets something, too.
    assert!(set < ROUNDS, "was told {set} times");
    stage.end().await;
}

#[tokio::test]
async fn a_statement_that_one_has_prepared_is_prepared_for_the_other() {
    let stage = stage().await;
    let mut pair = pair(&stage).await;
    const READ: &str = "SELECT v + ? FROM app.handed WHERE id = ?";
    const WRITE: &str = "UPDATE app.handed SET v = v WHERE id = ?";
    let mut statements = Vec::new();
    for conn in &mut pair {
        let read = conn.prep(READ).await.unwrap();
        let write = conn.prep(WRITE).await.unwrap();
        statements.push((read, write));
    }
    let mut before = 0;
    const ROUNDS: i64 = 10;
    for round in 0..2 * ROUNDS {
        if round == ROUNDS {
            // By now both have run both everywhere.
            before = counted_everywhere(&stage, "Com_stmt_prepare").await;
        }
        for (conn, (read, write)) in pair.iter_mut().zip(&statements) {
            let sum: Option<i64> = conn.exec_first(read, (round, 3)).await.unwrap();
            assert_eq!(sum, Some(3 + round));
            conn.exec_drop(write, (1,)).await.unwrap();
        }
    }
    let prepared = counted_everywhere(&stage, "Com_stmt_prepare").await - before;
    assert!(handed(&stage, Handover::AsItWas) > 0);
    assert!(prepared < 4, "prepared {prepared} times more");
    stage.end().await;
}

#[tokio::test]
async fn p3_a_statement_means_what_its_own_session_has_prepared() {
    let stage = stage().await;
    let mut pair = pair(&stage).await;
    let [one, other] = &mut pair;
    // The same text, and each time something else.
    let shows: [(&str, &str, [Value; 2]); 3] = [
        (
            "SET sql_mode = 'PIPES_AS_CONCAT'",
            "SELECT 1 || 0 FROM app.handed WHERE id = 1",
            ["10".into(), 1.into()],
        ),
        (
            "SET group_concat_max_len = 4",
            "SELECT GROUP_CONCAT('abcdef') FROM app.handed WHERE id = 1",
            ["abcd".into(), "abcdef".into()],
        ),
        (
            "USE test_pool_other",
            "SELECT DATABASE() FROM app.handed WHERE id = 1",
            ["test_pool_other".into(), "app".into()],
        ),
    ];
    for (set, text, [first, second]) in shows {
        one.query_drop(set).await.unwrap();
        for _ in 0..3 {
            for (conn, expected) in [(&mut *one, &first), (&mut *other, &second)] {
                let shown: Option<Value> = conn.exec_first(text, ()).await.unwrap();
                let (shown, expected) = (shown.unwrap(), expected);
                let plain = |value: &Value| value.as_sql(true).trim_matches('\'').to_owned();
                assert_eq!(plain(&shown), plain(expected), "{set}");
            }
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_the_types_of_one_clients_parameters_are_not_anothers() {
    let stage = stage().await;
    let mut pair = pair(&stage).await;
    let [one, other] = &mut pair;
    const TEXT: &str = "SELECT ? FROM app.handed WHERE id = 1";
    let port = stage.lab.writer().port();
    let mut directly = [
        stage.client_at(port, APP).await,
        stage.client_at(port, APP).await,
    ];
    let [direct, other_direct] = &mut directly;
    for _ in 0..3 {
        let sessions = [
            ([&mut *one, &mut *direct], Value::from(7)),
            ([&mut *other, &mut *other_direct], Value::from("seven")),
        ];
        for (both, value) in sessions {
            let mut seen = Vec::new();
            for conn in both {
                let mut result = conn.exec_iter(TEXT, (value.clone(),)).await.unwrap();
                let column = result.columns().unwrap()[0].column_type();
                let rows: Vec<Row> = result.collect().await.unwrap();
                seen.push((column, rows[0].as_ref(0).cloned()));
            }
            assert_eq!(seen[0], seen[1], "{value:?}");
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_what_another_one_has_left_is_as_on_a_new_connection() {
    let stage = stage().await;
    let mut own = Client::connect(stage.port, APP, MODERN).await;
    for asks in [
        "SELECT FOUND_ROWS()",
        "SELECT ROW_COUNT()",
        "SHOW WARNINGS",
        "SHOW COUNT(*) WARNINGS",
        "SELECT @@error_count",
        "SELECT LAST_INSERT_ID()",
        "SELECT @tidegate_key IS NULL",
    ] {
        let mut new = Client::connect(stage.lab.writer().port(), APP, MODERN).await;
        let expected = texts(&new.query(asks).await);
        // One that has said nothing yet, and whose connection is taken from it.
        let mut other = Client::connect(stage.port, APP, MODERN).await;
        for leaves in [
            "SELECT id FROM app.handed FOR UPDATE",
            "SET @tidegate_key = 'mine'",
            "INSERT INTO app.handed (v) VALUES (7), (8)",
            "INSERT IGNORE INTO app.handed (id, v) VALUES (1, 1), (2, 1)",
            // Its warnings are kept for it alone until it says something else.
            "UPDATE app.handed SET v = v + 1",
        ] {
            let answer = own.query(leaves).await;
            assert!(
                answer.iter().all(|it| it.first() != Some(&0xff)),
                "{leaves}"
            );
        }
        let before = handed(&stage, Handover::AsItWas);
        assert_eq!(texts(&other.query(asks).await), expected, "{asks}");
        assert!(handed(&stage, Handover::AsItWas) > before, "{asks}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_login_of_now_is_not_served_by_what_a_backend_said_long_ago() {
    let stage = stage().await;
    let mut own = stage.client().await;
    // One for each reader.
    let mut another = stage.client().await;
    for conn in [&mut another, &mut own] {
        on_a_reader(conn).await;
        conn.query_drop("DO 1").await.unwrap();
    }
    // For so long the backends' word about an account counts.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let before = handed(&stage, Handover::AsItWas);
    let by_login = |backend| {
        let metrics = &stage.running.metrics;
        metrics.handovers(backend, Handover::Done).get()
    };
    let [writer, readers] = [by_login(0), by_login(1) + by_login(2)];
    let mut later = stage.client().await;
    // Where its own login has asked it goes on.
    later.query_drop("DO 1").await.unwrap();
    assert_eq!(
        by_login(0),
        writer + 1,
        "the login was on a warm connection"
    );
    assert!(handed(&stage, Handover::AsItWas) > before);
    // A reader was asked long ago.
    on_a_reader(&mut later).await;
    assert!(by_login(1) + by_login(2) > readers, "the reader's word");
    // The backend has let the account in since the first one came, and that one goes on there.
    let (before, asked) = (
        handed(&stage, Handover::AsItWas),
        handed(&stage, Handover::Done),
    );
    own.query_drop("DO 1").await.unwrap();
    assert_eq!(handed(&stage, Handover::AsItWas), before + 1);
    assert_eq!(handed(&stage, Handover::Done), asked);
    stage.end().await;
}

#[tokio::test]
async fn p3_what_a_global_is_set_to_counts_for_who_logs_in_after_it() {
    if support::skips(Flavour::MySql, "one server's word is enough") {
        return;
    }
    let stage = stage().await;
    let mut before = stage.client().await;
    let lifted = "SELECT @@div_precision_increment, 1 / 3 FROM app.handed WHERE id = 1";
    let first: (u32, String) = before.query_first(lifted).await.unwrap().unwrap();
    let set = |value: &str| vec![format!("SET GLOBAL div_precision_increment = {value}")];
    stage.lab.writer().execute(set("9")).await.unwrap();
    let mut after = stage.client().await;
    for _ in 0..3 {
        let seen: (u32, String) = after.query_first(lifted).await.unwrap().unwrap();
        assert_eq!(seen, (9, "0.333333333".to_owned()));
        let seen: (u32, String) = before.query_first(lifted).await.unwrap().unwrap();
        assert_eq!(seen, first);
    }
    stage.lab.writer().execute(set("DEFAULT")).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn p3_what_a_trigger_has_set_unseen_is_nobody_elses() {
    let stage = stage().await;
    stage
        .prepare([
            "CREATE TRIGGER app.handed_sets BEFORE INSERT ON app.handed \
             FOR EACH ROW SELECT 7 INTO @set_unseen",
        ])
        .await;
    let mut own = stage.client().await;
    for round in 0..3 {
        let mut other = stage.client().await;
        own.query_drop("INSERT INTO app.handed (v) VALUES (9)")
            .await
            .unwrap();
        let before = handed(&stage, Handover::AsItWas);
        other.query_drop("BEGIN").await.unwrap();
        assert!(handed(&stage, Handover::AsItWas) > before, "{round}");
        for _ in 0..2 {
            let seen: Option<u32> = one(&mut other, "SELECT @SET_unseen").await;
            assert_eq!(seen, None, "{round}");
        }
        other.query_drop("SET @set_unseen = 8").await.unwrap();
        let seen: u32 = one(&mut other, "SELECT @`set_UNSEEN`").await;
        assert_eq!(seen, 8, "{round}");
        other.query_drop("ROLLBACK").await.unwrap();
        other.disconnect().await.unwrap();
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_what_a_failed_insert_has_generated_is_nobody_elses() {
    let stage = stage().await;
    stage
        .prepare(["ALTER TABLE app.handed ADD UNIQUE (v)"])
        .await;
    let mut own = stage.client().await;
    for round in 0..3 {
        let mut other = stage.client().await;
        let failed = format!("INSERT INTO app.handed (v) VALUES ({}), (1)", 100 + round);
        assert!(own.query_drop(failed).await.is_err(), "a duplicate");
        let id: u64 = one(&mut other, "SELECT LAST_INSERT_ID()").await;
        assert_eq!(id, 0, "{round}");
        other.disconnect().await.unwrap();
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_what_its_own_statement_has_left_is_there_for_the_next_of_any_kind() {
    let stage = stage().await;
    let mut direct = Client::connect(stage.lab.writer().port(), APP, MODERN).await;
    let mut own = Client::connect(stage.port, APP, MODERN).await;
    let mut other = Client::connect(stage.port, APP, MODERN).await;
    for takes_over in [false, true] {
        for asks in [
            "SELECT ROW_COUNT(); SELECT 1",
            "SELECT ROW_COUNT()",
            "SHOW WARNINGS; SELECT 1",
            "SELECT @@warning_count",
        ] {
            if takes_over {
                other.query("DO 1").await;
            }
            let mut seen = Vec::new();
            for client in [&mut direct, &mut own] {
                client
                    .query("INSERT IGNORE INTO app.handed (id, v) VALUES (1, 1), (2, 1)")
                    .await;
                let mut answer = client.query(asks).await;
                // The second result of two, and the ends, say nothing of it.
                answer.truncate(3);
                seen.push(texts(&answer));
            }
            assert_eq!(seen[0], seen[1], "{asks}, taken over: {takes_over}");
        }
    }
    assert!(handed(&stage, Handover::AsItWas) > 0);
    stage.end().await;
}

#[tokio::test]
async fn p3_values_that_came_ahead_of_a_closed_statement_are_nobody_elses() {
    let stage = stage().await;
    let mut pair = [
        Client::connect(stage.port, APP, MODERN).await,
        Client::connect(stage.port, APP, MODERN).await,
    ];
    const TEXT: &[u8] = b"SELECT LENGTH(?) FROM app.handed WHERE id = 1 FOR UPDATE";
    let id = |answer: &[Vec<u8>]| answer[0][1..5].to_vec();
    // One parameter, of type VAR_STRING, told with each execution.
    let execute = |id: &[u8]| [id, &[0, 1, 0, 0, 0, 0, 1, 0xfd, 0, 3], b"abc"].concat();
    let [own, other] = &mut pair;
    let others = id(&other.ask(Command::StmtPrepare, TEXT).await);
    let first = texts(&other.ask(Command::StmtExecute, &execute(&others)).await);
    for _ in 0..3 {
        let owns = id(&own.ask(Command::StmtPrepare, TEXT).await);
        own.ask(Command::StmtExecute, &execute(&owns)).await;
        // Too much to be kept here, so that the writer has it.
        for _ in 0..3 {
            let data = [&owns[..], &[0, 0], &vec![b'x'; 1 << 20]].concat();
            own.send(Command::StmtSendLongData, &data).await;
        }
        own.send(Command::StmtClose, &owns).await;
        own.query("DO 1").await;
        let again = texts(&other.ask(Command::StmtExecute, &execute(&others)).await);
        assert_eq!(again, first);
    }
    assert!(handed(&stage, Handover::AsItWas) > 0);
    stage.end().await;
}
