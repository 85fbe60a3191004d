//! A GTID set: MySQL's, and MariaDB's in the same form.

use std::cmp::Ordering;
use std::fmt;

use super::domain::Counter;
use super::intervals::Intervals;
use super::tag::Tag;
use super::uuid::Uuid;

/// A set of global transaction identifiers, tagged ones included, in normal form.
///
/// `Display` prints what MySQL prints for the same set in `@@global.gtid_executed` (MySQL manual,
/// "GTID Format and Storage"); of MariaDB's sources the last number, as in
/// `@@global.gtid_binlog_state`. Two sets are equal if they hold the same identifiers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// Ascending by source, each source once, none without intervals.
    entries: Vec<Entry>,
}

/// What one source has numbered.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) intervals: Intervals,
}

/// Who counted: MySQL numbers transactions apart for each UUID and tag.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) uuid: Uuid,
    pub(super) tag: Tag,
}

impl Set {
    /// Whether every identifier of `other` is in this set: with `other` small, two binary
    /// searches for each of its intervals.
    pub fn contains(&self, other: &Self) -> bool {
        if std::ptr::eq(self, other) {
            return true;
        }
        let mut rest = self.entries.as_slice();
        for wanted in &other.entries {
            rest = from_source(rest, &wanted.source);
            match rest.first() {
                Some(have) if have.source == wanted.source => {
                    if !have.intervals.contains(&wanted.intervals) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
        true
    }

    /// Whether a backend that executes in the order of the numbers has the last of `other` by the
    /// time it has the last of this set.
    pub fn reaches(&self, other: &Self) -> bool {
        let mut rest = self.entries.as_slice();
        other.entries.iter().all(|wanted| {
            rest = from_source(rest, &wanted.source);
            rest.first().is_some_and(|have| {
                have.source == wanted.source && have.intervals.last() >= wanted.intervals.last()
            })
        })
    }

    /// Adds every identifier of `other`.
    pub fn union(&mut self, other: &Self) {
        let known = self.entries.len();
        for added in &other.entries {
            let sorted = self.entries.get_mut(..known).unwrap_or_default();
            match sorted.binary_search_by(|have| have.source.cmp(&added.source)) {
                Ok(found) => {
                    if let Some(have) = sorted.get_mut(found) {
                        have.intervals.union(&added.intervals);
                    }
                }
                Err(_) => self.entries.push(added.clone()),
            }
        }
        if self.entries.len() > known {
            self.entries.sort_by(|a, b| a.source.cmp(&b.source));
        }
    }

    /// Takes every identifier of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        let mut rest = other.entries.as_slice();
        self.entries.retain_mut(|have| {
            rest = from_source(rest, &have.source);
            if let Some(cut) = rest.first().filter(|cut| cut.source == have.source) {
                have.intervals.subtract(&cut.intervals);
            }
            !have.intervals.is_empty()
        });
    }

    /// Whether there is no identifier in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many intervals its text has: a measure of its size in memory and on the wire.
    pub fn interval_count(&self) -> usize {
        self.entries.iter().map(|entry| entry.intervals.len()).sum()
    }

    /// How many identifiers it holds, or `u64::MAX` if there are more.
    pub fn gtid_count(&self) -> u64 {
        self.entries
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.intervals.count()))
    }

    /// Takes out every identifier whose UUID is not to be kept.
    pub fn retain_uuids(&mut self, mut keep: impl FnMut(&Uuid) -> bool) {
        self.entries.retain(|entry| keep(&entry.source.uuid));
    }

    /// The UUIDs in it, ascending, each once.
    pub fn uuids(&self) -> impl Iterator<Item = &Uuid> {
        let mut last = None;
        self.entries
            .iter()
            .map(|entry| &entry.source.uuid)
            .filter(move |uuid| {
                let new = last != Some(**uuid);
                last = Some(**uuid);
                new
            })
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The set of these entries, which may repeat a source and come in any order.
    pub(super) fn from_entries(mut entries: Vec<Entry>) -> Self {
        entries.retain(|entry| !entry.intervals.is_empty());
        if !entries.is_sorted_by(|a, b| a.source < b.source) {
            entries.sort_by(|a, b| a.source.cmp(&b.source));
            entries = join(entries);
        }
        Self { entries }
    }
}

/// Joins neighbours of the same source, each source in one pass.
fn join(sorted: Vec<Entry>) -> Vec<Entry> {
    let mut joined: Vec<Entry> = Vec::with_capacity(sorted.len());
    let mut entries = sorted.into_iter().peekable();
    while let Some(Entry { source, intervals }) = entries.next() {
        let mut raw: smallvec::SmallVec<_> = intervals.iter().copied().collect();
        while let Some(same) = entries.next_if(|next| next.source == source) {
            raw.extend(same.intervals.iter().copied());
        }
        joined.push(Entry {
            source,
            intervals: Intervals::normalise(raw),
        });
    }
    joined
}

/// The entries from `source` on, or from where it would stand.
fn from_source<'a>(sorted: &'a [Entry], source: &Source) -> &'a [Entry] {
    match sorted.first().map(|next| next.source.cmp(source)) {
        Some(Ordering::Less) => {
            let skipped = sorted.partition_point(|have| have.source < *source);
            sorted.get(skipped..).unwrap_or_default()
        }
        _ => sorted,
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last: Option<&Uuid> = None;
        for Entry { source, intervals } in &self.entries {
            if let Some(Counter { domain, server }) = source.uuid.counter() {
                let comma = if last.is_some() { "," } else { "" };
                let number = intervals.last().unwrap_or_default();
                write!(f, "{comma}{domain}-{server}-{number}")?;
                last = Some(&source.uuid);
                continue;
            }
            if last != Some(&source.uuid) {
                f.write_str(if last.is_some() { ",\n" } else { "" })?;
                fmt::Display::fmt(&source.uuid, f)?;
                last = Some(&source.uuid);
            }
            fmt::Display::fmt(&source.tag, f)?;
            for interval in intervals.iter() {
                write!(f, ":{}", interval.first)?;
                if interval.last > interval.first {
                    write!(f, "-{}", interval.last)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.to_string().replace(",\n", ", "))
    }
}
