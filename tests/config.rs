//! The example file and the configuration's contract.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::fmt::Write as _;
use std::path::Path;

use tidegate::config::schema::{Presence, SECTIONS};
use tidegate::config::{self, Fault};

const EXAMPLE: &str = "config/tidegate.example.toml";

/// The example as the schema makes it: every key, with default, unit, effect and whether a reload
/// changes it. Optional keys, and tables that are rarely wanted, are comments.
fn example() -> String {
    let mut text = String::from(
        "# Every key of Tidegate's configuration. What is commented out is optional, and shows an\n\
         # example; everything else shows its default, or must be given.\n",
    );
    for section in SECTIONS {
        // A second [[backend]] below; accounts of their own are an example only.
        let off = if section.name == "user" { "# " } else { "" };
        write!(
            text,
            "\n{}\n{off}{}\n",
            comment(section.about),
            section.header()
        )
        .unwrap();
        for key in section.keys {
            let (given, note) = match key.presence {
                Presence::Default(_) => (true, "default".to_owned()),
                Presence::Required(_) => (true, "required".to_owned()),
                Presence::Optional { absent, .. } => (false, format!("optional: {absent}")),
            };
            let reload = if key.reload { "yes" } else { "no, restart" };
            let about = format!(
                "{} Takes: {}; {note}. Reload: {reload}.",
                key.effect,
                key.kind.describe()
            );
            let mark = if given || key.path() == "monitor.password_env" {
                off
            } else {
                "# "
            };
            writeln!(
                text,
                "{}\n{mark}{} = {}",
                comment(&about),
                key.name,
                key.presence.literal()
            )
            .unwrap();
        }
        if section.name == "backend" {
            text.push_str(
                "\n[[backend]]\nname = \"r1\"\naddress = \"127.0.0.1:4001\"\nrole = \"reader\"\n",
            );
        }
    }
    text
}

/// Comment lines of at most 100 columns.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        if lines.last().unwrap().chars().count() + 1 + word.chars().count() > 100 {
            lines.push(String::from("#"));
        }
        let line = lines.last_mut().unwrap();
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n")
}

#[test]
fn the_example_file_says_what_the_code_does() {
    let expected = example();
    if std::env::var_os("TIDEGATE_WRITE_EXAMPLE").is_some() {
        std::fs::write(EXAMPLE, &expected).unwrap();
    }
    let found = std::fs::read_to_string(EXAMPLE).unwrap();
    assert_eq!(
        found, expected,
        "run `TIDEGATE_WRITE_EXAMPLE=1 cargo test --test config` to write it again"
    );
}

#[test]
fn the_example_file_has_no_fault() {
    let environment = |_: &str| Some("secret".into());
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let outcome = config::parse_with(&text, EXAMPLE, &environment);
    let faults = |faults: Vec<Fault>| faults.iter().map(Fault::to_string).collect::<Vec<_>>();
    assert!(outcome.is_ok(), "{:?}", outcome.map(drop).map_err(faults));
}

#[test]
fn every_fault_of_a_file_is_reported_at_once_with_line_and_key() {
    let text = "[listen]\nadress = \"127.0.0.1:3307\"\n\n[consistency]\nlevel = \"srtong\"\n\
                wait = 50\n";
    let faults = config::parse_with(text, "f.toml", &|_| None).expect_err("faults");
    let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
    let has = |start: &str, part: &str| {
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(start) && line.contains(part)),
            "no line {start}… with {part:?} in {lines:#?}"
        );
    };
    has("f.toml:2:", "address");
    has("f.toml:5:", "did you mean \"strong\"");
    has("f.toml:6:", "wait");
    has("f.toml", "monitor");
}

#[test]
fn a_missing_file_is_a_clear_fault() {
    let faults = config::load(Path::new("/nowhere/t.toml")).expect_err("a fault");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().contains("/nowhere/t.toml"));
}

#[test]
fn the_configuration_in_the_readme_has_no_fault() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let start = readme.find("```toml\n").expect("a TOML block") + "```toml\n".len();
    let end = start + readme[start..].find("```").expect("its end");
    let outcome = config::parse_with(&readme[start..end], "README.md", &|_| Some("secret".into()));
    assert!(outcome.is_ok(), "{:?}", outcome.map(drop));
}

#[test]
fn a_zone_that_nothing_is_compared_with_is_a_warning() {
    let warnings = |listen: &str, reader: &str| {
        let text = format!(
            "[listen]\naddress = \"127.0.0.1:3307\"\n{listen}\n[monitor]\nuser = \"m\"\n\
             password_env = \"P\"\n[[backend]]\nname = \"w1\"\naddress = \"127.0.0.1:1\"\n\
             role = \"writer\"\n[[backend]]\nname = \"r1\"\naddress = \"127.0.0.1:2\"\n\
             role = \"reader\"\n{reader}\n"
        );
        let outcome = config::parse_with(&text, "f.toml", &|_| Some("secret".into()));
        let (_, warnings) = outcome.expect("no fault");
        let texts = warnings.iter().map(Fault::to_string);
        texts.collect::<Vec<_>>()
    };
    assert_eq!(warnings("", ""), [""; 0]);
    assert_eq!(warnings("zone = \"a\"", "zone = \"a\""), [""; 0]);
    let alone = warnings("", "zone = \"a\"");
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert!(alone[0].contains("backend.zone") && alone[0].contains("[listen] has no zone"));
    let nobody = warnings("zone = \"b\"", "zone = \"a\"");
    assert_eq!(nobody.len(), 1, "{nobody:?}");
    assert!(
        nobody[0].contains("no backend is in the zone \"b\""),
        "{nobody:?}"
    );
}

#[test]
fn p9_sharing_connections_without_a_limit_on_them_is_a_fault() {
    let faults = |more: &str| {
        let text = format!(
            "[listen]\naddress = \"127.0.0.1:3307\"\n[monitor]\nuser = \"m\"\n\
             password_env = \"P\"\n[[backend]]\nname = \"w1\"\naddress = \"127.0.0.1:1\"\n\
             role = \"writer\"\n{more}\n"
        );
        let outcome = config::parse_with(&text, "f.toml", &|_| Some("secret".into()));
        let faults = outcome.err().unwrap_or_default();
        faults.iter().map(Fault::to_string).collect::<Vec<_>>()
    };
    let limit = |key: &str| format!("[pool]\nmode = \"transaction\"\n[limits]\n{key} = 5");
    assert_eq!(faults(&limit("backend_connections")), [""; 0]);
    assert_eq!(faults(&limit("backend_connections_total")), [""; 0]);
    assert_eq!(faults("[pool]\nmode = \"session\""), [""; 0]);
    let endless = faults("[pool]\nmode = \"transaction\"");
    assert_eq!(endless.len(), 1, "{endless:?}");
    assert!(endless[0].contains("backend_connections"), "{endless:?}");
    let limit = "[pool]\nmode = \"transaction\"\nmin_idle = 6\n[limits]\nbackend_connections = 5";
    let more = faults(limit);
    assert_eq!(more.len(), 1, "{more:?}");
    assert!(more[0].contains("pool.min_idle"), "{more:?}");
    let unknown = faults("[pool]\nmode = \"statement\"\nidle_time = \"0s\"\nmax_age = \"8days\"");
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    for key in ["pool.mode", "pool.idle_time", "pool.max_age"] {
        assert!(unknown.iter().any(|it| it.contains(key)), "{unknown:?}");
    }
}
