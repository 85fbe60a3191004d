//! Session tracking belongs to the proxy, and the client must not notice.
//!
//! Around a statement that names a `session_track_*` variable the writer's connection tracks what
//! the client has asked for, so that the statement does and answers what it would directly. Before
//! the next one its wishes are read back and the proxy's own tracking is put on again.

use std::iter;
use std::sync::LazyLock;

use super::connections::Held;
use super::job::Job;
use super::session::Session;
use super::settle::lex_mode;
use super::visible::Visible;
use crate::backend::{ConnectError, Row, question};
use crate::protocol::Status;
use crate::sql::{Flavour, ForEach, Marks, followed, is_followed};

impl Session {
    /// Makes the connection track what the client believes it does.
    pub(super) async fn track_as_wished(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        if self.tracks_as_wished {
            return Ok(());
        }
        // What the statement changes besides is found out by comparing.
        self.followed_before = held.ask(&self.followed()).await?;
        let in_transaction = held.status.contains(Status::IN_TRANS);
        held.tracking.clear();
        held.ask(&self.visible.as_wished(in_transaction)).await?;
        self.tracks_as_wished = true;
        self.tracks_gtids = in_transaction && self.visible.gtids.eq_ignore_ascii_case("OFF");
        Ok(())
    }

    /// Whatever a routine has done to the proxy's tracking is found out before the next statement.
    pub(super) fn doubt_tracking(&mut self) {
        if !self.tracks_as_wished {
            self.tracks_as_wished = true;
            self.tracking_doubted = true;
        }
    }

    /// Reads back what the client wishes and puts the proxy's own tracking on again; in MySQL not
    /// inside a transaction, where it refuses to.
    pub(super) async fn track_again(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        let flavour = held.flavour();
        if flavour == Flavour::MySql && held.status.contains(Status::IN_TRANS) {
            return Ok(());
        }
        let row = held.ask(&Visible::read_back(flavour)).await?;
        let mut found = Visible::read(flavour, &row).ok_or(ConnectError::Unexpected)?;
        if std::mem::take(&mut self.tracking_doubted) {
            let also = self.state.variables.keys().map(|name| &**name);
            if !self.visible.replace_own(&mut found, also) {
                // Nothing was switched off, so everything was told.
                self.tracks_as_wished = false;
                return Ok(());
            }
        }
        let wished = std::mem::replace(&mut self.visible, found);
        if std::mem::take(&mut self.tracks_gtids) {
            // What was read back is the proxy's own.
            self.visible.gtids = wished.gtids;
        }
        if let Some(Some(sql_mode)) = row.get(Visible::SQL_MODE) {
            self.lex = lex_mode(sql_mode);
        }
        let after = held.ask(&self.followed()).await?;
        self.compare(held, &after);
        held.track(self.tracking(flavour)).await?;
        self.tracks_as_wished = false;
        Ok(())
    }

    /// The same for a connection of which nobody knows yet whose server it leads to.
    pub(super) fn tracking_for_each(&self) -> ForEach<String> {
        // That of nearly every login.
        static FIRST: LazyLock<ForEach<String>> = LazyLock::new(|| {
            let first = |flavour| Visible::of(flavour).tracking_on_writer(flavour, iter::empty());
            ForEach::new(first)
        });
        let first =
            self.state.variables.is_empty() && self.visible == Visible::of(self.visible.flavour);
        match first {
            true => FIRST.clone(),
            false => ForEach::new(|flavour| self.tracking(flavour)),
        }
    }

    /// The SET that makes the writer's connection track what the session needs.
    pub(super) fn tracking(&self, flavour: Flavour) -> String {
        let also = self.state.variables.keys().map(|name| &**name);
        self.visible.tracking_on_writer(flavour, also)
    }

    /// Has the writer's connection track the variables that a statement is about to set, where
    /// it does not yet. A name that the backend does not know is a warning there, which the
    /// statement that follows clears away; in MariaDB it is an error, as it will be in the
    /// statement.
    pub(super) async fn track_also(
        &mut self,
        held: &mut Held,
        job: &Job,
    ) -> Result<(), ConnectError> {
        let Some(statement) = job.statement.as_ref().filter(|it| !it.sets.is_empty()) else {
            return Ok(());
        };
        let untracked: Vec<&str> = statement
            .sets
            .iter()
            .map(|name| &**name)
            .filter(|name| !self.state.variables.contains_key(*name))
            .collect();
        if untracked.is_empty() {
            return Ok(());
        }
        if self.tracks_as_wished {
            // Nobody will tell what becomes of them.
            self.marks |= Marks::SESSION_VARIABLE;
            return Ok(());
        }
        let known = self.state.variables.keys().map(|name| &**name);
        let also = known.chain(untracked);
        let tracking = self.visible.variables_on_writer(held.flavour(), also);
        held.tracking.clear();
        match held.ask(&tracking).await {
            Err(ConnectError::Refused(_)) if held.flavour() == Flavour::MariaDb => {
                // A single statement fails as a whole; of several, one may set another name.
                if !job.is_parsed_whole() {
                    self.marks |= Marks::SESSION_VARIABLE;
                }
                Ok(())
            }
            told => told.map(drop),
        }
    }

    fn compare(&mut self, held: &mut Held, after: &Row) {
        let before = std::mem::take(&mut self.followed_before);
        let names: Vec<Box<str>> = self.followed_names().map(Box::from).collect();
        for (index, name) in names.into_iter().enumerate() {
            let Some(now) = after.get(index) else {
                continue;
            };
            // Without a picture from before, everything may have changed.
            if before.get(index) != Some(now) {
                let value = now.clone().unwrap_or_default();
                self.state.variables.insert(name.clone(), value.clone());
                held.state.variables.insert(name, value);
            }
        }
    }

    fn followed_names(&self) -> impl Iterator<Item = &str> {
        let others = self.state.variables.keys().map(|name| &**name);
        let others = others.filter(|name| !is_followed(name.as_bytes()));
        let own: Vec<&str> = followed(self.visible.flavour).collect();
        own.into_iter().chain(others)
    }

    fn followed(&self) -> String {
        let names: Vec<String> = self
            .followed_names()
            .map(|name| format!("@@session.{name}"))
            .collect();
        question(names.iter().map(String::as_str))
    }
}
