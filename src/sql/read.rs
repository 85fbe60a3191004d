//! Which statements are pure reads: proven to change nothing, anywhere, and to mean the same on
//! every backend that has the same rows. Everything else belongs to the writer (P5, P7).

use super::functions::is_harmless;
use super::lexer::{LexMode, Lexer, Token};

/// What a pure read touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PureRead {
    /// False only if it provably reads no table: such a read needs no token.
    pub tables: bool,
}

/// Words that make a SELECT something else wherever they stand: locks, files, variables, writing
/// CTEs, sequences. An identifier without quotes of the same name costs it its reader, no more.
const FORBIDDEN: &[&str] = &[
    "ANALYSE",
    "DELETE",
    "DUMPFILE",
    "FOR",
    "INTO",
    "LOCK",
    "NEXT",
    "OUTFILE",
    "PREVIOUS",
    "PROCEDURE",
    "SHARE",
    "SQL_CALC_FOUND_ROWS",
    "UPDATE",
];

/// Words without parentheses that mean this connection or this instance.
const AFFINITY: &[&str] = &["CURRENT_ROLE", "CURRENT_USER"];

/// Schemas about the instance itself, which a health check must find to be the writer's.
const INSTANCE: &[&str] = &["INFORMATION_SCHEMA", "PERFORMANCE_SCHEMA", "SYS"];

/// Reads a single statement; `None` unless it is proven to be a pure read.
///
/// Takes time linear in the length of `sql`, whatever it holds, and never fails: bytes that are no
/// SQL are no pure read.
pub fn pure_read(sql: &[u8], mode: LexMode) -> Option<PureRead> {
    let mut lexer = Lexer::new(sql, mode);
    let mut tables = false;
    let mut started = false;
    let mut ended = false;
    let mut previous = Token::Mark(b';');
    for token in lexer.by_ref() {
        if ended {
            // A second statement.
            return None;
        }
        match token {
            Token::Mark(b'(') if !started => {}
            _ if !started => {
                started = true;
                tables |= begins(token)?;
            }
            Token::Mark(b';') => ended = true,
            Token::Mark(b'(') => is_call_harmless(previous).then_some(())?,
            Token::Word(word) => tables |= allowed(word, previous)?,
            Token::Quoted(name) => (!is_one_of(INSTANCE, name)).then_some(())?,
            Token::Assign | Token::SystemVariable | Token::UserVariable | Token::Broken => {
                return None;
            }
            Token::Literal | Token::Mark(_) => {}
        }
        previous = token;
    }
    // What the backend makes of a versioned comment depends on its version.
    (started && !lexer.versioned).then_some(PureRead { tables })
}

/// May a statement that begins so be a pure read, and does that alone read tables?
fn begins(token: Token<'_>) -> Option<bool> {
    match token {
        Token::Word(word) if is(word, "SELECT") || is(word, "VALUES") => Some(false),
        Token::Word(word) if is(word, "WITH") || is(word, "TABLE") => Some(true),
        _ => None,
    }
}

/// May a word stand there, and does it say that tables are read?
fn allowed(word: &[u8], previous: Token<'_>) -> Option<bool> {
    if is_one_of(INSTANCE, word) {
        return None;
    }
    // Behind a dot every word is an identifier.
    if previous != Token::Mark(b'.') && (is_one_of(FORBIDDEN, word) || is_one_of(AFFINITY, word)) {
        return None;
    }
    Some(is(word, "FROM") || is(word, "TABLE"))
}

/// Is a parenthesis behind this token one that calls nothing unknown?
fn is_call_harmless(previous: Token<'_>) -> bool {
    match previous {
        Token::Word(word) => is_harmless(word),
        // `f` (…) may call a stored function of that name.
        Token::Quoted(_) => false,
        _ => true,
    }
}

fn is(word: &[u8], keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword.as_bytes())
}

