//! P1 and P3 for the drivers that applications use: each plays a session of its own, on the writer
//! itself and through Tidegate, and reads the same; while the readers follow, and while they stand
//! still, so that a stale read is certain to show. `docs/drivers.md` has the table.
//!
//! `TIDEGATE_MATRIX=all` plays all drivers (`make matrix`), a list of names plays those; otherwise
//! it is the few that are quickly installed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "a panic is how a test fails, and each test program uses its own part of what is shared"
)]

mod drivers;
mod play;
#[path = "../consistency/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod table;
#[path = "../wire/mod.rs"]
mod wire;

use std::path::Path;

use drivers::Driver;
use play::{Place, Play};
use stage::Stage;
use table::Outcome;
use tidegate::error::Secret;
use tidegate::lab::{APP, Flavour};
use tidegate::routing::Scope;
use tidegate::session::AuthMode;

#[tokio::test(flavor = "multi_thread")]
async fn p1_p3_a_drivers_session_reads_through_tidegate_what_it_reads_directly() {
    // Their pools and their tools use several connections.
    let stage = Stage::with(|config| {
        config.session.policy.scope = Scope::User;
        if support::flavour() == Flavour::MariaDb {
            // For Node's mysql, which knows mysql_native_password only.
            let secret = Secret::new(APP.password.to_owned());
            config.session.auth = AuthMode::Users([(APP.user.to_owned(), secret)].into());
        }
    })
    .await;
    let tools = play::tools(&stage.lab).unwrap();
    let mut outcomes = Vec::new();
    for (driver, ready) in drivers::chosen(&tools).await {
        let outcome = match ready {
            Ok(version) => {
                let same = compare(&stage, driver, &tools).await;
                forget_binary_logs(&stage).await;
                Outcome::Played(version, same)
            }
            Err(why) => Outcome::Skipped(why),
        };
        println!("{}", table::line(driver, &outcome));
        outcomes.push((driver, outcome));
    }
    println!("\n{}", table::whole(&outcomes));
    let faults: Vec<_> = outcomes.iter().filter_map(table::fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let played = outcomes
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Played(..)));
    assert!(played, "no driver could be played");
    stage.end().await;
}

/// Plays one driver's session on all roads; what was different, if anything.
async fn compare(stage: &Stage, driver: &Driver, tools: &Path) -> Result<usize, String> {
    let at = |port, tls| Place {
        port,
        tls,
        tools: tools.to_owned(),
    };
    let direct = play::play(driver, at(stage.lab.writer().port(), !driver.plain)).await?;
    thaw(stage).await;
    if driver.plain {
        let live = play::play(driver, at(stage.port, false)).await;
        same(driver, "readers follow", &direct, &live?)?;
        thaw(stage).await;
        stage.freeze().await;
        let still = play::play(driver, at(stage.port, false)).await;
        thaw(stage).await;
        same(driver, "readers stand still", &direct, &still?)?;
    }
    if driver.tls {
        thaw(stage).await;
        stage.freeze().await;
        let still = play::play(driver, at(stage.port, true)).await;
        thaw(stage).await;
        same(driver, "TLS, readers stand still", &direct, &still?)?;
    }
    Ok(direct.told.len())
}

/// The large values of all drivers together would be more than some disks hold.
async fn forget_binary_logs(stage: &Stage) {
    thaw(stage).await;
    for instance in stage.lab.instances() {
        let purge = ["FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW()"];
        instance.execute(purge).await.unwrap();
    }
}

/// Lets the readers follow, and waits until reads go to them again.
async fn thaw(stage: &Stage) {
    stage.thaw().await;
    stage::on_a_reader(&mut stage.client().await).await;
}

/// Whether a play through Tidegate told what the direct one did, and read on readers.
fn same(driver: &Driver, road: &str, direct: &Play, proxied: &Play) -> Result<(), String> {
    let name = driver.name;
    let on_writer = |line: &String| !(line.contains("r1") || line.contains("r2"));
    if proxied.served.is_empty() || proxied.served.iter().any(on_writer) {
        return Err(format!("{name}, {road}: served {:?}", proxied.served));
    }
    if direct.told.len() < driver.steps {
        let count = direct.told.len();
        return Err(format!("{name}: {count} steps, {} are due", driver.steps));
    }
    let pairs = direct.told.iter().zip(&proxied.told);
    for (expected, found) in pairs {
        if expected != found {
            return Err(format!(
                "{name}, {road}:\n  directly {expected}\n  tidegate {found}"
            ));
        }
    }
    if direct.told.len() != proxied.told.len() {
        let counts = (direct.told.len(), proxied.told.len());
        return Err(format!("{name}, {road}: {counts:?} steps"));
    }
    Ok(())
}
