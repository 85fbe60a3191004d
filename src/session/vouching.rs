//! Logins that one question answers. What is asked, and what the answer is, makes no difference here.
//!
//! While a backend is asked about an account, those who log in meanwhile in the same way wait for the
//! next question, which is put for all of them. So each gets a word that was given after it came, and
//! what a crowd of logins costs a backend grows with the time that it takes, not with the crowd.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// For so long one waits for another one's question: where that is stuck, one's own need not be. More
/// than a worker's beat, so that it is not the first of all timers, which wakes up whoever has them.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);

/// The questions that are on their way, and who waits for the next ones.
#[derive(Debug)]
pub(super) struct Vouching<K, W> {
    questions: Mutex<Questions<K, W>>,
}

#[derive(Debug)]
struct Questions<K, W> {
    /// One of a kind.
    all: Vec<Question<K, W>>,
    next: u64,
}

#[derive(Debug)]
struct Question<K, W> {
    id: u64,
    key: K,
    /// When somebody came who asks.
    since: Instant,
    /// Those who came since it was put.
    later: Vec<oneshot::Sender<Answer<K, W>>>,
}

/// What somebody who waits gets.
#[derive(Debug)]
pub(super) enum Answer<K, W> {
    /// What the backend has said to another one's question, which was put since.
    Word(W),
    /// It is up to this one to ask.
    Turn(Asking<K, W>),
}

/// What somebody who comes does.
#[derive(Debug)]
pub(super) enum Turn<K, W> {
    /// Asks.
    Now(Asking<K, W>),
    /// Waits. Nothing comes where whoever asks was not let in, which says nothing of the others.
    Later(oneshot::Receiver<Answer<K, W>>),
}

/// Somebody asks, until this is dropped.
#[derive(Debug)]
pub(super) struct Asking<K, W> {
    vouching: Arc<Vouching<K, W>>,
    id: u64,
    /// For whom besides.
    with: Vec<oneshot::Sender<Answer<K, W>>>,
}

impl<K, W> Default for Vouching<K, W> {
    fn default() -> Self {
        let questions = Questions {
            all: Vec::new(),
            next: 0,
        };
        Self {
            questions: Mutex::new(questions),
        }
    }
}

