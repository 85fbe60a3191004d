//! Random sequences. Everything that they hold has one right answer: no clock that runs, no ids
//! that differ between two connections, nothing that belongs to the whole server.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::step::Step;

/// A sequence, by its seed. Where connections are replaced, what FOUND_ROWS() tells goes with them.
pub(crate) fn sequence(seed: u64, replaced: bool) -> Vec<Step> {
    let mut rng = StdRng::seed_from_u64(seed);
    let length = rng.random_range(5..=25);
    let mut known = Vec::new();
    let mut reset = false;
    let mut steps = Vec::new();
    while steps.len() < length {
        let step = match rng.random_range(0..100) {
            0..30 => sql(&mut rng, READS),
            30..48 => sql(&mut rng, WRITES),
            48..62 => sql(&mut rng, SETS),
            62..78 => sql(&mut rng, STATE),
            78..80 => Step::Reset,
            80 => {
                Step::InitDb((*["{s}", "app", "no_such_schema"].choose(&mut rng).unwrap()).into())
            }
            _ => binary(&mut rng, &mut known),
        };
        let line = step.line();
        reset |= step == Step::Reset;
        // What FOUND_ROWS() tells after a reset is that of a query which may have run elsewhere.
        if reset && line.contains("FOUND_ROWS()") {
            continue;
        }
        // A user variable has the type that it had when the statement was prepared.
        let of_connection = ["FOUND_ROWS()", ".my", "#prepare SELECT @a"];
        // MySQL warns of a transaction over both engines where two statements of their own follow
        // each other on a connection, which they do where a read between them ran elsewhere.
        let warns = ["INTO {s}.my", "DELETE FROM {s}.my"];
        let left_out = |parts: &[&str]| parts.iter().any(|part| line.contains(part));
        if !(replaced && left_out(&of_connection) || left_out(&warns)) {
            steps.push(step);
        }
    }
    steps
}

fn sql(rng: &mut StdRng, from: &[&str]) -> Step {
    let text = from.choose(rng).unwrap();
    Step::Sql(fill(rng, text))
}

/// Puts a small number for each `{n}`.
fn fill(rng: &mut StdRng, text: &str) -> String {
    let mut parts = text.split("{n}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(&rng.random_range(1..6).to_string());
        filled.push_str(part);
    }
    filled
}

/// What is known of a statement that was prepared: how many parameters it has, and whether it is
/// executed with a cursor. MySQL 9.7.4 gives a nonsensical answer to an execution without one after
/// one with.
/// Last, whether its types were told: without, MySQL's errors depend on what it has in memory.
type Known = (usize, bool, bool);

/// A command about prepared statements.
fn binary(rng: &mut StdRng, known: &mut Vec<Known>) -> Step {
    if known.is_empty() || rng.random_ratio(1, 4) {
        let (text, params) = PREPARED.choose(rng).unwrap();
        known.push((*params, rng.random_ratio(1, 5), false));
        return Step::Prepare((*text).to_owned());
    }
    let nth = rng.random_range(0..known.len());
    let (params, cursor, told) = known[nth];
    match rng.random_range(0..20) {
        0 => Step::Close(nth),
        1 => Step::ResetPrepared(nth),
        2..4 => Step::Fetch(nth),
        4 if params > 0 => Step::Long(nth, "long".to_owned()),
        kind => {
            known[nth].2 = true;
            Step::Execute {
                nth,
                values: (0..params).map(|_| value(rng)).collect(),
                types: kind < 14 || !told,
                cursor,
            }
        }
    }
}

fn value(rng: &mut StdRng) -> Option<String> {
    let values = [None, Some("1"), Some("2"), Some("two"), Some("x")];
    values.choose(rng).unwrap().map(str::to_owned)
}

