//! The ways to write that there are, and those in which other proxies lose the write.

use tidegate::lab::Flavour;

/// One way to make `SELECT v FROM {t} WHERE id = 1` show `new` instead of `old`.
pub(crate) struct Way {
    /// Also the name of its table.
    pub(crate) name: &'static str,
    /// What is made at the writer beforehand, beside the table.
    pub(crate) before: &'static [&'static str],
    /// What the session does.
    pub(crate) steps: &'static [&'static str],
    /// Is the session bound to the writer from then on, for good?
    pub(crate) bound: bool,
    /// Whose servers know it; none if both.
    pub(crate) only: Option<Flavour>,
}

impl Way {
    pub(crate) fn table(&self) -> String {
        format!("app.{}", self.name)
    }

    /// Puts the table's name into a statement.
    pub(crate) fn fill(&self, sql: &str) -> String {
        sql.replace("{t}", &self.table())
            .replace("{n}", &format!("app.{}_routine", self.name))
    }
}

const fn way(name: &'static str, steps: &'static [&'static str]) -> Way {
    Way {
        name,
        before: &[],
        steps,
        bound: false,
        only: None,
    }
}

const fn made(
    name: &'static str,
    before: &'static [&'static str],
    steps: &'static [&'static str],
) -> Way {
    Way {
        name,
        before,
        steps,
        bound: false,
        only: None,
    }
}

/// A way of which nobody knows what it leaves behind.
const fn may_bind(
    name: &'static str,
    before: &'static [&'static str],
    steps: &'static [&'static str],
) -> Way {
    Way {
        name,
        before,
        steps,
        bound: true,
        only: None,
    }
}

