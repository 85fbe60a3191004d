//! What a session has set or made is there for its next statement, on whichever backend that runs.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::{APP, Flavour};

use crate::stage::{Stage, WRITER, back_on_a_reader, on_a_reader, served_by};
use crate::steps::take;
use crate::support;
use crate::wire::{Client, MODERN};

/// What is set, a read that shows it, and what it shows.
type Followed = (&'static [&'static str], &'static str, &'static str);

const FOLLOWS: &[Followed] = &[
    (
        &["SET time_zone = '+05:30'"],
        "FROM_UNIXTIME(0)",
        "1970-01-01 05:30:00",
    ),
    (
        &["SET sql_mode = 'PIPES_AS_CONCAT,ANSI_QUOTES'"],
        "'a' || 'b'",
        "ab",
    ),
    (
        &["SET SESSION group_concat_max_len = 4"],
        "GROUP_CONCAT('abcdef')",
        "abcd",
    ),
    (
        &["SET lc_time_names = 'de_DE'"],
        "DAYNAME('2024-01-01')",
        "Montag",
    ),
    (&["SET NAMES latin1"], "CHARSET('a')", "latin1"),
    (
        &["SET NAMES utf8mb4 COLLATE utf8mb4_bin"],
        "COLLATION('a')",
        "utf8mb4_bin",
    ),
    (&["SET div_precision_increment = 7"], "1 / 3", "0.3333333"),
    (&["USE test_follows"], "DATABASE()", "test_follows"),
    (
        &["SET @@session.default_week_format = 3"],
        "WEEK('2023-01-01')",
        "52",
    ),
    (
        &[
            "SET time_zone = '+01:00', @@local.lc_time_names = 'fr_FR'",
            "SET time_zone = '+02:00'",
        ],
        "CONCAT(FROM_UNIXTIME(0), DAYNAME('2024-01-01'))",
        "1970-01-01 02:00:00lundi",
    ),
];

const FOLLOWS_IN_MYSQL: &[Followed] = &[
    (
        &["SET default_collation_for_utf8mb4 = utf8mb4_general_ci"],
        "COLLATION(_utf8mb4'a')",
        "utf8mb4_general_ci",
    ),
    (
        &[
            "SET @@session.Default_Collation_For_utf8mb4 = 'utf8mb4_general_ci', div_precision_increment = 6",
        ],
        "CONCAT(COLLATION(_utf8mb4'a'), 1 / 3)",
        "utf8mb4_general_ci0.333333",
    ),
];

const FOLLOWS_IN_MARIADB: &[Followed] = &[
    (
        &["SET sql_mode = 'ORACLE,PIPES_AS_CONCAT'"],
        "'a' || 'b'",
        "ab",
    ),
    (
        &["SET default_regex_flags = 'DOTALL'"],
        "'a\nb' RLIKE 'a.b'",
        "1",
    ),
];

#[tokio::test]
async fn p3_what_a_session_has_set_counts_on_a_reader_and_ends_with_a_reset_or_a_change_of_user() {
    let stage = Stage::new().await;
    stage
        .prepare(["CREATE DATABASE IF NOT EXISTS test_follows"])
        .await;
    let own: &[Followed] = match support::flavour() {
        Flavour::MySql => FOLLOWS_IN_MYSQL,
        Flavour::MariaDb => FOLLOWS_IN_MARIADB,
    };
    for (set, shows, value) in FOLLOWS.iter().chain(own) {
        let mut conn = stage.client().await;
        let default = shown(&mut conn, shows).await;
        assert_ne!(default.0, *value, "{shows}: the default");
        for step in *set {
            take(&mut conn, step).await;
        }
        // On a reader's connection that was there before, and on the other reader's too.
        for _ in 0..4 {
            let (seen, on) = shown(&mut conn, shows).await;
            assert_eq!(seen, *value, "{set:?} on {on}");
            assert_ne!(on, WRITER, "{set:?}");
        }
        // A reset does not bring back what the login chose, but the server's own defaults.
        for anew in ["#reset", "#change_user"] {
            let mut fresh = stage.client().await;
            for conn in [&mut conn, &mut fresh] {
                take(conn, anew).await;
                take(conn, "USE app").await;
            }
            for _ in 0..4 {
                assert_eq!(
                    shown(&mut conn, shows).await.0,
                    shown(&mut fresh, shows).await.0,
                    "{set:?} after {anew}"
                );
            }
            for step in *set {
                take(&mut conn, step).await;
            }
            back_on_a_reader(&mut conn, "a SET").await;
            assert_eq!(
                shown(&mut conn, shows).await.0,
                *value,
                "{set:?} after {anew}"
            );
        }
    }
    stage.end().await;
}

