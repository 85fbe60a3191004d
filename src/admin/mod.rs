//! What operators look at: the HTTP endpoint with metrics and health.

use crate::net::Endpoint;

/// Where the HTTP endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A loopback address, unless the operator says otherwise.
    pub address: Endpoint,
}
