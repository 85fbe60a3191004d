//! What clients are greeted with.

use zeroize::Zeroizing;

use crate::backend::{self, Credentials, Dialer, Greeting, LoginRequest};
use crate::protocol::Capabilities;
use crate::routing::BackendId;
use crate::sql::ForEach;

/// What clients are greeted with until the writer has been reached once.
const UNKNOWN_VERSION: &str = "8.0.0-tidegate";

/// utf8mb4's default collation in the handshake, `utf8mb4_0900_ai_ci`.
const UNKNOWN_COLLATION: u8 = 255;

/// Asks the writer for its version and collation, as the monitor's account.
pub(super) async fn learn_greeting(
    dialer: &Dialer,
    writer: BackendId,
    monitor: &backend::MonitorConfig,
) -> Option<Greeting> {
    let request = LoginRequest {
        credentials: Credentials {
            user: monitor.user.clone().into_bytes(),
            password: Zeroizing::new(monitor.password.expose().as_bytes().to_vec()),
        },
        database: None,
        collation: UNKNOWN_COLLATION,
        attributes: None,
        origin: None,
        capabilities: Capabilities::default(),
        max_packet: 1 << 24,
    };
    let silent = ForEach::new(|_| "DO 0".to_owned());
    match dialer.connect(writer, &request, &silent).await {
        Ok(connection) => Some(connection.greeting),
        Err(error) => {
            tracing::warn!(%error, "the writer is not reached yet; clients see a made-up version");
            None
        }
    }
}

/// What clients are greeted with until the writer has been reached.
pub(super) fn made_up() -> Greeting {
    Greeting {
        version: UNKNOWN_VERSION.to_owned(),
        collation: UNKNOWN_COLLATION,
        capabilities: Capabilities::default(),
    }
}
