//! Which backends there are, and who asks them how they are.

use std::time::Duration;

use crate::error::Secret;
use crate::net::{BackendTls, Endpoint};
use crate::routing::Role;

/// The backends and how they are reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// In the file's order; a [`crate::routing::BackendId`] is an index into it.
    pub backends: Vec<BackendConfig>,
    /// Where this proxy runs; readers of the same zone come first.
    pub zone: Option<String>,
    /// The monitor's account.
    pub monitor: MonitorConfig,
    /// How long connecting and logging in to a backend may take.
    pub connect_timeout: Duration,
    /// How long a reader that was down takes to get all of its weight back.
    pub slow_start: Duration,
}

/// One backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendConfig {
    /// The name in logs and metrics.
    pub name: String,
    /// Where it is reached.
    pub address: Endpoint,
    /// What it is for; none: that is found out, and may change.
    pub role: Option<Role>,
    /// Its share of the reads, relative to the other readers' weights.
    pub weight: u32,
    /// A reader further behind than this gets no new reads before it is at half of it; none on a
    /// fixed writer.
    pub max_lag: Option<Duration>,
    /// Where it runs, if zones are told apart.
    pub zone: Option<String>,
    /// Whether it is reached by TLS.
    pub tls: BackendTls,
    /// It is told by a PROXY header where the client is.
    pub proxy_protocol: bool,
}

/// The account that watches the backends.
#[derive(Clone, Debug)]
pub struct MonitorConfig {
    /// The account's name.
    pub user: String,
    /// The account's password.
    pub password: Secret,
    /// How often an idle backend is asked.
    pub interval: Duration,
}
