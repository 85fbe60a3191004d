//! Who waits until a connection has ended on the backend's side.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::lives::Membership;
use crate::backend::client::Life;

/// What became of a connection's thread on a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadEnd {
    /// The backend no longer has it: whatever it did is committed or rolled back.
    ThreadGone,
    /// The backend's process ended, and all of its threads with it.
    AllGone,
    /// It can't be told: the monitor's account lacks the PROCESS privilege, another server answers
    /// at the backend's address, or the backend has never been reached.
    Unproven,
}

/// Those who wait for an end on one backend.
#[derive(Debug, Default)]
pub(super) struct Threads(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    next: u64,
    askers: HashMap<u64, Asker>,
}

#[derive(Debug)]
struct Asker {
    thread: u64,
    member: Membership,
    tell: oneshot::Sender<ThreadEnd>,
}

/// One asker's place in the list; dropped, it is off it.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    threads: &'a Threads,
    number: u64,
    told: oneshot::Receiver<ThreadEnd>,
}

impl Threads {
    /// Notes somebody who waits for the end of a thread.
    pub(super) fn register(&self, thread: u64, member: Membership) -> Ticket<'_> {
        let (tell, told) = oneshot::channel();
        let mut asked = self.lock();
        let number = asked.next;
        asked.next += 1;
        let asker = Asker {
            thread,
            member,
            tell,
        };
        asked.askers.insert(number, asker);
        drop(asked);
        Ticket {
            threads: self,
            number,
            told,
        }
    }

    /// The askers by number, each with its thread.
    pub(super) fn asked(&self) -> HashMap<u64, u64> {
        let asked = self.lock();
        let askers = asked.askers.iter();
        askers.map(|(number, it)| (*number, it.thread)).collect()
    }

    /// Tells those whom the answer serves. `question` is who asked for it: who came later is not
    /// in the answer. `present`: the threads of theirs that the backend has, none if it does not
    /// tell.
    pub(super) fn settle(&self, life: Life, question: &HashMap<u64, u64>, present: Option<&[u64]>) {
        let mut ended = Vec::new();
        let mut asked = self.lock();
        for (number, thread) in question {
            let Some(asker) = asked.askers.get(number) else {
                continue;
            };
            let present = present.map(|present| present.contains(thread));
            if let Some(end) = fate(asker.member, life, present) {
                ended.extend(asked.askers.remove(number).map(|it| (it.tell, end)));
            }
        }
        drop(asked);
        for (tell, end) in ended {
            // One that has just been dropped does not mind.
            let _ = tell.send(end);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Nothing is half done between two statements that hold it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// Waits until it is known.
    pub(super) async fn end(&mut self) -> ThreadEnd {
        // The sender is only dropped after it has sent.
        (&mut self.told).await.unwrap_or(ThreadEnd::Unproven)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.threads.lock().askers.remove(&self.number);
    }
}

/// What an answer of this life says of a connection; none while it is still there.
///
/// A number is given to another connection after a restart. So one that is there counts as gone
/// only if it belongs to an older life for certain.
fn fate(member: Membership, now: Life, present: Option<bool>) -> Option<ThreadEnd> {
    let Membership { life, certain } = member;
    if life.server_uuid != now.server_uuid {
        return Some(ThreadEnd::Unproven);
    }
    let restarted = life.started.is_some() && now.started.is_some() && life.started != now.started;
    match present {
        _ if restarted && certain => Some(ThreadEnd::AllGone),
        Some(true) => None,
        Some(false) => Some(ThreadEnd::ThreadGone),
        None => Some(ThreadEnd::Unproven),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gtid::Uuid;

    fn life(server: u8, started: Option<i64>) -> Life {
        Life {
            flavour: crate::sql::Flavour::MySql,
            server_uuid: Uuid::from_bytes([server; 16]),
            started,
        }
    }

    #[test]
    fn p7_a_thread_is_gone_only_where_that_is_proven() {
        let now = life(1, Some(200));
        let (same, before) = (now, life(1, Some(100)));
        let unknown = life(1, None);
        for (member, certain, present, expected) in [
            (same, true, Some(true), None),
            (same, true, Some(false), Some(ThreadEnd::ThreadGone)),
            (same, true, None, Some(ThreadEnd::Unproven)),
            (before, true, Some(true), Some(ThreadEnd::AllGone)),
            (before, true, None, Some(ThreadEnd::AllGone)),
            // It may have been opened after the restart already.
            (before, false, Some(true), None),
            (before, false, Some(false), Some(ThreadEnd::ThreadGone)),
            (before, false, None, Some(ThreadEnd::Unproven)),
            (unknown, true, Some(true), None),
            (
                life(2, Some(100)),
                true,
                Some(false),
                Some(ThreadEnd::Unproven),
            ),
        ] {
            let life = member;
            let told = fate(Membership { life, certain }, now, present);
            assert_eq!(told, expected, "{member:?} {certain} {present:?}");
        }
    }

    #[test]
    fn p7_who_asks_while_a_question_is_under_way_waits_for_the_next() {
        let threads = Threads::default();
        let now = life(1, Some(1));
        let member = Membership {
            life: now,
            certain: true,
        };
        let mut early = threads.register(5, member);
        let question = threads.asked();
        let mut late = threads.register(6, member);
        threads.settle(now, &question, Some(&[]));
        assert_eq!(early.told.try_recv(), Ok(ThreadEnd::ThreadGone));
        assert!(late.told.try_recv().is_err());
        drop(late);
        assert!(threads.asked().is_empty());
    }
}
