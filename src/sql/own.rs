//! What an app can ask of Tidegate inside SQL: by user variables of Tidegate's own, and by the
//! same names in hints.

use super::facts::is;
use super::lexer::{LexMode, Lexer, Token};

/// What the names of Tidegate's own user variables begin with, in any case.
const PREFIX: &[u8] = b"tidegate_";

/// Something that an app can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// How fresh reads are: `@tidegate_level`.
    Level,
    /// How stale reads may be: `@tidegate_max_staleness`.
    MaxStaleness,
    /// Whose writes count: `@tidegate_key`.
    Key,
    /// What reads must see: `@tidegate_token`.
    Token,
}

/// A name that begins as Tidegate's do, and is none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Tidegate knows no variable @{name}; there is: @tidegate_level, @tidegate_max_staleness, \
     @tidegate_key, @tidegate_token"
)]
pub struct UnknownSetting {
    /// What was written.
    pub name: String,
}

impl Setting {
    /// All, in the order in which they are asked for.
    pub const ALL: [Self; 4] = [Self::Level, Self::MaxStaleness, Self::Key, Self::Token];

    /// Its name in a hint.
    pub fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::MaxStaleness => "max_staleness",
            Self::Key => "key",
            Self::Token => "token",
        }
    }

    /// The one of this name, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|it| it.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The one whose user variable has this name, if the name begins as those do.
    ///
    /// # Errors
    /// [`UnknownSetting`] if there is none.
    pub fn of_variable(name: &[u8]) -> Result<Option<Self>, UnknownSetting> {
        let Some(rest) = behind_prefix(name) else {
            return Ok(None);
        };
        match Self::of(rest) {
            Some(setting) => Ok(Some(setting)),
            None => {
                let name = String::from_utf8_lossy(name).chars().take(64).collect();
                Err(UnknownSetting { name })
            }
        }
    }
}

/// Which of Tidegate's own variables a statement names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Those that there are.
    pub named: Vec<Setting>,
    /// The first that does not exist.
    pub unknown: Option<UnknownSetting>,
    /// It may set them: it is no plain query.
    pub assigns: bool,
    /// It holds such a name in a string, which a statement made of it may set.
    pub quoted: bool,
}

impl Own {
    /// Looks through a statement.
    pub(super) fn of(sql: &[u8], mode: LexMode) -> Self {
        let mut own = Self::default();
        if !mentions(sql) {
            return own;
        }
        let mut is_first = true;
        for token in Lexer::new(sql, mode) {
            let first = std::mem::take(&mut is_first);
            match token {
                Token::Word(word) if first => own.assigns = !is(word, "SELECT"),
                Token::Word(word) => own.assigns |= is(word, "INTO"),
                Token::Assign => own.assigns = true,
                Token::UserVariable(name) => match Setting::of_variable(name) {
                    Ok(Some(setting)) if !own.named.contains(&setting) => own.named.push(setting),
                    Ok(_) => {}
                    Err(unknown) => own.unknown = own.unknown.or(Some(unknown)),
                },
                Token::Literal => own.quoted = true,
                _ => {}
            }
        }
        own
    }
}

/// Is it the name of a variable of Tidegate's own, or one that looks like it?
pub(super) fn is_own(name: &[u8]) -> bool {
    behind_prefix(name).is_some()
}

fn behind_prefix(name: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

/// A quick look: is there an `@` with such a name behind it, in quotes or not?
fn mentions(sql: &[u8]) -> bool {
    memchr::memchr_iter(b'@', sql).any(|at| {
        let behind = sql.get(at + 1..).unwrap_or_default();
        let name = match behind {
            [b'\'' | b'"' | b'`', name @ ..] => name,
            name => name,
        };
        is_own(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(sql: &str) -> Own {
        Own::of(sql.as_bytes(), LexMode::default())
    }

    #[test]
    fn variables_are_found_in_every_spelling_and_nowhere_else() {
        for sql in [
            "SET @tidegate_level = 'strong'",
            "set @a = 1, @`TideGate_Level` := 'x'",
            "SELECT @'tidegate_level' /* c */",
            "SELECT 'it''s' INTO @\"tidegate_level\"",
            "SELECT @tidegate_level, @tidegate_LEVEL",
        ] {
            assert_eq!(own(sql).named, [Setting::Level], "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT '@tidegate_level'",
            "SELECT 1 /* @tidegate_level */",
            "SELECT @@tidegate_level, @tide, @xtidegate_level, tidegate_level",
        ] {
            assert_eq!(own(sql).named, [], "{sql}");
        }
        let both = own("SELECT @tidegate_token, @tidegate_key");
        assert_eq!(both.named, [Setting::Token, Setting::Key]);
    }

    #[test]
    fn a_variable_that_does_not_exist_is_named_with_those_that_do() {
        let unknown = own("SET @tidegate_levle = 'strong'").unknown.unwrap();
        assert_eq!(
            unknown.to_string(),
            "Tidegate knows no variable @tidegate_levle; there is: @tidegate_level, \
             @tidegate_max_staleness, @tidegate_key, @tidegate_token"
        );
    }

    #[test]
    fn a_statement_that_may_set_one_is_told_from_a_plain_query() {
        for sql in [
            "SET @tidegate_level = 'strong'",
            "SELECT @tidegate_level := 'strong'",
            "SELECT 'strong' INTO @tidegate_level",
            "CALL p(@tidegate_level)",
        ] {
            assert!(own(sql).assigns, "{sql}");
        }
        assert!(!own("SELECT @tidegate_token, 1 FROM t").assigns);
    }

    #[test]
    fn a_string_that_may_become_a_statement_is_noted() {
        assert!(own("PREPARE s FROM 'SET @tidegate_level = ?'").quoted);
        assert!(!own("PREPARE s FROM 'SET @level = ?'").quoted);
    }
}