fn is_one_of(keywords: &[&str], word: &[u8]) -> bool {
    keywords.iter().any(|keyword| is(word, keyword))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(sql: &str) -> Option<bool> {
        pure_read(sql.as_bytes(), LexMode::default()).map(|read| read.tables)
    }

    #[test]
    fn pure_reads_are_known_as_such_and_whether_they_read_tables() {
        let table = [
            ("SELECT 1", false),
            ("select 1;", false),
            (" \n/* x */ SELECT NOW(), UUID() -- end", false),
            ("SELECT/**/'a'", false),
            ("SELECT-1", false),
            ("VALUES ROW(1, 'a'), ROW(2, 'b')", false),
            ("SELECT * FROM t", true),
            ("SELECT t.update, t.`for` FROM t", true),
            ("(SELECT a FROM t) UNION (SELECT 2) ORDER BY 1", true),
            ("((SELECT 1 FROM t))", true),
            ("TABLE t ORDER BY a LIMIT 1", true),
            (
                "SELECT COUNT(*), MAX(a) FROM t WHERE b IN (1, 2) AND EXISTS (SELECT 1)",
                true,
            ),
            (
                "SELECT INSERT('a', 1, 1, 'b'), REPLACE(a, 'b', 'c'), LEFT(a, 1) FROM t",
                true,
            ),
            ("SELECT a->'$.b', a->>'$.c' FROM t JOIN u USING (id)", true),
            ("SELECT ROW_NUMBER() OVER (PARTITION BY a) FROM t", true),
            ("SELECT 'FOR UPDATE', \"INTO\" FROM t", true),
            (
                "SELECT /*+ SET_VAR(sort_buffer_size=1) */ a FROM t # FOR UPDATE",
                true,
            ),
        ];
        for (sql, tables) in table {
            assert_eq!(read(sql), Some(tables), "{sql}");
        }
    }

    #[test]
    fn p5_what_may_write_lock_or_mean_one_backend_is_no_pure_read() {
        for sql in [
            "",
            ";",
            "/* only */",
            "SELEC 1",
            "INSERT INTO t VALUES (1)",
            "/*!50000 INSERT INTO t VALUES (1) */",
            "/*!SELECT*/ 1",
            "SELECT 1 /*!40000 INTO OUTFILE 'x' */",
            "SELECT a FROM t FOR UPDATE",
            "SELECT a FROM t FOR SHARE OF t NOWAIT",
            "SELECT a FROM t LOCK IN SHARE MODE",
            "SELECT * FROM (SELECT a FROM t FOR UPDATE) AS x",
            "SELECT a INTO @x FROM t",
            "SELECT a FROM t INTO OUTFILE '/tmp/x'",
            "TABLE t INTO OUTFILE '/tmp/x'",
            "SELECT @x",
            "SELECT @x := 1",
            "SELECT @@port",
            "SELECT GET_LOCK('a', 1)",
            "SELECT get_lock ('a', 1)",
            "SELECT LAST_INSERT_ID()",
            "SELECT FOUND_ROWS()",
            "SELECT CONNECTION_ID()",
            "SELECT CURRENT_USER",
            "SELECT my_function(1)",
            "SELECT db.my_function(1)",
            "SELECT `my_function`(1)",
            "SELECT SQL_CALC_FOUND_ROWS a FROM t",
            "SELECT NEXT VALUE FOR s",
            "SELECT * FROM performance_schema.threads",
            "SELECT * FROM `sys`.version",
            "SELECT * FROM information_schema.PROCESSLIST",
            "WITH c AS (SELECT 1) DELETE FROM t",
            "WITH c AS (SELECT 1) UPDATE t SET a = 1",
            "SELECT 1; DELETE FROM t",
            "SELECT 1;;",
            "SELECT 'open",
            "SELECT 1 /* open",
            "SELECT 1\0",
            "BEGIN",
            "CALL p()",
            "DO 1",
            "EXPLAIN ANALYZE SELECT 1",
            "HANDLER t READ FIRST",
        ] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(sql in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = pure_read(&sql, LexMode::default());
        }

        #[test]
        fn p5_no_statement_with_an_into_or_a_lock_is_ever_a_pure_read(
            before in "[a-z0-9 ,.*()']{0,40}",
            what in prop::sample::select(vec!["INTO @x", "FOR UPDATE", "LOCK IN SHARE MODE"]),
        ) {
            let sql = format!("SELECT 1 {} {what}", before.replace('\'', "''").replace('.', " "));
            prop_assert_eq!(pure_read(sql.as_bytes(), LexMode::default()), None);
        }
    }
}
