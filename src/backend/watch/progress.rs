//! Whether an answer goes on from what is known of a backend.
//!
//! Executed sets only grow within one life: a restored or reset backend keeps its uuid, but not its
//! history. A reader of MariaDB may seem to have gone back for a moment: `SET GLOBAL gtid_slave_pos`
//! empties the position before it fills it again, and a position with the first numbers of the next
//! writer says nothing of what came before until that one was asked. Such a reader is in doubt: it is
//! not known to have executed anything, and so gets no reads, but what was seen there is not taken
//! for gone.

use std::time::{Duration, Instant};

use super::publish::Answer;
use crate::gtid::{Incarnation, Set, Watermark};
use crate::routing::{BackendView, Role};
use crate::sql::Flavour;

/// How long a reader may be in doubt.
const DOUBT_AT_MOST: Duration = Duration::from_secs(1);

/// What an answer says of the life of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// It is still this one.
    Same(Incarnation),
    /// It is another one.
    Another,
    /// The next answers will tell.
    InDoubt,
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// All that it says.
    All,
    /// It is to be asked again soon.
    InDoubt,
}

/// What a backend had executed before it seemed to go back.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    executed: Set,
    since: Instant,
}

impl Doubt {
    /// By this answer.
    pub(super) fn of(view: &BackendView, answer: &Answer) -> Self {
        let mark = view.current_watermark().map(|it| &*it.executed);
        let probe = view.current_probe().map(|it| &*it.executed);
        let mut executed = mark.cloned().unwrap_or_default();
        probe.into_iter().for_each(|set| executed.union(set));
        Self {
            executed,
            since: answer.learned,
        }
    }
}

/// Is the answer one of the same life? `doubt` is there if that could not be told last time.
pub(super) fn continuity(view: &BackendView, answer: &Answer, doubt: Option<&Doubt>) -> Continuity {
    let same_server = |known: &Incarnation| known.server_uuid == answer.life.server_uuid;
    let Some(known) = view.incarnation.filter(same_server) else {
        return Continuity::Another;
    };
    let had = doubt.is_none_or(|doubt| answer.executed.contains(&doubt.executed));
    if had && goes_on(view, answer) {
        return Continuity::Same(known);
    }
    let since = doubt.map_or(answer.learned, |doubt| doubt.since);
    let is_young = answer.learned.saturating_duration_since(since) < DOUBT_AT_MOST;
    match (answer.life.flavour, answer.role) {
        (Flavour::MariaDb, Role::Reader) if is_young => Continuity::InDoubt,
        _ => Continuity::Another,
    }
}

fn goes_on(view: &BackendView, answer: &Answer) -> bool {
    let probed = view.current_probe();
    let mark = view.current_watermark();
    probed.is_none_or(|probe| answer.executed.contains(&probe.executed))
        && mark.is_none_or(|mark| {
            answer.executed.contains(&mark.executed)
                || mark.learned >= answer.started && mark.executed.contains(&answer.executed)
        })
}

/// Whether an answer adds to what a backend is known to have executed.
pub(super) fn grows(known: &Set, executed: &Set) -> bool {
    executed.contains(known) && known != executed
}

