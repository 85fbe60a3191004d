//! GET DIAGNOSTICS: the user variables that it sets (MySQL manual, "GET DIAGNOSTICS Statement").

/// Items that are numbers.
const NUMBERS: &[&str] = &["NUMBER", "ROW_COUNT", "MYSQL_ERRNO"];

/// A user variable that GET DIAGNOSTICS sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name, without the `@`: letters, digits, `_`, `$` and `.` alone.
    pub name: String,
    /// Whether it becomes a number.
    pub number: bool,
}

/// The variables that the statement sets; those whose names are in quotes are left out.
pub fn diagnostics_targets(sql: &[u8]) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut rest = sql;
    while let Some(at) = memchr::memchr(b'@', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let (name, behind) = word(rest);
        let Some(value) = behind.trim_ascii_start().strip_prefix(b"=") else {
            continue;
        };
        let (item, behind) = word(value.trim_ascii_start());
        if let Ok(name) = std::str::from_utf8(name)
            && !name.is_empty()
        {
            let is_it = |own: &str| item.eq_ignore_ascii_case(own.as_bytes());
            targets.push(Target {
                name: name.to_owned(),
                number: NUMBERS.iter().any(|own| is_it(own)),
            });
        }
        rest = behind;
    }
    targets
}

/// The word at the start, and what stands behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let end = text.iter().position(|byte| !plain(byte));
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_that_get_diagnostics_sets_are_known() {
        let shown = |sql: &str| {
            let targets = diagnostics_targets(sql.as_bytes());
            let show = |target: &Target| format!("{} {}", target.name, target.number);
            targets.iter().map(show).collect::<Vec<_>>()
        };
        assert_eq!(
            shown("GET DIAGNOSTICS @a = ROW_COUNT, @b.c=number"),
            ["a true", "b.c true"]
        );
        assert_eq!(
            shown("GET CURRENT DIAGNOSTICS CONDITION @n @t = MESSAGE_TEXT"),
            ["t false"]
        );
        assert_eq!(shown("GET DIAGNOSTICS @`a b` = NUMBER"), [""; 0]);
    }
}
