//! A configuration from command line flags, for trying Tidegate without a file.

use std::borrow::Cow;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::fault::{Faults, Source};
use super::files::Surroundings;
use super::table::Document;
use super::{Environment, Outcome, build};

/// What the command line may say instead of a file; the rest has its defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The writer's address.
    pub writer: String,
    /// The readers' addresses.
    pub readers: Vec<String>,
    /// The monitor's account.
    pub monitor_user: String,
    /// The environment variable with its password.
    pub monitor_password_env: String,
    /// Where clients connect; empty: the default.
    pub listen: Vec<String>,
    /// Where the HTTP endpoint listens, if there is to be one.
    pub http: Option<String>,
}

/// The flags' names as faults show them; an offset is an index into it.
const NAMES: &[&str] = &[
    "flags",
    "--writer",
    "--reader",
    "--monitor-user",
    "--monitor-password-env",
    "--listen",
    "--http",
];
const WRITER: usize = 1;
const READER: usize = 2;
const MONITOR_USER: usize = 3;
const MONITOR_PASSWORD_ENV: usize = 4;
const LISTEN: usize = 5;
const HTTP: usize = 6;

/// Builds a configuration from flags. It takes the file's way, so that both check the same.
///
/// # Errors
///
/// Every fault, each with the name of its flag.
pub fn from_flags(flags: &Flags, environment: Environment<'_>) -> Outcome {
    let root = document(flags);
    let mut faults = Faults::new(Source::Flags(NAMES));
    let document = Document::open(&root, &mut faults);
    let around = Surroundings {
        directory: Path::new(""),
        environment,
        shared: false,
    };
    let config = build::config(&document, &around, &mut faults);
    faults.finish(config)
}

fn document(flags: &Flags) -> DeTable<'static> {
    let mut backends = DeArray::new();
    backends.push(backend("writer", "writer", &flags.writer, WRITER));
    for (index, address) in flags.readers.iter().enumerate() {
        backends.push(backend(
            &format!("reader{}", index + 1),
            "reader",
            address,
            READER,
        ));
    }
    let monitor = table([
        ("user", text(&flags.monitor_user, MONITOR_USER)),
        (
            "password_env",
            text(&flags.monitor_password_env, MONITOR_PASSWORD_ENV),
        ),
    ]);
    let mut root = DeTable::new();
    root.insert(at(0, "backend".into()), at(0, DeValue::Array(backends)));
    root.insert(at(0, "monitor".into()), at(0, monitor));
    if !flags.listen.is_empty() {
        let mut addresses = DeArray::new();
        flags
            .listen
            .iter()
            .for_each(|address| addresses.push(text(address, LISTEN)));
        let listen = table([("address", at(LISTEN, DeValue::Array(addresses)))]);
        root.insert(at(0, "listen".into()), at(0, listen));
    }
    if let Some(address) = &flags.http {
        root.insert(
            at(0, "http".into()),
            at(0, table([("address", text(address, HTTP))])),
        );
    }
    root
}

fn backend(name: &str, role: &str, address: &str, flag: usize) -> Spanned<DeValue<'static>> {
    let backend = table([
        ("name", text(name, flag)),
        ("role", text(role, flag)),
        ("address", text(address, flag)),
    ]);
    at(flag, backend)
}

fn table<const N: usize>(
    entries: [(&'static str, Spanned<DeValue<'static>>); N],
) -> DeValue<'static> {
    let mut table = DeTable::new();
    for (name, value) in entries {
        table.insert(at(0, Cow::Borrowed(name)), value);
    }
    DeValue::Table(table)
}

fn text(text: &str, flag: usize) -> Spanned<DeValue<'static>> {
    at(flag, DeValue::String(Cow::Owned(text.to_owned())))
}

fn at<T>(flag: usize, value: T) -> Spanned<T> {
    Spanned::new(flag..flag, value)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::routing::Role;

    fn flags() -> Flags {
        Flags {
            writer: "127.0.0.1:4000".into(),
            readers: vec!["127.0.0.1:4001".into(), "127.0.0.1:4002".into()],
            monitor_user: "tidegate".into(),
            monitor_password_env: "PW".into(),
            ..Flags::default()
        }
    }

    fn with_password(_: &str) -> Option<OsString> {
        Some("hunter2".into())
    }

    #[test]
    fn flags_give_what_a_file_with_the_same_and_defaults_gives() {
        let (config, warnings) = from_flags(&flags(), &with_password).expect("a configuration");
        let text = "[[backend]]\nname = \"writer\"\naddress = \"127.0.0.1:4000\"\nrole = \"writer\"\n\
                    [[backend]]\nname = \"reader1\"\naddress = \"127.0.0.1:4001\"\nrole = \"reader\"\n\
                    [[backend]]\nname = \"reader2\"\naddress = \"127.0.0.1:4002\"\nrole = \"reader\"\n\
                    [monitor]\nuser = \"tidegate\"\npassword_env = \"PW\"\n";
        let (from_file, _) =
            super::super::parse_with(text, "t.toml", &with_password).expect("a configuration");
        assert_eq!(format!("{config:?}"), format!("{from_file:?}"));
        assert_eq!(config.backend.backends[0].role, Some(Role::Writer));
        assert_eq!(config.backend.monitor.password.expose(), "hunter2");
        assert_eq!(warnings, []);
    }

    #[test]
    fn every_flag_is_named_by_its_faults() {
        let bad = Flags {
            writer: "nowhere".into(),
            readers: vec!["127.0.0.1:0".into()],
            monitor_user: String::new(),
            monitor_password_env: "UNSET".into(),
            listen: vec!["a:1".into(), "b".into()],
            http: Some("0.0.0.0:9307".into()),
        };
        let faults = from_flags(&bad, &|_| None).unwrap_err();
        let mut keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        keys.sort_unstable();
        let mut expected = NAMES[1..].to_vec();
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert!(
            faults[0].to_string().starts_with("command line: --"),
            "{}",
            faults[0]
        );
    }
}
