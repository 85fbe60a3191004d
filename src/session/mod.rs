//! One client's session: login, command loop, relay, session state.

mod config;

pub use config::{AuthMode, Config};
