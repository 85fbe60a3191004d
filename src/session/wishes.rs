//! What an app asks for, in its own words: by hint, query attribute, connection attribute or
//! variable. All of them take the same names and values.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ClientError;
use crate::protocol::{Attribute, AttributeValue};
use crate::routing::{Asks, Level, Policy};
use crate::sql::Setting;

/// The longest key, in bytes.
const KEY_LIMIT: usize = 255;

/// The longest bound on staleness, as in the configuration.
const STALENESS_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The name under which an app's connections share what they must see.
pub(super) type Key = Arc<[u8]>;

/// What a session or one statement asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// How fresh its reads are.
    pub asks: Asks,
    /// Whose writes count for them.
    pub key: Option<Key>,
}

impl Wishes {
    /// Those of a statement's hint.
    ///
    /// # Errors
    /// As [`Wishes::take`].
    pub(super) fn of(settings: &[(Setting, Vec<u8>)]) -> Result<Self, ClientError> {
        let mut wishes = Self::default();
        for (setting, value) in settings {
            wishes.take(*setting, value)?;
        }
        Ok(wishes)
    }

    /// Those of query attributes. A name without `tidegate_` before it counts as well.
    ///
    /// # Errors
    /// As [`Wishes::take`]; and for a name that begins as Tidegate's do, and is none.
    pub(super) fn of_attributes(attributes: &[Attribute<'_>]) -> Result<Self, ClientError> {
        let mut wishes = Self::default();
        for attribute in attributes {
            let setting = Setting::of_variable(attribute.name)
                .map_err(|unknown| ClientError::unknown_setting(&unknown.to_string()))?;
            let setting = setting.or(Setting::of(attribute.name));
            match (setting, attribute.value) {
                (Some(setting), AttributeValue::Text(value)) => wishes.take(setting, value)?,
                (Some(setting), AttributeValue::Other) => {
                    return Err(wrong(setting, b"a number", "expected text"));
                }
                (None, _) | (_, AttributeValue::Null) => {}
            }
        }
        Ok(wishes)
    }

    /// Takes in one value.
    ///
    /// # Errors
    /// One that names the choices, or the form, if the value is none.
    pub(super) fn take(&mut self, setting: Setting, value: &[u8]) -> Result<(), ClientError> {
        match setting {
            Setting::Level => self.asks.level = Some(level(value)?),
            Setting::MaxStaleness => self.asks.max_staleness = Some(staleness(value)?),
            Setting::Key => self.key = Some(key(value)?),
            Setting::Token => {}
        }
        Ok(())
    }

    /// Takes in what a narrower place asks for.
    pub(super) fn narrow(&mut self, by: &Self) {
        self.asks = self.asks.narrowed(by.asks);
        if by.key.is_some() {
            self.key.clone_from(&by.key);
        }
    }

    /// What they make of a policy.
    ///
    /// # Errors
    /// For a level that needs a bound which nobody has given.
    pub(super) fn applied_to(&self, policy: Policy) -> Result<Policy, ClientError> {
        let policy = policy.narrowed(self.asks);
        match (policy.level, policy.max_staleness) {
            (Level::Bounded, None) => Err(ClientError::wrong_setting(
                Setting::Level.name(),
                "bounded",
                "it needs a max_staleness, such as 500ms",
            )),
            _ => Ok(policy),
        }
    }
}

fn level(value: &[u8]) -> Result<Level, ClientError> {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    text.parse()
        .map_err(|error: crate::routing::UnknownChoice| {
            wrong(Setting::Level, value, &error.to_string())
        })
}

fn staleness(value: &[u8]) -> Result<Duration, ClientError> {
    let parsed = std::str::from_utf8(value)
        .ok()
        .and_then(|text| humantime::parse_duration(text.trim()).ok())
        .filter(|bound| *bound <= STALENESS_LIMIT);
    parsed.ok_or_else(|| {
        let expected = "expected a number and a unit (us, ms, s, m, h), such as 500ms, up to 24h";
        wrong(Setting::MaxStaleness, value, expected)
    })
}

fn key(value: &[u8]) -> Result<Key, ClientError> {
    match value.len() {
        1..=KEY_LIMIT => Ok(Arc::from(value)),
        _ => {
            let expected = format!("expected 1 to {KEY_LIMIT} bytes");
            Err(wrong(Setting::Key, value, &expected))
        }
    }
}

fn wrong(setting: Setting, value: &[u8], expected: &str) -> ClientError {
    let shown: String = String::from_utf8_lossy(value).chars().take(40).collect();
    ClientError::wrong_setting(setting.name(), &shown, expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(setting: Setting, value: &str) -> Result<Wishes, String> {
        let mut wishes = Wishes::default();
        match wishes.take(setting, value.as_bytes()) {
            Ok(()) => Ok(wishes),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        let level = taken(Setting::Level, "Strong").unwrap().asks.level;
        assert_eq!(level, Some(Level::Strong));
        let bound = taken(Setting::MaxStaleness, "1s 500ms").unwrap();
        assert_eq!(bound.asks.max_staleness, Some(Duration::from_millis(1500)));
        let key = taken(Setting::Key, "user 7").unwrap().key;
        assert_eq!(key.as_deref(), Some(&b"user 7"[..]));
    }

    #[test]
    fn what_is_no_value_is_answered_with_what_would_be() {
        for (setting, value, part) in [
            (Setting::Level, "srtong", "writer, strong, session"),
            (Setting::Level, "", "writer, strong, session"),
            (Setting::MaxStaleness, "500", "such as 500ms"),
            (Setting::MaxStaleness, "25h", "up to 24h"),
            (Setting::MaxStaleness, "-1s", "such as 500ms"),
            (Setting::Key, "", "1 to 255 bytes"),
            (Setting::Key, &"k".repeat(256), "1 to 255 bytes"),
        ] {
            let error = taken(setting, value).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_bounded_level_needs_its_bound_from_somewhere() {
        let mut wishes = taken(Setting::Level, "bounded").unwrap();
        assert!(wishes.applied_to(Policy::default()).is_err());
        let with_bound = Policy {
            max_staleness: Some(Duration::from_secs(1)),
            ..Policy::default()
        };
        assert_eq!(
            wishes.applied_to(with_bound).unwrap().bound(),
            with_bound.max_staleness
        );
        wishes.narrow(&taken(Setting::MaxStaleness, "2s").unwrap());
        let policy = wishes.applied_to(with_bound).unwrap();
        assert_eq!(policy.bound(), Some(Duration::from_secs(2)));
        assert_eq!(policy.level, Level::Bounded);
    }
}
