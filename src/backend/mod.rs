//! Everything about the MySQL servers behind the proxy: connecting, logging in, watching.

mod client;
mod config;
mod connection;
mod dialer;
mod encryption;
mod exchange;
mod flavour;
mod kinship;
mod login;
pub mod online;
mod plan;
mod proof;
mod question;
mod state;
pub mod watch;

pub use config::{BackendConfig, Config, MonitorConfig};
pub use connection::{ConnectError, Connection, Refusal, Row};
pub use dialer::{Dialer, Reach};
pub use kinship::Kinship;
pub use login::{Credentials, Greeting, LoginRequest};
pub use plan::{Plan, PlanError, plan};
pub use proof::{Beginning, Defaults, Proof};
pub use question::{question, user_variable};
pub use state::{Baseline, ConnectionState, Variables};
