//! Statements about the session: variables, transactions, locks, prepared statements.

use crate::notation::Rows;

pub(crate) const ROWS: Rows = &[
    (
        "set",
        &[
            "SET NAMES utf8mb4",
            "SET NAMES 'utf8' COLLATE 'utf8_bin'",
            "SET NAMES DEFAULT",
            "SET CHARACTER SET latin1",
            "SET CHARSET latin1",
            "SET autocommit = 0",
            "SET AUTOCOMMIT=1;",
            "SET @@autocommit := 1",
            "SET @@session.autocommit = ON",
            "SET SESSION sql_mode = 'ANSI_QUOTES'",
            "SET LOCAL sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
            "SET `sql_mode` = ''",
            "SET time_zone = '+00:00', sql_mode = '', NAMES utf8mb4",
            "SET NAMES utf8, time_zone = '+01:00'",
            "SET character_set_results = NULL",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
            "SET SESSION transaction_isolation = 'READ-COMMITTED'",
            "SET transaction_isolation = 'READ-COMMITTED'",
            "SET @@session.transaction_isolation = 'SERIALIZABLE'",
            "SET foreign_key_checks = 0, unique_checks = 0",
            "SET wait_timeout = 28800",
            "SET sql_mode = @old",
            "SET SESSION group_concat_max_len = (1 + 2) * 3",
        ],
    ),
    (
        "set +user_variable",
        &[
            "SET @x = 1",
            "SET @x := 1, @y = 2",
            "SET @x = @@sql_mode, sql_mode = ''",
            "SET @`a b` = NOW()",
            "SET sql_mode = (@a := '')",
        ],
    ),
    (
        "set +session_variable",
        &[
            "SET SESSION rand_seed1 = 1",
            "SET insert_id = 5",
            "SET gtid_next = 'AUTOMATIC'",
            "SET @@pseudo_thread_id = 5",
            "SET `my.variable` = 1",
        ],
    ),
    (
        "set sets something_new",
        &[
            "SET sql_mode = '', SOMETHING_NEW = 1",
            "SET @@something_new = 1",
        ],
    ),
    ("set sets profiling", &["SET profiling = 1"]),
    (
        "set sets my.variable",
        &[
            "SET my.Variable = 1",
            "SET SESSION my.variable = 1, sql_mode = ''",
        ],
    ),
    (
        "set +timestamp",
        &[
            "SET timestamp = 1",
            "SET @@timestamp = @x",
            "SET timestamp = DEFAULT, timestamp = 5",
            "SET timestamp = 0 + 5",
        ],
    ),
    (
        "set -timestamp",
        &[
            "SET timestamp = DEFAULT",
            "SET @@session.timestamp = 0, sql_mode = ''",
        ],
    ),
    (
        "set +sql_log_bin",
        &["SET sql_log_bin = 0", "SET SESSION SQL_LOG_BIN = OFF"],
    ),
    (
        "set +last_insert_id",
        &["SET last_insert_id = 5", "SET @@identity = 5"],
    ),
    (
        "set +role",
        &["SET ROLE r", "SET ROLE NONE", "SET ROLE ALL EXCEPT r"],
    ),
    (
        "set +next_transaction",
        &[
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET TRANSACTION READ ONLY",
            "SET @@transaction_isolation = 'SERIALIZABLE'",
            "SET @@transaction_read_only = 1",
        ],
    ),
    (
        "set tracking",
        &[
            "SET session_track_gtids = OFF",
            "SET SESSION session_track_state_change = 1, sql_mode = ''",
            "SET @@session.`session_track_schema` = 0",
        ],
    ),
    (
        "instance tracking",
        &[
            "SELECT @@session_track_gtids",
            "SELECT @@session.session_track_schema",
        ],
    ),
    (
        "unknown +user_variable",
        &[
            "SET @x = (TABLE t)",
            "SET @x = (SELECT 1 FROM DUAL)",
            "SET @x = (SELECT MAX(a) FROM t), sql_mode = ''",
        ],
    ),
    ("unknown +user_variable +unknown", &["SET @x = f(1)"]),
    (
        "set +user_variable +user_lock",
        &[
            "SET @x = GET_LOCK('a', 1)",
            "SET @x = (SELECT GET_LOCK('a', 1))",
        ],
    ),
    ("set +user_variable", &["SET @x = (SELECT 1)"]),
    (
        "set",
        &[
            // What a driver says first.
            "SET sql_mode = (SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')), time_zone = '+00:00', \
             NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
        ],
    ),
    ("use", &["USE db", "use `db`;"]),
    ("begin", &["BEGIN", "BEGIN WORK;", "START TRANSACTION"]),
    ("begin read write", &["START TRANSACTION READ WRITE"]),
    (
        "begin with snapshot",
        &["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
    ),
    (
        "begin read write with snapshot",
        &["START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT"],
    ),
    (
        "begin read only",
        &[
            "START TRANSACTION READ ONLY",
            "start /**/ transaction read only;",
        ],
    ),
    (
        "begin read only with snapshot",
        &[
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT",
        ],
    ),
    (
        "commit",
        &[
            "COMMIT",
            "COMMIT WORK",
            "COMMIT AND CHAIN",
            "COMMIT AND NO CHAIN NO RELEASE",
            "COMMIT RELEASE",
            "commit work and no chain release;",
        ],
    ),
    (
        "control",
        &[
            "ROLLBACK",
            "ROLLBACK WORK AND CHAIN",
            "ROLLBACK TO a",
            "ROLLBACK WORK TO SAVEPOINT a",
            "ROLLBACK RELEASE",
            "SAVEPOINT a",
            "SAVEPOINT `a`",
            "RELEASE SAVEPOINT a",
        ],
    ),
    (
        "xa +xa",
        &[
            "XA START 'a'",
            "XA BEGIN 'a'",
            "XA END 'a'",
            "XA PREPARE 'a'",
        ],
    ),
    (
        "xa -xa",
        &[
            "XA COMMIT 'a'",
            "XA COMMIT 'a' ONE PHASE",
            "XA ROLLBACK 'a'",
        ],
    ),
    ("xa", &["XA RECOVER"]),
    (
        "unknown +table_locks",
        &["LOCK TABLES t READ", "LOCK TABLE t WRITE"],
    ),
    (
        "unknown +table_locks +unknown",
        &["LOCK INSTANCE FOR BACKUP"],
    ),
    ("unknown -table_locks", &["UNLOCK TABLES"]),
    ("unknown", &["UNLOCK INSTANCE"]),
    ("call +unknown", &["CALL p()", "CALL db.p(1, @x)", "CALL p"]),
    (
        "prepared +prepared",
        &[
            "PREPARE s FROM 'SELECT 1'",
            "PREPARE s FROM @x",
            "DEALLOCATE PREPARE s",
            "DROP PREPARE s",
        ],
    ),
    (
        "prepared +unknown",
        &[
            "EXECUTE s",
            "EXECUTE s USING @a, @b",
            "EXECUTE IMMEDIATE 'SELECT 1'",
        ],
    ),
];
