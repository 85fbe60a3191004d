//! Who waits for news of one backend. Each waiter is told once, when its own news is there: what
//! is published wakes nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, oneshot};

use super::silence::Silence;
use crate::gtid::Set;
use crate::routing::{BackendView, Place};

/// The waiters of one backend, and the bells of those who work for them.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: Mutex<Waiting>,
    /// Wakes the monitor before its interval is over.
    pub(super) kick: Notify,
    /// Wakes the watcher.
    pub(super) work: Notify,
    /// How long the monitor has waited for an answer.
    pub(super) silence: Silence,
}

/// What a waiter waits for.
#[derive(Debug)]
pub(super) enum Want {
    /// That this life of the backend has executed the set, or has ended; of a new writer that is
    /// `draining` also that it has executed all that it has received.
    Executed {
        place: Place,
        token: Set,
        draining: bool,
    },
    /// An answer to a question that is sent from then on, or that the backend is down.
    Probe { since: Instant },
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// In the order in which they came.
    waiters: BTreeMap<u64, (Want, oneshot::Sender<()>)>,
    /// What the watcher is blocked on.
    awaited: Option<Set>,
}

/// One waiter's place in the list; dropped, it is off it.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    waiters: &'a Waiters,
    number: u64,
    told: oneshot::Receiver<()>,
}

impl Want {
    fn is_met(&self, view: &BackendView, drained: bool) -> bool {
        match self {
            Self::Executed {
                place,
                token,
                draining,
            } => view.place() != Some(*place) || view.has_executed(token) || *draining && drained,
            Self::Probe { since } => {
                let probe = view.current_probe();
                !view.up || probe.is_some_and(|probe| probe.started >= *since)
            }
        }
    }
}

