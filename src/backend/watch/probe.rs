//! Asking what has been seen on backends.

use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::time::timeout_at;

use super::publish::Publisher;
use super::waiters::Want;
use crate::routing::BackendId;

impl Publisher {
    /// Has these backends asked after this call, and waits for their answers no longer than
    /// `limit`. Returns those that did not answer.
    ///
    /// Cancel safe.
    pub(super) async fn probe(
        &self,
        backends: &[BackendId],
        limit: Duration,
    ) -> SmallVec<[BackendId; 2]> {
        let since = Instant::now();
        let deadline = tokio::time::Instant::from_std(since + limit);
        let waiters = |id: &BackendId| self.waiters(*id);
        let want = || Want::Probe { since };
        let tickets = backends.iter().filter_map(waiters);
        let tickets: SmallVec<[_; 2]> = tickets.map(|it| it.register(want())).collect();
        let mut told: SmallVec<[BackendId; 2]> = SmallVec::new();
        for (mut ticket, id) in tickets.into_iter().zip(backends) {
            if !self.is_up(*id) {
                continue;
            }
            if timeout_at(deadline, ticket.settled()).await.is_err() {
                break;
            }
            told.push(*id);
        }
        let snapshot = self.snapshot();
        let answered = |id: &BackendId| {
            let probe = snapshot.backend(*id).and_then(|view| view.current_probe());
            // One that has got another role since has answered, and is asked in another way now.
            probe.is_some_and(|probe| probe.started >= since)
                || told.contains(id) && self.is_up(*id)
        };
        let silent = backends.iter().copied().filter(|id| !answered(id));
        silent.collect()
    }

    fn is_up(&self, id: BackendId) -> bool {
        self.snapshot().backend(id).is_some_and(|view| view.up)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::testing::{maria, publisher};
    use super::*;
    use crate::routing::Role;

    const OLD: BackendId = BackendId(0);
    const NEW: BackendId = BackendId(1);
    const LIMIT: Duration = Duration::from_secs(20);

    /// Says whether it takes writes, and that it follows nobody.
    fn tells(publisher: &Publisher, id: BackendId, read_only: bool) {
        let fresh = !publisher.is_up(id);
        let server = u32::from(id.0) + 1;
        let mut answer = maria(server, publisher.role(id), "0-1-5", Instant::now());
        answer.read_only = read_only;
        publisher.learn(id, answer, fresh);
        let alone = (Some(super::super::election::Sources::new()), None);
        publisher.replication(id, None, alone);
    }

    #[tokio::test]
    async fn p2_who_has_answered_and_lost_its_role_by_then_is_not_silent() {
        let publisher = publisher([None, None]);
        tells(&publisher, NEW, true);
        tells(&publisher, OLD, false);
        assert_eq!(publisher.role(OLD), Role::Writer);
        tells(&publisher, OLD, false);

        let backends = [OLD];
        let mut probing = std::pin::pin!(publisher.probe(&backends, LIMIT));
        let asked = timeout(Duration::ZERO, &mut probing).await;
        assert!(asked.is_err(), "nobody has answered");
        tells(&publisher, OLD, true);
        tells(&publisher, NEW, false);
        assert_eq!(publisher.role(NEW), Role::Writer);
        let view = publisher.snapshot().backend(OLD).cloned().unwrap();
        assert!(view.current_probe().is_none(), "it was told in another way");
        assert!(probing.await.is_empty());
    }

    #[tokio::test]
    async fn p7_who_is_gone_by_then_is_silent() {
        let publisher = publisher([None, None]);
        tells(&publisher, OLD, false);
        let backends = [OLD, NEW];
        let mut probing = std::pin::pin!(publisher.probe(&backends, LIMIT));
        let asked = timeout(Duration::ZERO, &mut probing).await;
        assert!(asked.is_err(), "nobody has answered");
        publisher.lost(OLD);
        assert_eq!(probing.await.as_slice(), backends);
    }
}
