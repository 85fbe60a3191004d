//! What a word with a parenthesis behind it calls.

mod mariadb;
mod names;

pub use self::mariadb::{InMariaDb, in_mariadb};
use self::names::{NOT_CALLS, PURE, SPACE_SENSITIVE};

/// The longest name in the lists, in bytes.
const LONGEST: usize = 32;

/// What a call does, or needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Nothing but its arguments, or it is no call at all.
    Pure,
    /// GET_LOCK().
    TakeUserLock,
    /// RELEASE_ALL_LOCKS().
    ReleaseUserLocks,
    /// The other functions about user locks.
    UserLock,
    /// LAST_INSERT_ID(), with or without an argument.
    LastInsertId,
    /// What belongs to the connection.
    Connection,
    /// What the statement before has left on the connection.
    LastStatement,
    /// What belongs to the instance.
    Instance,
    /// A stored or loadable function, or one that nobody here has heard of.
    Stored,
}

/// What a call of this name does.
pub(super) fn call(word: &[u8]) -> Call {
    let mut buffer = [0; LONGEST];
    let Some(upper) = upper_case(&mut buffer, word) else {
        return Call::Stored;
    };
    let known = |list: &[&str]| {
        list.binary_search_by(|own| own.as_bytes().cmp(upper))
            .is_ok()
    };
    match upper {
        b"GET_LOCK" => Call::TakeUserLock,
        b"RELEASE_ALL_LOCKS" => Call::ReleaseUserLocks,
        b"RELEASE_LOCK" | b"IS_FREE_LOCK" | b"IS_USED_LOCK" => Call::UserLock,
        b"LAST_INSERT_ID" => Call::LastInsertId,
        b"FOUND_ROWS" | b"ROW_COUNT" => Call::LastStatement,
        b"CONNECTION_ID"
        | b"CURRENT_ROLE"
        | b"CURRENT_USER"
        | b"PS_CURRENT_THREAD_ID"
        | b"ROLES_GRAPHML"
        | b"SESSION_USER"
        | b"SYSTEM_USER"
        | b"USER" => Call::Connection,
        b"BENCHMARK"
        | b"ICU_VERSION"
        | b"LOAD_FILE"
        | b"MASTER_POS_WAIT"
        | b"PS_THREAD_ID"
        | b"SOURCE_POS_WAIT"
        | b"UUID_SHORT"
        | b"VERSION"
        | b"WAIT_FOR_EXECUTED_GTID_SET" => Call::Instance,
        _ if known(PURE) || known(NOT_CALLS) => Call::Pure,
        _ => Call::Stored,
    }
}

/// A name in upper case; `None` if it is longer than any in the lists.
fn upper_case<'a>(buffer: &'a mut [u8; LONGEST], name: &[u8]) -> Option<&'a [u8]> {
    let upper = buffer.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    Some(upper)
}

/// Is it a native function only where nothing stands between name and parenthesis, unless
/// `sql_mode` has IGNORE_SPACE? Else it may be a stored function of the same name.
pub(super) fn is_space_sensitive(name: &[u8]) -> bool {
    SPACE_SENSITIVE
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_no_name_is_too_long() {
        assert!(PURE.is_sorted() && NOT_CALLS.is_sorted());
        assert!(PURE.iter().all(|name| name.len() <= LONGEST));
    }

    #[test]
    fn p5_functions_with_an_effect_or_a_place_are_not_pure() {
        for name in [
            "GET_LOCK",
            "release_lock",
            "LAST_INSERT_ID",
            "FOUND_ROWS",
            "ROW_COUNT",
            "CONNECTION_ID",
            "LOAD_FILE",
            "BENCHMARK",
            "UUID_SHORT",
            "CURRENT_USER",
            "my_function",
            "MASTER_POS_WAIT",
            "WAIT_FOR_EXECUTED_GTID_SET",
            "SETVAL",
            "NEXTVAL",
            "VERSION",
            "USER",
            "a_name_that_is_longer_than_any_that_mysql_knows",
        ] {
            assert_ne!(call(name.as_bytes()), Call::Pure, "{name}");
        }
        assert_eq!(call(b"concat_ws"), Call::Pure);
    }
}
