//! Session tracking belongs to the proxy; this is what the client believes it has set.
//!
//! The `session_track_*` variables of a backend connection are the proxy's. A client's own wishes
//! are kept here, read back as set, and decide which trackers the client gets to see.
//! (MySQL manual, "Server Tracking of Client Session State".)

use crate::backend::question;
use crate::protocol::ProtocolError;
use crate::protocol::track::{self, Change};
use crate::sql::{Flavour, followed};

/// What a client sees of session tracking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visible {
    /// Whose server the session began on.
    pub flavour: Flavour,
    /// `session_track_gtids`, as text. MariaDB does not have it.
    pub gtids: String,
    /// `session_track_schema`.
    pub schema: bool,
    /// `session_track_state_change`.
    pub state_change: bool,
    /// `session_track_system_variables`, as text.
    pub variables: String,
    /// `session_track_transaction_info`, as text.
    pub transaction_info: String,
}

impl Visible {
    /// The defaults of a flavour.
    pub(super) fn of(flavour: Flavour) -> Self {
        let variables = match flavour {
            Flavour::MySql => {
                "time_zone,autocommit,character_set_client,character_set_results,\
                 character_set_connection"
            }
            Flavour::MariaDb => {
                "autocommit,character_set_client,character_set_connection,\
                 character_set_results,time_zone"
            }
        };
        Self {
            flavour,
            gtids: "OFF".to_owned(),
            schema: true,
            state_change: false,
            variables: variables.to_owned(),
            transaction_info: "OFF".to_owned(),
        }
    }
}

/// Which session changes reach the client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filter<'a> {
    /// Those that the client has asked for.
    Wanted(&'a Visible),
    /// All: the backend connection tracks what the client asked for, and no more.
    All,
    /// All but GTIDs: inside a transaction, tracking of those can't be switched off.
    AllButGtids,
    /// What a reader tells is for the proxy, but for the transaction's flags.
    FromReader,
}

impl Filter<'_> {
    /// The changes that may pass, as they came.
    ///
    /// # Errors
    /// [`ProtocolError`] for a block that can't be decoded.
    pub(super) fn apply(self, session: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        match self {
            Self::Wanted(visible) => visible.filter(session),
            Self::All => Ok(session.to_vec()),
            Self::AllButGtids => {
                let mut seen = Vec::new();
                let wanted = |change: &Change<'_>| !matches!(change, Change::Gtids(_));
                track::filter(session, &mut seen, wanted)?;
                Ok(seen)
            }
            Self::FromReader => {
                let mut seen = Vec::new();
                let wanted = |change: &Change<'_>| matches!(change, Change::TransactionState(_));
                track::filter(session, &mut seen, wanted)?;
                Ok(seen)
            }
        }
    }
}

/// What the proxy follows besides [`followed`]: tracking itself, and in MariaDB the GTID of the
/// last transaction, which is the only word of it there.
fn own(flavour: Flavour) -> &'static [&'static str] {
    match flavour {
        Flavour::MySql => &["session_track_gtids", "session_track_state_change"],
        Flavour::MariaDb => &["last_gtid", "session_track_state_change"],
    }
}