/// Whether the watermark is ahead of an answer that was asked for before it was learned: data
/// connections and the watcher tell of the same backend meanwhile. An answer that says the same
/// again is news: nothing has arrived since.
pub(super) fn overtook(mark: &Watermark, executed: &Set, learned: Instant) -> bool {
    let says_the_same = *mark.executed == *executed;
    mark.executed.contains(executed) && !(says_the_same && learned > mark.learned)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::publish::Publisher;
    use super::super::testing::{maria, publisher, set};
    use super::*;
    use crate::routing::{BackendId, Place};

    const WRITER: BackendId = BackendId(0);
    const READER: BackendId = BackendId(1);

    /// A reader, the server 3, that has followed the server 1, and before that 2.
    struct Stage {
        publisher: Publisher,
        start: Instant,
        now: Duration,
    }

    impl Stage {
        fn new() -> Self {
            let mut stage = Self {
                publisher: publisher([Some(Role::Writer), Some(Role::Reader)]),
                start: Instant::now(),
                now: Duration::ZERO,
            };
            stage.writer(1, "0-1-50,0-2-30");
            assert_eq!(stage.reader("0-1-50"), Learned::All);
            assert!(stage.place().is_some() && stage.has("0-1-50,0-2-30"));
            stage
        }

        fn tick(&mut self) -> Instant {
            self.now += Duration::from_millis(10);
            self.start + self.now
        }

        fn writer(&mut self, server: u32, executed: &str) {
            let answer = maria(server, Role::Writer, executed, self.tick());
            self.publisher.told_by_writer(WRITER, "w", &answer);
        }

        fn reader(&mut self, position: &str) -> Learned {
            let mut answer = maria(3, Role::Reader, position, self.tick());
            answer.read_only = true;
            let flavour = answer.life.flavour;
            answer.executed = self.publisher.complete(flavour, answer.executed);
            let fresh = self.place().is_none();
            self.publisher.learn(READER, answer, fresh)
        }

        fn place(&self) -> Option<Place> {
            self.publisher.snapshot().backend(READER)?.place()
        }

        fn has(&self, executed: &str) -> bool {
            let snapshot = self.publisher.snapshot();
            let view = snapshot.backend(READER).unwrap();
            view.has_executed(&set(executed))
        }

        /// Whether the reader is to be asked at once.
        async fn asks_again(&self) -> bool {
            let kick = &self.publisher.waiters(READER).unwrap().kick;
            timeout(Duration::ZERO, kick.notified()).await.is_ok()
        }
    }

    #[test]
    fn p2_a_reader_ahead_of_what_the_next_writer_was_asked_for_goes_on() {
        let mut stage = Stage::new();
        let place = stage.place();
        // The server 2 was promoted and has written, and nobody has asked it yet.
        assert_eq!(stage.reader("0-2-52"), Learned::InDoubt);
        assert_eq!(stage.place(), place);
        assert!(!stage.has("0-1-1"), "it gets no reads");
        stage.writer(2, "0-1-50,0-2-52");
        assert_eq!(stage.reader("0-2-52"), Learned::All);
        assert_eq!(stage.place(), place);
        assert!(stage.has("0-1-50,0-2-52"));
    }

    #[test]
    fn p2_a_position_that_was_empty_for_a_moment_has_not_gone_back() {
        let mut stage = Stage::new();
        let place = stage.place();
        for _ in 0..3 {
            assert_eq!(stage.reader(""), Learned::InDoubt);
            assert_eq!(stage.place(), place);
            assert!(!stage.has("0-1-1"), "it gets no reads");
        }
        assert_eq!(stage.reader("0-1-50"), Learned::All);
        assert_eq!(stage.place(), place);
        assert!(stage.has("0-1-50,0-2-30"));
    }

    #[test]
    fn p2_p9_a_reader_that_lacks_what_it_had_for_longer_is_another_one() {
        for position in ["", "0-1-49", "0-2-30", "0-2-52"] {
            let mut stage = Stage::new();
            let place = stage.place();
            // The next writer had not received all of the one before.
            stage.writer(2, "0-1-47,0-2-52");
            assert_eq!(stage.reader(position), Learned::InDoubt, "{position}");
            stage.now += DOUBT_AT_MOST;
            assert_eq!(stage.reader(position), Learned::All, "{position}");
            assert_ne!(stage.place(), place, "{position}");
            assert!(
                stage.place().is_some() && !stage.has("0-1-50"),
                "{position}"
            );
        }
    }

    #[test]
    fn p2_a_reader_of_mysql_that_lacks_what_it_had_is_another_one_at_once() {
        let mut stage = Stage::new();
        let mut tells = |executed: &str| {
            let mut answer = maria(3, Role::Reader, executed, stage.tick());
            answer.life.flavour = Flavour::MySql;
            stage.publisher.learn(READER, answer, false);
            stage.place()
        };
        let writer = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        tells(&format!("{writer}:1-5"));
        let place = tells(&format!("{writer}:1-6"));
        assert_eq!(tells(&format!("{writer}:1-7")), place);
        assert_ne!(tells(&format!("{writer}:1-6")), place);
    }

    #[tokio::test]
    async fn a_reader_is_asked_again_as_soon_as_its_position_can_be_read() {
        let mut stage = Stage::new();
        assert!(stage.asks_again().await);
        stage.writer(1, "0-1-51,0-2-30");
        assert!(!stage.asks_again().await);
    }
}
