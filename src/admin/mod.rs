//! What operators look at and act by: the HTTP endpoint with metrics and health, and the console,
//! which speaks MySQL.

mod base64;
pub mod console;
mod http;
mod operator;

pub use http::{Desk, serve};
pub use operator::{Operator, Pending};

use crate::error::Secret;
use crate::net::Endpoint;

/// Where the HTTP endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A loopback address, unless the operator says otherwise.
    pub address: Endpoint,
    /// Whether only this machine reaches it.
    pub is_local: bool,
    /// What requests have to bring along, if anything.
    pub login: Option<Login>,
}

/// An account of the proxy's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}
