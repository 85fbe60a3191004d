//! The result, as `docs/drivers.md` has it.

use super::drivers::Driver;

/// What became of a driver.
pub(crate) enum Outcome {
    /// It is not here and could not be installed.
    Skipped(String),
    /// Its version, and how many steps were the same on all roads, or what was not.
    Played(String, Result<usize, String>),
}

/// One line of the table.
pub(crate) fn line(driver: &Driver, outcome: &Outcome) -> String {
    let roads = match (driver.plain, driver.tls) {
        (true, true) => "plain and TLS",
        (true, false) => "plain",
        (false, _) => "TLS",
    };
    let (version, result) = match outcome {
        Outcome::Skipped(why) => ("", format!("skipped: {why}")),
        Outcome::Played(version, Ok(steps)) => (&version[..], format!("the same in {steps} steps")),
        Outcome::Played(version, Err(_)) => (&version[..], "**differs**".to_owned()),
    };
    format!(
        "| {} | {} | {version} | {roads} | {result} |",
        driver.name, driver.what
    )
}

/// All of it.
pub(crate) fn whole(outcomes: &[(&Driver, Outcome)]) -> String {
    let mut lines = vec![
        "| name | driver | version | played | result |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(
        outcomes
            .iter()
            .map(|(driver, outcome)| line(driver, outcome)),
    );
    lines.join("\n")
}

/// What went wrong with one.
pub(crate) fn fault((_, outcome): &(&Driver, Outcome)) -> Option<String> {
    match outcome {
        Outcome::Played(_, Err(fault)) => Some(fault.clone()),
        _ => None,
    }
}
