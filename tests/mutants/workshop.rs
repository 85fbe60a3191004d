//! A copy of the source in which a mutant is built and played.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::edits::{Edit, Mutant};

/// What became of a mutant.
pub(crate) enum Verdict {
    /// The checker said so.
    Caught(String),
    /// It found nothing: the end of what it printed.
    Survived(String),
}

/// The copy.
pub(crate) struct Workshop {
    root: PathBuf,
    target: PathBuf,
    home: PathBuf,
}

/// So many histories a mutant may survive before it counts as not caught.
const SEEDS: &str = "8";

/// What a build needs.
const PARTS: [&str; 5] = ["Cargo.toml", "Cargo.lock", "src", "tests", "benches"];

impl Workshop {
    /// Copies the source. What it depends on is taken from the build that runs this test.
    pub(crate) fn new() -> Self {
        let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("a target directory")
            .to_owned();
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        for part in PARTS {
            copy(&home.join(part), &root.join(part));
        }
        Self { root, target, home }
    }

    /// Breaks the copy, builds and plays it, and mends the copy.
    pub(crate) fn play(&self, mutant: &Mutant) -> Verdict {
        let name = mutant.name;
        for edit in mutant.edits {
            self.break_file(name, edit);
        }
        self.cargo(name, &["test", "--no-run"], &[], true);
        let scope = format!("at_scope_{}", mutant.scope);
        let (passed, log) = self.cargo(name, &["test"], &["--", &scope], false);
        for edit in mutant.edits {
            fs::copy(self.home.join(edit.file), self.root.join(edit.file)).unwrap();
        }
        let verdict = log.lines().find(|line| line.contains("Tidegate broke"));
        match verdict {
            Some(line) if !passed => Verdict::Caught(line.trim().to_owned()),
            _ => Verdict::Survived(log.lines().rev().take(30).collect::<Vec<_>>().join("\n")),
        }
    }

    fn break_file(&self, name: &str, edit: &Edit) {
        let file = self.root.join(edit.file);
        let whole = fs::read_to_string(&file).unwrap();
        let good = edit.good;
        assert_eq!(
            whole.matches(good).count(),
            1,
            "{name}: this has to stand in {} exactly once:\n{good}",
            edit.file
        );
        fs::write(&file, whole.replace(good, edit.bad)).unwrap();
    }

    fn cargo(&self, name: &str, command: &[&str], behind: &[&str], must: bool) -> (bool, String) {
        let output = Command::new(env!("CARGO"))
            .args(command)
            .args(["--locked", "--offline", "--test", "checker"])
            .args(behind)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("TIDEGATE_CHECKER_SEEDS", SEEDS)
            .env("RUST_BACKTRACE", "0")
            .output()
            .expect("cargo runs");
        let log = [output.stdout, output.stderr].concat();
        let log = String::from_utf8_lossy(&log).into_owned();
        let passed = output.status.success();
        assert!(passed || !must, "{name} can't be built:\n{log}");
        (passed, log)
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
