//! Everything about the MySQL servers behind the proxy: connecting, logging in, watching.

mod config;

pub use config::{BackendConfig, Config, MonitorConfig};
