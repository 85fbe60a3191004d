//! Whoever is idle keeps nobody else waiting, and is not hit by what others do to the connection that
//! it had.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tidegate::lab::{APP, Account, Flavour};
use tidegate::protocol::Command;
use tidegate::telemetry::{ConnectionState, Handover};

use crate::stage::{LIMIT, Stage};
use crate::wire::{Client, MODERN};
use crate::{is_settled, lending, support};

const ROLED: Account = Account {
    user: "pool_roled",
    password: "roled",
};

async fn stage() -> Stage {
    stage_of(1).await
}

async fn stage_of(connections: usize) -> Stage {
    let stage = Stage::with(lending(connections)).await;
    stage
        .prepare([
            "CREATE ROLE IF NOT EXISTS pool_role",
            "CREATE ROLE IF NOT EXISTS pool_by_default",
            "CREATE USER IF NOT EXISTS pool_roled IDENTIFIED BY 'roled'",
            "GRANT ALL ON app.* TO pool_roled",
            "GRANT pool_role TO pool_roled",
            "GRANT pool_by_default TO pool_roled",
        ])
        .await;
    stage
}

async fn text(conn: &mut Conn, sql: &str) -> Option<String> {
    let told: Option<Option<String>> = conn.query_first(sql).await.expect(sql);
    told.flatten()
}

#[tokio::test]
async fn p9_what_a_session_can_be_asked_for_keeps_nobody_waiting() {
    let stage = stage().await;
    for (sets, asks) in [
        (
            "SET NAMES latin1 COLLATE latin1_general_ci",
            "SELECT @@collation_connection",
        ),
        ("SET NAMES utf8mb3", "SELECT @@collation_connection"),
        ("SET ROLE pool_role", "SELECT CURRENT_ROLE()"),
        ("SELECT LAST_INSERT_ID(78)", "SELECT LAST_INSERT_ID()"),
        (
            "SET session_track_schema = OFF",
            "SELECT @@session_track_schema",
        ),
    ] {
        let mut direct = stage.client_at(stage.lab.writer().port(), ROLED).await;
        direct.query_drop(sets).await.expect(sets);
        let expected = text(&mut direct, asks).await;
        let mut own = stage.client_as(ROLED).await;
        let mut other = stage.client_as(ROLED).await;
        own.query_drop(sets).await.expect(sets);
        // Its session does nothing more by itself.
        let waits = async {
            other.query_drop("DO 0").await.expect(sets);
            other.query_drop(Stage::SERVED_BY).await.expect(sets);
        };
        let waited = tokio::time::timeout(Duration::from_secs(5), waits).await;
        assert!(waited.is_ok(), "{sets} keeps the connection");
        assert_eq!(text(&mut own, asks).await, expected, "{sets}");
        assert_ne!(text(&mut other, asks).await, expected, "{sets} was found");
    }
    stage.end().await;
}

/// Waits until the writer runs a statement that begins like this.
async fn runs(stage: &Stage, start: &str) {
    let sql =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE '{start}%'");
    let waiting = async {
        while text_at_writer(stage, &sql).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, waiting).await;
    assert!(waited.is_ok(), "nobody runs {start}");
}

async fn text_at_writer(stage: &Stage, sql: &str) -> u32 {
    let row = stage.lab.writer().row(sql).await.unwrap();
    row.unwrap().get(0).unwrap()
}

/// A statement of `other` that runs until `holder` lets it, on the only connection to the writer.
async fn runs_until_let(
    stage: &Stage,
    holder: &mut Conn,
    mut other: Conn,
) -> tokio::task::JoinHandle<Result<Option<Option<u32>>, Error>> {
    holder
        .query_drop("SELECT GET_LOCK('pool_kill', 0)")
        .await
        .unwrap();
    let running =
        tokio::spawn(async move { other.query_first("SELECT GET_LOCK('pool_kill', 60)").await });
    runs(stage, "SELECT GET_LOCK(").await;
    running
}

#[tokio::test]
async fn p10_no_session_has_another_ones_role() {
    let stage = stage().await;
    const ROLE: &str = "SELECT CURRENT_ROLE()";
    for by_default in [false, true] {
        if by_default {
            let default = match support::flavour() {
                Flavour::MySql => "SET DEFAULT ROLE pool_by_default TO pool_roled",
                Flavour::MariaDb => "SET DEFAULT ROLE pool_by_default FOR pool_roled",
            };
            stage.prepare([default]).await;
        }
        let mut direct = stage.client_at(stage.lab.writer().port(), ROLED).await;
        let expected = text(&mut direct, ROLE).await;
        for ends in [false, true] {
            let mut own = stage.client_as(ROLED).await;
            own.query_drop("SET ROLE pool_role").await.unwrap();
            if ends {
                // Nobody has asked what its role was.
                own.disconnect().await.unwrap();
            }
            let mut other = stage.client_as(ROLED).await;
            assert_eq!(
                text(&mut other, ROLE).await,
                expected,
                "{by_default} {ends}"
            );
        }
    }
    stage.prepare(["DROP USER pool_roled"]).await;
    stage.end().await;
}

