//! Which lives a backend has had, as far as its monitor saw them.

use std::collections::VecDeque;
use std::time::Instant;

use crate::backend::client::Life;

/// Lives remembered of one backend. A connection of an older one is long gone.
const MAX_LIVES: usize = 8;

/// The lives of one backend, the newest last, each with the last time that it was proven: before
/// the question was sent that it answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives(VecDeque<(Life, Instant)>);

/// To which life a connection belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) life: Life,
    /// Whether it belongs to this life or an older one for certain. Else it may be of a newer one,
    /// that the monitor had not met yet.
    pub(super) certain: bool,
}

impl Lives {
    /// The newest.
    pub(super) fn newest(&self) -> Option<Life> {
        self.0.back().map(|(life, _)| *life)
    }

    /// This life answered a question that was sent at `asked`.
    pub(super) fn proven(&mut self, life: Life, asked: Instant) {
        match self.0.back_mut() {
            Some((newest, proven)) if *newest == life => *proven = asked,
            _ => self.0.push_back((life, asked)),
        }
        if self.0.len() > MAX_LIVES {
            self.0.pop_front();
        }
    }

    /// The life of a connection that was there at `connected`. A life that was proven later than
    /// that had not ended before; so the connection belongs to the first such, or to one before.
    pub(super) fn of(&self, connected: Instant) -> Option<Membership> {
        let later = self.0.iter().find(|(_, proven)| *proven >= connected);
        let certain = later.map(|(life, _)| Membership {
            life: *life,
            certain: true,
        });
        certain.or_else(|| {
            self.newest().map(|life| Membership {
                life,
                certain: false,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gtid::Uuid;
    use crate::sql::Flavour;

    fn life(started: i64) -> Life {
        Life {
            server_uuid: Uuid::from_bytes([7; 16]),
            flavour: Flavour::MySql,
            started: Some(started),
        }
    }

    #[test]
    fn p7_a_connection_belongs_to_a_life_that_was_proven_after_it_was_opened() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut lives = Lives::default();
        assert_eq!(lives.of(at(0)), None);
        lives.proven(life(1), at(100));
        lives.proven(life(1), at(200));
        lives.proven(life(2), at(400));
        for (connected, expected, certain) in [
            (50, 1, true),
            (200, 1, true),
            // Between the last proof of one life and the first of the next.
            (300, 2, true),
            (400, 2, true),
            (500, 2, false),
        ] {
            let life = life(expected);
            assert_eq!(lives.of(at(connected)), Some(Membership { life, certain }));
        }
        assert_eq!(lives.newest(), Some(life(2)));
    }

    #[test]
    fn p9_only_the_newest_lives_are_remembered() {
        let start = Instant::now();
        let mut lives = Lives::default();
        for number in 0..100 {
            lives.proven(life(number), start);
        }
        assert_eq!(lives.0.len(), MAX_LIVES);
        assert_eq!(lives.newest(), Some(life(99)));
    }
}
