//! The TOML file, parsed once into the types that the modules define for themselves.

use crate::{admin, backend, net, session, telemetry};

/// Everything that the file says.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are awaited.
    pub listen: net::ListenConfig,
    /// The HTTP endpoint, if there is one.
    pub http: Option<admin::Config>,
    /// The backends.
    pub backend: backend::Config,
    /// Logins and reads.
    pub session: session::Config,
    /// Logging.
    pub log: telemetry::LogConfig,
}
