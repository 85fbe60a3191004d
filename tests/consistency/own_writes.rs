//! Read your own writes, whatever the way, while no reader has them.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::config::Config;
use tidegate::routing::Scope;
use tidegate::session::PoolPolicy;

use crate::stage::{LIMIT, Stage, back_on_a_reader, on_a_reader};
use crate::steps::take;
use crate::support;
use crate::ways::{BOUND, FAILING, SIMPLE, STORED, Way};

#[tokio::test]
async fn p1_what_an_ok_has_answered_is_read_back() {
    play(&[SIMPLE], |_| {}).await;
}

#[tokio::test]
async fn p1_what_stored_routines_have_written_is_read_back() {
    play(&[STORED], |_| {}).await;
}

#[tokio::test]
async fn p1_what_a_bound_session_has_written_is_read_back() {
    play(&[BOUND], |_| {}).await;
}

#[tokio::test]
async fn p1_what_an_error_has_hidden_is_read_back() {
    play(&[FAILING], |_| {}).await;
}

#[tokio::test]
async fn p1_everything_is_read_back_at_scope_user() {
    let user = |config: &mut Config| config.session.policy.scope = Scope::User;
    play(&[SIMPLE, STORED, BOUND, FAILING], user).await;
}

#[tokio::test]
async fn p1_everything_is_read_back_over_replaced_connections() {
    let replace = |config: &mut Config| config.session.pool = PoolPolicy::Replace;
    play(&[SIMPLE, STORED, BOUND, FAILING], replace).await;
}

/// How a session goes on after its write.
const AFTERWARDS: [&str; 3] = ["", "#reset", "#change_user"];

/// Writes in each way, once for each thing that may come after, with sessions that have read on a
/// reader before; reads it back, and reads on a reader again when the readers have it.
async fn play(ways: &[&[Way]], change: impl FnOnce(&mut Config)) {
    let stage = Stage::with(change).await;
    let here = |way: &&Way| way.only.is_none_or(|only| only == support::flavour());
    let ways: Vec<&Way> = ways.iter().copied().flatten().filter(here).collect();
    let mut wrong = Vec::new();
    for after in AFTERWARDS {
        for way in &ways {
            set_up(&stage, way).await;
        }
        assert!(stage.lab.settle(LIMIT).await.unwrap());
        let mut sessions = Vec::new();
        for way in &ways {
            let mut conn = stage.client().await;
            on_a_reader(&mut conn).await;
            sessions.push((way, conn));
        }
        stage.freeze().await;
        for (way, conn) in &mut sessions {
            for step in way.steps {
                take(conn, &way.fill(step)).await;
            }
            if !after.is_empty() {
                take(conn, after).await;
            }
            wrong.extend(read_back(conn, way, after).await);
        }
        stage.thaw().await;
        for (way, conn) in &mut sessions {
            if !way.bound || !after.is_empty() {
                back_on_a_reader(conn, &format!("{} {after}", way.name)).await;
            }
        }
    }
    assert!(wrong.is_empty(), "stale:\n{}", wrong.join("\n"));
    stage.end().await;
}

async fn set_up(stage: &Stage, way: &Way) {
    let drop = [
        "DROP TABLE IF EXISTS {t}, {n}_source, app.renamed_new, app.renamed_old",
        "DROP VIEW IF EXISTS {n}_view",
        "DROP FUNCTION IF EXISTS {n}",
        "DROP PROCEDURE IF EXISTS {n}",
        "CREATE TABLE {t} (id INT PRIMARY KEY, v VARCHAR(9))",
        "INSERT INTO {t} VALUES (1, 'old')",
    ];
    let all = drop.iter().chain(way.before).map(|sql| way.fill(sql));
    stage.lab.writer().execute(all).await.unwrap();
}

/// Reads it in several ways, more than once: the complaints.
async fn read_back(conn: &mut Conn, way: &Way, after: &str) -> Vec<String> {
    let sql = way.fill("SELECT v FROM {t} WHERE id = 1");
    let mut wrong = Vec::new();
    for round in 0..3 {
        let text: Option<String> = conn.query_first(&sql).await.expect("a read");
        let binary: Option<String> = conn.exec_first(&sql, ()).await.expect("a read");
        for (how, seen) in [("text", text), ("binary", binary)] {
            if seen.as_deref() != Some("new") {
                let name = way.name;
                wrong.push(format!("{name} {after}: {how} read {round} shows {seen:?}"));
            }
        }
    }
    wrong
}