impl Waiters {
    /// Notes a waiter and wakes whoever finds out for it. Look at the snapshot again afterwards:
    /// what was published before this call is not told.
    pub(super) fn register(&self, want: Want) -> Ticket<'_> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        match &want {
            Want::Probe { .. } => self.kick.notify_one(),
            Want::Executed { token, .. } => {
                self.work.notify_one();
                // The watcher is deaf for a moment. Where that may last longer than this token
                // needs, the monitor looks whether it is executed already.
                if waiting
                    .awaited
                    .as_ref()
                    .is_some_and(|it| !token.reaches(it))
                {
                    self.kick.notify_one();
                }
            }
        }
        waiting.waiters.insert(number, (want, tell));
        drop(waiting);
        Ticket {
            waiters: self,
            number,
            told,
        }
    }

    /// Tells those whose news this is.
    ///
    /// `drained`: the writer has executed all that it has received.
    pub(super) fn settle(&self, view: &BackendView, drained: bool) {
        let mut waiting = self.lock();
        let met = waiting.waiters.iter();
        let met = met.filter(|(_, (want, _))| want.is_met(view, drained));
        let met: Vec<u64> = met.map(|(number, _)| *number).collect();
        let settled = met.iter().map(|number| waiting.waiters.remove(number));
        let settled: Vec<_> = settled.flatten().collect();
        drop(waiting);
        for (_, tell) in settled {
            // One that has just been dropped does not mind.
            let _ = tell.send(());
        }
    }

    /// The token that will be executed first of those that somebody waits for on this life, as far
    /// as their numbers tell (readers commit in the writer's order); from now on it counts as what
    /// the watcher is blocked on.
    pub(super) fn await_nearest(&self, here: Place) -> Option<Set> {
        let mut waiting = self.lock();
        let tokens = waiting.waiters.values().filter_map(|(want, _)| match want {
            Want::Executed { place, token, .. } if *place == here => Some(token),
            _ => None,
        });
        let nearest =
            tokens.reduce(|least, token| if least.reaches(token) { token } else { least });
        let nearest = nearest.cloned();
        waiting.awaited.clone_from(&nearest);
        nearest
    }

    /// The watcher listens again.
    pub(super) fn await_nothing(&self) {
        self.lock().awaited = None;
    }

    /// How many wait until this backend has executed something.
    pub(super) fn count(&self) -> usize {
        let waiting = self.lock();
        let wants = waiting.waiters.values();
        wants
            .filter(|(want, _)| matches!(want, Want::Executed { .. }))
            .count()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is half done between two statements that hold it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// Waits until the news is there.
    pub(super) async fn settled(&mut self) {
        // The sender is only dropped after it has sent.
        let _ = (&mut self.told).await;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.waiters.lock().waiters.remove(&self.number);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gtid::{Incarnation, Uuid, Watermark};
    use crate::routing::{BackendId, Role};

    const WRITER: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(numbers: &str) -> Set {
        Set::parse(&format!("{WRITER}:{numbers}")).unwrap()
    }

    fn place(epoch: u64) -> Place {
        Place {
            backend: BackendId(1),
            incarnation: Incarnation {
                server_uuid: Uuid::from_bytes([1; 16]),
                epoch,
            },
        }
    }

    pub(in crate::backend::watch) fn view(epoch: u64, executed: &str) -> BackendView {
        let incarnation = place(epoch).incarnation;
        BackendView {
            id: BackendId(1),
            role: Role::Reader,
            weight: 1,
            near: true,
            up: true,
            writable: false,
            incarnation: Some(incarnation),
            watermark: Some(Watermark {
                executed: Arc::new(set(executed)),
                learned: Instant::now(),
                incarnation,
            }),
            lag: None,
            lagging: false,
            replication: None,
            probe: None,
            shunned_until: None,
            draining: false,
            recovering: false,
        }
    }

    fn executed(epoch: u64, token: &str) -> Want {
        Want::Executed {
            place: place(epoch),
            token: set(token),
            draining: false,
        }
    }

    fn is_told(ticket: &mut Ticket<'_>) -> bool {
        ticket.told.try_recv().is_ok()
    }

    #[test]
    fn who_waits_for_a_new_writer_is_told_once_that_has_drained() {
        let waiters = Waiters::default();
        let of_one_that_drains = Want::Executed {
            place: place(1),
            token: set("1-5"),
            draining: true,
        };
        let mut drains = waiters.register(of_one_that_drains);
        let mut other = waiters.register(executed(1, "1-5"));
        waiters.settle(&view(1, "1-4"), false);
        assert!(!is_told(&mut drains));
        waiters.settle(&view(1, "1-4"), true);
        assert!(is_told(&mut drains) && !is_told(&mut other));
    }

    #[test]
    fn p1_only_those_whose_token_is_covered_are_told() {
        let waiters = Waiters::default();
        let mut near = waiters.register(executed(1, "1-5"));
        let mut far = waiters.register(executed(1, "6"));
        let mut other_life = waiters.register(executed(2, "1"));
        waiters.settle(&view(1, "1-4"), true);
        assert!(!is_told(&mut near) && !is_told(&mut far) && is_told(&mut other_life));
        waiters.settle(&view(1, "1-5"), true);
        assert!(is_told(&mut near) && !is_told(&mut far));
        waiters.settle(&view(2, "1"), true);
        assert!(is_told(&mut far));
        assert_eq!(waiters.count(), 0);
    }

    #[test]
    fn a_dropped_waiter_is_off_the_list() {
        let waiters = Waiters::default();
        let (one, other) = (
            waiters.register(executed(1, "5")),
            waiters.register(executed(1, "6")),
        );
        assert_eq!(waiters.count(), 2);
        drop(one);
        assert_eq!(waiters.count(), 1);
        assert_eq!(waiters.await_nearest(place(1)), Some(set("6")));
        drop(other);
        assert_eq!(waiters.await_nearest(place(1)), None);
    }

    #[test]
    fn the_nearest_token_is_the_one_that_is_executed_first() {
        let waiters = Waiters::default();
        let single = ["9", "4", "6"].map(|token| waiters.register(executed(1, token)));
        assert_eq!(waiters.await_nearest(place(1)), Some(set("4")));
        drop(single);
        let tokens = ["1-9", "1-3", "1-5", "1-3:7"];
        let tickets = tokens.map(|token| waiters.register(executed(1, token)));
        let _elsewhere = waiters.register(executed(2, "1"));
        assert_eq!(waiters.await_nearest(place(1)), Some(set("1-3")));
        drop(tickets);
        assert_eq!(waiters.await_nearest(place(1)), None);
    }

    #[test]
    fn the_monitor_is_asked_only_for_what_the_watcher_would_find_too_late() {
        let kicked = |waiters: &Waiters| Box::pin(waiters.kick.notified()).as_mut().enable();
        let waiters = Waiters::default();
        let _first = waiters.register(executed(1, "1-5"));
        assert!(!kicked(&waiters), "the watcher asks at once");
        waiters.await_nearest(place(1));
        let _later = waiters.register(executed(1, "1-9"));
        assert!(
            !kicked(&waiters),
            "it is not executed before what is awaited"
        );
        let _sooner = waiters.register(executed(1, "1-3"));
        assert!(kicked(&waiters));
        waiters.await_nothing();
        let _idle = waiters.register(executed(1, "1"));
        assert!(!kicked(&waiters));
    }

    #[test]
    fn a_probe_is_answered_by_a_question_sent_later_or_by_silence() {
        let waiters = Waiters::default();
        let mut ticket = waiters.register(Want::Probe {
            since: Instant::now(),
        });
        waiters.settle(&view(1, "1"), true);
        assert!(!is_told(&mut ticket));
        let mut down = view(1, "1");
        down.up = false;
        waiters.settle(&down, true);
        assert!(is_told(&mut ticket));
    }
}
