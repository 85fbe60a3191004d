//! Between two commands: the client's next one, or what ends the session first.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::aside::Aside;
use super::command::Request;
use super::idling::Idle;
use super::registry::Killed;
use super::session::Session;
use super::{Ended, Leave, Shared};
use crate::net::WireError;
use crate::routing::{BackendId, Transaction};

/// Where another process takes over there is no hurry: a client that sends one command after the
/// other is not cut off between two of them.
const BETWEEN: Duration = Duration::from_millis(500);

/// What a session hears that concerns more than its statement.
enum Word {
    /// It is killed.
    Killed,
    /// The process drains.
    Drains,
    /// There are other backends to leave.
    Leave,
}

/// What an idle session listens to besides its client.
pub(super) struct News {
    killed: Killed,
    draining: watch::Receiver<bool>,
    leave: watch::Receiver<Arc<[Leave]>>,
    /// The backends to leave, as told last.
    due: Arc<[Leave]>,
    /// It has heard that the process drains.
    drains: bool,
    /// The next word.
    word: Aside<dyn Future<Output = Word> + Send>,
}

impl News {
    /// As of now.
    pub(super) fn of(shared: &Shared, killed: Killed) -> Self {
        let mut leave = shared.roster.leave();
        let due = Arc::clone(&leave.borrow_and_update());
        let draining = shared.draining.clone();
        let word = next_word(killed.clone(), Some(draining.clone()), leave.clone());
        Self {
            killed,
            draining,
            leave,
            due,
            drains: false,
            word: Aside::new(Box::pin(word)),
        }
    }

    /// Takes note of the next word; an error if the session is killed.
    ///
    /// Cancel safe.
    async fn next(&mut self) -> Result<(), Ended> {
        match self.word.wait().await {
            Word::Killed => return Err(Ended::Killed),
            Word::Drains => self.drains = true,
            Word::Leave => self.take(),
        }
        let draining = (!self.drains).then(|| self.draining.clone());
        let word = next_word(self.killed.clone(), draining, self.leave.clone());
        self.word.replace(Box::pin(word));
        Ok(())
    }

    fn take(&mut self) {
        self.due = Arc::clone(&self.leave.borrow_and_update());
    }
}

/// The next thing that is heard; of the drain it is heard once.
async fn next_word(
    mut killed: Killed,
    draining: Option<watch::Receiver<bool>>,
    mut leave: watch::Receiver<Arc<[Leave]>>,
) -> Word {
    let drains = async {
        match draining {
            // The sender lives as long as the process serves.
            Some(mut draining) => drop(draining.wait_for(|draining| *draining).await),
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        () = killed.wait() => Word::Killed,
        () = drains => Word::Drains,
        Ok(()) = leave.changed() => Word::Leave,
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
        let idle = self.idle();
        loop {
            if !self.waits_for_client_alone(news) {
                match self.wait_beside(news, idle).await? {
                    true => break,
                    false => continue,
                }
            }
            tokio::select! {
                biased;
                // What went wrong shows again when the command is read.
                _ = self.client.fill_to(1) => break,
                heard = news.next() => heard?,
                () = idle.over(&mut self.alarm) => return Err(Box::pin(self.idled(idle)).await),
            }
        }
        if let Some(request) = Request::at_hand(&mut self.client) {
            return Ok(request);
        }
        // Elsewhere, as all that hardly any command needs.
        let may_leave = self.transaction == Transaction::None;
        match Box::pin(self.read_request(news, may_leave)).await? {
            Ok(request) => Ok(request),
            Err(error) => Err(Box::pin(self.client_failed(&error)).await),
        }
    }

    /// Is there nothing that may have to be given up while the client sends nothing? So it is nearly
    /// always, unless connections are limited.
    fn waits_for_client_alone(&self, news: &News) -> bool {
        let told = news.drains || !news.due.is_empty() || news.leave.has_changed().unwrap_or(false);
        !told && !self.has_words && !self.shared.pressure.limits_connections()
    }

    /// Waits once for the client and for what may be given up meanwhile; true if the client has sent
    /// something, or has gone.
    ///
    /// # Errors
    /// How the session ended instead.
    async fn wait_beside(&mut self, news: &mut News, idle: Idle) -> Result<bool, Ended> {
        if news.leave.has_changed().unwrap_or(false) {
            news.take();
        }
        self.leave_backends(&news.due).await;
        self.lend_to_waiting().await;
        let may_leave = self.transaction == Transaction::None;
        let pause = self.pause();
        let drained = async { sleep(pause).await };
        let spare = self.spare_connections();
        let until = self.has_words.then(|| self.words_until()).flatten();
        let shared = &self.shared;
        let wanted = async { shared.pressure.wanted(&spare).await };
        let words = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.client.fill_to(1) => return Ok(true),
            heard = news.next() => heard?,
            () = drained, if news.drains && may_leave => return Err(Ended::Drained),
            () = idle.over(&mut self.alarm) => return Err(self.idled(idle).await),
            id = wanted, if !spare.is_empty() => self.give_back(id).await,
            // What was kept for the client's questions may go now.
            () = words, if until.is_some() => {}
        }
        Ok(false)
    }

    /// Reads a command that has begun: it can't be left in the middle but by ending the session.
    async fn read_request(
        &mut self,
        news: &mut News,
        may_leave: bool,
    ) -> Result<Result<Request, WireError>, Ended> {
        let pause = self.pause();
        let mut reading = pin!(Request::read(&mut self.client));
        loop {
            let drained = async { sleep(pause).await };
            tokio::select! {
                biased;
                request = &mut reading => return Ok(request),
                heard = news.next() => heard?,
                () = drained, if news.drains && may_leave => return Err(Ended::Drained),
            }
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