impl Visible {
    /// The SET that gives the proxy what it needs on the writer, and the client what it asked for.
    /// `also` are variables that the session has set, or is about to, besides [`followed`].
    pub(super) fn tracking_on_writer<'a>(
        &'a self,
        flavour: Flavour,
        also: impl Iterator<Item = &'a str>,
    ) -> String {
        let all = self.gtids.eq_ignore_ascii_case("ALL_GTIDS");
        let gtids = if all { "ALL_GTIDS" } else { "OWN_GTID" };
        let variables = self.tracked(flavour, also);
        let gtids = gtids_of(flavour, gtids);
        tracking(gtids, "1", "1", &variables, &self.transaction_info)
    }

    /// The same for the variables alone: unlike the GTIDs, they may be chosen inside a
    /// transaction.
    pub(super) fn variables_on_writer<'a>(
        &'a self,
        flavour: Flavour,
        also: impl Iterator<Item = &'a str>,
    ) -> String {
        let variables = quoted(&self.tracked(flavour, also));
        format!("SET SESSION session_track_system_variables = {variables}")
    }

    /// The variables that are tracked on the writer's connection.
    fn tracked<'a>(&'a self, flavour: Flavour, also: impl Iterator<Item = &'a str>) -> String {
        let own = own(flavour).iter().copied();
        let mut names: Vec<&str> = followed(flavour).chain(own).collect();
        // MySQL refuses a list that names a variable twice (error 3026).
        for name in self.variables.split(',').map(str::trim).chain(also) {
            let known = |other: &&str| other.eq_ignore_ascii_case(name);
            if !name.is_empty() && !names.iter().any(known) {
                names.push(name);
            }
        }
        match self.variables.trim() {
            "*" => "*".to_owned(),
            _ => names.join(","),
        }
    }

    /// The SET that makes a connection track exactly what the client asked for, but for the GTIDs
    /// inside a transaction.
    pub(super) fn as_wished(&self, in_transaction: bool) -> String {
        let flag = |on| if on { "1" } else { "0" };
        let gtids = match in_transaction {
            true => "",
            false => gtids_of(self.flavour, &self.gtids),
        };
        tracking(
            gtids,
            flag(self.schema),
            flag(self.state_change),
            &self.variables,
            &self.transaction_info,
        )
    }

    /// Reads back what the client has set, from a row of [`Visible::read_back`].
    pub(super) fn read(flavour: Flavour, row: &[Option<Vec<u8>>]) -> Option<Self> {
        let text = |index: usize| {
            let cell = row.get(index)?.as_deref().unwrap_or_default();
            String::from_utf8(cell.to_vec()).ok()
        };
        // As text, MariaDB tells of a switch by its word and MySQL by its number.
        let is_on = |index| text(index).map(|word| word == "1" || word == "ON");
        Some(Self {
            flavour,
            gtids: text(0)?,
            schema: is_on(1)?,
            state_change: is_on(2)?,
            variables: text(3)?,
            transaction_info: text(4)?,
        })
    }

    /// What was found on a connection that had the proxy's own tracking: puts what the client
    /// wishes in the place of what is still the proxy's. True if something was not. `also` as in
    /// [`Visible::tracking_on_writer`], or fewer.
    pub(super) fn replace_own<'a>(
        &'a self,
        found: &mut Self,
        also: impl Iterator<Item = &'a str>,
    ) -> bool {
        let tracked = self.tracked(found.flavour, also);
        let is_tracked = |name: &str| {
            let mut names = found.variables.split(',').map(str::trim);
            names.any(|found| found == "*" || found.eq_ignore_ascii_case(name))
        };
        let own_gtids = match self.gtids.eq_ignore_ascii_case("ALL_GTIDS") {
            true => "ALL_GTIDS",
            false => "OWN_GTID",
        };
        let mut switched = false;
        if tracked.split(',').all(is_tracked) {
            found.variables.clone_from(&self.variables);
        } else {
            switched = true;
        }
        if found.flavour == Flavour::MariaDb || found.gtids.eq_ignore_ascii_case(own_gtids) {
            found.gtids.clone_from(&self.gtids);
        } else {
            switched = true;
        }
        if found.schema && found.state_change {
            (found.schema, found.state_change) = (self.schema, self.state_change);
        } else {
            switched = true;
        }
        switched
    }

    /// Does the client want to be told what only the writer's connection tells right?
    pub(super) fn needs_the_writer(&self) -> bool {
        self.gtids.eq_ignore_ascii_case("ALL_GTIDS")
            || !self.transaction_info.eq_ignore_ascii_case("OFF")
    }

    /// Where `sql_mode` stands in a row of [`Visible::read_back`].
    pub(super) const SQL_MODE: usize = 5;

    /// Asks for what the client has set.
    pub(super) fn read_back(flavour: Flavour) -> String {
        let gtids = match flavour {
            Flavour::MySql => "@@session.session_track_gtids",
            Flavour::MariaDb => "'OFF'",
        };
        question([
            gtids,
            "@@session.session_track_schema",
            "@@session.session_track_state_change",
            "@@session.session_track_system_variables",
            "@@session.session_track_transaction_info",
            "@@session.sql_mode",
        ])
    }

    /// What the client may see of a block of session changes.
    ///
    /// # Errors
    /// [`ProtocolError`] for a block that can't be decoded.
    fn filter(&self, session: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let mut seen = Vec::new();
        if !session.is_empty() {
            track::filter(session, &mut seen, |change| self.shows(change))?;
        }
        Ok(seen)
    }

    /// May the client see this change?
    fn shows(&self, change: &Change<'_>) -> bool {
        match change {
            Change::SystemVariable { name, .. } => self.names(name),
            Change::Schema(_) => self.schema,
            Change::StateChanged(_) => self.state_change,
            Change::Gtids(_) => !self.gtids.eq_ignore_ascii_case("OFF"),
            Change::TransactionCharacteristics(_) => self
                .transaction_info
                .eq_ignore_ascii_case("CHARACTERISTICS"),
            // MySQL 9.7 sends it with BEGIN, COMMIT and ROLLBACK though the variable is OFF.
            Change::TransactionState(_) => true,
            Change::Unknown { .. } => false,
        }
    }

    fn names(&self, name: &[u8]) -> bool {
        self.variables
            .split(',')
            .map(str::trim)
            .any(|own| own == "*" || own.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The SET that makes a MySQL reader's connection tell its executed set with each answer outside of a
/// transaction. Its value is a bare word, which no character set of the connection's can turn into
/// something else: literals are converted to UTF-16 where `character_set_connection` says so.
pub(super) const TELLING: &str = "SET SESSION session_track_gtids = ALL_GTIDS";

/// The SET for a reader's connection that has nothing to prove yet, and says nothing of GTIDs.
pub(super) fn tracking_on_reader(flavour: Flavour) -> String {
    tracking(gtids_of(flavour, "OFF"), "1", "1", "", "OFF")
}

/// What is said of GTIDs: nothing to MariaDB, which would refuse it.
fn gtids_of(flavour: Flavour, gtids: &str) -> &str {
    match flavour {
        Flavour::MySql => gtids,
        Flavour::MariaDb => "",
    }
}

/// Without `gtids` they stay as they are.
fn tracking(gtids: &str, schema: &str, state: &str, variables: &str, info: &str) -> String {
    let gtids = match gtids {
        "" => String::new(),
        gtids => format!("session_track_gtids = {}, ", quoted(gtids)),
    };
    format!(
        "SET SESSION {gtids}session_track_schema = {schema}, \
         session_track_state_change = {state}, session_track_system_variables = {}, \
         session_track_transaction_info = {}",
        quoted(variables),
        quoted(info),
    )
}

/// A text literal that no sql_mode and no character set reads in another way.
fn quoted(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b',' | b'*' | b' ');
    if text.bytes().all(plain) {
        return format!("'{text}'");
    }
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 X'{hex}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracking_is_not_too_long_for_the_smallest_max_allowed_packet() {
        for flavour in [Flavour::MySql, Flavour::MariaDb] {
            let set = Visible::of(flavour).tracking_on_writer(flavour, std::iter::empty());
            assert!(set.len() < 1000, "{} of {flavour:?}", set.len());
        }
    }

    #[test]
    fn switches_are_read_in_the_words_of_either_flavour() {
        for (on, off) in [("1", "0"), ("ON", "OFF")] {
            let row = ["OFF", on, off, "autocommit", "OFF"].map(|it| Some(it.into()));
            let found = Visible::read(Flavour::MariaDb, &row).expect("a whole row");
            assert!(found.schema && !found.state_change, "{found:?}");
        }
    }

    #[test]
    fn what_a_routine_has_switched_is_told_from_what_is_still_the_proxys() {
        for flavour in [Flavour::MySql, Flavour::MariaDb] {
            let visible = Visible::of(flavour);
            let own = || Visible {
                gtids: "OWN_GTID".to_owned(),
                schema: true,
                state_change: true,
                variables: visible.tracked(flavour, ["extra"].into_iter()),
                ..visible.clone()
            };
            let mut found = own();
            assert!(!visible.replace_own(&mut found, ["extra"].into_iter()));
            assert_eq!(found, visible);
            let also = std::iter::empty;
            let mut found = own();
            found.variables = "autocommit".to_owned();
            assert!(visible.replace_own(&mut found, also()));
            assert_eq!(
                (found.variables.as_str(), found.schema),
                ("autocommit", true)
            );
            let mut found = own();
            found.state_change = false;
            assert!(visible.replace_own(&mut found, also()));
            assert_eq!(found.variables, visible.variables);
            assert!(!found.state_change);
        }
    }
}
