//! Every kind of state, through two clients on one connection to each backend.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row, Value};
use tidegate::lab::Flavour;

use crate::stage::{LIMIT, Stage};
use crate::{lending, support};

/// How one client sets something, how it is looked at, and whether the connection that has it can
/// serve others meanwhile.
struct State {
    set: &'static [&'static str],
    look: &'static str,
    /// Others wait for the connection until this has run.
    pinned_until: Option<&'static str>,
}

const fn follows(set: &'static [&'static str], look: &'static str) -> State {
    State {
        set,
        look,
        pinned_until: None,
    }
}

const fn pins(set: &'static [&'static str], look: &'static str, end: &'static str) -> State {
    State {
        set,
        look,
        pinned_until: Some(end),
    }
}

/// What goes along with a session from one connection to the next.
const FOLLOWING: &[State] = &[
    follows(&["SET sql_mode = 'ANSI_QUOTES'"], "SELECT @@sql_mode"),
    follows(
        &["SET time_zone = '+03:00'"],
        "SELECT @@time_zone, FROM_UNIXTIME(0)",
    ),
    follows(
        &["SET NAMES latin1"],
        "SELECT @@character_set_client, @@character_set_results, @@collation_connection",
    ),
    follows(
        &["SET SESSION sort_buffer_size = 65536"],
        "SELECT @@sort_buffer_size",
    ),
    follows(
        &["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"],
        "SHOW VARIABLES LIKE 't%isolation'",
    ),
    follows(&["USE test_pool_other"], "SELECT DATABASE()"),
    follows(
        &["INSERT INTO app.pool_ids (v) VALUES (1)"],
        "SELECT LAST_INSERT_ID() > 0",
    ),
    follows(&["SELECT LAST_INSERT_ID(77)"], "SELECT LAST_INSERT_ID()"),
    follows(
        &["SET SESSION group_concat_max_len = 99"],
        "SELECT @@group_concat_max_len",
    ),
];

/// The same where only MariaDB has it.
const PINNING_IN_MARIADB: &[State] = &[pins(
    &["SELECT NEXTVAL(app.pool_numbers)"],
    "SELECT LASTVAL(app.pool_numbers) IS NULL",
    "#reset",
)];

/// What no other connection can have: whoever else needs this one waits.
const PINNING: &[State] = &[
    pins(
        &["SET profiling = 1", "DO 5", "SET profiling = 0"],
        "SELECT COUNT(DISTINCT QUERY_ID) FROM information_schema.PROFILING",
        "#reset",
    ),
    pins(&["SET @a = 7"], "SELECT @a", "#reset"),
    pins(
        &["CREATE TEMPORARY TABLE app.pool_t AS SELECT 1 AS a"],
        "SELECT a FROM app.pool_t",
        "DROP TEMPORARY TABLE app.pool_t",
    ),
    pins(
        &["SELECT GET_LOCK('pool', 0)"],
        "SELECT IS_USED_LOCK('pool') = CONNECTION_ID()",
        "SELECT RELEASE_LOCK('pool')",
    ),
    pins(&["BEGIN"], "SELECT COUNT(*) FROM app.pool_ids", "ROLLBACK"),
    pins(
        &["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"],
        "DO 1",
        "INSERT INTO app.pool_ids (v) VALUES (2)",
    ),
    pins(
        &["LOCK TABLES app.pool_ids READ"],
        "SELECT COUNT(*) FROM app.pool_ids",
        "UNLOCK TABLES",
    ),
];

async fn stage() -> Stage {
    let stage = Stage::with(lending(1)).await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.pool_ids",
            "CREATE TABLE app.pool_ids (id INT PRIMARY KEY AUTO_INCREMENT, v INT)",
            "CREATE DATABASE IF NOT EXISTS test_pool_other",
        ])
        .await;
    stage
}

