//! Asking the servers, before they serve, whether they are set up so that the promises hold.
//!
//! What the servers say is collected first; what follows from it is a pure function of that.

mod ask;
mod facts;
mod findings;

use super::Config;
use super::client::Client;

pub use self::facts::{Channel, Facts, Told};
pub use self::findings::{Finding, Severity, findings};

/// Asks all backends and says what weakens a promise. Never fails: a backend that does not answer
/// is a finding.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut asking = tokio::task::JoinSet::new();
    for (index, client) in Client::all(config).enumerate() {
        asking.spawn(async move { (index, ask::ask(&client).await) });
    }
    let mut facts: Vec<(usize, Facts)> = Vec::new();
    while let Some(asked) = asking.join_next().await {
        // A task that panics has said nothing of its backend.
        facts.extend(asked.ok());
    }
    facts.sort_by_key(|(index, _)| *index);
    let mut facts: Vec<Facts> = facts.into_iter().map(|(_, facts)| facts).collect();
    // What readers have executed by now, the writer has at least begun to commit.
    for (facts, client) in facts.iter_mut().zip(Client::all(config)) {
        if facts.role == crate::routing::Role::Writer {
            ask::executed_by_now(&client, facts).await;
        }
    }
    findings(&facts)
}
