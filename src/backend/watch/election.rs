//! Who the writer is, by what the backends say of themselves: a pure function.
//!
//! Nobody is promoted here. A backend is taken for the writer only if it says that it takes writes
//! and is nobody's reader. Of two such neither is, unless one was it last and all the others still
//! receive from it.

use smallvec::SmallVec;

use crate::gtid::Uuid;
use crate::net::Endpoint;
use crate::routing::BackendId;

/// What a backend says of its place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stance<'a> {
    /// It takes writes: it is not read only, and in a group it is a primary with a majority.
    pub(super) claims: bool,
    /// From whom it replicates.
    pub(super) sources: &'a [Source],
}

/// The servers that a backend receives or applies from, or tries to.
pub(super) type Sources = SmallVec<[Source; 1]>;

/// A server that a backend replicates from, as that backend names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// Its `server_uuid`; none before it was connected, and in MariaDB.
    pub(super) uuid: Option<Uuid>,
    /// Its number, which has to do in MariaDB.
    pub(super) server_id: Option<u32>,
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether it really receives from there now, and does not only try to.
    pub(super) receives: bool,
}

/// A backend, as far as it matters for who the writer is.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) id: BackendId,
    /// Whether the configuration lets it be the writer.
    pub(super) eligible: bool,
    /// Whether it answers, and has told its stance.
    pub(super) stance: Option<Stance<'a>>,
    /// Who it is, or was when it answered last.
    pub(super) uuid: Option<Uuid>,
    pub(super) address: &'a Endpoint,
}

/// Who the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// This one is proven to be.
    Writer(BackendId),
    /// None is.
    Nobody,
    /// This one was it last and still is the others' source, and another one takes writes as well.
    Contested(BackendId),
    /// More than one may be, so none is.
    Rivals,
}

