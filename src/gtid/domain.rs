//! MariaDB's GTIDs, in the form that MySQL's have here.
//!
//! A GTID of MariaDB is `domain-server-sequence`. Within a domain the numbers only grow, if
//! `gtid_strict_mode` is on: whoever has executed one has executed all before it that are in the
//! same history (MariaDB documentation, "Global Transaction ID"). So `0-1-31` is read as the
//! numbers 1 to 31 of the source "server 1 in domain 0", and a source takes the form of a UUID
//! that no server of MySQL has.
//!
//! What MariaDB prints as a position names the last server of each domain only. The numbers that
//! other servers gave before it are found in the writer's `@@global.gtid_binlog_state`, which
//! names all: [`Set::within`].

use smallvec::SmallVec;

use super::intervals::{Interval, Intervals};
use super::set::{Entry, Set, Source};
use super::tag::Tag;
use super::uuid::Uuid;

/// The last eight bytes of a source's UUID. MySQL makes its own by RFC 9562, where the first of
/// them is never ASCII.
const SOURCE: [u8; 8] = *b"MariaDB\0";

/// The same for the identity of a server.
const SERVER: [u8; 8] = *b"MariaSrv";

/// Who numbers transactions in MariaDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    pub(super) domain: u32,
    pub(super) server: u32,
}

impl Uuid {
    /// Stands for the identity of a MariaDB server, which has no UUID: its `@@server_id` and
    /// whatever else tells it from another one, as one number.
    pub fn of_mariadb(server_id: u32, rest: u32) -> Self {
        Self::joined(rest, server_id, SERVER)
    }

    /// The `@@server_id` of a MariaDB server with this identity; none for MySQL.
    pub fn mariadb_server_id(&self) -> Option<u32> {
        self.split(SERVER).map(|(_, server)| server)
    }

    /// Whether the server with this identity gives the numbers of that source.
    pub fn numbers(&self, source: &Self) -> bool {
        match (self.split(SERVER), source.counter()) {
            (Some((_, server)), Some(counter)) => counter.server == server,
            _ => self == source,
        }
    }

    pub(super) fn of_counter(counter: Counter) -> Self {
        Self::joined(counter.domain, counter.server, SOURCE)
    }

    pub(super) fn counter(&self) -> Option<Counter> {
        let (domain, server) = self.split(SOURCE)?;
        Some(Counter { domain, server })
    }
}

impl Set {
    /// The identifiers of one source of MariaDB up to `last`.
    pub(super) fn counted(counter: Counter, last: u64) -> Entry {
        let source = Source {
            uuid: Uuid::of_counter(counter),
            tag: Tag::default(),
        };
        let all = Interval { first: 1, last };
        Entry {
            source,
            intervals: Intervals::normalise(SmallVec::from_buf([all])),
        }
    }

    /// Reads a position in the history that `history` tells: adds what other servers had numbered
    /// in a domain before the position's own number: in one history a number is given once, so all
    /// that is below it came before it. `history` is what a server has executed, by
    /// source, as `@@global.gtid_binlog_state` has it; a domain in which it does not know the
    /// position's server adds nothing. MySQL's sets are whole as they are.
    pub fn within(mut self, history: &Self) -> Self {
        let mut before = Vec::new();
        for (counter, last) in self.counters() {
            let Some(shared) = history.last_of(counter).map(|known| known.min(last)) else {
                continue;
            };
            let others = history
                .counters()
                .filter(|(other, _)| other.domain == counter.domain && *other != counter);
            for (other, known) in others {
                let last = known.min(shared.saturating_sub(1));
                if last > 0 {
                    before.push(Self::counted(other, last));
                }
            }
        }
        if !before.is_empty() {
            self.union(&Self::from_entries(before));
        }
        self
    }

