//! Whose writes count, while no reader gets anything: keys, the whole proxy, and tokens that an app
//! carries along.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tidegate::lab::Flavour;
use tidegate::lab::{APP, ROOT};
use tidegate::routing::Scope;

use crate::stage::{Stage, back_on_a_reader, on_a_reader};
use crate::support;
use crate::wire;

const READ: &str = "SELECT v FROM app.shared WHERE id = 1";

async fn read(conn: &mut Conn) -> String {
    conn.query_first(READ).await.unwrap().unwrap()
}

async fn set(conn: &mut Conn, sql: &str) {
    conn.query_drop(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Nobody has read or written yet, and the readers stand still at `old`.
async fn frozen(stage: &Stage) {
    let create = "CREATE TABLE app.shared (id INT PRIMARY KEY, v VARCHAR(20))";
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.shared",
            create,
            "INSERT INTO app.shared VALUES (1, 'old')",
        ])
        .await;
    stage.freeze().await;
}

async fn write(conn: &mut Conn) {
    set(conn, "UPDATE app.shared SET v = 'new' WHERE id = 1").await;
}

#[tokio::test]
async fn p1_connections_of_one_key_read_each_others_writes_and_no_others() {
    let stage = Stage::new().await;
    frozen(&stage).await;
    let mut one = stage.client().await;
    set(&mut one, "SET @tidegate_key = 'user 7'").await;
    write(&mut one).await;
    for (way, expected) in [
        (&["SET @tidegate_key = 'user 7'"][..], "new"),
        (&["SET @tidegate_key = 'user 8'"], "old"),
        (&[], "old"),
        (
            &[
                "SET @tidegate_key = 'user 8'",
                "SET @tidegate_key = 'user 7'",
            ],
            "new",
        ),
        (
            &["SET @tidegate_key = 'user 7'", "SET @tidegate_key = NULL"],
            "old",
        ),
    ] {
        let mut other = stage.client().await;
        for sql in way {
            set(&mut other, sql).await;
        }
        assert_eq!(read(&mut other).await, expected, "{way:?}");
    }
    let mut other = stage.client().await;
    let hinted = format!("{READ} /* tidegate: key='user 7' */");
    let row: Option<String> = other.query_first(&hinted).await.unwrap();
    assert_eq!(row.as_deref(), Some("new"));
    let row: Option<String> = other.exec_first(&hinted, ()).await.unwrap();
    assert_eq!(row.as_deref(), Some("new"));
    stage.thaw().await;
    back_on_a_reader(&mut one, "its key").await;
    stage.end().await;
}

#[tokio::test]
async fn p1_a_key_comes_with_the_connection_attributes_and_again_after_a_reset() {
    let stage = Stage::new().await;
    frozen(&stage).await;
    let with_key = |key: &str| {
        let attributes = [("tidegate_key".to_owned(), key.to_owned())];
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(stage.port)
            .user(Some(APP.user))
            .pass(Some(APP.password))
            .prefer_socket(false)
            .connect_attributes(attributes.into())
    };
    let mut one = Conn::new(with_key("7")).await.unwrap();
    write(&mut one).await;
    let mut other = Conn::new(with_key("7")).await.unwrap();
    assert_eq!(read(&mut other).await, "new");
    set(&mut other, "SET @tidegate_key = '8'").await;
    other.reset().await.unwrap();
    assert_eq!(read(&mut other).await, "new");
    let mut stranger = Conn::new(with_key("8")).await.unwrap();
    assert_eq!(read(&mut stranger).await, "old");
    let error = Conn::new(with_key(&"8".repeat(300))).await.unwrap_err();
    assert!(error.to_string().contains("255 bytes"), "{error}");
    stage.end().await;
}

