//! The same statements in other dress are the same.

use proptest::prelude::*;
use tidegate::sql::{Class, LexMode, Lexer, Token, classify};

use crate::notation::{show, shown};
use crate::rows;

/// Statements whose comments or letters mean something.
fn is_plain(sql: &str) -> bool {
    !sql.contains("/*") && !sql.contains("--") && !sql.contains('#') && !sql.contains('\0')
}

#[test]
fn case_and_white_space_and_comments_change_nothing() {
    for (expected, sql) in rows().filter(|(_, sql)| is_plain(sql)) {
        if !expected.starts_with("read with") {
            assert_eq!(shown(&sql.to_lowercase()), expected, "{sql}");
        }
        let spaced = sql.replace(' ', "\n\t /* a ' ; \" comment */ ");
        if !sql.contains(['\'', '"', '`']) {
            assert_eq!(shown(&spaced), expected, "{spaced}");
        }
        for end in [" ", ";", " ; ", " -- end", " # end", "/**/", ";/**/;"] {
            if !sql.contains("open") {
                assert_eq!(shown(&format!("{sql}{end}")), expected, "{sql}{end}");
            }
        }
        assert_eq!(shown(&format!(" /* ; */ {sql}")), expected, "{sql}");
    }
}

#[test]
fn p5_a_second_statement_is_never_overlooked() {
    for (_, sql) in rows() {
        if sql.contains("open") || sql.contains('\0') || sql.contains("-- ") || sql.contains('#') {
            continue;
        }
        let statement = classify(
            format!("{sql};DELETE FROM t").as_bytes(),
            LexMode::default(),
        );
        let reads = matches!(
            statement.class,
            Class::Read { .. } | Class::ReadWithFunctions(_) | Class::LastStatement
        );
        assert!(
            !reads && !statement.is_pure(),
            "{sql}: {}",
            show(&statement)
        );
    }
}

#[test]
fn p7_quotes_follow_sql_mode() {
    let ansi = LexMode {
        ansi_quotes: true,
        ..LexMode::default()
    };
    let plain = LexMode {
        no_backslash_escapes: true,
        ..LexMode::default()
    };
    let sql = br#"SELECT "a"(1)"#;
    assert_eq!(show(&classify(sql, ansi)), "read with a");
    assert_eq!(show(&classify(sql, LexMode::default())), "read of nothing");
    let sql = br"SELECT '\', @x, '";
    assert_eq!(show(&classify(sql, plain)), "unknown +unknown");
    let sql = br"SELECT '\', @x -- '";
    assert_eq!(show(&classify(sql, plain)), "user variable");
    assert_eq!(show(&classify(sql, LexMode::default())), "read of nothing");
}

#[test]
fn an_answer_tells_nothing_of_tables_only_where_that_is_certain() {
    let shows = |sql: &str| classify(sql.as_bytes(), LexMode::default()).shows_tables;
    for sql in [
        "SELECT @@port",
        "SELECT LAST_INSERT_ID()",
        "SELECT CONNECTION_ID(), @x",
        "SHOW VARIABLES LIKE 'a'",
        "SHOW GLOBAL STATUS",
        "SHOW WARNINGS",
        "DO SLEEP(0)",
        "SELECT 1; SELECT @@port",
    ] {
        assert!(!shows(sql), "{sql}");
    }
    for sql in [
        "SELECT @@port FROM t",
        "SELECT (SELECT a FROM t), CONNECTION_ID()",
        "SHOW CREATE TABLE t",
        "SHOW TABLE STATUS",
        "SHOW VARIABLES WHERE Variable_name IN (SELECT a FROM t)",
        "SHOW INDEX FROM t",
        "SELECT * FROM information_schema.tables",
        "TABLE t FOR UPDATE",
        "CALL p()",
        "SELECT f(1)",
        "SELECT @@port; SELECT a FROM t",
        "UPDATE t SET a = 1",
        "NONSENSE",
    ] {
        assert!(shows(sql), "{sql}");
    }
}

fn has_word(sql: &[u8], words: &[&str]) -> bool {
    Lexer::new(sql, LexMode::default()).any(|token| match token {
        Token::Word(word) => words
            .iter()
            .any(|it| word.eq_ignore_ascii_case(it.as_bytes())),
        _ => false,
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(sql in proptest::collection::vec(any::<u8>(), 0..200)) {
        for no_backslash_escapes in [false, true] {
            for ansi_quotes in [false, true] {
                classify(&sql, LexMode { ansi_quotes, no_backslash_escapes });
            }
        }
    }

    #[test]
    fn p5_no_read_has_an_into_or_a_lock(
        before in "[a-z0-9 ,.*()']{0,40}",
        what in prop::sample::select(vec!["INTO @x", "FOR UPDATE", "LOCK IN SHARE MODE", "@a := 1"]),
    ) {
        let sql = format!("SELECT 1 {} {what}", before.replace('\'', "''").replace('.', " "));
        let class = classify(sql.as_bytes(), LexMode::default()).class;
        prop_assert!(!matches!(class, Class::Read { .. } | Class::ReadWithFunctions(_)), "{}", sql);
    }

    #[test]
    fn p5_pieces_of_statements_never_make_a_read_that_writes(
        pieces in proptest::collection::vec(
            prop::sample::select(vec![
                "SELECT", "1", "FROM t", "(", ")", ";", "'", "`", "\"", "/*", "*/", "/*!50000", "--",
                "\n", "INSERT INTO t VALUES (1)", "DELETE FROM t", "UPDATE t SET a = 1", "UNION",
                "WITH c AS (", ",", "f(1)", "@x", ":=", "AS", "END", "BEGIN", "\\", "#",
            ]),
            0..14,
        ),
    ) {
        let sql = pieces.join(" ");
        let class = classify(sql.as_bytes(), LexMode::default()).class;
        if matches!(class, Class::Read { .. }) {
            prop_assert!(!has_word(sql.as_bytes(), &["INSERT", "DELETE", "UPDATE"]), "{}", sql);
        }
    }
}
