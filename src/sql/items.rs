//! What a SELECT lists, item by item: looked at only where an item may be the id of a connection or
//! a call about a user lock.

use super::facts::{is, is_one_of};
use super::lexer::{Lexer, Token};
use super::statement::{IdColumns, LockCall};

/// Tables that list connections, in upper case.
pub(super) const PROCESS_TABLES: &[&str] = &["PROCESSLIST", "THREADS"];

/// Their columns with ids as KILL takes them.
const ID_COLUMNS: &[&str] = &["ID", "PROCESSLIST_ID"];

/// Words behind which no item begins: the list is over.
const BEHIND_THE_LIST: &[&str] = &[
    "FOR",
    "FROM",
    "GROUP",
    "HAVING",
    "INTO",
    "LIMIT",
    "LOCK",
    "ORDER",
    "UNION",
    "WHERE",
    "WINDOW",
    "EXCEPT",
    "INTERSECT",
];

/// What a list is looked through for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Other,
    /// It may stand for several columns.
    Star,
    Id,
    Lock(LockCall),
}

/// The call of a SELECT that is nothing else; `start` is before it.
pub(super) fn lock_call(mut start: Lexer<'_>) -> Option<LockCall> {
    start.next();
    let (items, ended) = list(start);
    match items.as_slice() {
        [Item::Lock(call)] if ended => Some(*call),
        _ => None,
    }
}

/// The columns with ids of connections, if there are any.
pub(super) fn id_columns(mut start: Lexer<'_>) -> Option<IdColumns> {
    start.next();
    let lists_processes = start.clone().any(|token| {
        matches!(token, Token::Word(word) | Token::Quoted(word)
            if is_one_of(PROCESS_TABLES, word))
    });
    if lists_processes {
        return Some(IdColumns::Named(ID_COLUMNS));
    }
    let (items, _) = list(start);
    let known = items.iter().take_while(|item| **item != Item::Star);
    let ids = known.enumerate().filter(|(_, item)| **item == Item::Id);
    let places: Vec<usize> = ids.map(|(place, _)| place).collect();
    (!places.is_empty()).then_some(IdColumns::At(places))
}

/// The items of the list, and whether the statement ends with it.
fn list(lexer: Lexer<'_>) -> (Vec<Item>, bool) {
    let mut items = Vec::new();
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut depth = 0_usize;
    let mut ended = true;
    for token in lexer {
        match token {
            Token::Mark(b';') => break,
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            Token::Mark(b',') if depth == 0 => {
                items.push(item(&tokens));
                tokens.clear();
                continue;
            }
            Token::Word(word) if depth == 0 && is_one_of(BEHIND_THE_LIST, word) => {
                ended = false;
                break;
            }
            _ => {}
        }
        tokens.push(token);
    }
    items.push(item(&tokens));
    (items, ended)
}

fn item(tokens: &[Token<'_>]) -> Item {
    let Some((call, arguments)) = tokens.split_first() else {
        return Item::Other;
    };
    if tokens.contains(&Token::Mark(b'*')) {
        return Item::Star;
    }
    if *call == Token::SystemVariable {
        return match variable(arguments) {
            Some(alias) if is_alias(alias) => Item::Id,
            _ => Item::Other,
        };
    }
    let Token::Word(name) = call else {
        return Item::Other;
    };
    let Some(alias) = behind_call(arguments) else {
        return Item::Other;
    };
    if !is_alias(alias) {
        return Item::Other;
    }
    let about_locks = |token: &Token<'_>| matches!(token, Token::Word(word) if is_one_of(&["GET_LOCK", "RELEASE_LOCK"], word));
    let nested = arguments.iter().any(about_locks);
    if is_one_of(&["CONNECTION_ID", "IS_USED_LOCK"], name) && !nested {
        Item::Id
    } else if is(name, "GET_LOCK") && !nested {
        Item::Lock(LockCall::Take)
    } else if is(name, "RELEASE_LOCK") && !nested {
        Item::Lock(LockCall::Release)
    } else {
        Item::Other
    }
}

/// What stands behind `pseudo_thread_id` or `session.pseudo_thread_id`.
fn variable<'a, 'b>(tokens: &'a [Token<'b>]) -> Option<&'a [Token<'b>]> {
    let (tokens, word) = match tokens {
        [
            Token::Word(scope),
            Token::Mark(b'.'),
            Token::Word(word),
            rest @ ..,
        ] if is_one_of(&["SESSION", "LOCAL"], scope) => (rest, word),
        [Token::Word(word), rest @ ..] => (rest, word),
        _ => return None,
    };
    is(word, "PSEUDO_THREAD_ID").then_some(tokens)
}

