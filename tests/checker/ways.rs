//! The ways in which a client bumps its counter, and in which it reads.

use crate::history::Key;

/// A name, the steps, and whether the last of them answers with an error all the same.
pub(crate) type Bump = (&'static str, &'static [&'static str], bool);

/// A name, the steps of which the last one shows the row, and those that come after. What that one
/// has to see is what there was before the step with a `!`, or before the first.
pub(crate) type Read = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// Ways to add one to row `{k}`: the steps, the last of which does it, and whether it answers with
/// an error all the same.
pub(crate) const BUMPS: &[Bump] = &[
    ("an upsert", &["{bump}"], false),
    ("an upsert", &["{bump}"], false),
    ("a prepared upsert", &["?{bump}"], false),
    ("a transaction", &["BEGIN", "{bump}", "COMMIT"], false),
    (
        "autocommit switched on",
        &["SET autocommit = 0", "{bump}", "SET autocommit = 1"],
        false,
    ),
    ("a batch", &["SELECT 1; {bump}; SELECT 2"], false),
    (
        "a prepared transaction",
        &["BEGIN", "?{bump}", "?COMMIT"],
        false,
    ),
    (
        "a chained transaction",
        &["BEGIN", "{bump}", "COMMIT AND CHAIN", "ROLLBACK"],
        false,
    ),
    // In one phase: a prepared one would keep its row locked when its client is gone.
    (
        "an XA transaction",
        &[
            "XA START 'bump{k}'",
            "{bump}",
            "XA END 'bump{k}'",
            "XA COMMIT 'bump{k}' ONE PHASE",
        ],
        false,
    ),
    ("a prepared call", &["?CALL app.bump({k})"], false),
    (
        "a commit before CREATE TABLE",
        &[
            "BEGIN",
            "{bump}",
            "CREATE TABLE IF NOT EXISTS app.counters (id INT)",
        ],
        false,
    ),
    (
        "a commit before ANALYZE TABLE",
        &["START TRANSACTION", "{bump}", "ANALYZE TABLE app.whoami"],
        false,
    ),
    ("a procedure", &["CALL app.bump({k})"], false),
    ("a slow procedure", &["CALL app.bump_and_sleep({k})"], false),
    ("a function", &["SELECT app.bump_by_function({k})"], false),
    ("a trigger", &["INSERT INTO app.fired VALUES ({k})"], false),
    (
        "SQL's PREPARE",
        &["PREPARE b FROM '{bump}'", "EXECUTE b"],
        false,
    ),
    (
        "a procedure that fails",
        &["CALL app.bump_and_fail({k})"],
        true,
    ),
    (
        "a commit before a failing CREATE TABLE",
        &["BEGIN", "{bump}", "CREATE TABLE app.counters (id INT)"],
        true,
    ),
    (
        "a batch that fails",
        &["{bump}; SELECT no_such_column"],
        true,
    ),
];

/// Ways to read, of which the last step shows the rows.
pub(crate) const READS: &[Read] = &[
    ("a select", &["{read}"], &[]),
    ("a select", &["{read}"], &[]),
    ("a select", &["{read}"], &[]),
    ("a prepared select", &["?{read}"], &[]),
    ("a locking read", &["{read} LOCK IN SHARE MODE"], &[]),
    ("a transaction's read", &["BEGIN", "{read}"], &["COMMIT"]),
    (
        "a read-only transaction's read",
        &["START TRANSACTION READ ONLY", "{read}"],
        &["COMMIT"],
    ),
    (
        "a chained one's read",
        &[
            "START TRANSACTION READ ONLY",
            "{read}",
            "!COMMIT AND CHAIN",
            "{read}",
        ],
        &["COMMIT"],
    ),
    (
        "a read committed one's read",
        &[
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "START TRANSACTION READ ONLY",
            "{read}",
        ],
        &[
            "COMMIT",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ],
    ),
    (
        "a read-only transaction's read after a SET",
        &[
            "START TRANSACTION READ ONLY",
            "{read}",
            "SET sort_buffer_size = 100000",
            "{read}",
        ],
        &["COMMIT"],
    ),
    (
        "a read with a variable",
        &["SET @a = 1", "{read} WHERE @a = 1"],
        &[],
    ),
    (
        "a read-only transaction's prepared read",
        &["START TRANSACTION READ ONLY", "?{read}"],
        &["COMMIT"],
    ),
    (
        "a read beside a temporary table",
        &[
            "CREATE TEMPORARY TABLE IF NOT EXISTS mine (a INT)",
            "{read}",
        ],
        &["DROP TEMPORARY TABLE IF EXISTS mine"],
    ),
    (
        "a read under a user lock",
        &["SELECT GET_LOCK('checker{k}', 0)", "{read}"],
        &["SELECT RELEASE_LOCK('checker{k}')"],
    ),
    (
        "a prepared read after a rare SET",
        &["SET low_priority_updates = 1", "?{read}"],
        &[],
    ),
    (
        "a read after a SET",
        &["SET time_zone = '+01:00'", "{read}"],
        &[],
    ),
];

/// Those of them that only the writer runs, and after which the session is as before.
pub(crate) const ON_THE_WRITER: std::ops::Range<usize> = 4..6;

const BUMP: &str =
    "INSERT INTO app.counters VALUES ({k}, 1) ON DUPLICATE KEY UPDATE v = counters.v + 1";

pub(crate) const STRONG: &str = "/* tidegate: level=strong */";

const READ: &str = "SELECT COALESCE(c.v, 0), w.name \
                    FROM app.whoami w LEFT JOIN app.counters c ON c.id = {k}";

pub(crate) fn fill(step: &str, key: Key) -> String {
    let step = step.replace("{bump}", BUMP).replace("{read}", READ);
    step.replace("{k}", &key.to_string())
}

/// The errors that the ways themselves give: SIGNAL, an existing table, a missing column.
pub(crate) fn is_wanted(code: u16) -> bool {
    matches!(code, 1644 | 1050 | 1054)
}
