//! One test, played on both roads.

use std::fmt;

use tidegate::lab::fetch::TestSuite;

use super::listed::{Protocol, exception};
use super::player::{Play, Road, play};
use super::stage::Stage;

/// So many times each road is played at most: some tests print something else each time.
const ROUNDS: usize = 3;

/// What came of one test.
pub(crate) enum Outcome {
    /// Both printed the same; to the end, or until both failed at the same place.
    Same { to_the_end: bool },
    /// They differ, for a reason that is known.
    Excepted(&'static str),
    /// They differ; where it begins.
    Differs(String),
    /// The test itself says that it can't be played here, or it takes too long.
    Skipped(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same { to_the_end: true } => f.write_str("the same"),
            Self::Same { to_the_end: false } => f.write_str("the same, until both fail"),
            Self::Excepted(why) => write!(f, "differs, as is known: {why}"),
            Self::Differs(how) => write!(f, "DIFFERS\n{how}"),
            Self::Skipped(why) => write!(f, "not played: {why}"),
        }
    }
}

/// Plays a test directly and through Tidegate until an output of one is one of the other's.
pub(crate) async fn compare(
    stage: &mut Stage,
    suite: &TestSuite,
    test: &str,
    protocol: Protocol,
) -> Outcome {
    if !suite.test(test).is_file() {
        return Outcome::Skipped("this version does not have it");
    }
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (road, plays) in [(Road::Direct, &mut direct), (Road::Tidegate, &mut through)] {
            stage.clean(suite).await;
            let play = play(stage, suite, test, protocol, road).await;
            match (play, road) {
                (Play::Skipped, _) => return Outcome::Skipped("its own requirements"),
                (Play::Slow, Road::Direct) => return Outcome::Skipped("it takes too long"),
                (Play::Slow, Road::Tidegate) => plays.push("it does not end\n".to_owned()),
                (Play::Printed(text), _) => plays.push(text),
            }
        }
        if let Some(text) = through.iter().find(|text| direct.contains(text)) {
            let to_the_end = text.ends_with("\nended with 0\n");
            return Outcome::Same { to_the_end };
        }
    }
    // What no two direct plays have in common is no difference: ids, counts and times.
    if direct.iter().any(|text| *text != direct[0]) {
        let plain: Vec<_> = direct.iter().map(|text| without_numbers(text)).collect();
        if through
            .iter()
            .any(|text| plain.contains(&without_numbers(text)))
        {
            return Outcome::Same { to_the_end: true };
        }
    }
    match exception(test, protocol) {
        Some(why) => Outcome::Excepted(why),
        None => Outcome::Differs(difference(&direct[0], &through[0])),
    }
}

fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '0'..='9' | '.' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            _ => plain.push(letter),
        }
    }
    plain
}

/// The first lines in which two outputs differ, with those before.
fn difference(direct: &str, through: &str) -> String {
    let (direct, through): (Vec<_>, Vec<_>) = (direct.lines().collect(), through.lines().collect());
    let same = direct
        .iter()
        .zip(&through)
        .take_while(|(one, other)| one == other);
    let at = same.count();
    let mut shown: Vec<String> = direct[at.saturating_sub(8)..at]
        .iter()
        .map(|line| format!("    {}", cut(line)))
        .collect();
    for (name, lines) in [("directly", &direct), ("tidegate", &through)] {
        let end = lines.len().min(at + 6);
        shown.extend(
            lines[at..end]
                .iter()
                .map(|line| format!("  {name} {}", cut(line))),
        );
    }
    shown.join("\n")
}

fn cut(line: &str) -> String {
    line.chars().take(200).collect()
}

/// How many came to what.
pub(crate) fn summary(outcomes: &[(String, Outcome)]) -> String {
    let count = |wanted: fn(&Outcome) -> bool| {
        outcomes
            .iter()
            .filter(|(_, outcome)| wanted(outcome))
            .count()
    };
    format!(
        "{} tests: {} the same to the end, {} the same until both fail, {} differ as is known, \
         {} differ, {} not played",
        outcomes.len(),
        count(|it| matches!(it, Outcome::Same { to_the_end: true })),
        count(|it| matches!(it, Outcome::Same { to_the_end: false })),
        count(|it| matches!(it, Outcome::Excepted(_))),
        count(|it| matches!(it, Outcome::Differs(_))),
        count(|it| matches!(it, Outcome::Skipped(_))),
    )
}

/// What of an outcome is a fault.
pub(crate) fn fault((test, outcome): &(String, Outcome)) -> Option<String> {
    match outcome {
        Outcome::Differs(how) => Some(format!("{test}:\n{how}")),
        _ => None,
    }
}

#[test]
fn a_difference_is_shown_with_the_lines_before_it() {
    let shown = difference("SELECT 1;\n1\n2\n", "SELECT 1;\n1\n3\n");
    assert_eq!(shown, "    SELECT 1;\n    1\n  directly 2\n  tidegate 3");
    assert_eq!(without_numbers("a 12.5 b7"), "a # b#");
}
