//! What a backend runs for a client that is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::OnClientGone;
use crate::backend::{ConnectError, LoginRequest};
use crate::session::Shared;
use crate::session::connections::{Connections, Held};
use crate::session::job::Job;
use crate::session::killing::is_there;
use crate::session::registry::Peer;
use crate::session::session::Session;
use crate::session::visible::tracking_on_reader;
use crate::sql::{Class, ForEach};

/// So many are killed at once, so that a crowd that leaves costs no crowd of logins.
pub(in crate::session) const KILLS: usize = 16;

/// What has not been killed by then is left to itself.
const LIMIT: Duration = Duration::from_secs(30);

impl Session {
    /// Is this left to finish when its client goes away?
    pub(in crate::session) fn finishes(&self, job: &Job) -> bool {
        self.config.limits.on_client_gone == OnClientGone::Finish && !is_reading(job)
    }

    /// The client has gone away while this ran, or was sent, on that connection.
    pub(in crate::session) fn abandon(&self, held: Box<Held>, job: &Job) {
        if self.finishes(job) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let peer = self.entry.peer();
        let request = self.request.clone();
        tokio::spawn(async move {
            let backend = shared.name(held.backend).to_owned();
            let thread = held.thread_id;
            // The connection stays open meanwhile, so that its number can't be another's.
            match timeout(LIMIT, kill(&shared, peer, &request, &held)).await {
                Ok(Ok(())) => shared.metrics.killed_statements().inc(),
                Ok(Err(error)) => {
                    tracing::debug!(backend, thread, %error, "not killed for a client that is gone");
                }
                Err(_) => tracing::debug!(backend, thread, "not killed in time"),
            }
        });
    }
}

/// Does it only read, as far as its client is concerned?
fn is_reading(job: &Job) -> bool {
    matches!(
        job.class(),
        Some(
            Class::Read { .. }
                | Class::ReadWithFunctions(_)
                | Class::WriterRead(_)
                | Class::LastStatement
        )
    )
}

/// Kills what runs on a connection, as the account that began it: everybody may do that to
/// themselves.
async fn kill(
    shared: &Arc<Shared>,
    peer: Arc<Peer>,
    request: &LoginRequest,
    held: &Held,
) -> Result<(), ConnectError> {
    let Ok(_turn) = shared.pressure.kills.acquire().await else {
        return Ok(());
    };
    let tracking = ForEach::new(tracking_on_reader);
    let connections = Connections::new(Arc::clone(shared), peer);
    let mut own = connections
        .open_beside(held.backend, request, &tracking)
        .await?;
    if is_there(&mut own, &held.thread()).await? {
        own.ask(&format!("KILL QUERY {}", held.thread_id)).await?;
    }
    own.quit().await;
    Ok(())
}
