//! A client that sends nothing for too long, and connections that would be closed since the session
//! works elsewhere.

use std::time::Duration;

use tokio::time::Instant;

use super::Ended;
use super::aside::Alarm;
use super::pressure::Patience;
use super::session::Session;
use crate::error::ClientError;
use crate::protocol::Command;
use crate::sql::Flavour;

/// What a server counts for a session, in seconds: `interactive_timeout` is taken over at login.
const WAIT_TIMEOUT: &str = "wait_timeout";

/// A connection that holds state is used at least so often, while the session works on others.
const REST: Duration = Duration::from_secs(10);

/// Who does not wait for the client any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// `[limits] idle_timeout`.
    Configuration,
    /// What the session has set.
    Session,
}

/// Until when a client may send nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    limit: Option<(Instant, By)>,
}

impl Idle {
    /// Returns when it is over; never, without a limit.
    pub(super) async fn over(self, alarm: &mut Alarm) {
        match self.limit {
            Some((until, _)) => alarm.at(until).await,
            None => std::future::pending().await,
        }
    }
}

impl Session {
    /// From now on.
    pub(super) fn idle(&self) -> Idle {
        let configured = self.config.limits.idle_timeout;
        let configured = configured.map(|limit| (limit, By::Configuration));
        let own = self.wait_timeout().map(|limit| (limit, By::Session));
        let shorter = configured
            .into_iter()
            .chain(own)
            .min_by_key(|(limit, _)| *limit);
        let limit = shorter.and_then(|(limit, by)| Some((Instant::now().checked_add(limit)?, by)));
        Idle { limit }
    }

    /// The client has sent no command for as long as it may; it is told what a server would tell it.
    pub(super) async fn idled(&mut self, idle: Idle) -> Ended {
        self.client.restart_sequence();
        let error = match idle.limit {
            Some((_, By::Session)) => ClientError::idle(),
            _ => ClientError::idle_here(),
        };
        // MariaDB says nothing, and the session ends either way.
        if self.visible.flavour == Flavour::MySql || error == ClientError::idle_here() {
            let _ = self.refuse(&error).await;
        }
        Ended::Idle
    }

    /// Has the connection that holds state rested for too long? The writer does not know that the
    /// session works on readers: it would close one that has not been used for `wait_timeout`, with all
    /// that lives there.
    pub(super) fn rests_too_long(&mut self) -> bool {
        if !self.holds_state() {
            return false;
        }
        let half = self.wait_timeout().map(|limit| limit / 2);
        let rest = half.map_or(REST, |half| half.min(REST));
        let held = self.connections.look(self.writer);
        held.is_some_and(|held| held.used.elapsed() > rest)
    }

    /// Uses that connection.
    ///
    /// # Errors
    /// [`Ended::StateLost`] if it is of no use any more. One that is found closed is left to whoever
    /// needs it.
    pub(super) async fn keep_alive(&mut self) -> Result<(), Ended> {
        let Some(mut held) = self.connections.take(self.writer) else {
            return Ok(());
        };
        if !held.wire.is_over() {
            let limit = self.config.limits.silent_timeout;
            // Unlike COM_PING it leaves ROW_COUNT() as it is.
            let asking = async {
                held.queue_command(Command::Statistics);
                held.wire.flush().await?;
                held.read_answer(Command::Statistics).await
            };
            let answered = Patience::before(&self.shared, self.writer, limit, asking).await;
            if answered.is_err() && !held.wire.is_over() {
                return Err(Ended::StateLost);
            }
        }
        self.connections.put(held);
        Ok(())
    }

    /// What the session has set.
    fn wait_timeout(&self) -> Option<Duration> {
        let value = self.state.variables.get(WAIT_TIMEOUT)?;
        let seconds = std::str::from_utf8(value).ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}
