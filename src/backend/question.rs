//! How the proxy asks on a connection whose session may have set anything.

/// A SELECT of these expressions that answers one row in UTF-8, whatever `sql_select_limit` and
/// `character_set_results` are: an explicit LIMIT takes precedence, and bytes are not converted
/// (MySQL manual, "Server System Variables").
pub fn question<'a>(expressions: impl IntoIterator<Item = &'a str>) -> String {
    versioned(expressions.into_iter().map(|expression| (expression, 0)))
}

/// The same with the version of MySQL that has each first, 0 for all: an older one answers without
/// it. The first expression must be for all.
pub(super) fn versioned<'a>(expressions: impl IntoIterator<Item = (&'a str, u32)>) -> String {
    let mut sql = String::from("SELECT ");
    for (index, (expression, since)) in expressions.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let cell = format!("{comma}CONVERT({expression} USING binary)");
        match since {
            0 => sql.push_str(&cell),
            // Older ones read a comment (MySQL manual, "Comments").
            since => sql.push_str(&format!("/*!{since} {cell} */")),
        }
    }
    sql.push_str(" LIMIT 1");
    sql
}

/// What a user variable holds as text, in UTF-8; or its bytes if they are no text.
pub fn user_variable(name: &str) -> String {
    format!("IF(CHARSET({name}) = 'binary', {name}, CONVERT({name} USING utf8mb4))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_newer_servers_have_is_a_comment_for_older_ones() {
        assert_eq!(
            versioned([("@@a", 0), ("@@b", 80_032)]),
            "SELECT CONVERT(@@a USING binary)/*!80032 , CONVERT(@@b USING binary) */ LIMIT 1"
        );
    }
}
