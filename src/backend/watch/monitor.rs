//! One backend's monitor: connects, asks, connects again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use tokio::time::{sleep, timeout};

use super::ask::Asking;
use super::progress::Learned;
use super::publish::{Answer, Publisher};
use super::replication::Following;
use super::routines::Learning;
use super::waiters::Waiters;
use crate::backend::client::{Broken, Client, life};
use crate::routing::{BackendId, Role};

/// The pause after a connection that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The least of it, however many ask.
const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Between two questions to one that is in doubt.
const DOUBT_PAUSE: Duration = Duration::from_millis(10);

/// What a monitor is to watch.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) id: BackendId,
    pub(super) client: Client,
    pub(super) publisher: Arc<Publisher>,
    pub(super) waiters: Arc<Waiters>,
}

impl Monitor {
    /// Watches until it is aborted.
    pub(super) async fn run(self) {
        let mut was_up = true;
        loop {
            self.waiters.silence.asked(Instant::now());
            let broken = self.watch(&mut was_up).await;
            if broken.code().is_some() {
                self.waiters.silence.answered();
            }
            self.publisher.lost(self.id);
            if was_up {
                // Once, not with each further attempt.
                tracing::warn!(backend = self.client.backend.name, error = %broken,
                    "backend down");
                was_up = false;
            }
            sleep(LEAST_PAUSE).await;
            let _ = timeout(RETRY_PAUSE, self.waiters.kick.notified()).await;
        }
    }

    /// Asks on one connection until that breaks.
    async fn watch(&self, was_up: &mut bool) -> Broken {
        let mut conn = match self.client.connect().await {
            Ok(conn) => conn,
            Err(broken) => return broken,
        };
        let life = match life(&mut conn).await {
            Ok(life) => life,
            Err(broken) => return broken,
        };
        let mut asking = Asking::new(life, self.publisher.role(self.id));
        let mut fresh = true;
        let mut learning = Learning::default();
        let mut following = Following::default();
        let mut claimed = false;
        let mut recovering = false;
        loop {
            self.waiters.silence.asked(Instant::now());
            asking.set_role(self.publisher.role(self.id));
            let answer = match asking.ask(&mut conn).await {
                Ok(answer) => answer,
                Err(broken) => return broken,
            };
            self.waiters.silence.answered();
            let claims = !answer.read_only;
            // Nobody is taken for the writer by what it was before, nor a member of a group for one
            // that is online; who joins a group takes no writes at first.
            if claims != claimed || fresh && following.is_due(claims) {
                following.doubt_group();
                match self.follow(&mut conn, &mut following, &mut asking).await {
                    Ok(false) => {}
                    Ok(true) => continue,
                    Err(broken) => return broken,
                }
            }
            claimed = claims;
            if std::mem::replace(&mut recovering, answer.recovering) != answer.recovering {
                self.tell_group(recovering);
            }
            let in_doubt = self.learn(answer, fresh);
            if !std::mem::replace(was_up, true) || fresh {
                tracing::info!(backend = self.client.backend.name, "backend up");
            }
            fresh = false;
            if following.is_due(claims)
                && let Err(broken) = self.follow(&mut conn, &mut following, &mut asking).await
            {
                return broken;
            }
            if self.publisher.role(self.id) == Role::Writer {
                match learning.learn(&mut conn, life.flavour).await {
                    Ok(Some(routines)) => self.publisher.routines(self.id, routines),
                    Ok(None) => {}
                    Err(broken) => return broken,
                }
            }
            // Whoever asks while a question is under way gets the next one.
            let interval = self.client.interval();
            let pause = match in_doubt {
                true => interval.min(DOUBT_PAUSE),
                false => interval,
            };
            let _ = timeout(pause, self.waiters.kick.notified()).await;
        }
    }

    /// Asks from whom it replicates, and whether it is in a group; true if it has to be asked in
    /// another way now.
    async fn follow(
        &self,
        conn: &mut Conn,
        following: &mut Following,
        asking: &mut Asking,
    ) -> Result<bool, Broken> {
        let flavour = asking.flavour();
        let told = following
            .follow(conn, flavour, &self.client.backend.name)
            .await?;
        let anew = asking.set_group(told.group);
        let shown = match self.publisher.role(self.id) {
            Role::Reader => told.replication,
            Role::Writer => None,
        };
        let told = (told.sources, told.received);
        self.publisher.replication(self.id, shown, told);
        Ok(anew)
    }

    fn tell_group(&self, recovering: bool) {
        let backend = &self.client.backend.name;
        match recovering {
            true => tracing::warn!(backend, "it is not online in its group, and gets no reads"),
            false => tracing::info!(backend, "it is online in its group"),
        }
    }

    /// True if it has to be asked again soon.
    fn learn(&self, mut answer: Answer, fresh: bool) -> bool {
        match answer.role {
            Role::Writer => {
                let name = &self.client.backend.name;
                self.publisher.told_by_writer(self.id, name, &answer);
            }
            Role::Reader => {
                let flavour = answer.life.flavour;
                answer.executed = self.publisher.complete(flavour, answer.executed);
                answer.seen.union(&answer.executed);
            }
        }
        self.publisher.learn(self.id, answer, fresh) == Learned::InDoubt
    }
}
