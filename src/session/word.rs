//! The writer's word on an account: asked for on a connection that nobody has, and for all who log in
//! at the same time in the same way.

use std::sync::Arc;

use super::Ended;
use super::connections::{Held, Room};
use super::session::Session;
use super::visible::Visible;
use super::vouching::{self, Answer, PATIENCE, Turn};
use crate::backend::{Beginning, Kinship};
use crate::protocol::Capabilities;
use crate::routing::BackendId;

/// What a backend is asked by a login. Whoever asks the same gets the same answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Account {
    backend: BackendId,
    kinship: Kinship,
    /// A salted digest of the password.
    password: [u8; 32],
    database: Option<Vec<u8>>,
    collation: u8,
}

/// What the backend has answered.
#[derive(Debug)]
pub(super) struct Word {
    beginning: Beginning,
    /// The OK that ended the login, and what it was agreed with.
    login_ok: Vec<u8>,
    capabilities: Capabilities,
}

impl Word {
    fn of(held: &Held) -> Self {
        Self {
            beginning: held.beginning(),
            login_ok: held.login_ok.clone(),
            capabilities: held.capabilities,
        }
    }
}

/// Somebody asks, also for others.
pub(super) type Asking = vouching::Asking<Account, Arc<Word>>;

/// What a login does about the others.
pub(super) enum Joined {
    /// It has the backend's word.
    Told(Arc<Word>),
    /// It asks, for others, too, unless that is nobody's business.
    Asks(Option<Asking>),
}

/// How a login on a connection that nobody has went.
pub(super) enum OnSpare {
    /// It is over: the session has begun, or does not.
    Over(bool),
    /// The client has been let in, but what its session begins with is to be asked anew.
    Begun(Room),
    /// There is none, or the backend does not take the account there.
    Not(Way),
}

/// How a session comes to a connection to the writer.
pub(super) enum Way {
    /// It stands in line.
    Line,
    /// It has stood there.
    Room(Room),
    /// In vain.
    Full,
}

impl Session {
    /// Waits for the backend's answer to the question of others, if one is about to be put.
    pub(super) async fn join_others(&self) -> Joined {
        let Some(account) = self.asked_for() else {
            return Joined::Asks(None);
        };
        match self.shared.pool.vouching.join(account, self.logged_in) {
            Turn::Now(asking) => Joined::Asks(Some(asking)),
            Turn::Later(told) => match self.shared.timers.limit(PATIENCE, told).await {
                Ok(Ok(Answer::Word(word))) => {
                    self.shared.metrics.logins_shared().inc();
                    Joined::Told(word)
                }
                Ok(Ok(Answer::Turn(asking))) => Joined::Asks(Some(asking)),
                // Whoever asked was not let in, or gets no answer: that may be its own fault.
                Ok(Err(_)) | Err(_) => Joined::Asks(None),
            },
        }
    }

    /// What others would have to ask, too; none for a session whose connections are its own.
    fn asked_for(&self) -> Option<Account> {
        Some(Account {
            backend: self.writer,
            kinship: self.shared.kinship(&self.request)?,
            password: self
                .shared
                .failures
                .digest(&self.request.credentials.password),
            database: self.request.database.clone(),
            collation: self.request.collation,
        })
    }

    /// Gives others what the backend has said.
    pub(super) fn tell_others(&self, asking: Option<Asking>, held: &Held) {
        // What it does at a login it has to do for each.
        if let Some(asking) = asking.filter(|_| held.proof.only_logs_in) {
            asking.tell(&Arc::new(Word::of(held)));
        }
    }

    /// Begins with what the backend has said to another one.
    pub(super) async fn enter_by(&mut self, word: &Word) -> Result<bool, Ended> {
        if !self.take_place().await? {
            return Ok(false);
        }
        self.begin_on(word.beginning.clone());
        self.welcome(&word.login_ok, word.capabilities).await?;
        self.warm_up();
        Ok(true)
    }

    /// Logs in on a connection that nobody has, and gives that back. The client is let in before it
    /// is known what its session begins with: its first statement is on its way meanwhile.
    pub(super) async fn log_in_on_spare(
        &mut self,
        asking: &mut Option<Asking>,
    ) -> Result<OnSpare, Ended> {
        let Some(kinship) = self.shared.kinship(&self.request) else {
            return Ok(OnSpare::Not(Way::Line));
        };
        let asked = self
            .connections
            .ask_on_spare(self.writer, kinship, &self.request);
        let mut held = match asked.await {
            Ok(Ok(held)) => held,
            Ok(Err(room)) => return Ok(OnSpare::Not(Way::Room(room))),
            Err(_) => return Ok(OnSpare::Not(Way::Full)),
        };
        if !self.take_place().await? {
            held.quit().await;
            return Ok(OnSpare::Over(false));
        }
        self.shared.greet_as(&held.greeting);
        self.visible = Visible::of(held.flavour());
        self.welcome(&held.login_ok, held.capabilities).await?;
        if !self.connections.hear(&mut held).await {
            let room = Room::of(&mut held);
            held.quit().await;
            return Ok(OnSpare::Begun(room));
        }
        // That there is no `init_connect` is known by that answer.
        if let Some(asking) = asking.take() {
            asking.tell(&Arc::new(Word::of(&held)));
        }
        self.begin_on(held.beginning());
        held.give(&self.request, true).await;
        self.warm_up();
        Ok(OnSpare::Over(true))
    }
}
