//! Holds the floor plan: a module imports only from the floors above its own, pure modules touch
//! neither the world nor the clock, and no file grows into a house of its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with all that it may import, besides itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("sql", &[]),
    ("gtid", &[]),
    ("error", &[]),
    ("slots", &[]),
    ("telemetry", &["slots"]),
    ("routing", &["sql", "gtid"]),
    ("net", &["protocol", "error", "telemetry"]),
    (
        "backend",
        &[
            "net",
            "protocol",
            "sql",
            "gtid",
            "routing",
            "error",
            "slots",
            "telemetry",
        ],
    ),
    (
        "session",
        &[
            "backend",
            "net",
            "protocol",
            "sql",
            "gtid",
            "routing",
            "error",
            "slots",
            "telemetry",
        ],
    ),
    (
        "admin",
        &[
            "session",
            "backend",
            "net",
            "protocol",
            "sql",
            "gtid",
            "routing",
            "error",
            "slots",
            "telemetry",
        ],
    ),
    (
        "config",
        &[
            "admin",
            "session",
            "backend",
            "net",
            "routing",
            "error",
            "slots",
            "telemetry",
        ],
    ),
];

/// Modules that compute and do nothing else.
const PURE: &[&str] = &["protocol", "sql", "gtid", "routing"];

/// What the world and the clock are reached by.
const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "tokio::",
    "Instant::now",
    "SystemTime",
    "rand::",
];

/// Lines; a longer file holds two things.
const FILE_LIMIT: usize = 500;

fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The module that a file of `src/` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("in src");
    let first = inside.components().next().expect("a name").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Everything before the unit tests, without comments.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    let lines = text.get(..end).unwrap_or(text).lines();
    let bare = lines.filter(|line| !line.trim_start().starts_with("//"));
    bare.collect::<Vec<_>>().join("\n")
}

/// The modules that a text imports: `crate::a::b`, and each of `crate::{a, b::c}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices("crate::") {
        let rest = text.get(start + "crate::".len()..).unwrap_or_default();
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut item = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut item)),
                    _ if depth == 0 => item.push(letter),
                    _ => {}
                }
            }
            found.push(item);
        } else {
            found.push(rest.to_owned());
        }
    }
    let name = |item: String| {
        let item = item.trim_start();
        let end = item
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(item.len());
        item.get(..end).unwrap_or_default().to_owned()
    };
    found
        .into_iter()
        .map(name)
        .filter(|name| !name.is_empty())
        .collect()
}

fn upward<'a>(module: &str, imported: &'a [String]) -> Vec<&'a String> {
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == module) else {
        return Vec::new();
    };
    let is_floor = |name: &str| {
        FLOORS.iter().any(|(floor, _)| *floor == name) || matches!(name, "app" | "cli" | "lab")
    };
    imported
        .iter()
        .filter(|name| is_floor(name) && *name != module && !allowed.contains(&name.as_str()))
        .collect()
}

#[test]
fn no_module_imports_from_a_floor_below_its_own() {
    for path in sources(Path::new("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let imported = imports(&code(&text));
        let wrong = upward(&module(&path), &imported);
        assert!(wrong.is_empty(), "{} imports {wrong:?}", path.display());
    }
}

#[test]
fn the_check_for_upward_imports_sees_every_form_of_them() {
    let text = "use crate::{gtid, routing::{a, b}};\nlet x = crate::session::serve();";
    let imported = imports(text);
    assert_eq!(imported, ["gtid", "routing", "session"]);
    assert_eq!(upward("protocol", &imported).len(), 3);
    assert_eq!(upward("backend", &imported), [&"session".to_owned()]);
}

#[test]
fn pure_modules_touch_neither_the_world_nor_the_clock() {
    for path in sources(Path::new("src")) {
        if PURE.contains(&module(&path).as_str()) {
            let text = code(&fs::read_to_string(&path).unwrap());
            let found: Vec<_> = IMPURE.iter().filter(|word| text.contains(**word)).collect();
            assert!(found.is_empty(), "{} uses {found:?}", path.display());
        }
    }
}

#[test]
fn no_file_is_longer_than_the_limit() {
    for root in ["src", "tests", "benches"] {
        for path in sources(Path::new(root)) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= FILE_LIMIT, "{} has {lines} lines", path.display());
        }
    }
}