async fn look(conn: &mut Conn, sql: &str) -> Result<Vec<Vec<Value>>, u16> {
    match conn.query::<Row, _>(sql).await {
        Ok(rows) => Ok(rows.into_iter().map(Row::unwrap).collect()),
        Err(Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{sql}: {error}"),
    }
}

async fn set(conn: &mut Conn, steps: &[&str]) {
    for sql in steps {
        match *sql {
            "#reset" => assert!(conn.reset().await.unwrap()),
            sql => conn.query_drop(sql).await.expect(sql),
        }
    }
}

/// Makes it certain that the next statement of any other session finds another one's connection.
async fn use_all(conn: &mut Conn) {
    conn.query_drop("DO 0").await.expect("the writer");
    conn.query_drop(Stage::SERVED_BY).await.expect("a read");
}

#[tokio::test]
async fn p3_state_follows_its_session_and_no_other_finds_it() {
    let stage = stage().await;
    let mut wrong = Vec::new();
    for state in FOLLOWING {
        let mut own = stage.client().await;
        let mut other = stage.client().await;
        let fresh = look(&mut other, state.look).await;
        set(&mut own, state.set).await;
        let mine = look(&mut own, state.look).await;
        for round in 0..3 {
            use_all(&mut other).await;
            let seen = look(&mut other, state.look).await;
            if seen != fresh {
                wrong.push(format!("{:?} {round}: another sees {seen:?}", state.set));
            }
            let seen = look(&mut own, state.look).await;
            if seen != mine || mine == fresh {
                wrong.push(format!("{:?} {round}: its own sees {seen:?}", state.set));
            }
            use_all(&mut own).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.end().await;
}

#[tokio::test]
async fn p7_what_can_not_follow_keeps_its_connection() {
    let stage = stage().await;
    let mut pinning: Vec<&State> = PINNING.iter().collect();
    if support::flavour() == Flavour::MariaDb {
        stage
            .prepare(["CREATE OR REPLACE SEQUENCE app.pool_numbers"])
            .await;
        pinning.extend(PINNING_IN_MARIADB);
    }
    for state in pinning {
        let mut own = stage.client().await;
        let mut other = stage.client().await;
        let fresh = look(&mut other, state.look).await;
        if state.look.contains("PROFILING") {
            let none = Ok(vec![vec![Value::Bytes(b"0".to_vec())]]);
            assert_eq!(fresh, none, "somebody's statements are profiled");
        }
        set(&mut own, state.set).await;
        let mine = look(&mut own, state.look).await;
        let waiting = tokio::spawn(async move {
            other.query_drop("DO 0").await.expect("the writer");
            let seen = look(&mut other, state.look).await;
            (other, seen)
        });
        // It waits before anything else of the first one's runs.
        let queued = stage.running.metrics.queued_statements();
        let wanted = stage.running.metrics.waiting_connections(0);
        let waits = async {
            while queued.get() == 0 || wanted.get() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, waits).await.expect(state.look);
        assert_eq!(look(&mut own, state.look).await, mine, "{:?}", state.set);
        assert!(!waiting.is_finished(), "{:?} did not pin", state.set);
        set(&mut own, &[state.pinned_until.unwrap()]).await;
        let (_, seen) = tokio::time::timeout(LIMIT, waiting)
            .await
            .expect(state.look)
            .unwrap();
        assert_eq!(seen, fresh, "{:?} was found by another", state.set);
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_warnings_are_there_for_the_client_that_asks_for_them_next() {
    let stage = stage().await;
    let mut own = stage.client().await;
    let mut other = stage.client().await;
    own.query_drop("SELECT CAST('x' AS SIGNED) FROM app.pool_ids UNION SELECT CAST('x' AS SIGNED)")
        .await
        .unwrap();
    let warnings = look(&mut own, "SHOW WARNINGS").await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    use_all(&mut other).await;
    assert_eq!(look(&mut other, "SHOW WARNINGS").await, Ok(vec![]));
    stage.end().await;
}

#[tokio::test]
async fn p7_what_is_not_known_any_more_is_an_error_and_not_another_ones() {
    let stage = stage().await;
    let mut own = stage.client().await;
    let mut other = stage.client().await;
    for (does, asks) in [
        (
            "INSERT INTO app.pool_ids (v) VALUES (1), (2), (3)",
            "SELECT ROW_COUNT()",
        ),
        (
            "SELECT 1 UNION SELECT 2 UNION SELECT 3 FOR UPDATE",
            "SELECT FOUND_ROWS()",
        ),
    ] {
        own.query_drop(does).await.unwrap();
        let right = look(&mut own, asks).await;
        assert_eq!(right.map(|rows| rows.len()), Ok(1));
        own.query_drop(does).await.unwrap();
        use_all(&mut other).await;
        assert_eq!(look(&mut own, asks).await, Err(1105), "{asks}");
        // A transaction keeps its connection, and what was left there.
        own.query_drop("BEGIN").await.unwrap();
        own.query_drop(does).await.unwrap();
        assert!(look(&mut own, asks).await.is_ok());
        own.query_drop("COMMIT").await.unwrap();
    }
    stage.end().await;
}
