//! Throwaway clusters on loopback, for demo, tests and benches: a writer and readers that follow it
//! at a chosen distance, run from a server that is found or fetched.
//!
//! Linux only: it looks into /proc.

pub mod command;
pub mod fetch;

mod accounts;
mod cluster;
mod error;
mod files;
mod flavour;
mod instance;
mod janitor;
mod launch;
mod process;
mod programs;
mod record;
mod replication;
mod shell;
mod system;
mod template;
mod topology;

use std::io::{self, Write as _};

pub use accounts::{APP, APP_SCHEMA, Account, MONITOR, REPLICATION, ROOT};
pub use cluster::{Cluster, Options, ReaderOptions};
pub use error::Error;
pub use flavour::Flavour;
pub use instance::Instance;
pub use programs::{Apart, Launcher, Programs, Version};

/// Tells the person who waits what is being waited for.
fn progress(text: &str) {
    // Nobody listening is no reason to stop.
    let _ = writeln!(io::stderr(), "lab: {text}");
}

/// The last lines of many.
fn tail(lines: Vec<&str>, count: usize) -> String {
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}