/// What shows something.
const READS: &[&str] = &[
    "SELECT id, v FROM {s}.t ORDER BY id",
    "SELECT COUNT(*), MAX(v) FROM t",
    "SELECT v FROM w WHERE id = {n}",
    "SELECT v FROM {s}.my ORDER BY id",
    "SELECT v FROM made",
    "SELECT 1/3, GROUP_CONCAT(v ORDER BY id) FROM {s}.t",
    "SELECT \"v\" FROM {s}.t WHERE id = 1",
    "SELECT 'a\\'b', 'c' FROM {s}.t WHERE id = 1",
    "SELECT 'a' || 'b', CHARSET('a'), COLLATION('a') FROM {s}.t LIMIT 1",
    "SELECT COLLATION(_utf8mb4'a'), CHARSET(CONCAT('a', id)) FROM {s}.t WHERE id = 2",
    "SELECT FROM_UNIXTIME(0), DAYNAME('2024-01-01'), WEEK('2023-01-01') FROM {s}.t WHERE id = 1",
    "SELECT UNIX_TIMESTAMP(), id FROM {s}.t WHERE UNIX_TIMESTAMP() = 1000000000",
    "SELECT DATABASE(), COUNT(*) FROM {s}.t",
    "SELECT @a, @b, @seen, @called",
    "SELECT @a := {n}, v FROM {s}.t WHERE id = 1",
    "SELECT MAX(id) INTO @a FROM {s}.t",
    "SELECT v INTO @b FROM {s}.t WHERE id = {n}",
    "SELECT LAST_INSERT_ID(), @@identity",
    "SELECT ROW_COUNT()",
    "SELECT FOUND_ROWS()",
    "SELECT SQL_CALC_FOUND_ROWS id FROM {s}.t ORDER BY id LIMIT 1",
    "SELECT @@warning_count, @@error_count",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "SHOW COUNT(*) WARNINGS",
    "GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER",
    "SELECT CAST('x' AS SIGNED), 1/0 FROM {s}.t WHERE id < 3",
    "SELECT @@sql_mode, @@time_zone, @@autocommit, @@sql_select_limit",
    "SELECT @@character_set_client, @@character_set_results, @@collation_connection",
    "SELECT @@transaction_isolation, @@transaction_read_only, @@div_precision_increment",
    "SELECT @@group_concat_max_len, @@lc_time_names, @@default_collation_for_utf8mb4",
    "SELECT @@max_sort_length, @@auto_increment_increment, @@low_priority_updates",
    "SHOW VARIABLES LIKE 'sql_mode'",
    "SELECT CURRENT_ROLE()",
    "SELECT pure({n}) FROM {s}.t WHERE id = 1",
    "SELECT counts()",
    "SELECT sets({n})",
    "SELECT v FROM {s}.t WHERE id = {n} FOR UPDATE",
    "SELECT v FROM {s}.t WHERE id = {n} FOR SHARE",
    "SHOW TABLES LIKE 't'",
    "SHOW COLUMNS FROM {s}.t LIKE 'v'",
    "EXPLAIN FORMAT=TRADITIONAL SELECT 1",
    "TABLE {s}.t ORDER BY id LIMIT 1",
    "VALUES ROW(1, 2), ROW(3, 4)",
    "WITH c AS (SELECT id FROM {s}.t) SELECT COUNT(*) FROM c",
    "(SELECT id FROM {s}.t WHERE id = 1) UNION ALL (SELECT 9)",
    "SELECT nothing FROM {s}.t",
    "SELECT * FROM {s}.no_such_table",
    "SELECT 1 FROM",
    "SELECT no_such_function()",
    "EXECUTE s1",
    "EXECUTE s2 USING @a",
    "HANDLER t READ FIRST",
    "CALL shows()",
    "CALL two()",
    "SELECT 1; SELECT COUNT(*) FROM {s}.t",
    "DO 1",
    "/* comment */ SELECT /*!80000 v FROM */ 1",
];

