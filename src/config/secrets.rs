//! Passwords, from exactly one of three sources.

use super::fault::{Faults, Place};
use super::files::{self, Surroundings};
use super::schema::{Key, keys};
use super::table::Table;
use super::value::{self, Mistake};
use crate::error::Secret;

/// The three keys that a password may come from.
pub(super) struct PasswordKeys {
    plain: &'static Key,
    env: &'static Key,
    file: &'static Key,
}

/// What a table says about its password.
pub(super) enum Password {
    /// Nothing.
    Absent,
    /// Something that is of no use; the fault is recorded.
    Faulty,
    /// This, by the key at this place.
    Given(Secret, Place),
}

/// Those of the monitor.
pub(super) const MONITOR: PasswordKeys = PasswordKeys {
    plain: &keys::MONITOR_PASSWORD,
    env: &keys::MONITOR_PASSWORD_ENV,
    file: &keys::MONITOR_PASSWORD_FILE,
};

/// Those of an account.
pub(super) const USER: PasswordKeys = PasswordKeys {
    plain: &keys::USER_PASSWORD,
    env: &keys::USER_PASSWORD_ENV,
    file: &keys::USER_PASSWORD_FILE,
};

/// Those of the HTTP endpoint.
pub(super) const HTTP: PasswordKeys = PasswordKeys {
    plain: &keys::HTTP_PASSWORD,
    env: &keys::HTTP_PASSWORD_ENV,
    file: &keys::HTTP_PASSWORD_FILE,
};

/// Those of the console.
pub(super) const CONSOLE: PasswordKeys = PasswordKeys {
    plain: &keys::CONSOLE_PASSWORD,
    env: &keys::CONSOLE_PASSWORD_ENV,
    file: &keys::CONSOLE_PASSWORD_FILE,
};

const SOURCES: &str = "exactly one of password, password_env and password_file";

/// Reads a table's password.
pub(super) fn password(
    table: &Table<'_>,
    keys: &PasswordKeys,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Password {
    let given: Vec<_> = [keys.plain, keys.env, keys.file]
        .into_iter()
        .filter(|key| table.has(key))
        .collect();
    let key = match given.as_slice() {
        [] => return Password::Absent,
        [key] => *key,
        [first, second, ..] => {
            let wrong = format!("stands beside {}", first.name);
            faults.fault(&table.place(second), wrong, format!("keep {SOURCES}"));
            return Password::Faulty;
        }
    };
    let place = table.place(key);
    let found = match key.name {
        "password" => plain(table, key, around, faults),
        "password_env" => from_environment(table, key, around, faults),
        _ => from_file(table, key, around, faults),
    };
    found.map_or(Password::Faulty, |secret| Password::Given(secret, place))
}

/// Records that a table lacks its password.
pub(super) fn missing(table: &Table<'_>, keys: &PasswordKeys, faults: &mut Faults<'_>) {
    faults.fault(
        &table.place(keys.plain),
        "is missing",
        format!("give {SOURCES}"),
    );
}

fn plain(
    table: &Table<'_>,
    key: &'static Key,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Secret> {
    let secret = table.read(key, value::secret, faults)?;
    if around.shared {
        faults.warn(
            &secret.place,
            "stands in a file that everyone can read",
            "take that permission away (chmod o-r), or use password_env or password_file",
        );
    }
    Some(secret.value)
}

fn from_environment(
    table: &Table<'_>,
    key: &'static Key,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Secret> {
    let variable = table.read(key, value::text, faults)?;
    let name = value::quote(&variable.value);
    let Some(found) = (around.environment)(&variable.value) else {
        let wrong = format!("the environment variable {name} is not set");
        faults.fault(
            &variable.place,
            wrong,
            "set it for tidegate, or name one that is set",
        );
        return None;
    };
    let Some(text) = found.to_str() else {
        let wrong = format!("the environment variable {name} is not UTF-8");
        faults.fault(&variable.place, wrong, "set it to a password in UTF-8");
        return None;
    };
    if text.is_empty() {
        let wrong = format!("the environment variable {name} is empty");
        faults.warn(
            &variable.place,
            wrong,
            "set it, unless the account has no password",
        );
    }
    checked(text, &variable.place, faults)
}

fn from_file(
    table: &Table<'_>,
    key: &'static Key,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Secret> {
    let written = table.read(key, value::path, faults)?;
    let path = around.resolve(&written.value);
    let content = match files::read_named(&path) {
        Ok(content) => content,
        Err(Mistake { wrong, right }) => {
            faults.fault(&written.place, wrong, right);
            return None;
        }
    };
    let shown = path.display();
    if content.shared {
        let wrong = format!("{shown} can be read by everyone");
        faults.warn(
            &written.place,
            wrong,
            "take that permission away (chmod o-r)",
        );
    }
    let text = content.text.strip_suffix('\n').unwrap_or(&content.text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.contains('\n') {
        let wrong = format!("{shown} has more than one line");
        faults.fault(&written.place, wrong, "write the password as its only line");
        return None;
    }
    if text.is_empty() {
        let wrong = format!("{shown} is empty");
        faults.warn(
            &written.place,
            wrong,
            "write the password into it, unless there is none",
        );
    }
    checked(text, &written.place, faults)
}

fn checked(text: &str, place: &Place, faults: &mut Faults<'_>) -> Option<Secret> {
    value::checked_secret(text)
        .map_err(|Mistake { wrong, right }| faults.fault(place, wrong, right))
        .ok()
}