impl<K, W> Vouching<K, W> {
    /// Somebody comes who would ask this. Nobody waits for a question that has been on its way for
    /// longer than they would wait.
    pub(super) fn join(self: &Arc<Self>, key: K, now: Instant) -> Turn<K, W>
    where
        K: PartialEq,
    {
        let mut questions = self.lock();
        questions
            .all
            .retain(|it| it.key != key || now.saturating_duration_since(it.since) < PATIENCE);
        if let Some(question) = questions.all.iter_mut().find(|it| it.key == key) {
            let (tell, told) = oneshot::channel();
            question.later.push(tell);
            return Turn::Later(told);
        }
        let id = questions.next;
        questions.next += 1;
        questions.all.push(Question {
            id,
            key,
            since: now,
            later: Vec::new(),
        });
        Turn::Now(Asking {
            vouching: Arc::clone(self),
            id,
            with: Vec::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Questions<K, W>> {
        // A list is whole between two statements that hold it.
        let locked = self.questions.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who have come since a question was put, and still wait; the question is over if that is
    /// nobody. The next one begins now.
    fn later(&self, id: u64, now: Instant) -> Vec<oneshot::Sender<Answer<K, W>>> {
        let mut questions = self.lock();
        let all = &mut questions.all;
        let Some(question) = all.iter_mut().find(|it| it.id == id) else {
            return Vec::new();
        };
        let mut later = std::mem::take(&mut question.later);
        later.retain(|it| !it.is_closed());
        question.since = now;
        if later.is_empty() {
            all.retain(|it| it.id != id);
        }
        later
    }
}

impl<K, W> Asking<K, W> {
    /// Tells the others what the backend has said.
    pub(super) fn tell(mut self, word: &W)
    where
        W: Clone,
    {
        for other in std::mem::take(&mut self.with) {
            // It may have left.
            let _ = other.send(Answer::Word(word.clone()));
        }
    }
}

impl<K, W> Drop for Asking<K, W> {
    /// The first of those who came meanwhile asks for them all.
    fn drop(&mut self) {
        let mut later = self.vouching.later(self.id, Instant::now()).into_iter();
        let Some(first) = later.next() else {
            return;
        };
        // If it leaves just now, this goes with it, and so on.
        let _ = first.send(Answer::Turn(Self {
            vouching: Arc::clone(&self.vouching),
            id: self.id,
            with: later.collect(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Kind = &'static str;

    fn now() -> Instant {
        Instant::now()
    }

    fn asks(turn: Turn<Kind, u8>) -> Asking<Kind, u8> {
        match turn {
            Turn::Now(asking) => asking,
            Turn::Later(_) => panic!("it waits"),
        }
    }

    fn waits(turn: Turn<Kind, u8>) -> oneshot::Receiver<Answer<Kind, u8>> {
        match turn {
            Turn::Later(told) => told,
            Turn::Now(_) => panic!("it asks"),
        }
    }

    fn turn(told: &mut oneshot::Receiver<Answer<Kind, u8>>) -> Asking<Kind, u8> {
        match told.try_recv() {
            Ok(Answer::Turn(asking)) => asking,
            other => panic!("{other:?}"),
        }
    }

    fn word(told: &mut oneshot::Receiver<Answer<Kind, u8>>) -> Option<u8> {
        match told.try_recv() {
            Ok(Answer::Word(word)) => Some(word),
            _ => None,
        }
    }

    #[test]
    fn p10_nobody_gets_a_word_that_was_asked_for_before_it_came() {
        let vouching = Arc::new(Vouching::default());
        let first = asks(vouching.join("a", now()));
        let mut second = waits(vouching.join("a", now()));
        let mut third = waits(vouching.join("a", now()));
        first.tell(&1);
        assert_eq!(word(&mut third), None);
        let asking = turn(&mut second);
        let mut fourth = waits(vouching.join("a", now()));
        asking.tell(&2);
        assert_eq!(word(&mut third), Some(2));
        turn(&mut fourth).tell(&3);
        drop(asks(vouching.join("a", now())));
    }

    #[test]
    fn others_are_asked_for_apart() {
        let vouching = Arc::new(Vouching::default());
        let _one = asks(vouching.join("a", now()));
        let _other = asks(vouching.join("b", now()));
    }

    #[test]
    fn where_one_is_not_let_in_the_others_ask_for_themselves() {
        let vouching = Arc::new(Vouching::default());
        let first = asks(vouching.join("a", now()));
        let mut all: Vec<_> = (0..3).map(|_| waits(vouching.join("a", now()))).collect();
        drop(first);
        let second = turn(&mut all[0]);
        let mut later = waits(vouching.join("a", now()));
        drop(second);
        for told in &mut all[1..] {
            assert!(matches!(
                told.try_recv(),
                Err(oneshot::error::TryRecvError::Closed)
            ));
        }
        turn(&mut later).tell(&1);
    }

    #[test]
    fn who_leaves_keeps_nobody_waiting() {
        let vouching = Arc::new(Vouching::default());
        let first = asks(vouching.join("a", now()));
        let gone = waits(vouching.join("a", now()));
        let leaves = waits(vouching.join("a", now()));
        let mut stays = waits(vouching.join("a", now()));
        drop(gone);
        drop(first);
        // It was its turn, and it has not seen so.
        let mut last = waits(vouching.join("a", now()));
        drop(leaves);
        assert!(word(&mut stays).is_none());
        turn(&mut last).tell(&1);
        drop(asks(vouching.join("a", now())));
    }

    #[test]
    fn nobody_waits_for_a_question_that_is_stuck() {
        let vouching = Arc::new(Vouching::default());
        let begun = now();
        let stuck = asks(vouching.join("a", begun));
        let mut waits_already = waits(vouching.join("a", begun));
        let next = asks(vouching.join("a", begun + PATIENCE));
        assert!(matches!(
            waits_already.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        ));
        // It ends after all, and takes nothing of the next one with it.
        let mut later = waits(vouching.join("a", begun + PATIENCE));
        stuck.tell(&1);
        assert!(word(&mut later).is_none());
        drop(next);
        turn(&mut later).tell(&2);
    }
}
