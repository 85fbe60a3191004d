//! A copy of the source in which the mutants are built and played.

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
    /// It could not go on: the end of what it printed.
    Stopped(String),
}

/// The copy, built.
pub(crate) struct Workshop {
    root: PathBuf,
    target: PathBuf,
    /// The checker that was built from it.
    checker: PathBuf,
}

/// So many histories a mutant may survive before it counts as not caught.
const SEEDS: &str = "24";

/// The length of a history. Most mutants are caught in the first, whose rest costs time only.
const STEPS: &str = "160";

/// As many where nothing is broken: the checker's own test plays more.
const CONTROL_SEEDS: &str = "1";

/// What a build needs.
const PARTS: [&str; 5] = ["Cargo.toml", "Cargo.lock", "src", "tests", "benches"];

/// So many lines of what a checker prints tell how it ended.
const END: usize = 150;

/// Names the mutant that is played, for the switches in the copy.
const SWITCH: &str = "TIDEGATE_PLAYED_MUTANT";

impl Workshop {
    /// Copies the source, puts in the mutants, and builds it. What it depends on is taken from the
    /// build that runs this test.
    pub(crate) fn build(mutants: &[Mutant]) -> Self {
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
        let checker = PathBuf::new();
        let mut workshop = Self {
            root,
            target,
            checker,
        };
        workshop.add_switch();
        for mutant in mutants {
            for edit in mutant.edits {
                workshop.break_file(mutant.name, edit);
            }
        }
        workshop.checker = workshop.checker();
        workshop
    }

    /// Plays one mutant, or the copy without any.
    ///
    /// A checker that could not finish, since a server did not do as it should, says nothing of a
    /// mutant: it is played once more. Where nothing is broken that is a failure.
    pub(crate) fn play(&self, mutant: Option<&Mutant>) -> Verdict {
        match self.play_once(mutant) {
            Verdict::Stopped(why) if mutant.is_some() => {
                println!("a checker could not finish: {why}");
                self.play_once(mutant)
            }
            verdict => verdict,
        }
    }

    fn play_once(&self, mutant: Option<&Mutant>) -> Verdict {
        let scope = format!("at_scope_{}", mutant.map_or("connection", |it| it.scope));
        let name = mutant.map_or("", |it| it.name);
        let seeds = mutant.map_or(CONTROL_SEEDS, |_| SEEDS);
        let mut checker = Command::new(&self.checker);
        checker
            .arg(&scope)
            .current_dir(&self.root)
            .env("RUST_BACKTRACE", "0")
            .env(SWITCH, name)
            .env("TIDEGATE_CHECKER_SEEDS", seeds)
            .env("TIDEGATE_CHECKER_STEPS", STEPS);
        let (passed, log) = output(checker);
        let verdict = log.lines().find(|line| line.contains("Tidegate broke"));
        match verdict {
            Some(line) if !passed => Verdict::Caught(line.trim().to_owned()),
            _ if passed => Verdict::Survived(end_of(&log)),
            _ => Verdict::Stopped(end_of(&log)),
        }
    }

    /// Gives the copy the function that the mutants' switches ask.
    fn add_switch(&self) {
        let file = self.root.join("src/lib.rs");
        let mut whole = fs::read_to_string(&file).unwrap();
        whole.push_str(
            "/// Is this mutant played?\npub fn broken(name: &str) -> bool {\n    \
             static PLAYED: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {\n        \
             std::env::var(\"SWITCH\").unwrap_or_default()\n    });\n    \
             *PLAYED == name\n}\n"
                .replace("SWITCH", SWITCH)
                .as_str(),
        );
        fs::write(&file, whole).unwrap();
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
        let bad = edit
            .bad
            .replace("BROKEN", &format!("crate::broken({name:?})"));
        fs::write(&file, whole.replace(good, &bad)).unwrap();
    }

    /// Builds the copy's checker.
    fn checker(&self) -> PathBuf {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args([
                "test",
                "--no-run",
                "--locked",
                "--offline",
                "--test",
                "checker",
            ])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        // What this test was built as is no business of the copy's crates: those that look at it
        // would be built again, and once more after this test.
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(name);
            }
        }
        let (built, log) = output(cargo);
        assert!(built, "the mutants can't be built:\n{log}");
        let path = log.split_once("Executable tests/checker/main.rs (");
        let path = path.and_then(|(_, rest)| rest.split_once(')'));
        self.root
            .join(path.expect("cargo names what it has built").0)
    }
}

/// Runs a command to its end. True if it succeeded, and what it printed.
fn output(mut command: Command) -> (bool, String) {
    let output = command.output().expect("it can be started");
    let log = [output.stdout, output.stderr].concat();
    let log = String::from_utf8_lossy(&log).into_owned();
    (output.status.success(), log)
}

/// The last lines of a log.
fn end_of(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let skipped = lines.len().saturating_sub(END);
    lines
        .into_iter()
        .skip(skipped)
        .collect::<Vec<_>>()
        .join("\n")
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
