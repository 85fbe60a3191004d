//! What a scope has been promised: the oracle beside the causality that is tested.

use std::time::Duration;

use tidegate::gtid::Token;
use tidegate::routing::{Asks, Causality, Level, Place};

use crate::client::Outcome;
use crate::publisher::at;
use crate::simulation::Simulation;
use crate::truth::Micros;

pub(crate) struct Scope {
    /// Scopes with the same must see the same. Only a broken proxy has two of them.
    key: usize,
    pub(crate) causality: Causality,
    /// The newest transaction that a client of the scope wrote.
    pub(crate) wrote: u64,
    /// The newest transaction that a client of the scope was shown.
    pub(crate) saw: u64,
    /// The same, of those that a read has shown: the count of rows of a write does not bind a
    /// bounded read.
    pub(crate) read: u64,
    /// Writes whose clients were told that the connection was lost.
    pub(crate) untold: Vec<usize>,
}

/// What a read must see, since its scope knew of it before the read arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Required {
    pub(crate) wrote: u64,
    pub(crate) saw: u64,
    /// Writes of its own session that are on the writer alone.
    pub(crate) unlogged: u64,
    /// What its level asks for: of all that anybody wrote or was shown, or what is old enough.
    pub(crate) fresh: u64,
}

/// A write on its way through the writer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    pub(crate) session: usize,
    /// The statement of the session that it belongs to.
    pub(crate) statement: u64,
    pub(crate) generation: u64,
    pub(crate) outcome: Outcome,
    pub(crate) number: Option<u64>,
    /// Its thread is gone, with the write committed or not.
    pub(crate) over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Never stale.
    P1,
    /// Never backwards.
    P2,
    /// No write twice.
    P4,
    /// Writes only to the writer.
    P5,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) promise: Promise,
    pub(crate) at: Micros,
    pub(crate) what: String,
}

impl Scope {
    pub(crate) fn new(key: usize, now: Micros) -> Self {
        Self {
            key,
            causality: Causality::starting_from(Token::default(), at(now)),
            wrote: 0,
            saw: 0,
            read: 0,
            untold: Vec::new(),
        }
    }

    /// From now on it must see what another scope must.
    pub(crate) fn is_promised_too(&mut self, old: &Self) {
        self.wrote = self.wrote.max(old.wrote);
        self.saw = self.saw.max(old.saw);
        self.read = self.read.max(old.read);
        self.untold.extend(&old.untold);
    }
}

impl Simulation {
    /// What a read of this session that arrives now has to see.
    pub(crate) fn required(&self, session: usize, asks: Asks) -> Required {
        let client = &self.sessions[session];
        let policy = self.policy.narrowed(asks);
        let mut promised = Scope::new(self.scopes[client.scope].key, 0);
        let alike = |scope: &&Scope| scope.key == promised.key;
        let alike: Vec<_> = self.scopes.iter().filter(alike).collect();
        alike.iter().for_each(|it| promised.is_promised_too(it));
        // Writes that nobody was told of count from when they are there to be read.
        let executed = self.servers[0].executed;
        let untold = promised.untold.iter();
        let untold = untold.filter_map(|write| self.writes[*write].number);
        let settled = untold.filter(|number| *number <= executed).max();
        let wrote = promised.wrote.max(settled.unwrap_or(0));
        let own = matches!(policy.level, Level::Session | Level::Strong | Level::Writer);
        let carried = client.carried.as_ref().map_or(0, |it| it.shown);
        Required {
            wrote: if own { wrote.max(carried) } else { 0 },
            saw: match policy.level {
                Level::Eventual => 0,
                Level::Bounded => promised.read.max(carried),
                _ => promised.saw,
            },
            unlogged: client.unlogged,
            fresh: match policy.level {
                Level::Strong => self.known,
                _ => policy
                    .bound()
                    .map_or(0, |bound| self.committed_before(bound)),
            },
        }
    }

    /// Up to which transaction all had been executed on the writer this long ago.
    fn committed_before(&self, bound: Duration) -> u64 {
        let bound = Micros::try_from(bound.as_micros()).expect("a short bound");
        let Some(due) = self.now.checked_sub(bound) else {
            return 0;
        };
        let older = self.committed.partition_point(|(at, _)| *at < due);
        let last = older.checked_sub(1).map(|it| self.committed[it].1);
        last.unwrap_or(0)
    }

    pub(crate) fn note_committed(&mut self) {
        let executed = self.servers[0].executed;
        if self
            .committed
            .last()
            .is_none_or(|(_, last)| *last < executed)
        {
            self.committed.push((self.now, executed));
        }
    }

    /// A client is shown the state up to `value`.
    pub(crate) fn show_to(
        &mut self,
        session: usize,
        place: Place,
        value: u64,
        required: Option<Required>,
    ) {
        let unlogged = self.servers[place.backend.index()].unlogged;
        let Required {
            wrote,
            saw,
            unlogged: own,
            fresh,
        } = required.unwrap_or_default();
        if value < wrote {
            let what = format!("{session} reads {value} on {place:?}, and its scope wrote {wrote}");
            self.violates(Promise::P1, what);
        }
        if value < saw {
            let what = format!("{session} reads {value} on {place:?}, and its scope saw {saw}");
            self.violates(Promise::P2, what);
        }
        if value < fresh {
            let what = format!("{session} reads {value} on {place:?}, and its level asks {fresh}");
            self.violates(Promise::P1, what);
        }
        if unlogged < own {
            let what = format!("{session} does not see its unlogged write {own} on {place:?}");
            self.violates(Promise::P1, what);
        }
        let scope = &mut self.scopes[self.sessions[session].scope];
        scope.saw = scope.saw.max(value);
        if required.is_some() {
            scope.read = scope.read.max(value);
        }
        self.known = self.known.max(value);
        self.report.note(&(self.now, session, place, value));
    }

    pub(crate) fn violates(&mut self, promise: Promise, what: String) {
        let at = self.now;
        self.report.violations.push(Violation { promise, at, what });
    }
}
