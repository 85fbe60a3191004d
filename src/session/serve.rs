//! From an accepted connection to the end of its session.

use std::sync::Arc;

use tokio::time::timeout;

use super::Shared;
use super::login::{Greeted, LoginFailure, encode_error};
use super::session::Session;
use crate::error::ClientError;
use crate::net::{Plain, Stream, Wire};
use crate::telemetry::ErrorKind;

/// Serves one client until its session ends. A line at info tells who came and how it ended.
pub async fn serve(shared: Arc<Shared>, plain: Plain, host: String) {
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
    entry.peer().introduce("", &host);
    match timeout(config.login_timeout, log_in(shared, plain, entry, &host)).await {
        Err(_) => {
            metrics.errors(ErrorKind::LoginTimeout).inc();
            tracing::info!(client = id, from = host, "no login in time");
        }
        Ok(Err(error)) => {
            metrics.logins_failed().inc();
            tracing::info!(client = id, from = host, %error, "login failed");
        }
        Ok(Ok((mut session, user))) => {
            let ended = session.run().await;
            tracing::info!(client = id, from = host, user, ?ended, "session ended");
        }
    }
    metrics.client_connections().dec();
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum NoSession {
    #[error(transparent)]
    Login(#[from] LoginFailure),
    #[error("the writer refused it or can't be reached")]
    Refused,
    #[error("the client left")]
    Left,
}

async fn log_in(
    shared: Arc<Shared>,
    plain: Plain,
    entry: super::Entry,
    host: &str,
) -> Result<(Session, String), NoSession> {
    let front = shared.greeting.load_full();
    let tls = shared.tls.load_full();
    let greeted = Greeted::greet(plain, &front, entry.id, tls.is_some()).await?;
    let answered = greeted.answer(Option::as_ref(&tls)).await?;
    let user = answered.user();
    entry.peer().introduce(&user, host);
    let config = shared.config.load_full();
    let mut claimed = answered.claim(&config.auth, &shared.keys, host).await?;
    claimed.wire.cut_by(entry.peer().cutter());
    let limits = &config.limits;
    claimed
        .wire
        .limit_stalls(limits.read_timeout, limits.write_timeout);
    let stream = claimed.wire.stream();
    stream.expect_life(limits.dead_peer_timeout, limits.write_timeout);
    let mut session = Session::new(shared, entry, claimed, host.to_owned());
    match session.log_in().await {
        Ok(true) => Ok((session, user)),
        Ok(false) => {
            session.close().await;
            Err(NoSession::Refused)
        }
        Err(_) => Err(NoSession::Left),
    }
}
