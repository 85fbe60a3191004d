//! What single words and names say of a statement.

use std::ops::{BitOr, BitOrAssign};

/// Schemas about the instance itself, which a health check must find to be the writer's.
const INSTANCE_SCHEMAS: &[&str] = &["INFORMATION_SCHEMA", "MYSQL", "PERFORMANCE_SCHEMA", "SYS"];

/// What was found in a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts(u32);

impl Facts {
    /// It may read tables.
    pub(super) const TABLES: Self = Self(1);
    /// It reads the instance itself.
    pub(super) const INSTANCE: Self = Self(1 << 1);
    /// It reads what the statement before has left.
    pub(super) const LAST_STATEMENT: Self = Self(1 << 2);
    /// It reads what belongs to its connection.
    pub(super) const CONNECTION: Self = Self(1 << 3);
    /// It locks the rows that it reads.
    pub(super) const LOCKING: Self = Self(1 << 4);
    /// It takes, frees or asks for a user lock.
    pub(super) const USER_LOCK: Self = Self(1 << 5);
    /// It calls RELEASE_ALL_LOCKS().
    pub(super) const RELEASES_ALL: Self = Self(1 << 6);
    /// It names a user variable.
    pub(super) const USER_VARIABLE: Self = Self(1 << 7);
    /// It has an INTO that is neither `INTO @variable` nor INTO OUTFILE.
    pub(super) const INTO: Self = Self(1 << 8);
    /// It holds INSERT, REPLACE, UPDATE or DELETE as a verb.
    pub(super) const WRITES: Self = Self(1 << 9);
    /// It holds a word that makes something else of a query.
    pub(super) const ODD: Self = Self(1 << 10);
    /// It names what is tracked.
    pub(super) const TRACKING: Self = Self(1 << 11);
    /// It holds a query, or another one inside.
    pub(super) const QUERY: Self = Self(1 << 12);
    /// RETURNING (MariaDB), not that of JSON_VALUE().
    pub(super) const RETURNING: Self = Self(1 << 13);
    /// It does not end where a statement could.
    pub(super) const BROKEN: Self = Self(1 << 14);

    /// INTO OUTFILE or INTO DUMPFILE.
    pub(super) const FILE: Self = Self(1 << 15);

    /// It may show ids of connections.
    pub(super) const THREAD: Self = Self(1 << 16);

    /// It reads FOUND_ROWS().
    pub(super) const FOUND_ROWS: Self = Self(1 << 17);
    /// It reads ROW_COUNT().
    pub(super) const ROW_COUNT: Self = Self(1 << 18);
    /// It reads what the statement before has left, and neither of these two.
    pub(super) const DIAGNOSTICS: Self = Self(1 << 19);

    /// Is any of `other` in it?
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Facts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Facts {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Words that say something wherever they stand. An identifier without quotes of the same name
/// costs a statement its reader, no more.
pub(super) enum Keyword {
    Fact(Facts),
    /// A list of values follows.
    Values,
}

impl Keyword {
    /// What a word says, if anything.
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        // None is shorter or longer, and most words are names.
        if !(3..=19).contains(&word.len()) {
            return None;
        }
        const FACTS: &[(&str, Facts)] = &[
            ("FROM", Facts::TABLES),
            ("TABLE", Facts::TABLES),
            ("UPDATE", Facts::WRITES),
            ("DELETE", Facts::WRITES),
            ("LOCK", Facts::LOCKING),
            ("ANALYSE", Facts::ODD),
            ("PROCEDURE", Facts::ODD),
            ("RETURNING", Facts::RETURNING),
            ("SQL_CALC_FOUND_ROWS", Facts::CONNECTION),
            ("CURRENT_ROLE", Facts::CONNECTION),
            ("CURRENT_USER", Facts::CONNECTION),
        ];
        if is(word, "SELECT") {
            return Some(Self::Fact(Facts::QUERY));
        }
        if is_one_of(&["VALUES", "VALUE", "SET"], word) {
            return Some(Self::Values);
        }
        let found = FACTS.iter().find(|(keyword, _)| is(word, keyword));
        found.map(|(_, facts)| Self::Fact(*facts))
    }
}

/// Does a schema tell of the instance itself?
pub fn is_instance_schema(name: &[u8]) -> bool {
    is_one_of(INSTANCE_SCHEMAS, name)
}

/// Is it this keyword?
pub(super) fn is(word: &[u8], keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword.as_bytes())
}

/// Is it one of these keywords?
pub(super) fn is_one_of(keywords: &[&str], word: &[u8]) -> bool {
    keywords.iter().any(|keyword| is(word, keyword))
}
