//! Between two commands: the client's next one, or what ends the session first.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::watch;

use super::command::Request;
use super::session::Session;
use super::{Ended, Leave, Shared};
use crate::routing::{BackendId, Transaction};

/// Where another process takes over there is no hurry: a client that sends one command after the
/// other is not cut off between two of them.
const BETWEEN: Duration = Duration::from_millis(500);

/// What an idle session listens to besides its client.
pub(super) struct News {
    draining: watch::Receiver<bool>,
    leave: watch::Receiver<Arc<[Leave]>>,
    /// The backends to leave, as told last.
    due: Arc<[Leave]>,
}

impl News {
    /// As of now.
    pub(super) fn of(shared: &Shared) -> Self {
        let mut leave = shared.roster.leave();
        let due = Arc::clone(&leave.borrow_and_update());
        Self {
            draining: shared.draining.clone(),
            leave,
            due,
        }
    }

    fn take(&mut self) {
        self.due = Arc::clone(&self.leave.borrow_and_update());
    }
}

impl Session {
    /// How long it may be idle once the process drains.
    fn pause(&self) -> Duration {
        match self.shared.scopes.is_beside() {
            true => BETWEEN,
            false => Duration::ZERO,
        }
    }

    /// Reads the next command. Meanwhile connections to backends that are to be left are given up.
    ///
    /// # Errors
    /// How the session ended instead.
    pub(super) async fn next_request(&mut self, news: &mut News) -> Result<Request, Ended> {
        let may_leave = self.transaction == Transaction::None;
        let idle = self.idle();
        loop {
            if news.leave.has_changed().unwrap_or(false) {
                news.take();
            }
            self.leave_backends(&news.due).await;
            let pause = self.pause();
            let drained = async {
                // The sender lives as long as the process serves.
                let _ = news.draining.wait_for(|draining| *draining).await;
                tokio::time::sleep(pause).await;
            };
            self.lend_to_waiting().await;
            let spare = self.spare_connections();
            let words = self.words_until();
            let words = async {
                match words {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let shared = Arc::clone(&self.shared);
            let wanted = async {
                match spare.is_empty() {
                    true => std::future::pending().await,
                    false => shared.pressure.wanted(&spare).await,
                }
            };
            tokio::select! {
                biased;
                // What went wrong shows again when the command is read.
                _ = self.client.fill_to(1) => break,
                () = self.entry.killed() => return Err(Ended::Killed),
                () = drained, if may_leave => return Err(Ended::Drained),
                Ok(()) = news.leave.changed() => news.take(),
                () = idle.over() => return Err(self.idled(idle).await),
                id = wanted => self.give_back(id).await,
                // What was kept for the client's questions may go now.
                () = words => {}
            }
        }
        // A command that has begun can't be left in the middle but by ending the session.
        let pause = self.pause();
        let drained = async {
            let _ = news.draining.wait_for(|draining| *draining).await;
            tokio::time::sleep(pause).await;
        };
        let request = tokio::select! {
            biased;
            request = Request::read(&mut self.client) => request,
            () = self.entry.killed() => return Err(Ended::Killed),
            () = drained, if may_leave => return Err(Ended::Drained),
        };
        match request {
            Ok(request) => Ok(request),
            Err(error) => Err(self.client_failed(&error).await),
        }
    }

    /// Connections that another one could stand in for without anybody noticing.
    fn spare_connections(&mut self) -> SmallVec<[BackendId; 4]> {
        if !self.shared.pressure.limits_connections() || self.transaction != Transaction::None {
            return SmallVec::new();
        }
        if self.shared.lends() {
            return self.lendable();
        }
        let all: SmallVec<[BackendId; 4]> = self.connections.all().map(|it| it.backend).collect();
        all.into_iter().filter(|id| self.is_spare(*id)).collect()
    }

    async fn give_back(&mut self, id: BackendId) {
        if self.shared.lends() {
            return Box::pin(self.lend_on(id)).await;
        }
        if let Some(held) = self.connections.take(id) {
            held.quit().await;
        }
    }

    fn is_spare(&self, id: BackendId) -> bool {
        let left = [self.last_statement, self.last_counted, self.last_select];
        let left_there = left.iter().flatten().any(|place| place.backend == id);
        let carried = self.carried.iter().any(|(backend, _)| *backend == id);
        let held = match id == self.writer {
            true => self.holds_state(),
            false => self.prepared.are_held_by(id, false),
        };
        !left_there && !carried && !held
    }
}