#[tokio::test]
async fn p6_kill_hits_its_client_and_not_who_has_its_connection_now() {
    let stage = stage().await;
    let writer = stage.lab.writer().port();
    for kill in ["KILL QUERY", "KILL"] {
        let mut holder = stage.client_at(writer, APP).await;
        let mut killer = stage.client().await;
        let mut own = stage.client().await;
        let other = stage.client().await;
        own.query_drop("DO 0").await.unwrap();
        let running = runs_until_let(&stage, &mut holder, other).await;
        let sql = format!("{kill} {}", own.id());
        killer.query_drop(&sql).await.expect(&sql);
        holder
            .query_drop("SELECT RELEASE_LOCK('pool_kill')")
            .await
            .unwrap();
        let lasted = tokio::time::timeout(LIMIT, running).await;
        assert_eq!(
            lasted.expect(kill).unwrap().unwrap(),
            Some(Some(1)),
            "{sql}"
        );
        let alive = own.query_drop("DO 0").await.is_ok();
        assert_eq!(alive, kill == "KILL QUERY", "{sql}");
    }
    stage.end().await;
}

/// A client that has logged in on a warm connection, and has none of its own.
async fn threadless(stage: &Stage, account: Account) -> Client {
    let metrics = &stage.running.metrics;
    let active = || {
        let active = metrics.backend_connections(0, ConnectionState::Active);
        active.get()
    };
    let done = || metrics.handovers(0, Handover::Done).get();
    let before = active();
    let until = async |is_so: &(dyn Fn() -> bool + Sync)| {
        let waiting = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(LIMIT, waiting).await;
        ended.expect("a login on a warm connection");
    };
    let mut first = Client::connect(stage.port, account, MODERN).await;
    first.send(Command::Quit, b"").await;
    is_settled(stage, before).await;
    let asked = done();
    let client = Client::connect(stage.port, account, MODERN).await;
    until(&|| done() > asked && active() == before).await;
    client
}

#[tokio::test]
async fn p6_p10_who_may_kill_a_client_that_no_backend_knows_of_is_asked_all_the_same() {
    let stage = stage_of(4).await;
    stage
        .prepare([
            "CREATE USER IF NOT EXISTS pool_root IDENTIFIED BY 'root'",
            "GRANT ALL ON *.* TO pool_root",
        ])
        .await;
    let root = Account {
        user: "pool_root",
        password: "root",
    };
    let mut killers = [stage.client_as(ROLED).await, stage.client_as(root).await];
    for (killer, account, expected) in [(0, APP, Some(1095)), (1, APP, None), (0, ROLED, None)] {
        let mut victim = threadless(&stage, account).await;
        let kill = format!("KILL {}", victim.handshake.connection_id);
        let ended = match killers[killer].query_drop(&kill).await {
            Ok(()) => None,
            Err(Error::Server(error)) => Some(error.code),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(ended, expected, "{account:?}");
        if expected.is_some() {
            assert_eq!(victim.ask(Command::Ping, b"").await[0][0], 0);
            continue;
        }
        let ends = async {
            while victim.try_send(Command::Ping, b"").await.is_ok()
                && victim.try_answer(Command::Ping).await.is_ok()
            {}
        };
        tokio::time::timeout(LIMIT, ends).await.expect("its end");
    }
    stage.end().await;
}

#[tokio::test]
async fn p6_kill_finds_its_client_on_a_connection_that_was_anothers() {
    let stage = stage().await;
    let writer = stage.lab.writer().port();
    for kill in ["KILL QUERY", "KILL"] {
        let mut holder = stage.client_at(writer, APP).await;
        let mut killer = stage.client().await;
        let mut before = stage.client().await;
        let other = stage.client().await;
        let id = other.id();
        before.query_drop("DO 0").await.unwrap();
        let running = runs_until_let(&stage, &mut holder, other).await;
        let sql = format!("{kill} {id}");
        killer.query_drop(&sql).await.expect(&sql);
        let ended = tokio::time::timeout(LIMIT, running).await;
        let ended = ended.expect(kill).unwrap();
        // A GET_LOCK() that is interrupted may answer NULL.
        assert!(!matches!(ended, Ok(Some(Some(1)))), "{sql}: {ended:?}");
        before.query_drop("DO 0").await.unwrap();
    }
    stage.end().await;
}
