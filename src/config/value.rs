//! Single TOML values to types, each with what is wrong and what would be right.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use super::schema::Kind;
use crate::error::Secret;
use crate::net::{Endpoint, Network};

/// Why a value is not what its key takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) wrong: String,
    pub(super) right: String,
}

impl Mistake {
    pub(super) fn new(wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self {
            wrong: wrong.into(),
            right: right.into(),
        }
    }
}

/// Reads one kind of value. A kind that it does not read is a bug in the schema.
pub(super) type Reader<T> = fn(&DeValue<'_>, Kind) -> Result<T, Mistake>;

/// The longest path that fits a unix socket's address (`sun_path`, with its closing NUL).
const SOCKET_PATH_MAX: usize = 107;
/// How much of a bad value is shown.
const QUOTE_MAX: usize = 60;

/// A string of a limited length, without control characters.
pub(super) fn text(value: &DeValue<'_>, kind: Kind) -> Result<String, Mistake> {
    let Kind::Text { max } = kind else {
        return Err(unfit());
    };
    let text = string(value, "a string")?;
    if text.is_empty() || text.chars().count() > max {
        let length = text.chars().count();
        return Err(Mistake::new(
            format!("has {length} characters"),
            format!("write 1 to {max} characters"),
        ));
    }
    if text.contains(char::is_control) {
        return Err(Mistake::new(
            "has a control character in it",
            "write printable characters",
        ));
    }
    Ok(text.to_owned())
}

/// A password. It is in no mistake's text.
pub(super) fn secret(value: &DeValue<'_>, kind: Kind) -> Result<Secret, Mistake> {
    let Kind::Secret = kind else {
        return Err(unfit());
    };
    checked_secret(string(value, "a string")?)
}

/// A password as MySQL's login can carry it: without a NUL, which ends it on the wire.
pub(super) fn checked_secret(text: &str) -> Result<Secret, Mistake> {
    match text.contains('\0') {
        true => Err(Mistake::new(
            "has a NUL in it",
            "give a password without one",
        )),
        false => Ok(Secret::new(text.to_owned())),
    }
}

/// A path, as written.
pub(super) fn path(value: &DeValue<'_>, kind: Kind) -> Result<PathBuf, Mistake> {
    let Kind::Path = kind else {
        return Err(unfit());
    };
    match string(value, "a string with the path of a file")? {
        "" => Err(Mistake::new("is empty", "write the path of a file")),
        path => Ok(PathBuf::from(path)),
    }
}

/// A boolean.
pub(super) fn flag(value: &DeValue<'_>, kind: Kind) -> Result<bool, Mistake> {
    let Kind::Flag = kind else {
        return Err(unfit());
    };
    value
        .as_bool()
        .ok_or_else(|| mistyped(value, "true or false, without quotes"))
}

/// A whole number within limits.
pub(super) fn count(value: &DeValue<'_>, kind: Kind) -> Result<u64, Mistake> {
    let Kind::Count { min, max } = kind else {
        return Err(unfit());
    };
    let right = format!("a whole number, {min} to {max}");
    let integer = value.as_integer().ok_or_else(|| mistyped(value, &right))?;
    match u64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(count) if (min..=max).contains(&count) => Ok(count),
        _ => Err(Mistake::new(
            format!("{integer} is out of range"),
            format!("write {right}"),
        )),
    }
}

/// A duration within limits: a string with units.
pub(super) fn span(value: &DeValue<'_>, kind: Kind) -> Result<Duration, Mistake> {
    let Kind::Span { min, max } = kind else {
        return Err(unfit());
    };
    let text = match value {
        DeValue::Integer(number) => return Err(without_unit(&integer_text(number))),
        DeValue::Float(number) => return Err(without_unit(number.as_str())),
        _ => string(value, "a string with a unit, such as \"100ms\" or \"30s\"")?.trim(),
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(without_unit(text));
    }
    let span = humantime::parse_duration(text).map_err(|_| {
        Mistake::new(
            format!("{} is not a duration", quote(text)),
            "write a number and a unit (us, ms, s, m, h), such as \"100ms\" or \"30s\"",
        )
    })?;
    match (min..=max).contains(&span) {
        true => Ok(span),
        false => Err(Mistake::new(
            format!("{} is out of range", quote(text)),
            format!(
                "write \"{}\" to \"{}\"",
                humantime::format_duration(min),
                humantime::format_duration(max)
            ),
        )),
    }
}

