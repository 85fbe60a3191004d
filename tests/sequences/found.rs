//! What random play has found.

/// Sequences that once read something else through Tidegate, shrunk.
pub(crate) const FOUND: &[&[&str]] = &[
    // A statement that was prepared before SET NAMES met a connection that it could not go back on.
    &[
        "#prepare SELECT ?, ?",
        "SET NAMES latin1",
        "START TRANSACTION",
        "#execute 0 1 x",
        "SELECT CHARSET('a')",
    ],
    // The state in which it was prepared stayed on the connection that executed it.
    &[
        "#prepare INSERT INTO {s}.t (v) VALUES (?)",
        "SET sql_mode = ''",
        "#execute 0 a",
        "INSERT INTO {s}.t (v) VALUES ('far too long for this column, which takes forty bytes only')",
    ],
    // SET NAMES also chooses the collation that results are labelled with.
    &[
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "#prepare SELECT ?, ?",
        "#execute 0 a b",
    ],
    // DDL commits a read-only transaction on a reader, and is not refused in it.
    &[
        "START TRANSACTION READ ONLY",
        "SELECT v FROM t WHERE id = 1",
        "CREATE TABLE {s}.made (v INT)",
    ],
    &[
        "START TRANSACTION READ ONLY",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ],
    &[
        "START TRANSACTION READ ONLY",
        "SET lc_time_names = 'de_DE'",
        "SELECT DAYNAME('2024-01-01')",
    ],
    // What the proxy asks after a CALL is not what FOUND_ROWS() counts.
    &[
        "SELECT v FROM {s}.t WHERE id = 4 FOR SHARE",
        "CALL shows()",
        "INSERT INTO {s}.t (v) VALUES ('new5')",
        "SELECT FOUND_ROWS()",
    ],
    &[
        "CALL shows()",
        "SELECT 1 UNION SELECT 2 UNION SELECT 3 FOR UPDATE",
        "SET SESSION session_track_schema = 1",
        "SELECT FOUND_ROWS()",
    ],
    // BEGIN keeps the access mode of the transaction that it ends.
    &[
        "START TRANSACTION READ ONLY",
        "BEGIN",
        "UPDATE {s}.t SET v = 'same'",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        "UPDATE {s}.t SET v = 'same'",
        "START TRANSACTION READ WRITE",
        "UPDATE {s}.t SET v = 'same'",
        "BEGIN",
        "UPDATE {s}.t SET v = 'other'",
    ],
    // DO begins no transaction.
    &[
        "SET TRANSACTION READ ONLY",
        "DO 1",
        "SELECT COUNT(*) FROM t",
        "INSERT INTO {s}.t (v) VALUES ('a')",
    ],
    // The variables of a transaction can be tracked, its GTIDs can't be let go.
    &[
        "SET autocommit = 0",
        "SELECT v FROM t",
        "SET auto_increment_increment = 1",
    ],
    &[
        "START TRANSACTION",
        "SELECT v FROM t",
        "SHOW VARIABLES LIKE 'sql_mode'",
        "UPDATE t SET v = 1",
    ],
    // FOUND_ROWS() is that of the last query, ROW_COUNT() that of the last statement.
    &["SELECT FOUND_ROWS()"],
    &["SELECT ROW_COUNT()"],
    &[
        "SELECT id FROM t",
        "DO 1",
        "SHOW WARNINGS",
        "#prepare SELECT ROW_COUNT()",
        "#execute 0",
    ],
    &[
        "SELECT v FROM t ORDER BY id LIMIT 2",
        "DROP TABLE IF EXISTS made",
        "SELECT ROW_COUNT()",
    ],
    // An execution that relies on types that nobody has told.
    &["#prepare SELECT v FROM t WHERE id = ?", "#again 0 two"],
    // A reset keeps the roles.
    &[
        "SET ROLE seq_role",
        "#reset",
        "USE {s}",
        "SELECT v FROM t",
        "SELECT CURRENT_ROLE()",
    ],
    // Nothing but the execution comes between a cursor and the next.
    &[
        "SELECT 1/3, GROUP_CONCAT(v ORDER BY id) FROM {s}.t",
        "#prepare SELECT FOUND_ROWS()",
        "#open 0",
        "#open 0",
        "#fetch 0",
    ],
    // An error in place of a cursor.
    &["#prepare SELECT pure(?)", "#open 0 two"],
    &[
        "CREATE TEMPORARY TABLE {s}.t (v VARCHAR(9))",
        "SELECT COUNT(*) FROM w",
        "SELECT COUNT(*) FROM t",
    ],
];
