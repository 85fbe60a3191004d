//! The line of statements that wait. It has an end: who comes when it is full does not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::crowds::{Crowds, Member};
use super::{Limits, Pressure};
use crate::error::ClientError;
use crate::telemetry::Metrics;

/// How many wait.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    by_user: Arc<Crowds>,
    metrics: Arc<Metrics>,
}

/// A place in the line, until it is dropped.
#[derive(Debug)]
pub(in crate::session) struct Queued {
    queue: Arc<Queue>,
    _of_user: Option<Member>,
}

impl Queue {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            by_user: Arc::default(),
            metrics,
        }
    }
}

impl Pressure {
    /// A place in the line for a statement of this account.
    ///
    /// # Errors
    /// What the client reads if there is none.
    pub(in crate::session) fn queue_up(
        &self,
        user: &[u8],
        limits: &Limits,
    ) -> Result<Queued, ClientError> {
        let of_user = match limits.queued_statements_per_user {
            Some(limit) => match self.queue.by_user.enter(user, limit) {
                Ok(member) => Some(member),
                Err(count) => {
                    let user = String::from_utf8_lossy(user);
                    return Err(ClientError::user_queue_full(&user, count));
                }
            },
            None => None,
        };
        let before = self.queue.waiting.fetch_add(1, Ordering::Relaxed);
        if before >= limits.queued_statements {
            self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(ClientError::queue_full());
        }
        self.queue.metrics.queued_statements().inc();
        Ok(Queued {
            queue: Arc::clone(&self.queue),
            _of_user: of_user,
        })
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
        self.queue.metrics.queued_statements().dec();
    }
}