/// One of a few words.
pub(super) fn word(value: &DeValue<'_>, kind: Kind) -> Result<&'static str, Mistake> {
    let Kind::Word { choices } = kind else {
        return Err(unfit());
    };
    let right = one_of(choices);
    let text = string(value, &right)?;
    if let Some(word) = choices.iter().find(|word| **word == text) {
        return Ok(word);
    }
    let right = match nearest(text, choices.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? it takes {right}"),
        None => format!("write {right}"),
    };
    Err(Mistake::new(
        format!("{} is not known here", quote(text)),
        right,
    ))
}

/// An IP address or a network of them.
pub(super) fn network(value: &DeValue<'_>, kind: Kind) -> Result<Network, Mistake> {
    let Kind::Networks = kind else {
        return Err(unfit());
    };
    let right = "an IP address, or a network such as \"10.0.0.0/8\"";
    let text = string(value, right)?;
    text.parse().map_err(|_| {
        let wrong = format!("{} is not a network", quote(text));
        Mistake::new(wrong, format!("write {right}"))
    })
}

/// Where something listens or is reached.
pub(super) fn address(value: &DeValue<'_>, kind: Kind) -> Result<Endpoint, Mistake> {
    let (Kind::Address | Kind::Addresses) = kind else {
        return Err(unfit());
    };
    let right = "\"host:port\", \"[ipv6]:port\" or \"unix:/path\"";
    let text = string(value, right)?;
    // An address with an account in it has its password in it, too.
    if text.contains('@') {
        return Err(Mistake::new(
            "holds an '@'",
            format!("write only {right}; accounts have keys of their own"),
        ));
    }
    let endpoint = text.parse::<Endpoint>().map_err(|_| {
        Mistake::new(
            format!("{} is not an address", quote(text)),
            format!("write {right}"),
        )
    })?;
    match &endpoint {
        Endpoint::Unix(path) if path.as_os_str().len() > SOCKET_PATH_MAX => Err(Mistake::new(
            "is too long for the path of a unix socket",
            format!("write a path of at most {SOCKET_PATH_MAX} bytes"),
        )),
        Endpoint::Unix(path) if path.as_os_str().as_encoded_bytes().contains(&0) => {
            Err(Mistake::new("has a NUL in it", "write a path without one"))
        }
        _ => Ok(endpoint),
    }
}

/// The known word that `text` is probably meant to be.
pub(super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let text = text.to_lowercase().replace('-', "_");
    // Half of a short word may be wrong, a third of a long one.
    let allowed = (text.chars().count() / 3).max(2);
    words
        .map(|word| {
            (
                strsim::damerau_levenshtein(&text, &word.replace('-', "_")),
                word,
            )
        })
        .filter(|(distance, word)| *distance <= allowed && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `an integer`, `a table`, …
pub(super) fn type_name(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// A text as it is shown in a fault: quoted, escaped, cut.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTE_MAX) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn string<'v>(value: &'v DeValue<'_>, right: &str) -> Result<&'v str, Mistake> {
    value.as_str().ok_or_else(|| mistyped(value, right))
}

fn mistyped(value: &DeValue<'_>, right: &str) -> Mistake {
    Mistake::new(format!("is {}", type_name(value)), format!("write {right}"))
}

fn without_unit(number: &str) -> Mistake {
    Mistake::new(
        format!("{number} has no unit"),
        format!("write a string with one, such as \"{number}ms\" or \"{number}s\""),
    )
}

/// The number in decimal where it fits, so that the advice can be copied.
fn integer_text(number: &DeInteger<'_>) -> String {
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(decimal) => decimal.to_string(),
        Err(_) => number.to_string(),
    }
}

fn unfit() -> Mistake {
    Mistake::new(
        "is read as another kind than the schema says",
        "report this as a bug of Tidegate",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Kind = Kind::Span {
        min: Duration::from_millis(1),
        max: Duration::from_secs(60),
    };

    fn wrong_and_right<T: std::fmt::Debug>(reader: Reader<T>, kind: Kind, literal: &str) -> String {
        let value = DeValue::parse(literal).expect(literal);
        let mistake = reader(value.get_ref(), kind).expect_err(literal);
        format!("{}; {}", mistake.wrong, mistake.right)
    }

    #[test]
    fn a_duration_is_a_string_with_units() {
        for (literal, expected) in [
            (r#""1ms""#, 1),
            (r#""1.5s""#, 1500),
            (r#""1m""#, 60_000),
            (r#"" 1s 20ms ""#, 1020),
        ] {
            let value = DeValue::parse(literal).unwrap();
            assert_eq!(
                span(value.get_ref(), SPAN),
                Ok(Duration::from_millis(expected))
            );
        }
    }

    #[test]
    fn a_number_without_a_unit_is_told_what_to_write() {
        for literal in ["50", r#""50""#, "0x32"] {
            assert_eq!(
                wrong_and_right(span, SPAN, literal),
                "50 has no unit; write a string with one, such as \"50ms\" or \"50s\""
            );
        }
        assert!(wrong_and_right(span, SPAN, "0.5").contains("\"0.5s\""));
    }

    #[test]
    fn a_duration_that_is_none_or_beyond_its_limits_is_refused() {
        for (literal, expected) in [
            (r#""5 parsecs""#, "\"5 parsecs\" is not a duration"),
            (r#""-5s""#, "\"-5s\" is not a duration"),
            (r#""""#, "\"\" is not a duration"),
            (r#""61s""#, "write \"1ms\" to \"1m\""),
            (r#""1us""#, "\"1us\" is out of range"),
            (r#""99999999999999999999s""#, "is not a duration"),
            ("true", "is a boolean"),
        ] {
            let found = wrong_and_right(span, SPAN, literal);
            assert!(found.contains(expected), "{literal}: {found}");
        }
    }

    #[test]
    fn a_word_that_is_none_of_the_choices_is_answered_with_the_nearest_or_all() {
        let kind = Kind::Word {
            choices: &["writer", "session"],
        };
        assert!(wrong_and_right(word, kind, r#""sesion""#).contains("did you mean \"session\"?"));
        assert!(wrong_and_right(word, kind, r#""Writer""#).contains("did you mean \"writer\"?"));
        assert_eq!(
            wrong_and_right(word, kind, r#""whatever""#),
            "\"whatever\" is not known here; write \"writer\" or \"session\""
        );
    }

    #[test]
    fn a_count_is_a_whole_number_within_its_limits() {
        let kind = Kind::Count { min: 1, max: 10 };
        assert_eq!(
            count(DeValue::parse("0b1010").unwrap().get_ref(), kind),
            Ok(10)
        );
        for literal in ["0", "11", "-1", "1.0", r#""5""#, "99999999999999999999999"] {
            let found = wrong_and_right(count, kind, literal);
            assert!(
                found.ends_with("write a whole number, 1 to 10"),
                "{literal}: {found}"
            );
        }
    }

    #[test]
    fn p10_a_mistake_about_a_secret_or_an_account_in_an_address_does_not_show_it() {
        for found in [
            wrong_and_right(secret, Kind::Secret, "725"),
            wrong_and_right(secret, Kind::Secret, r#""725\u0000""#),
            wrong_and_right(address, Kind::Address, r#""root:725@db:3306""#),
        ] {
            assert!(!found.contains("725"), "{found}");
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port_or_a_socket() {
        let long = format!("\"unix:/{}\"", "x".repeat(107));
        for literal in [
            r#""db""#,
            r#""db:99999""#,
            r#""unix:t""#,
            "3306",
            r#""unix:/\u0000""#,
            &long,
        ] {
            wrong_and_right(address, Kind::Address, literal);
        }
        let value = DeValue::parse(r#""unix:/run/t.sock""#).unwrap();
        let expected = Endpoint::Unix("/run/t.sock".into());
        assert_eq!(address(value.get_ref(), Kind::Addresses), Ok(expected));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["password", "password_env", "user", "interval", "on_timeout"];
        for (text, expected) in [
            ("pasword", Some("password")),
            ("password-env", Some("password_env")),
            ("Interval", Some("interval")),
            ("onTimeout", Some("on_timeout")),
            ("usr", Some("user")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(text, words.into_iter()), expected, "{text}");
        }
    }
}
