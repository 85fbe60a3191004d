//! From an accepted connection to the end of its session.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;

use super::login::{Greeted, LoginFailure, encode_error};
use super::session::Session;
use super::{AuthMode, Shared};
use crate::error::ClientError;
use crate::net::{Origin, Plain, Stream, Wire, WireError, read_proxy_header};
use crate::protocol::compression::Algorithm;
use crate::telemetry::ErrorKind;

/// Serves one client until its session ends. A line at info tells who came and how it ended.
pub async fn serve(shared: Arc<Shared>, plain: Plain, mut origin: Origin) {
    let metrics = Arc::clone(&shared.metrics);
    let config = shared.config.load_full();
    let Some(entry) = shared.registry.enter(config.max_clients) else {
        metrics.errors(ErrorKind::TooManyClients).inc();
        let mut wire = Wire::new(Stream::Plain(plain));
        // The client learns why, if it listens.
        let _ = wire
            .send(&encode_error(&ClientError::too_many_clients()))
            .await;
        return;
    };
    metrics.client_connections_total().inc();
    metrics.client_connections().inc();
    let id = entry.id;
    entry.peer().introduce("", &origin.to_string());
    match log_in_in_time(shared, plain, entry, &mut origin, config.login_timeout).await {
        Err(_) => {
            metrics.errors(ErrorKind::LoginTimeout).inc();
            tracing::info!(client = id, from = %origin, "no login in time");
        }
        Ok(Err(error)) => {
            metrics.logins_failed().inc();
            tracing::info!(client = id, from = %origin, %error, "login failed");
        }
        Ok(Ok((mut session, user))) => {
            let tls = session.client.stream().is_tls();
            let compression = session.client.compression().map(Algorithm::name);
            let ended = session.run().await;
            tracing::info!(client = id, from = %origin, user, tls, compression, ?ended, "session ended");
        }
    }
    metrics.client_connections().dec();
}

/// Logs in within this time. Who has its OK by then is not ended: what is still to be asked of a
/// backend has limits of its own, and the client reads why where that fails.
async fn log_in_in_time(
    shared: Arc<Shared>,
    plain: Plain,
    entry: super::Entry,
    origin: &mut Origin,
    limit: Duration,
) -> Result<Result<(Box<Session>, String), NoSession>, Elapsed> {
    let peer = entry.peer();
    // Elsewhere, since a session keeps its place for as long as it lives.
    let mut logging_in = Box::pin(log_in(Arc::clone(&shared), plain, entry, origin));
    match shared.timers.limit(limit, &mut logging_in).await {
        Err(_) if peer.is_let_in() => Ok(logging_in.await),
        ended => ended,
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum NoSession {
    #[error(transparent)]
    Login(#[from] LoginFailure),
    #[error("no PROXY header, though [listen] proxy_protocol_from expects one: {0}")]
    Proxied(#[source] WireError),
    #[error("the writer refused it or can't be reached")]
    Refused,
    #[error("the client left")]
    Left,
}

async fn log_in(
    shared: Arc<Shared>,
    mut plain: Plain,
    entry: super::Entry,
    origin: &mut Origin,
) -> Result<(Box<Session>, String), NoSession> {
    let config = shared.config.load_full();
    let balanced = |address: SocketAddr| {
        let networks = &config.front.proxy_protocol_from;
        networks.iter().any(|it| it.contains(address.ip()))
    };
    if origin.address().is_some_and(balanced)
        && let Some(client) = read_proxy_header(&mut plain)
            .await
            .map_err(NoSession::Proxied)?
    {
        *origin = Origin::Tcp(client);
    }
    let front = shared.greeting.load_full();
    let tls = shared.tls.load_full();
    let greeted = Greeted::greet(plain, &front, entry.id, &config.front, tls.is_some()).await?;
    let answered = greeted.answer(Option::as_ref(&tls)).await?;
    let user = answered.user();
    entry.peer().introduce(&user, &origin.to_string());
    let claiming = answered.claim(&config.auth, &shared.keys, *origin);
    let mut claimed = match &config.auth {
        AuthMode::Passthrough => claiming.await?,
        AuthMode::Users(_) => {
            let free = config.limits.login_failures;
            let host = origin.host();
            let who = (host.as_str(), user.as_bytes());
            shared.failures.around(who, free, claiming).await?
        }
    };
    claimed.wire.cut_by(entry.peer().cutter());
    let limits = &config.limits;
    claimed
        .wire
        .limit_stalls(limits.read_timeout, limits.write_timeout);
    let stream = claimed.wire.stream();
    stream.expect_life(limits.dead_peer_timeout, limits.write_timeout);
    let compression = claimed.compression;
    let mut session = Box::new(Session::new(shared, entry, claimed, origin.host()));
    match session.try_log_in().await {
        Ok(true) => {
            if let Some(algorithm) = compression {
                session.client.compress(algorithm);
            }
            Ok((session, user))
        }
        Ok(false) => {
            session.close().await;
            Err(NoSession::Refused)
        }
        Err(_) => Err(NoSession::Left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Without what it knows. What it does takes several times as much, while it does it.
    #[test]
    fn p9_a_session_that_waits_has_no_room_for_what_it_does() {
        let size = size(serve);
        assert!(size < 3 * 1024, "{size} bytes");
    }
}
