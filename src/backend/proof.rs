//! What a connection is asked before a session has it: who the backend is, and what a session begins
//! with there.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::flavour::Asked;
use super::question::versioned;
use super::{ConnectError, Row};
use crate::gtid::{Set, Uuid};
use crate::sql::{Flavour, ForEach, answering};

/// What a backend says of itself over this very connection: a name may lead to another server than
/// the monitor's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// `@@server_uuid`, or what stands for it in MariaDB; none if it can't be read.
    pub server_uuid: Option<Uuid>,
    /// What it has executed, or at least begun to commit, as it tells it: in MariaDB a position.
    pub executed: Set,
    /// It takes statements of more than 1 KiB.
    pub takes_long: bool,
    /// What a session on this connection begins with; most connections are told the same.
    pub defaults: Arc<Defaults>,
}

/// The session variables that change what a read answers; NULL is empty.
pub type Defaults = BTreeMap<&'static str, Vec<u8>>;

/// Servers run `init_connect` at a login, and not when the user changes.
const NO_INIT_CONNECT: &str = "@@global.init_connect = ''";

/// Well beyond the longest question.
const TAKES_LONG: &str = "@@global.max_allowed_packet >= 8192";

impl Proof {
    /// So many variables are asked for with who the server is.
    const IN_FIRST: usize = 10;

    /// Two of them: there are servers that take statements of 1 KiB at most.
    pub(super) fn questions(flavour: Flavour) -> &'static [String; 2] {
        static ALL: LazyLock<ForEach<[String; 2]>> = LazyLock::new(|| {
            ForEach::new(|flavour| {
                let who = [flavour.identity(), flavour.history(), TAKES_LONG];
                Proof::questions_behind(&who, flavour)
            })
        });
        ALL.of(flavour)
    }

    /// The same on a connection that is known to lead where it did: one, where the server takes one
    /// that long.
    pub(super) fn questions_of_beginning(&self, flavour: Flavour) -> &'static [String] {
        static TWO: LazyLock<ForEach<[String; 2]>> = LazyLock::new(|| {
            ForEach::new(|flavour| Proof::questions_behind(&[NO_INIT_CONNECT], flavour))
        });
        static ONE: LazyLock<ForEach<String>> = LazyLock::new(|| {
            ForEach::new(|flavour| {
                let defaults: Vec<_> = Proof::asked(flavour).collect();
                let defaults = defaults.iter().map(|(name, since)| (name.as_str(), *since));
                versioned(std::iter::once((NO_INIT_CONNECT, 0)).chain(defaults))
            })
        });
        match self.takes_long {
            true => std::slice::from_ref(ONE.of(flavour)),
            false => TWO.of(flavour),
        }
    }

    /// The variables that are asked for, with the version of MySQL that has each first.
    fn asked(flavour: Flavour) -> impl Iterator<Item = (String, u32)> {
        answering(flavour).map(|(name, since)| (format!("@@session.{name}"), since))
    }

    fn questions_behind(first: &[&'static str], flavour: Flavour) -> [String; 2] {
        let first_of_all = first.iter().map(|asked| (*asked, 0));
        let defaults: Vec<_> = Self::asked(flavour).collect();
        let defaults = defaults.iter().map(|(name, since)| (name.as_str(), *since));
        let (first, rest): (Vec<_>, Vec<_>) = defaults
            .enumerate()
            .partition(|(index, _)| *index < Self::IN_FIRST);
        let first = first.into_iter().map(|(_, asked)| asked);
        let rest = rest.into_iter().map(|(_, asked)| asked);
        [versioned(first_of_all.chain(first)), versioned(rest)]
    }

    /// A session variable that changes what a read answers; empty for one that it has not told.
    pub fn default_of(&self, name: &str) -> &[u8] {
        self.defaults.get(name).map_or(&[], Vec::as_slice)
    }

    /// The session's isolation level.
    pub fn isolation(&self) -> &[u8] {
        let names = ["transaction_isolation", "tx_isolation"];
        let value = names.iter().find_map(|name| self.defaults.get(name));
        value.map_or(&[], Vec::as_slice)
    }

    pub(super) fn read(flavour: Flavour, row: Row) -> Result<Self, ConnectError> {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().ok_or(ConnectError::Unexpected);
        let uuid = next()?;
        let executed = next()?;
        let takes_long = next()? == b"1";
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| ConnectError::Unexpected);
        Ok(Self {
            server_uuid: flavour.read_identity(text(&uuid)?),
            executed: Set::parse(text(&executed)?).map_err(|_| ConnectError::Unexpected)?,
            takes_long,
            defaults: Self::read_defaults(flavour, cells),
        })
    }

    pub(super) fn read_defaults(
        flavour: Flavour,
        cells: impl Iterator<Item = Vec<u8>>,
    ) -> Arc<Defaults> {
        let names = answering(flavour).map(|(name, _)| name);
        Arc::new(names.zip(cells).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_question_is_too_long_for_the_smallest_max_allowed_packet() {
        for flavour in [Flavour::MySql, Flavour::MariaDb] {
            let beginning = Proof::default();
            let beginning = beginning.questions_of_beginning(flavour);
            for question in Proof::questions(flavour).iter().chain(beginning) {
                assert!(question.len() < 1000, "{question}");
            }
        }
    }
}