/// Finds the writer; `before` is who was it last.
pub(super) fn elect(all: &[Candidate<'_>], before: Option<BackendId>) -> Outcome {
    let claims = |it: &&Candidate<'_>| it.eligible && it.claims();
    let heads: SmallVec<[&Candidate<'_>; 2]> = all
        .iter()
        .filter(claims)
        .filter(|it| !it.is_somebodys_reader(all, before))
        .collect();
    match heads.as_slice() {
        [] => Outcome::Nobody,
        [head] => Outcome::Writer(head.id),
        _ => {
            let last = heads.iter().find(|it| Some(it.id) == before);
            let kept = last.filter(|it| it.is_source_of_all_but(&heads, all));
            kept.map_or(Outcome::Rivals, |it| Outcome::Contested(it.id))
        }
    }
}

impl Candidate<'_> {
    fn claims(&self) -> bool {
        self.stance.is_some_and(|stance| stance.claims)
    }

    /// Is it a reader of another one, although it takes writes? A writer may receive from one that
    /// takes none and receives from it in turn, and from a server that is no backend.
    fn is_somebodys_reader(&self, all: &[Candidate<'_>], before: Option<BackendId>) -> bool {
        let others = || all.iter().filter(|it| it.id != self.id);
        let sources = self.stance.into_iter().flat_map(|it| it.sources);
        sources.into_iter().any(|source| {
            let Some(other) = others().find(|it| it.is(source)) else {
                // One that was never met might be any of them.
                return before != Some(self.id) && others().any(|it| it.uuid.is_none());
            };
            match other.stance {
                None => before != Some(self.id),
                Some(stance) => stance.claims || !stance.sources.iter().any(|it| self.is(it)),
            }
        })
    }

    /// Do all others but its rivals answer, and really receive from it and from no rival? At least
    /// one has to: nobody else tells which of them the others follow.
    fn is_source_of_all_but(&self, rivals: &[&Self], all: &[Self]) -> bool {
        let is_rival = |it: &Self| rivals.iter().any(|rival| rival.id == it.id);
        let mut others = all.iter().filter(|it| !is_rival(it)).peekable();
        let follows = |other: &Self| {
            let sources = other.stance.map_or(&[][..], |stance| stance.sources);
            let receives = |source: &Source| source.receives && self.is(source);
            let from_rival = |source: &Source| {
                let others = rivals.iter().filter(|rival| rival.id != self.id);
                others.into_iter().any(|rival| rival.is(source))
            };
            sources.iter().any(receives) && !sources.iter().any(from_rival)
        };
        others.peek().is_some() && others.all(follows)
    }

    fn is(&self, source: &Source) -> bool {
        let by_uuid = source.uuid.is_some() && source.uuid == self.uuid;
        let number = self.uuid.and_then(|uuid| uuid.mariadb_server_id());
        let by_number = source.server_id.is_some() && source.server_id == number;
        let by_address = matches!(self.address, Endpoint::Tcp { host, port }
            if *host == source.host && *port == source.port);
        by_uuid || by_number || by_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backend: whether it claims, from which others it receives; none: it is down.
    type Told<'a> = Option<(bool, &'a [u8])>;

    fn uuid(index: u8) -> Uuid {
        Uuid::from_bytes([index + 1; 16])
    }

    /// Backend 9 is one that is not configured. From 100 and its number one only tries to receive.
    fn outcome(all: &[Told<'_>], eligible: &[bool], before: Option<u16>) -> Outcome {
        let sources = |told: &Told<'_>| -> Sources {
            let indices = told.iter().flat_map(|(_, sources)| sources.iter());
            let source = |index: &u8| Source {
                uuid: Some(uuid(index % TRIES)),
                receives: *index < TRIES,
                ..Source::default()
            };
            indices.map(source).collect()
        };
        let all: Vec<_> = all.iter().map(|told| (*told, sources(told))).collect();
        let address = Endpoint::Unix("/nowhere".into());
        let candidates: Vec<_> = (0..)
            .zip(&all)
            .map(|(index, (told, sources))| Candidate {
                id: BackendId(index),
                eligible: eligible.get(usize::from(index)).copied().unwrap_or(true),
                stance: told.map(|(claims, _)| Stance { claims, sources }),
                uuid: Some(uuid(u8::try_from(index).unwrap())),
                address: &address,
            })
            .collect();
        elect(&candidates, before.map(BackendId))
    }

    const TRIES: u8 = 100;

    #[test]
    fn p5_the_writer_is_the_one_that_takes_writes_and_is_nobodys_reader() {
        use Outcome::{Nobody, Rivals, Writer};
        let writes = Some((true, &[][..]));
        let of = |source: &'static [u8]| Some((false, source));
        let sloppy = |source: &'static [u8]| Some((true, source));
        let first = Writer(BackendId(0));
        let second = Writer(BackendId(1));
        for (what, all, before, expected) in [
            (
                "a writer and its readers",
                vec![writes, of(&[0]), of(&[0])],
                None,
                first,
            ),
            (
                "a reader that takes writes",
                vec![writes, sloppy(&[0])],
                None,
                first,
            ),
            (
                "the same after the writer died",
                vec![None, sloppy(&[0])],
                Some(0),
                Nobody,
            ),
            (
                "all read only, for a moment",
                vec![of(&[]), of(&[0])],
                Some(0),
                Nobody,
            ),
            (
                "a sloppy one at that moment",
                vec![of(&[]), sloppy(&[0])],
                Some(0),
                Nobody,
            ),
            (
                "promoted, the old one read only",
                vec![of(&[]), writes],
                Some(0),
                second,
            ),
            (
                "promoted, the old one dead",
                vec![None, writes, of(&[1])],
                Some(0),
                second,
            ),
            (
                "the old one is back as a reader",
                vec![of(&[1]), writes],
                Some(1),
                second,
            ),
            (
                "the same, and takes writes",
                vec![sloppy(&[1]), writes],
                Some(1),
                second,
            ),
            (
                "the old one is back as a writer",
                vec![writes, writes],
                Some(1),
                Rivals,
            ),
            (
                "nobody fenced the old one",
                vec![writes, writes, of(&[1])],
                Some(0),
                Rivals,
            ),
            (
                "each receives from the other",
                vec![sloppy(&[1]), of(&[0])],
                None,
                first,
            ),
            (
                "the passive one is dead",
                vec![sloppy(&[1]), None],
                Some(0),
                first,
            ),
            (
                "the same, never seen before",
                vec![sloppy(&[1]), None],
                None,
                Nobody,
            ),
            (
                "both are active",
                vec![sloppy(&[1]), sloppy(&[0])],
                Some(0),
                Nobody,
            ),
            (
                "it receives from elsewhere",
                vec![sloppy(&[9]), of(&[0])],
                None,
                first,
            ),
            (
                "in a chain",
                vec![writes, sloppy(&[0]), sloppy(&[1])],
                None,
                first,
            ),
            ("nobody is there", vec![None, None], Some(0), Nobody),
        ] {
            let before: Option<u16> = before;
            assert_eq!(outcome(&all, &[], before), expected, "{what}");
        }
    }

    #[test]
    fn p5_of_two_that_take_writes_the_last_writer_keeps_them_only_while_all_others_receive_from_it()
    {
        use Outcome::{Contested, Rivals};
        let writes = Some((true, &[][..]));
        let of = |source: &'static [u8]| Some((false, source));
        let first = Contested(BackendId(0));
        for (what, all, before, expected) in [
            (
                "one follows",
                vec![writes, writes, of(&[0])],
                Some(0),
                first,
            ),
            (
                "two follow",
                vec![writes, writes, of(&[0]), of(&[0])],
                Some(0),
                first,
            ),
            (
                "a sloppy one follows",
                vec![writes, writes, Some((true, &[0][..]))],
                Some(0),
                first,
            ),
            (
                "three take writes",
                vec![writes, writes, writes, of(&[0])],
                Some(0),
                first,
            ),
            ("nobody is left", vec![writes, writes], Some(0), Rivals),
            (
                "nobody was it before",
                vec![writes, writes, of(&[0])],
                None,
                Rivals,
            ),
            (
                "the one that follows follows the other",
                vec![writes, writes, of(&[0])],
                Some(1),
                Rivals,
            ),
            (
                "it follows both",
                vec![writes, writes, of(&[0, 1])],
                Some(0),
                Rivals,
            ),
            (
                "they are divided",
                vec![writes, writes, of(&[0]), of(&[1])],
                Some(0),
                Rivals,
            ),
            (
                "one is silent",
                vec![writes, writes, of(&[0]), None],
                Some(0),
                Rivals,
            ),
            (
                "one was stopped",
                vec![writes, writes, of(&[0]), of(&[])],
                Some(0),
                Rivals,
            ),
            (
                "it only tries to",
                vec![writes, writes, of(&[TRIES])],
                Some(0),
                Rivals,
            ),
            (
                "of a stranger",
                vec![writes, writes, of(&[9])],
                Some(0),
                Rivals,
            ),
        ] {
            let before: Option<u16> = before;
            assert_eq!(outcome(&all, &[], before), expected, "{what}");
        }
    }

    #[test]
    fn p5_a_reader_by_configuration_never_becomes_the_writer() {
        let writes = Some((true, &[][..]));
        let fixed = [true, false];
        let elected = |all: &[Told<'_>]| outcome(all, &fixed, Some(0));
        assert_eq!(elected(&[None, writes]), Outcome::Nobody);
        assert_eq!(elected(&[writes, writes]), Outcome::Writer(BackendId(0)));
        let demoted: Told<'_> = Some((true, &[1]));
        assert_eq!(elected(&[demoted, writes]), Outcome::Nobody);
    }

    #[test]
    fn a_source_is_known_by_its_number_or_its_address_where_it_has_no_uuid() {
        let address = "10.0.0.7:3306".parse().unwrap();
        let mut candidate = Candidate {
            id: BackendId(0),
            eligible: true,
            stance: None,
            uuid: Some(Uuid::of_mariadb(7, 1)),
            address: &address,
        };
        let source = |server_id, host: &str| Source {
            server_id,
            host: host.to_owned(),
            port: 3306,
            ..Source::default()
        };
        assert!(candidate.is(&source(Some(7), "elsewhere")));
        assert!(candidate.is(&source(None, "10.0.0.7")));
        assert!(!candidate.is(&source(Some(8), "10.0.0.8")));
        candidate.uuid = None;
        assert!(!candidate.is(&source(None, "10.0.0.8")));
    }
}
