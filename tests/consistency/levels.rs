//! How fresh reads are, by every way to ask for it, while no reader gets anything.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use tidegate::lab::APP;
use tidegate::lab::Flavour;
use tidegate::protocol::{Capabilities, Command, PrepareOk};
use tidegate::routing::Level;

use crate::stage::{Stage, back_on_a_reader, on_a_reader};
use crate::support;
use crate::wire::{Client, MODERN};

/// A read of what somebody else has written.
const READ: &str = "SELECT v FROM app.fresh WHERE id = 1";

/// The readers stand still at `old`, and somebody has written `new` past the proxy.
async fn behind(stage: &Stage) {
    let create = "CREATE TABLE app.fresh (id INT PRIMARY KEY, v VARCHAR(20))";
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.fresh",
            create,
            "INSERT INTO app.fresh VALUES (1, 'old')",
        ])
        .await;
    stage.freeze().await;
    let update = "UPDATE app.fresh SET v = 'new' WHERE id = 1";
    stage.lab.writer().execute([update]).await.unwrap();
}

async fn read(conn: &mut Conn, sql: &str) -> String {
    conn.query_first(sql).await.unwrap().unwrap()
}

/// Every way in which a session asks for a value of one of Tidegate's variables.
const SETS: &[&[&str]] = &[
    &["SET @tidegate_level = 'VALUE'"],
    &["SET @a = 1, @`Tidegate_Level` := CONCAT('', 'VALUE'), @b = 2"],
    &["SELECT 'VALUE' INTO @tidegate_level"],
    &["SELECT @tidegate_level := 'VALUE'"],
    &[
        "PREPARE s FROM 'SET @tidegate_level = ?'",
        "SET @v = 'VALUE'",
        "EXECUTE s USING @v",
    ],
    &[
        "SET @tidegate_level = 'eventual'",
        "SET @tidegate_level = 'VALUE'",
    ],
];

#[tokio::test]
async fn p1_strong_reads_see_what_others_wrote_however_the_level_is_asked_for() {
    let stage = Stage::new().await;
    behind(&stage).await;
    let mut plain = stage.client().await;
    assert_eq!(
        read(&mut plain, READ).await,
        "old",
        "without a level it is stale"
    );
    for way in SETS {
        let mut conn = stage.client().await;
        for statement in *way {
            let statement = statement.replace("VALUE", "strong");
            conn.query_drop(&statement).await.unwrap();
        }
        assert_eq!(read(&mut conn, READ).await, "new", "{way:?}");
        let set = "SELECT @tidegate_level";
        assert_eq!(read(&mut conn, set).await, "strong", "{way:?}");
    }
    let mut conn = stage.client().await;
    conn.exec_drop("SET @tidegate_level = ?", ("strong",))
        .await
        .unwrap();
    assert_eq!(read(&mut conn, READ).await, "new", "prepared");
    let prepared: Option<String> = conn.exec_first(READ, ()).await.unwrap();
    assert_eq!(prepared.as_deref(), Some("new"));
    conn.reset().await.unwrap();
    assert_eq!(
        conn.query_first("SELECT @tidegate_level").await.unwrap(),
        Some(Value::NULL)
    );
    stage.end().await;
}

#[tokio::test]
async fn p1_a_hint_holds_for_its_statement_alone_also_a_prepared_one() {
    let stage = Stage::new().await;
    behind(&stage).await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    for hinted in [
        "/* tidegate: level=strong */ SELECT v FROM app.fresh WHERE id = 1",
        "SELECT v FROM app.fresh /* tidegate: level = STRONG */ WHERE id = 1",
        "SELECT v FROM app.fresh WHERE id = 1 -- tidegate: level=bounded, max_staleness=0s",
        "SELECT v FROM app.fresh WHERE id = 1 /* tidegate: max_staleness=1ms */",
        "SELECT v FROM app.fresh WHERE id = 1 /* tidegate: level=writer */",
    ] {
        assert_eq!(read(&mut conn, hinted).await, "new", "{hinted}");
        let prepared = conn.prep(hinted).await.unwrap();
        for _ in 0..3 {
            let row: Option<String> = conn.exec_first(&prepared, ()).await.unwrap();
            assert_eq!(row.as_deref(), Some("new"), "prepared: {hinted}");
        }
    }
    // What it has seen it may not unsee: only a level that promises nothing is stale again.
    assert_eq!(read(&mut conn, READ).await, "new");
    let eventual = format!("{READ} /* tidegate: level=eventual */");
    assert_eq!(read(&mut conn, &eventual).await, "old");
    stage.end().await;
}

