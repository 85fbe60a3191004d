//! The session variables that follow a session from one backend to another.

use super::Flavour;

/// Session variables whose value the server's tracker tells and a SET on another connection
/// restores, in the order in which they have to be set. Those that sessions set now and then: any
/// other one follows once it is set, and a server that takes statements of 1 KiB at most has to be
/// told of these. The order: `character_set_connection` sets
/// `collation_connection` too (MySQL manual, "Server System Variables"; MariaDB documentation,
/// "Server System Variables").
pub const FOLLOWED: &[&str] = &[
    "autocommit",
    "block_encryption_mode",
    "character_set_client",
    "character_set_results",
    "character_set_connection",
    "collation_connection",
    "check_constraint_checks",
    "cte_max_recursion_depth",
    "default_week_format",
    "div_precision_increment",
    "explain_format",
    "explicit_defaults_for_timestamp",
    "foreign_key_checks",
    "group_concat_max_len",
    "innodb_lock_wait_timeout",
    "interactive_timeout",
    "lc_messages",
    "lc_time_names",
    "lock_wait_timeout",
    "long_query_time",
    "max_error_count",
    "max_execution_time",
    "max_heap_table_size",
    "max_join_size",
    "max_sort_length",
    "max_statement_time",
    "net_read_timeout",
    "net_write_timeout",
    "old_mode",
    "optimizer_switch",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_if_exists",
    "sql_mode",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "sql_warnings",
    "standard_compliant_cte",
    "system_versioning_asof",
    "time_zone",
    "tmp_table_size",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "unique_checks",
    "wait_timeout",
    "windowing_use_high_precision",
];

/// Those of [`FOLLOWED`] that MariaDB does not have. It refuses a list of tracked variables that
/// names one.
const MYSQL_ONLY: &[&str] = &[
    "block_encryption_mode",
    "cte_max_recursion_depth",
    "explain_format",
    "max_execution_time",
    "transaction_isolation",
    "transaction_read_only",
    "windowing_use_high_precision",
];

/// Those that only MariaDB has.
const MARIADB_ONLY: &[&str] = &[
    "check_constraint_checks",
    "max_statement_time",
    "old_mode",
    "sql_if_exists",
    "standard_compliant_cte",
    "system_versioning_asof",
    "tx_isolation",
    "tx_read_only",
];

/// Those of [`FOLLOWED`] that change what a read answers, each with the first version of MySQL that
/// has it if that is after 5.7. A session keeps the values that its writer gave it at login, however
/// another backend's own defaults differ. What only tunes a server or guards it (buffers, the
/// optimizer, limits on time and size) stays as each server has it: operators choose it per server.
const ANSWERING: &[(&str, u32)] = &[
    ("block_encryption_mode", 0),
    ("character_set_client", 0),
    ("character_set_results", 0),
    ("character_set_connection", 0),
    ("collation_connection", 0),
    ("default_week_format", 0),
    ("div_precision_increment", 0),
    ("group_concat_max_len", 0),
    ("lc_messages", 0),
    ("lc_time_names", 0),
    ("max_error_count", 0),
    ("max_sort_length", 0),
    ("old_mode", 0),
    ("sql_auto_is_null", 0),
    ("sql_mode", 0),
    ("sql_quote_show_create", 0),
    ("sql_select_limit", 0),
    ("standard_compliant_cte", 0),
    ("system_versioning_asof", 0),
    ("time_zone", 0),
    ("transaction_isolation", 0),
    ("tx_isolation", 0),
    // The newest come last: an older server answers without them.
    ("windowing_use_high_precision", 80_002),
    ("cte_max_recursion_depth", 80_003),
    ("explain_format", 80_032),
];

/// The variables that change what a read answers and that this flavour has, each with the first
/// version of MySQL that has it if that is after 5.7, else 0. The newest come last.
pub fn answering(flavour: Flavour) -> impl Iterator<Item = (&'static str, u32)> {
    let has = move |name: &str| followed(flavour).any(|followed| followed == name);
    ANSWERING.iter().copied().filter(move |(name, _)| has(name))
}

/// The followed variables that this flavour has.
pub fn followed(flavour: Flavour) -> impl Iterator<Item = &'static str> {
    let absent = match flavour {
        Flavour::MySql => MARIADB_ONLY,
        Flavour::MariaDb => MYSQL_ONLY,
    };
    let names = FOLLOWED.iter().copied();
    names.filter(move |name| !absent.contains(name))
}

/// Does this variable follow its session?
pub fn is_followed(name: &[u8]) -> bool {
    FOLLOWED
        .iter()
        .any(|followed| followed.as_bytes().eq_ignore_ascii_case(name))
}

/// Session variables that say something of their connection or of its next statement, so that
/// another connection can't be told; in upper case.
pub(super) const BOUND: &[&str] = &[
    "DEBUG",
    "DEBUG_SYNC",
    "GTID_DOMAIN_ID",
    "GTID_NEXT",
    "GTID_SEQ_NO",
    "IDENTITY",
    "IMMEDIATE_SERVER_VERSION",
    "INSERT_ID",
    "LAST_INSERT_ID",
    "ORIGINAL_COMMIT_TIMESTAMP",
    "ORIGINAL_SERVER_VERSION",
    "PROFILING_HISTORY_SIZE",
    "PSEUDO_REPLICA_MODE",
    "PSEUDO_SLAVE_MODE",
    "PSEUDO_THREAD_ID",
    "RAND_SEED1",
    "RAND_SEED2",
    "SERVER_ID",
    "SKIP_REPLICATION",
    "SQL_LOG_BIN",
    "STATEMENT_ID",
    "TIMESTAMP",
];

/// Can the tracker's word of this variable be told to another connection?
pub fn can_follow(name: &[u8]) -> bool {
    !BOUND
        .iter()
        .any(|bound| bound.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flavour_follows_its_own_variables_under_names_that_it_knows() {
        let has = |flavour, wanted| followed(flavour).any(|name| name == wanted);
        for (name, mysql, mariadb) in [
            ("sql_mode", true, true),
            ("transaction_isolation", true, false),
            ("tx_isolation", false, true),
        ] {
            assert_eq!(has(Flavour::MySql, name), mysql, "{name}");
            assert_eq!(has(Flavour::MariaDb, name), mariadb, "{name}");
        }
        let known = |name: &&str| FOLLOWED.contains(name);
        assert!(MYSQL_ONLY.iter().chain(MARIADB_ONLY).all(known));
        assert!(ANSWERING.iter().map(|(name, _)| name).all(known));
        assert!(answering(Flavour::MySql).all(|(name, _)| has(Flavour::MySql, name)));
        assert!(answering(Flavour::MariaDb).any(|(name, _)| name == "old_mode"));
    }
}