/// What changes rows or tables.
const WRITES: &[&str] = &[
    "INSERT INTO {s}.t (v) VALUES ('new{n}')",
    "INSERT INTO t (v) VALUES ('a'), ('b')",
    "INSERT INTO {s}.my VALUES ({n}, 'm')",
    "INSERT IGNORE INTO {s}.t (id, v) VALUES ({n}, 'ignored')",
    "REPLACE INTO {s}.t (id, v) VALUES ({n}, 'replaced')",
    "INSERT INTO {s}.t (id, v) VALUES ({n}, 'k') ON DUPLICATE KEY UPDATE v = 'dup'",
    "UPDATE {s}.t SET v = CONCAT(v, '+') WHERE id = {n}",
    "UPDATE {s}.t SET id = LAST_INSERT_ID(id) WHERE id = {n}",
    "UPDATE {s}.t SET v = 'same'",
    "DELETE FROM {s}.t WHERE id = {n}",
    "DELETE FROM {s}.my",
    "INSERT INTO {s}.t (v) SELECT v FROM {s}.t WHERE id = {n}",
    "INSERT INTO {s}.t (v) VALUES ('far too long for this column, which takes forty bytes only')",
    "INSERT INTO {s}.t (id, v) VALUES (1, 'twice')",
    "CREATE TABLE {s}.made (v VARCHAR(9))",
    "ALTER TABLE {s}.made ADD w INT",
    "DROP TABLE {s}.made",
    "DROP TABLE IF EXISTS {s}.made",
    "INSERT INTO made VALUES ('m{n}')",
    "TRUNCATE {s}.my",
    "CALL adds()",
    "CALL fails()",
    "SELECT writes({n})",
    "INSERT INTO {s}.t (v) VALUES ('x'); SELECT COUNT(*) FROM {s}.t",
    "INSERT INTO {s}.t (v) VALUES ('y'); SELECT nothing",
    "EXECUTE s3",
];

/// SET.
const SETS: &[&str] = &[
    "SET sql_mode = 'ANSI_QUOTES'",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
    "SET sql_mode = 'PIPES_AS_CONCAT,STRICT_ALL_TABLES'",
    "SET sql_mode = DEFAULT",
    "SET sql_mode = ''",
    "SET time_zone = '+0{n}:00'",
    "SET time_zone = DEFAULT",
    "SET NAMES latin1",
    "SET NAMES gbk",
    "SET NAMES utf8mb4",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET NAMES DEFAULT",
    "SET CHARACTER SET latin1",
    "SET character_set_results = NULL",
    "SET character_set_results = utf8mb4",
    "SET character_set_results = ucs2",
    "SET collation_connection = utf8mb4_general_ci",
    "SET lc_time_names = 'de_DE'",
    "SET group_concat_max_len = {n}",
    "SET group_concat_max_len = DEFAULT",
    "SET sql_select_limit = 0",
    "SET sql_select_limit = 1",
    "SET sql_select_limit = DEFAULT",
    "SET div_precision_increment = {n}, max_sort_length = 100",
    "SET default_week_format = {n}",
    "SET SESSION max_sort_length = 1{n}",
    "SET default_collation_for_utf8mb4 = utf8mb4_general_ci",
    "SET auto_increment_increment = 1",
    "SET optimizer_switch = 'mrr=off'",
    "SET timestamp = 1000000000",
    "SET timestamp = DEFAULT",
    "SET insert_id = 5{n}",
    "SET last_insert_id = {n}",
    "SET SESSION sql_auto_is_null = 1",
    "SET sql_safe_updates = 1",
    "SET sql_safe_updates = 0",
    "SET no_such_variable = 1",
    "SET sql_mode = 'NO_SUCH_MODE'",
    "SET GLOBAL max_connections = 5",
    "SET @a = {n}",
    "SET @a = (SELECT MAX(id) FROM {s}.t), @b = 'b'",
    "SET @b = @@sql_mode, sql_mode = ''",
    "SET sql_mode = @b",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION READ WRITE",
    "SET TRANSACTION READ ONLY",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET @@transaction_isolation = 'READ-UNCOMMITTED'",
    "SET ROLE seq_role",
    "SET ROLE NONE",
    "SET ROLE no_such_role",
    "SET foreign_key_checks = 0, unique_checks = 0",
    "SET max_execution_time = 5000",
    "SET big_tables = 1",
    "SET profiling = 0",
];