#[tokio::test]
async fn p1_a_bounded_read_is_as_stale_as_its_bound_allows_and_no_more() {
    let stage = Stage::new().await;
    behind(&stage).await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    conn.query_drop("SET @tidegate_max_staleness = '1h', @tidegate_level = 'bounded'")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO app.fresh VALUES (2, 'own')")
        .await
        .unwrap();
    assert_eq!(
        read(&mut conn, READ).await,
        "old",
        "its own write need not be there"
    );
    conn.query_drop("SET @tidegate_max_staleness = '1ms'")
        .await
        .unwrap();
    assert_eq!(read(&mut conn, READ).await, "new");
    stage.end().await;
}

#[tokio::test]
async fn levels_come_from_the_configuration_and_reads_go_back_to_readers() {
    for level in [Level::Strong, Level::Bounded, Level::Session] {
        let stage = Stage::with(|config| {
            config.session.policy.level = level;
            config.session.policy.max_staleness = Some(std::time::Duration::from_secs(5));
        })
        .await;
        behind(&stage).await;
        let mut conn = stage.client().await;
        if level == Level::Strong {
            assert_eq!(read(&mut conn, READ).await, "new");
        }
        stage.thaw().await;
        back_on_a_reader(&mut conn, level.name()).await;
        assert_eq!(read(&mut conn, READ).await, "new", "{}", level.name());
        stage.end().await;
    }
}

#[tokio::test]
async fn what_is_misspelt_is_an_error_that_names_the_choices_and_changes_nothing() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    conn.query_drop("SET @tidegate_level = 'eventual'")
        .await
        .unwrap();
    for (sql, code, part) in [
        (
            "SET @tidegate_level = 'srtong'",
            1231,
            "writer, strong, session, bounded, eventual",
        ),
        ("SET @tidegate_level = 'bounded'", 1231, "max_staleness"),
        ("SET @tidegate_max_staleness = 500", 1231, "500ms"),
        ("SET @tidegate_key = ''", 1231, "255"),
        (
            "SET @tidegate_token = 'nonsense'",
            1231,
            "SELECT @tidegate_token",
        ),
        (
            "SET @tidegate_levle = 'strong'",
            1193,
            "@tidegate_max_staleness",
        ),
        (
            "SELECT 1 /* tidegate: level=srtong */",
            1231,
            "writer, strong",
        ),
        (
            "SELECT 1 /* tidegate: levle=strong */",
            1064,
            "level, max_staleness",
        ),
        (
            "SELECT 1 /* tidegate: level=bounded */",
            1231,
            "max_staleness",
        ),
    ] {
        let error = conn.query_drop(sql).await.expect_err(sql);
        let mysql_async::Error::Server(error) = error else {
            panic!("{sql}: {error}");
        };
        assert_eq!(error.code, code, "{sql}: {error}");
        assert!(error.message.contains(part), "{sql}: {error}");
        assert_eq!(read(&mut conn, "SELECT @tidegate_level").await, "eventual");
        on_a_reader(&mut conn).await;
    }
    stage.end().await;
}

/// One attribute, as a COM_QUERY and a COM_STMT_EXECUTE carry it.
fn attribute(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0xfe, 0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[tokio::test]
async fn p1_query_attributes_ask_for_a_level_as_hints_do() {
    if support::skips(
        Flavour::MySql,
        "MariaDB has no query attributes, so none are offered",
    ) {
        return;
    }
    let stage = Stage::new().await;
    behind(&stage).await;
    let wanted = Capabilities(MODERN.0 | Capabilities::QUERY_ATTRIBUTES.0);
    let mut client = Client::connect(stage.port, APP, wanted).await;
    let prepare = client.ask(Command::StmtPrepare, READ.as_bytes()).await;
    let id = PrepareOk::parse(&prepare[0], wanted).unwrap().statement_id;
    for (name, value, expected) in [
        ("other", "strong", "old"),
        ("tidegate_level", "eventual", "old"),
        ("tidegate_level", "srtong", "writer, strong"),
        ("tidegate_levle", "strong", "@tidegate_level"),
        ("tidegate_level", "strong", "new"),
        ("level", "strong", "new"),
        ("max_staleness", "1ms", "new"),
    ] {
        let query = [&[1, 1][..], &attribute(name, value), READ.as_bytes()].concat();
        let execute = [
            &id.to_le_bytes()[..],
            &[8, 1, 0, 0, 0, 1],
            &attribute(name, value),
        ]
        .concat();
        for (command, argument) in [(Command::Query, query), (Command::StmtExecute, execute)] {
            let answer = client.ask(command, &argument).await.concat();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(
                answer.contains(expected),
                "{command:?} {name}={value}: {answer}"
            );
        }
    }
    stage.end().await;
}
