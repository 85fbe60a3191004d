//! What a connection is asked before a session has it: who the backend is, and what a session begins
//! with there.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwapOption;

use super::connection::text_row;
use super::flavour::Asked;
use super::question::versioned;
use super::{ConnectError, Row};
use crate::gtid::{Set, Uuid};
use crate::protocol::Status;
use crate::routing::BackendId;
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
    /// It does nothing at a login that it would not do otherwise: there is no `init_connect`.
    pub only_logs_in: bool,
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
                let history = flavour.history();
                let who = [flavour.identity(), history, TAKES_LONG, NO_INIT_CONNECT];
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

    pub(super) fn read(flavour: Flavour, row: Row) -> Result<Self, ConnectError> {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().ok_or(ConnectError::Unexpected);
        let uuid = next()?;
        let executed = next()?;
        let takes_long = next()? == b"1";
        let only_logs_in = next()? == b"1";
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| ConnectError::Unexpected);
        Ok(Self {
            server_uuid: flavour.read_identity(text(&uuid)?),
            executed: Set::parse(text(&executed)?).map_err(|_| ConnectError::Unexpected)?,
            takes_long,
            only_logs_in,
            defaults: Self::read_defaults(flavour, cells),
        })
    }

    fn read_defaults(flavour: Flavour, cells: impl Iterator<Item = Vec<u8>>) -> Arc<Defaults> {
        static NAMES: LazyLock<ForEach<Vec<&str>>> = LazyLock::new(|| {
            ForEach::new(|flavour| answering(flavour).map(|(name, _)| name).collect())
        });
        let names = NAMES.of(flavour).iter().copied();
        Arc::new(names.zip(cells).collect())
    }
}

/// What was told last that sessions begin with: as a rule the next answer is the same.
#[derive(Debug, Default)]
pub(super) struct LastTold(ArcSwapOption<Heard>);

#[derive(Debug)]
struct Heard {
    flavour: Flavour,
    /// The rows of the answers, as they came.
    told: Vec<u8>,
    defaults: Arc<Defaults>,
}

impl LastTold {
    /// Reads the rows of the answers to [`Proof::questions_of_beginning`].
    ///
    /// # Errors
    /// [`ConnectError::Unexpected`] for a backend with an `init_connect`, and [`ConnectError::Protocol`]
    /// for what makes no row.
    pub(super) fn read(
        &self,
        flavour: Flavour,
        told: Vec<u8>,
    ) -> Result<Arc<Defaults>, ConnectError> {
        let last = self.0.load();
        let same = last.as_ref().filter(|last| last.flavour == flavour);
        if let Some(last) = same.filter(|last| last.told == told) {
            return Ok(Arc::clone(&last.defaults));
        }
        let mut cells = text_row(&told)?.into_iter().map(Option::unwrap_or_default);
        if cells.next().as_deref() != Some(b"1") {
            return Err(ConnectError::Unexpected);
        }
        let defaults = Proof::read_defaults(flavour, cells);
        self.0.store(Some(Arc::new(Heard {
            flavour,
            told,
            defaults: Arc::clone(&defaults),
        })));
        Ok(defaults)
    }
}

/// What a session begins with on a connection.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Where that leads.
    pub backend: BackendId,
    /// Whose server it is.
    pub flavour: Flavour,
    /// The flags of the last answer.
    pub status: Status,
    /// The session's variables.
    pub defaults: Arc<Defaults>,
}

impl Beginning {
    /// A session variable that changes what a read answers; empty for one that was not told.
    pub fn default_of(&self, name: &str) -> &[u8] {
        self.defaults.get(name).map_or(&[], Vec::as_slice)
    }

    /// The session's isolation level.
    pub fn isolation(&self) -> &[u8] {
        let names = ["transaction_isolation", "tx_isolation"];
        let value = names.iter().find_map(|name| self.defaults.get(name));
        value.map_or(&[], Vec::as_slice)
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