    /// As MariaDB's functions take a position: of each domain the GTID with the highest number.
    /// `None` for MySQL's sets.
    pub fn position(&self) -> Option<String> {
        let mut highest: Vec<(Counter, u64)> = Vec::new();
        for (counter, last) in self.counters() {
            match highest.iter_mut().find(|it| it.0.domain == counter.domain) {
                Some(known) if known.1 < last => *known = (counter, last),
                Some(_) => {}
                None => highest.push((counter, last)),
            }
        }
        let text = |(counter, last): &(Counter, u64)| {
            format!("{}-{}-{last}", counter.domain, counter.server)
        };
        let all: Vec<_> = highest.iter().map(text).collect();
        (!all.is_empty()).then(|| all.join(","))
    }

    /// How many domains of MariaDB it has numbers of.
    pub fn domain_count(&self) -> usize {
        let mut last = None;
        let new = |domain: &u32| last.replace(*domain) != Some(*domain);
        self.counters().map(|(it, _)| it.domain).filter(new).count()
    }

    fn counters(&self) -> impl Iterator<Item = (Counter, u64)> {
        let entries = self.entries().iter();
        entries.filter_map(|it| Some((it.source.uuid.counter()?, it.intervals.last()?)))
    }

    fn last_of(&self, counter: Counter) -> Option<u64> {
        let mut counters = self.counters();
        counters
            .find(|(it, _)| *it == counter)
            .map(|(_, last)| last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Set {
        Set::parse(text).unwrap()
    }

    #[test]
    fn a_position_holds_all_numbers_up_to_its_own() {
        let position = set("0-1-31,2-1-7");
        assert!(position.contains(&set("0-1-30")) && position.contains(&set("2-1-7,0-1-1")));
        for more in ["0-1-32", "0-2-1", "1-1-1", "2-1-8,0-1-1"] {
            assert!(!position.contains(&set(more)), "{more}");
        }
        assert_eq!(position.to_string(), "0-1-31,2-1-7");
        assert_eq!((position.domain_count(), set("").domain_count()), (2, 0));
    }

    #[test]
    fn p1_numbers_of_another_server_count_only_within_a_history_that_has_both() {
        let state = set("0-1-50,0-2-60,1-1-9");
        let read = |position: &str| set(position).within(&state).to_string();
        for (position, whole) in [
            ("0-2-60", "0-1-50,0-2-60"),
            ("0-2-55", "0-1-50,0-2-55"),
            // The reader is ahead of what the writer said last.
            ("0-2-70", "0-1-50,0-2-70"),
            // Whatever the second server numbered below that, it has; not what came later.
            ("0-1-40", "0-1-40,0-2-39"),
            ("0-1-50,1-1-3", "0-1-50,0-2-49,1-1-3"),
            ("0-2-1", "0-2-1"),
            // Nobody knows whether these were before or after.
            ("0-3-99", "0-3-99"),
            ("", ""),
        ] {
            assert_eq!(read(position), whole, "{position}");
        }
        let early = set("0-1-45").within(&state);
        assert!(early.contains(&set("0-2-44")) && !early.contains(&set("0-2-51")));
        let mysql = set("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
        assert_eq!(mysql.clone().within(&state), mysql);
    }

    #[test]
    fn a_position_names_the_highest_number_of_each_domain() {
        let positions = [
            ("0-1-50,0-2-60,1-1-9", Some("0-2-60,1-1-9")),
            ("0-2-60,0-1-61", Some("0-1-61")),
            ("", None),
            ("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", None),
        ];
        for (text, position) in positions {
            assert_eq!(set(text).position().as_deref(), position, "{text}");
        }
    }

    #[test]
    fn a_server_numbers_what_bears_its_id_in_any_domain() {
        let server = Uuid::of_mariadb(7, 99);
        let source = |domain, server| Uuid::of_counter(Counter { domain, server });
        assert!(server.numbers(&source(0, 7)) && server.numbers(&source(5, 7)));
        assert!(!server.numbers(&source(7, 8)));
        assert_ne!(server, Uuid::of_mariadb(7, 98));
        let mysql = Uuid::from_bytes([9; 16]);
        assert!(mysql.numbers(&mysql) && !mysql.numbers(&source(0, 7)));
    }
}
