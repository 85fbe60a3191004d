//! One played user: sends requests when they are due, and holds the answers against what they
//! have to show.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::choice::{Choice, Request};
use super::oracle::{Ledger, Memory};
use super::pool::Pool;
use super::road::{Failure, Statements};
use super::schedule::{Due, Schedule};
use super::tally::{Class, Tally};

/// After a connection could not be opened, this long nothing is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// A user.
#[derive(Debug)]
pub(super) struct User {
    pub(super) choice: Choice,
    pub(super) schedule: Schedule,
    pub(super) statements: Statements,
    /// Its own connection is a pool of one.
    pub(super) pool: Arc<Pool>,
    pub(super) reset: bool,
    pub(super) ledger: Arc<Ledger>,
    pub(super) memory: Memory,
    pub(super) tally: Arc<Mutex<Tally>>,
    /// What is due before then is not counted.
    pub(super) counts_from: Instant,
}

/// A statement's times.
struct Timed<T> {
    answer: Result<T, Failure>,
    sent: Instant,
    answered: Instant,
    /// Whether a reader answered, as far as the client chose it.
    at_reader: bool,
}

impl User {
    /// Plays until the schedule ends.
    pub(super) async fn play(mut self) {
        while let Some(due) = self.schedule.next(Instant::now()) {
            let since = match due {
                Due::Now(since) => since,
                Due::Wait(until) => {
                    sleep_until(until.into()).await;
                    Instant::now()
                }
            };
            match self.choice.next() {
                Request::Read { row } => self.read(row, Class::Read, since).await,
                Request::Write { row, read_back } => {
                    let written = self.write(row, since).await;
                    if written && read_back {
                        self.read(row, Class::ReadBack, Instant::now()).await;
                    }
                }
            }
        }
        let left = self.schedule.left();
        self.count(|tally| tally.not_sent += left);
    }

    async fn read(&mut self, row: u32, class: Class, since: Instant) {
        let mut expected = None;
        let (memory, statements, reset) = (&self.memory, &self.statements, self.reset);
        let timed = match self.pool.lend().await {
            Err(failure) => return self.failed(failure, since).await,
            Ok(mut lent) => {
                let mut sent = since;
                let mark = || {
                    sent = Instant::now();
                    expected = Some(Ledger::expect(memory, row, sent));
                };
                let Some(connection) = lent.connection() else {
                    return;
                };
                let before = connection.at_readers();
                let answer = connection.read(statements, row, reset, mark).await;
                let at_reader = connection.at_readers() > before;
                let answered = Instant::now();
                lent.back(!matches!(&answer, Err(failure) if failure.fatal));
                Timed {
                    answer,
                    sent,
                    answered,
                    at_reader,
                }
            }
        };
        let (answer, expected) = match (timed.answer, expected) {
            (Ok(answer), Some(expected)) => (answer, expected),
            (Err(failure), _) => return self.failed(failure, since).await,
            (Ok(_), None) => return,
        };
        let verdict = self.ledger.judge(&mut self.memory, expected, answer);
        let times = (timed.answered - since, timed.answered - timed.sent);
        self.counted(since, |tally| {
            tally.answered(class, times.0, times.1);
            tally.shown(verdict);
            tally.at_readers += u64::from(timed.at_reader);
        });
    }

    /// Whether it was acknowledged.
    async fn write(&mut self, row: u32, since: Instant) -> bool {
        let version = self.ledger.begin(row);
        let mut sent = since;
        let answer = match self.pool.lend().await {
            Err(failure) => Err(failure),
            Ok(mut lent) => {
                let Some(connection) = lent.connection() else {
                    return false;
                };
                let mark = || sent = Instant::now();
                let values = (row, version);
                let answer = connection.write(&self.statements, values, self.reset, mark);
                let answer = answer.await;
                lent.back(!matches!(&answer, Err(failure) if failure.fatal));
                answer
            }
        };
        let now = Instant::now();
        if let Err(failure) = answer {
            self.failed(failure, since).await;
            return false;
        }
        let memory = &mut self.memory;
        self.ledger.acknowledge(memory, row, version, now);
        let times = (now - since, now - sent);
        self.counted(since, |tally| {
            tally.answered(Class::Write, times.0, times.1);
        });
        true
    }

    async fn failed(&self, failure: Failure, since: Instant) {
        let Failure { name, fatal } = failure;
        self.counted(since, |tally| tally.failed(name));
        if fatal {
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn counted(&self, since: Instant, count: impl FnOnce(&mut Tally)) {
        if since >= self.counts_from {
            self.count(count);
        }
    }

    /// Nobody panics while holding it.
    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
