//! What one connection of an account has done, the account's other connections see.

use mysql_async::prelude::Queryable;
use tidegate::lab::Account;
use tidegate::routing::Scope;

use crate::stage::{Stage, WRITER, on_a_reader, served_by};
use crate::steps::take;

const OTHER: Account = Account {
    user: "other",
    password: "other",
};

#[tokio::test]
async fn p1_an_account_reads_on_one_connection_what_it_wrote_on_another() {
    let stage = Stage::with(|config| config.session.policy.scope = Scope::User).await;
    let setup = [
        "DROP TABLE IF EXISTS app.pooled",
        "CREATE TABLE app.pooled (v INT)",
        "INSERT INTO app.pooled VALUES (0)",
        "CREATE USER IF NOT EXISTS other IDENTIFIED BY 'other'",
        "GRANT ALL ON app.* TO other",
    ];
    stage.prepare(setup).await;
    let mut writing = stage.client().await;
    let mut reading = stage.client().await;
    let mut stranger = stage.client_as(OTHER).await;
    on_a_reader(&mut reading).await;
    on_a_reader(&mut stranger).await;
    stage.freeze().await;
    // A moment before: it would go the same way again, if nobody had written meanwhile.
    assert_ne!(served_by(&mut reading).await, WRITER);
    for value in 1..20 {
        take(&mut writing, &format!("UPDATE app.pooled SET v = {value}")).await;
        let seen: Option<i32> = reading
            .query_first("SELECT v FROM app.pooled")
            .await
            .unwrap();
        assert_eq!(seen, Some(value));
        // Who logs in later sees it as well.
        if value % 7 == 0 {
            let mut late = stage.client().await;
            let seen: Option<i32> = late.query_first("SELECT v FROM app.pooled").await.unwrap();
            assert_eq!(seen, Some(value), "a late connection");
        }
    }
    // Another account is another scope: nothing keeps it from the readers.
    assert_ne!(served_by(&mut stranger).await, WRITER);
    stage.thaw().await;
    on_a_reader(&mut reading).await;
    stage.end().await;
}

/// A chained transaction has a snapshot of its own.
#[tokio::test]
async fn p1_a_read_only_transaction_that_was_chained_sees_what_the_account_wrote_meanwhile() {
    let stage = Stage::with(|config| config.session.policy.scope = Scope::User).await;
    let setup = [
        "DROP TABLE IF EXISTS app.chained",
        "CREATE TABLE app.chained (v INT)",
        "INSERT INTO app.chained VALUES (0)",
    ];
    stage.prepare(setup).await;
    let mut writing = stage.client().await;
    for (value, ends) in [
        (1, &["COMMIT AND CHAIN"][..]),
        (2, &["ROLLBACK AND CHAIN"]),
        (3, &["COMMIT", "START TRANSACTION READ ONLY"]),
        (4, &["START TRANSACTION READ ONLY"]),
        (5, &["BEGIN"]),
        (6, &["SET completion_type = 'CHAIN'", "COMMIT"]),
        (7, &["SET completion_type = 1", "ROLLBACK"]),
    ] {
        let mut conn = stage.client().await;
        on_a_reader(&mut conn).await;
        take(&mut conn, "START TRANSACTION READ ONLY").await;
        let seen: Option<i32> = conn.query_first("SELECT v FROM app.chained").await.unwrap();
        assert_eq!(seen, Some(value - 1));
        assert_ne!(served_by(&mut conn).await, WRITER, "{ends:?}");
        stage.freeze().await;
        take(&mut writing, &format!("UPDATE app.chained SET v = {value}")).await;
        for end in ends {
            take(&mut conn, end).await;
        }
        let seen: Option<i32> = conn.query_first("SELECT v FROM app.chained").await.unwrap();
        assert_eq!(seen, Some(value), "after {ends:?}");
        let refused = conn.query_drop("DELETE FROM app.chained").await;
        assert!(refused.is_err(), "{ends:?} leave the transaction read-only");
        take(&mut conn, "COMMIT").await;
        stage.thaw().await;
    }
    stage.end().await;
}

#[tokio::test]
async fn p1_a_proxy_that_has_just_started_sees_what_was_written_before() {
    let stage = Stage::with(|config| config.session.policy.scope = Scope::User).await;
    let setup = [
        "DROP TABLE IF EXISTS app.earlier",
        "CREATE TABLE app.earlier (v INT)",
        "INSERT INTO app.earlier VALUES (0)",
    ];
    stage.prepare(setup).await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    stage.freeze().await;
    take(&mut conn, "UPDATE app.earlier SET v = 1").await;
    drop(conn);
    let mut config = crate::wire::config(&stage.lab);
    config.session.policy.scope = Scope::User;
    let (restarted, port) = crate::wire::proxy(config).await;
    let opts = mysql_async::OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("app"))
        .pass(Some("app"))
        .prefer_socket(false)
        .db_name(Some("app"));
    let mut conn = mysql_async::Conn::new(opts).await.unwrap();
    let seen: Option<i32> = conn.query_first("SELECT v FROM app.earlier").await.unwrap();
    assert_eq!(seen, Some(1));
    stage.thaw().await;
    on_a_reader(&mut conn).await;
    restarted.drain().await;
    stage.end().await;
}