#[tokio::test]
async fn p1_a_session_reads_its_own_writes_also_when_it_changes_its_key() {
    let stage = Stage::new().await;
    frozen(&stage).await;
    for way in [
        &[
            "SET @tidegate_key = 'a'",
            "#write",
            "SET @tidegate_key = NULL",
        ][..],
        &["#write", "SET @tidegate_key = 'b'"],
        &["SET @tidegate_key = 'c'", "#write", "#reset"],
        &["UPDATE app.shared SET v = 'new' /* tidegate: key=d */"],
        &[
            "BEGIN",
            "UPDATE app.shared SET v = 'new' /* tidegate: key=e */",
            "COMMIT",
        ],
    ] {
        stage
            .lab
            .writer()
            .execute(["UPDATE app.shared SET v = 'old'"])
            .await
            .unwrap();
        let mut conn = stage.client().await;
        for sql in way {
            match *sql {
                "#write" => write(&mut conn).await,
                "#reset" => assert!(conn.reset().await.unwrap()),
                sql => set(&mut conn, sql).await,
            }
        }
        assert_eq!(read(&mut conn).await, "new", "{way:?}");
    }
    let mut other = stage.client().await;
    set(&mut other, "SET @tidegate_key = 'e'").await;
    assert_eq!(
        read(&mut other).await,
        "new",
        "a key that a statement of a transaction gave"
    );
    stage.end().await;
}

#[tokio::test]
async fn a_pool_that_gives_a_key_to_each_borrower_keeps_their_writes_apart() {
    let stage = Stage::new().await;
    frozen(&stage).await;
    let mut pooled = stage.client().await;
    set(&mut pooled, "SET @tidegate_key = 'first'").await;
    write(&mut pooled).await;
    assert!(pooled.reset().await.unwrap());
    set(&mut pooled, "SET @tidegate_key = 'second'").await;
    assert_eq!(
        read(&mut pooled).await,
        "old",
        "on a reader, without waiting"
    );
    set(&mut pooled, "SET @tidegate_key = 'first'").await;
    assert_eq!(read(&mut pooled).await, "new");
    stage.end().await;
}

#[tokio::test]
async fn p1_at_scope_proxy_everybody_reads_everybodys_writes() {
    let stage = Stage::with(|config| config.session.policy.scope = Scope::Proxy).await;
    frozen(&stage).await;
    let mut other = stage.client_as(ROOT).await;
    write(&mut stage.client().await).await;
    let row: Option<String> = other.query_first(READ).await.unwrap();
    assert_eq!(row.as_deref(), Some("new"));
    stage.end().await;
}

#[tokio::test]
async fn p1_a_token_carries_what_was_written_to_another_proxy() {
    let stage = Stage::new().await;
    frozen(&stage).await;
    let (running, port) = wire::proxy(wire::config(&stage.lab)).await;
    let there = || {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some(APP.user))
            .pass(Some(APP.password))
            .prefer_socket(false)
    };
    let mut other = Conn::new(there()).await.unwrap();
    let mut stranger = Conn::new(there()).await.unwrap();
    on_a_reader(&mut stranger).await;
    let mut one = stage.client().await;
    on_a_reader(&mut one).await;
    write(&mut one).await;
    let token: Option<String> = one
        .query_first("SELECT @tidegate_token AS t")
        .await
        .unwrap();
    let token = token.expect("a token");
    assert_eq!(read(&mut stranger).await, "old");
    set(&mut other, &format!("SET @tidegate_token = '{token}'")).await;
    assert_eq!(read(&mut other).await, "new");
    assert!(other.reset().await.unwrap());
    assert_eq!(read(&mut other).await, "new", "a reset does not forget it");
    assert_eq!(
        read(&mut stranger).await,
        "old",
        "it counts for its connection alone"
    );
    let prepared: Option<String> = other
        .exec_first("SELECT @tidegate_token", ())
        .await
        .unwrap();
    assert!(prepared.is_some_and(|given| given.contains(token.get(..36).unwrap_or(&token))));
    // One that the writer does not know, and one that is none.
    let mut writer = stage.lab.writer().conn().await.unwrap();
    let question = match support::flavour() {
        Flavour::MySql => "SELECT CONCAT(@@server_uuid, ':1-99999999')",
        Flavour::MariaDb => "SELECT CONCAT('0-', @@server_id, '-99999999')",
    };
    let too_much: Option<String> = writer.query_first(question).await.unwrap();
    for invented in [
        too_much.unwrap(),
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9".to_owned(),
        "1-2-3".to_owned(),
        "x".repeat(70_000),
    ] {
        let sql = format!("SET @tidegate_token = '{invented}'");
        let error = stranger.query_drop(sql).await.unwrap_err();
        assert!(error.to_string().contains("tidegate_token"), "{error}");
        assert_eq!(read(&mut stranger).await, "old", "and nothing has changed");
    }
    running.drain().await;
    stage.end().await;
}