/// Everything else that makes, ends or needs state.
const STATE: &[&str] = &[
    "BEGIN",
    "START TRANSACTION",
    "START TRANSACTION READ ONLY",
    "START TRANSACTION READ ONLY",
    "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT",
    "COMMIT",
    "COMMIT",
    "COMMIT",
    "COMMIT AND CHAIN",
    "ROLLBACK",
    "ROLLBACK",
    "ROLLBACK AND CHAIN",
    "SAVEPOINT p1",
    "ROLLBACK TO SAVEPOINT p1",
    "RELEASE SAVEPOINT p1",
    "CREATE TEMPORARY TABLE {s}.t (id INT PRIMARY KEY, v VARCHAR(9))",
    "CREATE TEMPORARY TABLE made AS SELECT 'tmp' AS v",
    "DROP TEMPORARY TABLE IF EXISTS {s}.t",
    "DROP TEMPORARY TABLE {s}.made",
    "ALTER TABLE made RENAME TO made2",
    "DROP TEMPORARY TABLE IF EXISTS made2",
    "CALL temps()",
    "LOCK TABLES {s}.t READ",
    "LOCK TABLES {s}.t WRITE",
    "UNLOCK TABLES",
    "SELECT GET_LOCK('{s}', 0)",
    "SELECT RELEASE_LOCK('{s}')",
    "SELECT RELEASE_ALL_LOCKS()",
    "DO GET_LOCK('{s}', 0)",
    "SELECT IS_USED_LOCK('{s}') = CONNECTION_ID()",
    "HANDLER {s}.t OPEN",
    "HANDLER t READ NEXT",
    "HANDLER t CLOSE",
    "PREPARE s1 FROM 'SELECT COUNT(*) FROM t'",
    "PREPARE s2 FROM 'SELECT v FROM t WHERE id = ?'",
    "PREPARE s3 FROM 'INSERT INTO t (v) VALUES (1)'",
    "PREPARE s1 FROM 'nonsense'",
    "DEALLOCATE PREPARE s1",
    "DEALLOCATE PREPARE s2",
    "XA START '{s}'",
    "XA END '{s}'",
    "XA COMMIT '{s}' ONE PHASE",
    "XA ROLLBACK '{s}'",
    "CALL modes()",
    "CALL out1(@a, @b)",
    "USE {s}",
    "USE app",
    "USE information_schema",
    "DO LAST_INSERT_ID({n})",
    "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'warned'",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'failed'",
    "FLUSH TABLES {s}.t WITH READ LOCK",
    "ANALYZE TABLE {s}.my",
    "CHECK TABLE {s}.my",
    "BEGIN; INSERT INTO {s}.t (v) VALUES ('in'); COMMIT",
    "SET @a = 1; SELECT @a; SET time_zone = '+03:00'",
];

/// What is prepared, with how many parameters.
const PREPARED: &[(&str, usize)] = &[
    ("SELECT id, v FROM {s}.t ORDER BY id", 0),
    ("SELECT v FROM t WHERE id = ?", 1),
    ("SELECT ?, ?", 2),
    ("SELECT CONCAT(?, v) FROM {s}.t WHERE id < ? ORDER BY id", 2),
    ("INSERT INTO {s}.t (v) VALUES (?)", 1),
    ("UPDATE {s}.t SET v = ? WHERE id = ?", 2),
    ("SELECT \"v\", 'x' FROM {s}.t ORDER BY id LIMIT 1", 0),
    (
        "SELECT COLLATION('a'), 1/3, @@sql_mode FROM {s}.t LIMIT 1",
        0,
    ),
    ("SELECT @a, @b", 0),
    ("SET @a = ?", 1),
    ("SELECT ROW_COUNT()", 0),
    ("SELECT FOUND_ROWS()", 0),
    ("SELECT LAST_INSERT_ID()", 0),
    ("CALL shows()", 0),
    ("CALL out1(?, ?)", 2),
    ("SELECT COUNT(*) FROM made", 0),
    ("COMMIT", 0),
    ("SELECT nothing FROM {s}.t", 0),
    ("nonsense", 0),
    ("CREATE TEMPORARY TABLE {s}.t (v INT)", 0),
    ("SELECT v FROM {s}.t WHERE id = ? FOR UPDATE", 1),
    ("SET time_zone = ?", 1),
    ("SELECT pure(?)", 1),
    ("SELECT 1 UNION SELECT 2 UNION SELECT 3", 0),
];
