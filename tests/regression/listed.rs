//! Which tests there are, and what is known to differ.

use std::env;

/// The tests, by name; those of the short form stand before the first empty line.
const TESTS: &str = include_str!("tests.txt");

/// Tests whose output differs for a reason, each followed by the reason; `TEST@PROTOCOL` for one
/// that differs by this protocol alone.
const EXCEPTIONS: &str = include_str!("exceptions.txt");

/// How the driver sends statements. It could read by cursors, too, but MySQL 9.7 refuses it any
/// statement for which there is none, on either road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// As text.
    Text,
    /// Prepared.
    Prepared,
    /// Reads by a view that is made for each.
    View,
    /// By a stored procedure that is made for each.
    Procedure,
}

impl Protocol {
    /// The one of this run.
    pub(crate) fn chosen() -> Self {
        match env::var("TIDEGATE_REGRESSION_PROTOCOL").as_deref() {
            Err(_) | Ok("" | "text") => Self::Text,
            Ok("ps") => Self::Prepared,
            Ok("view") => Self::View,
            Ok("sp") => Self::Procedure,
            Ok(other) => panic!("TIDEGATE_REGRESSION_PROTOCOL={other}: text, ps, view, sp"),
        }
    }

    /// As it is asked for.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Prepared => "ps",
            Self::View => "view",
            Self::Procedure => "sp",
        }
    }

    /// What tells the driver.
    pub(crate) fn options(self) -> &'static [&'static str] {
        match self {
            Self::Text => &[],
            Self::Prepared => &["--ps-protocol"],
            Self::View => &["--view-protocol"],
            Self::Procedure => &["--sp-protocol"],
        }
    }
}

/// The tests of this run, and whether they are all.
pub(crate) fn chosen() -> (Vec<String>, bool) {
    let owned = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    match env::var("TIDEGATE_REGRESSION").as_deref() {
        Ok("all") => (owned(TESTS), true),
        Err(_) | Ok("") => {
            let (short, _) = TESTS.split_once("\n\n").expect("a short form");
            (owned(short), false)
        }
        Ok(names) => (owned(names), false),
    }
}

/// Why this test's output may differ, if it may.
pub(crate) fn exception(test: &str, protocol: Protocol) -> Option<&'static str> {
    let mut lines = EXCEPTIONS.lines().filter_map(|line| line.split_once(": "));
    let holds = |name: &str| match name.split_once('@') {
        Some((name, by)) => name == test && by == protocol.name(),
        None => name == test,
    };
    lines.find(|(name, _)| holds(name)).map(|(_, why)| why)
}

#[test]
fn the_exceptions_are_of_tests_that_are_listed_and_say_why() {
    let known: Vec<_> = TESTS.split_whitespace().collect();
    for line in EXCEPTIONS.lines().filter(|line| !line.is_empty()) {
        let (name, why) = line.split_once(": ").expect(line);
        let name = name.split('@').next().expect("a name");
        assert!(known.contains(&name), "{name} is not listed");
        assert!(why.len() > 20, "{line}");
    }
}