/// What stands behind the parenthesis that closes a call.
fn behind_call<'a, 'b>(tokens: &'a [Token<'b>]) -> Option<&'a [Token<'b>]> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return match index {
                0 => None,
                _ => tokens.get(index + 1..),
            };
        }
    }
    None
}

fn is_alias(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [] => true,
        [Token::Word(word)] => !is(word, "AS"),
        [Token::Quoted(_) | Token::Literal] => true,
        [
            Token::Word(word),
            Token::Word(_) | Token::Quoted(_) | Token::Literal,
        ] => is(word, "AS"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{IdColumns, LexMode, LockCall, classify};

    #[test]
    fn a_call_about_a_user_lock_is_known_where_it_stands_alone() {
        let call = |sql: &str| classify(sql.as_bytes(), LexMode::default()).lock_call;
        for sql in [
            "SELECT GET_LOCK('a', 1)",
            "select get_lock(CONCAT('a', ?), 10) AS locked;",
            "SELECT GET_LOCK('a,b', 0) 'x'",
        ] {
            assert_eq!(call(sql), Some(LockCall::Take), "{sql}");
        }
        assert_eq!(call("SELECT RELEASE_LOCK('a')"), Some(LockCall::Release));
        for sql in [
            "SELECT GET_LOCK('a', 1), 2",
            "SELECT GET_LOCK('a', 1) FROM t",
            "SELECT GET_LOCK('a', 1) + 1",
            "SELECT GET_LOCK('a', RELEASE_LOCK('b'))",
            "SELECT RELEASE_LOCK('a') UNION SELECT 1",
            "DO GET_LOCK('a', 1)",
            "SELECT GET_LOCK('a', 1); SELECT 1",
            "SELECT NOT GET_LOCK('a', 1)",
            "SELECT GET_LOCK('a', 1) LIMIT 0",
        ] {
            assert_eq!(call(sql), None, "{sql}");
        }
    }

    #[test]
    fn columns_with_ids_of_connections_are_known_by_their_place_or_name() {
        let ids = |sql: &str| classify(sql.as_bytes(), LexMode::default()).ids;
        for (sql, places) in [
            ("SELECT CONNECTION_ID()", &[0][..]),
            (
                "SELECT 1, connection_id() AS id, VERSION(), CONNECTION_ID() x",
                &[1, 3],
            ),
            (
                "SELECT @@pseudo_thread_id, @@session.pseudo_thread_id id",
                &[0, 1],
            ),
            ("SELECT CONNECTION_ID() FROM t WHERE a = 1", &[0]),
            ("SHOW FULL PROCESSLIST", &[0]),
            ("SELECT 1, IS_USED_LOCK('a') holder", &[1]),
        ] {
            assert_eq!(ids(sql), Some(IdColumns::At(places.to_vec())), "{sql}");
        }
        for sql in [
            "SELECT CONNECTION_ID() + 1",
            "SELECT *, CONNECTION_ID() FROM t",
            "SELECT IS_USED_LOCK('a') = CONNECTION_ID()",
            "SELECT 1",
            "SELECT @@max_connections",
        ] {
            assert_eq!(ids(sql), None, "{sql}");
        }
        for sql in [
            "SELECT * FROM information_schema.processlist",
            "SELECT id FROM performance_schema.`threads` WHERE processlist_id = CONNECTION_ID()",
        ] {
            assert!(matches!(ids(sql), Some(IdColumns::Named(_))), "{sql}");
        }
    }
}