async fn shown(conn: &mut Conn, what: &str) -> (String, String) {
    let sql = format!("SELECT {what}, MAX(name) FROM app.whoami");
    let row: Option<(String, String)> = conn.query_first(sql).await.expect("a read");
    row.expect("a row")
}

#[tokio::test]
async fn p3_state_that_lives_on_the_writer_is_found_there() {
    let stage = Stage::new().await;
    let setup = [
        "DROP TABLE IF EXISTS app.counted",
        "CREATE TABLE app.counted (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
    ];
    stage.prepare(setup).await;
    // FLUSH STATUS takes a right of its own.
    let reload = "GRANT RELOAD ON *.* TO app";
    stage.lab.writer().execute([reload]).await.unwrap();
    let reads_by_key = match support::flavour() {
        Flavour::MySql => {
            "SELECT VARIABLE_VALUE > 0 FROM performance_schema.session_status \
             WHERE VARIABLE_NAME = 'Handler_read_key'"
        }
        Flavour::MariaDb => {
            "SELECT VARIABLE_VALUE > 0 FROM information_schema.SESSION_STATUS \
             WHERE VARIABLE_NAME = 'Handler_read_key'"
        }
    };
    let table: &[(&[&str], &str, Option<&str>)] = &[
        (&["SET @a = 5"], "SELECT @a", Some("5")),
        (&["SELECT 6 INTO @b"], "SELECT @b", Some("6")),
        (
            &["SELECT @c := 7"],
            "SELECT CONCAT(@c, name) FROM app.whoami",
            Some("7w1"),
        ),
        (
            &["INSERT INTO app.counted (v) VALUES (1)"],
            "SELECT LAST_INSERT_ID() > 0",
            Some("1"),
        ),
        (
            &["DO LAST_INSERT_ID(99)"],
            "SELECT LAST_INSERT_ID()",
            Some("99"),
        ),
        (
            &["UPDATE app.counted SET v = v + 1"],
            "SELECT ROW_COUNT() >= 0",
            Some("1"),
        ),
        (
            &["SELECT SQL_CALC_FOUND_ROWS 1 FROM app.counted LIMIT 0"],
            "SELECT FOUND_ROWS() > 0",
            Some("1"),
        ),
        (
            &["CREATE TEMPORARY TABLE app.mine SELECT 'temp' AS v"],
            "SELECT v FROM app.mine",
            Some("temp"),
        ),
        (&["PREPARE s FROM 'SELECT 8'"], "EXECUTE s", Some("8")),
        (
            &["SELECT GET_LOCK('mine', 0)"],
            "SELECT IS_USED_LOCK('mine') = CONNECTION_ID()",
            Some("1"),
        ),
        (
            &["HANDLER app.whoami OPEN"],
            "HANDLER whoami READ FIRST",
            Some("1"),
        ),
        (
            &["SET SESSION rand_seed1 = 1, rand_seed2 = 1"],
            "SELECT RAND() < 0.0000001",
            Some("1"),
        ),
        (
            &["SET timestamp = 1000000000"],
            "SELECT UNIX_TIMESTAMP()",
            Some("1000000000"),
        ),
        (
            &[
                "SET profiling = 1",
                "SELECT 'profiled'",
                "SET profiling = 0",
            ],
            "SELECT COUNT(*) FROM information_schema.PROFILING WHERE STATE = 'starting'",
            Some("1"),
        ),
        (
            &["SET profiling = 1", "DO 1", "SET profiling = 0"],
            "SHOW PROFILES",
            Some("1"),
        ),
        (
            &["SET profiling = 1", "DO 1", "SET profiling = 0"],
            "SHOW PROFILE FOR QUERY 1",
            Some("starting"),
        ),
        (
            &["SELECT LAST_INSERT_ID(98)"],
            "SELECT LAST_INSERT_ID()",
            Some("98"),
        ),
        (
            &[
                "INSERT INTO app.counted (id, v) VALUES (4711, 1)",
                "DO LAST_INSERT_ID(4712)",
            ],
            "SELECT @@identity",
            Some("4712"),
        ),
        (
            &[
                "SET optimizer_trace = 'enabled=on'",
                "SELECT name FROM app.whoami",
            ],
            "SELECT QUERY FROM information_schema.OPTIMIZER_TRACE",
            Some("SELECT name FROM app.whoami"),
        ),
        (
            &["FLUSH STATUS", "SELECT name FROM app.whoami WHERE id = 1"],
            reads_by_key,
            Some("1"),
        ),
        (
            &["SET @@session.profiling = 0", "DO 1"],
            "SELECT 1",
            Some("1"),
        ),
    ];
    for (steps, read, value) in table {
        let mut conn = stage.client().await;
        on_a_reader(&mut conn).await;
        for step in *steps {
            take(&mut conn, step).await;
        }
        let row: Option<mysql_async::Row> = conn.query_first(*read).await.expect("a read");
        let seen = row.and_then(|mut row| row.take::<String, _>(0));
        // MariaDB begins some words with a capital letter.
        let seen = seen.map(|seen| seen.replace("Starting", "starting"));
        assert_eq!(seen.as_deref(), *value, "{steps:?} then {read}");
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_the_warnings_of_a_read_on_a_reader_are_shown() {
    let stage = Stage::new().await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    for count in 1..4_usize {
        let warns = vec!["CAST('x' AS SIGNED)"; count].join(", ");
        let row: Option<mysql_async::Row> = conn
            .query_first(format!("SELECT name, {warns} FROM app.whoami"))
            .await
            .unwrap();
        assert_ne!(row.unwrap().take::<String, _>(0).unwrap(), WRITER);
        let warnings: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.unwrap();
        assert_eq!(warnings.len(), count);
        assert_eq!(warnings[0].1, 1292);
        let again: Option<usize> = conn.query_first("SHOW COUNT(*) WARNINGS").await.unwrap();
        assert_eq!(again, Some(count));
    }
    let warns = "SELECT name, CAST('x' AS SIGNED) FROM app.whoami";
    let served: Option<mysql_async::Row> = conn.query_first(warns).await.unwrap();
    assert_ne!(served.unwrap().take::<String, _>(0).unwrap(), WRITER);
    take(&mut conn, "GET DIAGNOSTICS @count = NUMBER").await;
    let get = "GET DIAGNOSTICS CONDITION 1 @code = MYSQL_ERRNO, @text = MESSAGE_TEXT";
    take(&mut conn, get).await;
    let seen: Option<(u32, u32, String)> = conn
        .query_first("SELECT @count, @code, @text")
        .await
        .unwrap();
    let (count, code, text) = seen.unwrap();
    assert_eq!((count, code), (1, 1292));
    assert!(text.contains("incorrect INTEGER value"), "{text}");
    assert_ne!(served_by(&mut conn).await, WRITER);
    let none: Vec<mysql_async::Row> = conn.query("SHOW WARNINGS").await.unwrap();
    assert!(none.is_empty());
    stage.end().await;
}

#[tokio::test]
async fn p3_user_variables_and_prepared_text_do_not_keep_other_reads_from_readers() {
    let stage = Stage::new().await;
    let of_mariadb = [
        &[
            "CREATE OR REPLACE SEQUENCE app.numbers",
            "SELECT NEXTVAL(app.numbers)",
            "SELECT NEXT VALUE FOR app.numbers",
            "SELECT LASTVAL(app.numbers)",
        ][..],
        &["SELECT NVL(NULL, JSON_DETAILED('{}')) FROM app.whoami"],
    ];
    let own = match support::flavour() {
        Flavour::MySql => &[][..],
        Flavour::MariaDb => &of_mariadb,
    };
    let both = [
        &["SET @a = 5", "SELECT @a"][..],
        &["PREPARE s FROM 'SELECT 8'"],
        &["HANDLER app.whoami OPEN", "HANDLER whoami READ FIRST"],
        &[
            "SELECT @@port",
            "SHOW VARIABLES LIKE 'port'",
            "SHOW STATUS LIKE 'Uptime'",
        ],
        &[
            "SET NAMES utf8mb4",
            "SET autocommit = 1",
            "SET sql_mode = ''",
        ],
        &["SELECT CONNECTION_ID(), CURRENT_USER(), VERSION()"],
        &[
            "SELECT GET_LOCK('released', 0)",
            "SELECT RELEASE_ALL_LOCKS()",
        ],
        &["LOCK TABLES app.whoami READ", "UNLOCK TABLES"],
        &[
            "SELECT GET_LOCK('one', 0)",
            "SELECT GET_LOCK(CONCAT('t', 'wo'), 0)",
            "SELECT RELEASE_LOCK('two')",
            "SELECT RELEASE_LOCK('never taken')",
            "SELECT RELEASE_LOCK('one')",
        ],
        &["SET timestamp = 5", "SET timestamp = DEFAULT"],
        &["! SET @@session.no_such_variable = 5"],
        &["SET default_storage_engine = InnoDB"],
        &[
            "CREATE TEMPORARY TABLE mine (a INT)",
            "INSERT INTO mine VALUES (1)",
        ],
        &["CREATE TEMPORARY TABLE `odd name` (a INT)", "#reset"],
    ];
    for steps in both.iter().chain(own) {
        let mut conn = stage.client().await;
        for step in *steps {
            take(&mut conn, step).await;
        }
        back_on_a_reader(&mut conn, &format!("{steps:?}")).await;
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_a_temporary_table_keeps_only_the_statements_that_name_it_on_the_writer() {
    let stage = Stage::new().await;
    let setup = [
        "DROP TABLE IF EXISTS app.shadowed",
        "DROP FUNCTION IF EXISTS app.counts",
        "CREATE TABLE app.shadowed (v VARCHAR(9))",
        "INSERT INTO app.shadowed VALUES ('base')",
        "CREATE FUNCTION app.counts() RETURNS INT READS SQL DATA \
         RETURN (SELECT COUNT(*) FROM app.shadowed)",
    ];
    stage.prepare(setup).await;
    let mut conn = stage.client().await;
    on_a_reader(&mut conn).await;
    take(&mut conn, "CREATE TEMPORARY TABLE shadowed (v VARCHAR(9))").await;
    take(&mut conn, "INSERT INTO shadowed VALUES ('one'), ('two')").await;
    for read in [
        "SELECT MAX(v) FROM shadowed",
        "SELECT MAX(v) FROM app.`SHADOWED`",
    ] {
        let value: Result<Option<String>, _> = conn.query_first(read).await;
        // Names of tables are case sensitive on this file system.
        assert!(
            value.is_err() || value.unwrap().as_deref() == Some("two"),
            "{read}"
        );
        back_on_a_reader(&mut conn, read).await;
    }
    let prepared: Option<String> = conn
        .exec_first("SELECT MAX(v) FROM shadowed", ())
        .await
        .unwrap();
    assert_eq!(prepared.as_deref(), Some("two"));
    take(&mut conn, "START TRANSACTION READ ONLY").await;
    take(&mut conn, "INSERT INTO shadowed VALUES ('zzz')").await;
    take(&mut conn, "COMMIT").await;
    let value: Option<String> = conn
        .query_first("SELECT MAX(v) FROM shadowed")
        .await
        .unwrap();
    assert_eq!(value.as_deref(), Some("zzz"));
    take(&mut conn, "DROP TEMPORARY TABLE shadowed").await;
    let value: Option<String> = conn
        .query_first("SELECT MAX(v) FROM shadowed")
        .await
        .unwrap();
    assert_eq!(value.as_deref(), Some("base"));
    back_on_a_reader(&mut conn, "DROP").await;
    take(&mut conn, "CREATE TEMPORARY TABLE shadowed (v INT)").await;
    take(&mut conn, "INSERT INTO shadowed VALUES (1), (2)").await;
    let counted: Option<i32> = conn.query_first("SELECT app.counts()").await.unwrap();
    assert_eq!(counted, Some(2), "a function sees it too");
    stage.end().await;
}

/// Tracking is the proxy's, and a routine may switch it: the client sees what it would directly.
#[tokio::test]
async fn p3_what_a_routine_does_to_tracking_shows_the_client_no_more_than_directly() {
    let stage = Stage::new().await;
    let routines = [
        "DROP PROCEDURE IF EXISTS app.hushes",
        "CREATE PROCEDURE app.hushes() SET session_track_state_change = 0",
        "DROP PROCEDURE IF EXISTS app.tells",
        "CREATE PROCEDURE app.tells() SET session_track_system_variables = 'big_tables'",
    ];
    stage.prepare(routines).await;
    let mut direct = Client::connect(stage.lab.writer().port(), APP, MODERN).await;
    let mut through = Client::connect(stage.port, APP, MODERN).await;
    for sql in [
        "CALL app.hushes()",
        "SET big_tables = 1",
        "USE app",
        "CALL app.tells()",
        "SET big_tables = 0, sql_mode = ''",
        "SELECT @@session_track_system_variables, @@session_track_state_change",
        "INSERT INTO app.whoami SELECT 9, 'x' FROM app.whoami WHERE id = 99",
    ] {
        assert_eq!(through.query(sql).await, direct.query(sql).await, "{sql}");
    }
    stage.end().await;
}
