//! The functions that only MariaDB has.

use super::{LONGEST, upper_case};

/// Native functions that neither change anything nor depend on the connection or the instance that
/// runs them (MariaDB documentation, "Function and Operator Reference"), sorted. In MySQL a name
/// of these may be a stored function's.
const PURE: &[&str] = &[
    "ADD_MONTHS",
    "CHR",
    "COLUMN_ADD",
    "COLUMN_CHECK",
    "COLUMN_CREATE",
    "COLUMN_DELETE",
    "COLUMN_EXISTS",
    "COLUMN_GET",
    "COLUMN_JSON",
    "COLUMN_LIST",
    "CRC32C",
    "DECODE",
    "DECODE_ORACLE",
    "ENCODE",
    "JSON_COMPACT",
    "JSON_DETAILED",
    "JSON_EQUALS",
    "JSON_EXISTS",
    "JSON_LOOSE",
    "JSON_NORMALIZE",
    "JSON_QUERY",
    "LENGTHB",
    "MEDIAN",
    "NATURAL_SORT_KEY",
    "NVL",
    "NVL2",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "SFORMAT",
    "SYS_GUID",
    "TO_CHAR",
];

/// About sequences: they write, or tell what the connection has written, and leave nothing that a
/// statement which does not name the sequence could notice.
const SEQUENCES: &[&str] = &["LASTVAL", "NEXTVAL", "SETVAL"];

/// What a function is in MariaDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InMariaDb {
    /// Nothing but a value made of its arguments.
    Pure,
    /// About a sequence.
    Sequence,
}

/// What a call by this name, without a schema, is in MariaDB; `None` if it may be anything.
pub fn in_mariadb(name: &str) -> Option<InMariaDb> {
    let mut buffer = [0; LONGEST];
    let upper = upper_case(&mut buffer, name.as_bytes())?;
    let has = |list: &[&str]| {
        list.binary_search_by(|own| own.as_bytes().cmp(upper))
            .is_ok()
    };
    if has(PURE) {
        return Some(InMariaDb::Pure);
    }
    has(SEQUENCES).then_some(InMariaDb::Sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_names_of_any_case_are_found() {
        assert!(PURE.is_sorted() && SEQUENCES.is_sorted());
        assert_eq!(in_mariadb("Nvl"), Some(InMariaDb::Pure));
        assert_eq!(in_mariadb("nextval"), Some(InMariaDb::Sequence));
        for name in ["app.nvl", "nv", "MASTER_GTID_WAIT", ""] {
            assert_eq!(in_mariadb(name), None, "{name}");
        }
    }
}
