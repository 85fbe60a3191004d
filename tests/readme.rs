//! What the README says can be typed in.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::process::Command;

use tidegate::lab::MONITOR;

mod support;

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The content of the code blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let starts = text.split(&opening).skip(1);
    starts
        .map(|rest| rest.split("```").next().expect("an end"))
        .collect()
}

/// The commands of the shell blocks, with continued lines joined and comments cut.
fn commands(text: &str) -> Vec<String> {
    let shell = blocks(text, "console").concat().replace("\\\n", " ");
    let lines = shell.lines().filter_map(|line| line.strip_prefix("$ "));
    lines
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .collect()
}

#[test]
fn the_make_targets_exist() {
    let makefile = fs::read_to_string("Makefile").unwrap();
    let all = commands(&readme());
    let targets: Vec<_> = all
        .iter()
        .filter_map(|it| it.strip_prefix("make "))
        .collect();
    assert!(targets.len() >= 4, "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
}

#[test]
fn the_command_lines_are_understood() {
    let all = commands(&readme());
    let lines: Vec<_> = all.iter().filter(|it| it.contains("tidegate ")).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        let arguments = line.split("tidegate ").nth(1).unwrap().split_whitespace();
        // With --help the arguments before it are looked at, and nothing is done.
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
}

#[test]
fn the_configuration_has_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidegate.toml");
    let text = readme();
    let examples = blocks(&text, "toml");
    assert!(!examples.is_empty());
    for example in examples {
        fs::write(&file, example).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["check", "--config"])
            .arg(&file)
            .env("TIDEGATE_MONITOR_PASSWORD", "secret")
            .output()
            .unwrap();
        assert!(output.status.success(), "{example}\n{output:?}");
    }
}

/// The lab's monitor has exactly the rights that the README asks for, and the tests of the watch
/// and of `check --online` run with them.
#[tokio::test]
async fn the_grants_are_those_that_the_tests_run_with() {
    let lab = support::lab().await;
    let text = readme();
    let grant = blocks(&text, "sql")
        .concat()
        .lines()
        .find_map(|line| line.strip_prefix("GRANT ").map(str::to_owned))
        .expect("a grant");
    let rights = grant.split(" ON ").next().unwrap();
    let shown = format!("SHOW GRANTS FOR '{}'", MONITOR.user);
    let row = lab.writer().row(&shown).await.unwrap().unwrap();
    let shown: String = row.get(0).unwrap();
    let mut has: Vec<&str> = shown
        .strip_prefix("GRANT ")
        .and_then(|it| it.split(" ON ").next())
        .unwrap()
        .split(", ")
        .collect();
    let mut says: Vec<&str> = rights.split(", ").collect();
    has.sort_unstable();
    says.sort_unstable();
    assert_eq!(has, says);
}

#[test]
fn the_metrics_that_it_names_exist() {
    let labels = fs::read_to_string("src/telemetry/metrics/build.rs").unwrap()
        + &fs::read_to_string("src/telemetry/metrics.rs").unwrap();
    let text = readme();
    let mut named = 0;
    for name in text
        .split('`')
        .filter_map(|it| it.strip_prefix("tidegate_"))
    {
        let name = name.split('{').next().unwrap();
        assert!(
            labels.contains(&format!("tidegate_{name}\"")),
            "tidegate_{name}"
        );
        named += 1;
    }
    assert!(named >= 5);
}
