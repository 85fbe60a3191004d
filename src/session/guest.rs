//! Clients that the proxy itself serves: they log in as others do, with a password that it knows,
//! and no backend hears of them.

use super::login::{Greeted, LoginFailure};
use super::{AuthMode, FrontConfig, Shared};
use crate::backend::Greeting;
use crate::net::{Origin, Plain, Wire};
use crate::protocol::Capabilities;

/// A client that has given the right password, and has not been told so yet.
#[derive(Debug)]
pub struct Guest {
    /// Its wire; the next packet to it ends the login.
    pub wire: Wire,
    /// What was agreed with it.
    pub capabilities: Capabilities,
    /// Its account.
    pub user: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct GuestError(#[from] LoginFailure);

/// Logs a client in with one of the passwords that `auth` knows, offering the TLS that other
/// clients are offered.
///
/// # Errors
/// [`GuestError`]; the client was told, if it could be.
pub async fn admit(
    shared: &Shared,
    plain: Plain,
    greeting: &Greeting,
    id: u32,
    auth: &AuthMode,
    origin: Origin,
) -> Result<Guest, GuestError> {
    let tls = shared.tls.load_full();
    let front = FrontConfig {
        compression: false,
        tls_required: shared.config.load().front.tls_required,
        ..FrontConfig::default()
    };
    let greeted = Greeted::greet(plain, greeting, id, &front, tls.is_some()).await?;
    let answered = greeted.answer(Option::as_ref(&tls)).await?;
    let user = answered.user();
    let free = shared.config.load().limits.login_failures;
    let host = origin.host();
    let claiming = answered.claim(auth, &shared.keys, origin);
    // Its accounts are not those of the backends.
    let named = format!("console {user}");
    let claimed = shared
        .failures
        .around((host.as_str(), named.as_bytes()), free, claiming)
        .await?;
    Ok(Guest {
        wire: claimed.wire,
        capabilities: claimed.capabilities,
        user,
    })
}