/// A way that leaves state behind that only the writer's connection has.
const fn bound(name: &'static str, steps: &'static [&'static str]) -> Way {
    Way {
        name,
        before: &[],
        steps,
        bound: true,
        only: None,
    }
}

const UPDATE: &str = "UPDATE {t} SET v = 'new' WHERE id = 1";

/// With an answer that says OK.
pub(crate) const SIMPLE: &[Way] = &[
    way("plain_update", &[UPDATE]),
    way("plain_replace", &["REPLACE INTO {t} VALUES (1, 'new')"]),
    way(
        "upsert",
        &["INSERT INTO {t} VALUES (1, 'x') ON DUPLICATE KEY UPDATE v = 'new'"],
    ),
    way(
        "delete_and_insert",
        &[
            "DELETE FROM {t}",
            "INSERT INTO {t} VALUES (1, 'new'), (2, 'b')",
        ],
    ),
    Way {
        only: Some(Flavour::MySql),
        ..way(
            "cte_update",
            &["WITH c AS (SELECT 1 AS id) UPDATE {t} JOIN c USING (id) SET v = 'new'"],
        )
    },
    Way {
        only: Some(Flavour::MariaDb),
        ..way(
            "returning",
            &["REPLACE INTO {t} VALUES (1, 'new') RETURNING v"],
        )
    },
    Way {
        only: Some(Flavour::MariaDb),
        ..way(
            "in_a_comment_of_its_own",
            &["/*M!100100 UPDATE {t} SET v = 'new' */"],
        )
    },
    Way {
        only: Some(Flavour::MariaDb),
        ..bound(
            "with_a_setting",
            &["SET STATEMENT max_statement_time = 9 FOR UPDATE {t} SET v = 'new'"],
        )
    },
    Way {
        only: Some(Flavour::MariaDb),
        ..bound("analyzed", &["ANALYZE UPDATE {t} SET v = 'new'"])
    },
    Way {
        only: Some(Flavour::MariaDb),
        ..bound(
            "block",
            &["BEGIN NOT ATOMIC UPDATE {t} SET v = 'x'; UPDATE {t} SET v = 'new'; END"],
        )
    },
    way("in_a_comment", &["/*!50000 UPDATE {t} SET v = 'new' */"]),
    way(
        "by_binary_protocol",
        &["? UPDATE {t} SET v = 'new' WHERE id = 1"],
    ),
    way(
        "truncated",
        &["TRUNCATE {t}", "INSERT INTO {t} VALUES (1, 'new')"],
    ),
    way(
        "altered",
        &[
            "ALTER TABLE {t} ADD COLUMN w INT",
            "UPDATE {t} SET v = 'new', w = 1",
        ],
    ),
    way(
        "made_anew",
        &[
            "DROP TABLE {t}",
            "CREATE TABLE {t} AS SELECT 1 AS id, 'new' AS v",
        ],
    ),
    way("committed", &["BEGIN", UPDATE, "COMMIT"]),
    way(
        "started",
        &["START TRANSACTION READ WRITE", UPDATE, "COMMIT WORK"],
    ),
    way(
        "chained",
        &["BEGIN", UPDATE, "COMMIT AND CHAIN", "ROLLBACK"],
    ),
    way(
        "savepoint",
        &[
            "BEGIN",
            UPDATE,
            "SAVEPOINT a",
            "DELETE FROM {t}",
            "ROLLBACK TO a",
            "COMMIT",
        ],
    ),
    way(
        "implicitly_by_begin",
        &["BEGIN", UPDATE, "BEGIN", "ROLLBACK"],
    ),
    way(
        "implicitly_by_ddl",
        &["BEGIN", UPDATE, "CREATE TABLE IF NOT EXISTS {t} (id INT)"],
    ),
    way(
        "autocommit_off",
        &["SET autocommit = 0", UPDATE, "COMMIT", "SET autocommit = 1"],
    ),
    way(
        "autocommit_on",
        &["SET autocommit = 0", UPDATE, "SET autocommit = 1"],
    ),
    way("batch", &["SELECT 1; UPDATE {t} SET v = 'new'; SELECT 2"]),
    way(
        "batch_of_a_transaction",
        &["BEGIN; UPDATE {t} SET v = 'new'; COMMIT; SELECT v FROM {t}"],
    ),
    way(
        "xa",
        &[
            "XA START 'xa'",
            UPDATE,
            "XA END 'xa'",
            "XA PREPARE 'xa'",
            "XA COMMIT 'xa'",
        ],
    ),
    way(
        "xa_one_phase",
        &[
            "XA START 'one'",
            UPDATE,
            "XA END 'one'",
            "XA COMMIT 'one' ONE PHASE",
        ],
    ),
    way(
        "with_table_lock",
        &["LOCK TABLES {t} WRITE", UPDATE, "UNLOCK TABLES"],
    ),
    way(
        "renamed",
        &[
            "CREATE TABLE app.renamed_new LIKE {t}",
            "INSERT INTO app.renamed_new VALUES (1, 'new')",
            "RENAME TABLE {t} TO app.renamed_old, app.renamed_new TO {t}",
        ],
    ),
    way(
        "next_transaction",
        &[
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "BEGIN",
            UPDATE,
            "COMMIT",
        ],
    ),
];

/// By what the writer holds: procedures, functions, triggers, views.
pub(crate) const STORED: &[Way] = &[
    may_bind(
        "function",
        &["CREATE FUNCTION {n}() RETURNS INT MODIFIES SQL DATA \
           BEGIN UPDATE {t} SET v = 'new'; RETURN 1; END"],
        &["SELECT {n}()"],
    ),
    may_bind(
        "function_in_do",
        &["CREATE FUNCTION {n}() RETURNS INT MODIFIES SQL DATA \
           BEGIN UPDATE {t} SET v = 'new'; RETURN 1; END"],
        &["DO {n}()"],
    ),
    may_bind(
        "function_that_lies",
        &["CREATE FUNCTION {n}() RETURNS INT READS SQL DATA \
           BEGIN UPDATE {t} SET v = 'new'; RETURN 1; END"],
        &["SELECT {n}()"],
    ),
    made(
        "function_in_a_view",
        &[
            "CREATE FUNCTION {n}() RETURNS INT MODIFIES SQL DATA \
             BEGIN UPDATE {t} SET v = 'new'; RETURN 1; END",
            "CREATE VIEW {n}_view AS SELECT {n}() AS a",
        ],
        &["SELECT a FROM {n}_view"],
    ),
    made(
        "trigger_fires",
        &[
            "CREATE TABLE {n}_source (id INT)",
            "CREATE TRIGGER {n} AFTER INSERT ON {n}_source FOR EACH ROW \
             UPDATE {t} SET v = 'new'",
        ],
        &["INSERT INTO {n}_source VALUES (1)"],
    ),
    made(
        "view",
        &["CREATE VIEW {n}_view AS SELECT id, v FROM {t}"],
        &["UPDATE {n}_view SET v = 'new'"],
    ),
];

/// Whose session stays where its state is.
pub(crate) const BOUND: &[Way] = &[
    bound(
        "by_sql_prepare",
        &[
            "PREPARE s FROM 'UPDATE {t} SET v = \"new\" WHERE id = 1'",
            "EXECUTE s",
            "DEALLOCATE PREPARE s",
        ],
    ),
    Way {
        before: &["CREATE PROCEDURE {n}() UPDATE {t} SET v = 'new'"],
        ..bound("called", &["CALL {n}()"])
    },
    bound("user_lock", &["SELECT GET_LOCK('consistency', 0)", UPDATE]),
    bound(
        "temporary",
        &[
            "CREATE TEMPORARY TABLE app.held AS SELECT 'new' AS v",
            "UPDATE {t} SET v = (SELECT v FROM app.held)",
        ],
    ),
    Way {
        only: Some(Flavour::MySql),
        ..bound(
            "tracking_switched_off",
            &["SET SESSION session_track_gtids = OFF", UPDATE],
        )
    },
    Way {
        before: &[
            "CREATE PROCEDURE {n}() BEGIN SET session_track_gtids = OFF; \
                   UPDATE {t} SET v = 'new'; END",
        ],
        only: Some(Flavour::MySql),
        ..bound("tracking_switched_off_inside", &["CALL {n}()"])
    },
    bound(
        "variables_not_tracked",
        &["SET SESSION session_track_system_variables = ''", UPDATE],
    ),
    Way {
        before: &[
            "CREATE PROCEDURE {n}() BEGIN SET session_track_system_variables = '', \
                   session_track_state_change = 0; UPDATE {t} SET v = 'new'; END",
        ],
        ..bound("variables_not_tracked_inside", &["CALL {n}()"])
    },
    Way {
        before: &[
            "CREATE PROCEDURE {n}() BEGIN SET session_track_system_variables = '', \
             session_track_state_change = 0; END",
            "CREATE TABLE {n}_source LIKE {t}",
            "INSERT INTO {n}_source VALUES (1, 'new')",
        ],
        ..bound(
            "variables_not_tracked_before",
            &[
                "CALL {n}()",
                "DROP TABLE {t}",
                "RENAME TABLE {n}_source TO {t}",
            ],
        )
    },
    Way {
        before: &[
            "CREATE PROCEDURE {n}() BEGIN SET session_track_system_variables = '', \
             session_track_state_change = 0; SIGNAL SQLSTATE '45000'; END",
            "CREATE TABLE {n}_source LIKE {t}",
            "INSERT INTO {n}_source VALUES (1, 'new')",
        ],
        ..bound(
            "variables_not_tracked_after_an_error",
            &[
                "! CALL {n}()",
                "DROP TABLE {t}",
                "RENAME TABLE {n}_source TO {t}",
            ],
        )
    },
    Way {
        before: &[
            "CREATE PROCEDURE {n}() BEGIN SET gtid_domain_id = 7; UPDATE {t} SET v = 'new'; \
                   SET gtid_domain_id = 0; CREATE OR REPLACE VIEW {n}_view AS SELECT 1; END",
        ],
        only: Some(Flavour::MariaDb),
        ..bound("in_another_domain", &["CALL {n}()"])
    },
    Way {
        only: Some(Flavour::MariaDb),
        ..bound(
            "at_once",
            &["EXECUTE IMMEDIATE 'UPDATE {t} SET v = \"new\"'"],
        )
    },
    bound(
        "a_variable_of_its_own",
        &["SET SESSION rand_seed1 = 7", UPDATE],
    ),
];

/// Whose answer is an error, or says nothing of what was written.
pub(crate) const FAILING: &[Way] = &[
    made(
        "ddl_fails_after_commit",
        &[],
        &["BEGIN", UPDATE, "! CREATE TABLE {t} (id INT)"],
    ),
    Way {
        bound: true,
        ..made(
            "procedure_signals",
            &["CREATE PROCEDURE {n}() BEGIN UPDATE {t} SET v = 'new'; \
               SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END"],
            &["! CALL {n}()"],
        )
    },
    Way {
        bound: true,
        ..made(
            "procedure_commits_and_signals",
            &[
                "CREATE PROCEDURE {n}() BEGIN START TRANSACTION; UPDATE {t} SET v = 'new'; COMMIT; \
               SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END",
            ],
            &["BEGIN", "! CALL {n}()", "ROLLBACK"],
        )
    },
    made(
        "half_of_a_myisam_insert",
        &[
            "ALTER TABLE {t} ENGINE = MyISAM",
            "DELETE FROM {t}",
            "INSERT INTO {t} VALUES (7, 'seven')",
        ],
        &["! INSERT INTO {t} VALUES (1, 'new'), (7, 'again')"],
    ),
    way(
        "batch_fails_at_its_end",
        &["! UPDATE {t} SET v = 'new'; SELECT no_such_column"],
    ),
    way(
        "by_binary_ddl",
        &["BEGIN", UPDATE, "? CREATE TABLE IF NOT EXISTS {t} (id INT)"],
    ),
];
