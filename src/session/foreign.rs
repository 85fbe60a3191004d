//! What a connection tells of statements that are not its session's.
//!
//! One that is taken over as it was has another session's warnings, ROW_COUNT() and FOUND_ROWS() until
//! statements of the session have replaced them. Few ask for any of these before that, and so nothing
//! is done about it until one does.
//!
//! The same goes for user variables. A session that has set one keeps its connection, but a trigger
//! may have set some that nobody was told of (`SELECT … INTO @x`: no tracker of MySQL's does). Those
//! that a statement names, and the session has not named before, are NULL for it.

use super::connections::Held;
use super::found_rows::{found_rows, restore_found_rows};
use super::job::Job;
use super::session::Session;
use crate::backend::ConnectError;
use crate::protocol::{Command, query_text};
use crate::sql::{Class, Marks, Other, mentions_any, user_variables};

/// Which of these are not the session's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Foreign {
    diagnostics: bool,
    row_count: bool,
    found_rows: bool,
}

impl Foreign {
    /// Before the session's first statement.
    pub(super) const ALL: Self = Self {
        diagnostics: true,
        row_count: true,
        found_rows: true,
    };

    /// Is nothing there but the session's own?
    pub(super) fn is_gone(self) -> bool {
        self == Self::default()
    }

    /// A statement of the session itself has run.
    pub(super) fn ran(&mut self, counted: bool, selected: bool) {
        self.diagnostics = false;
        self.row_count &= !counted;
        self.found_rows &= !selected;
    }

    /// May a statement read any of it?
    fn is_asked_for(self, job: &Job) -> bool {
        if self.is_gone() || job.command == Command::StmtPrepare {
            return false;
        }
        let mentions = |name| mentions_any(job.text(), std::iter::once(name));
        let diagnostics = || {
            matches!(job.class(), Some(Class::LastStatement))
                || mentions("warning_count")
                || mentions("error_count")
        };
        runs_hidden(job)
            || self.diagnostics && diagnostics()
            || self.row_count && mentions("row_count")
            || self.found_rows && mentions("found_rows")
    }
}

/// Does it read what the last statement has left?
fn asks_for_last(job: &Job) -> bool {
    let names = ["row_count", "found_rows", "warning_count", "error_count"];
    matches!(job.class(), Some(Class::LastStatement)) || mentions_any(job.text(), names.into_iter())
}

/// Does it run what its text does not show?
fn runs_hidden(job: &Job) -> bool {
    let hides = |other: &Other| matches!(other, Other::Call | Other::Batch | Other::Prepared);
    match job.class() {
        None => job.command == Command::Query,
        Some(Class::Other(other)) => hides(other),
        Some(_) => job.leaves().intersects(Marks::UNKNOWN) || !job.functions().is_empty(),
    }
}

impl Session {
    /// Before a statement that may read what another session has left: from here on it finds what
    /// it would on a new connection.
    ///
    /// # Errors
    /// As [`crate::backend::Connection::read_answer`].
    pub(super) async fn end_foreign(&self, held: &mut Held, job: &Job) -> Result<(), ConnectError> {
        if held.own_variables.is_some() {
            self.end_foreign_variables(held, job).await?;
        }
        if !held.foreign.is_asked_for(job) {
            return Ok(());
        }
        // What its own statements have left is asked for far more often.
        if runs_hidden(job) && !held.foreign.row_count {
            return Ok(());
        }
        held.foreign = Foreign::default();
        held.queue_as_new();
        held.wire.flush().await?;
        let no_rows = held.read_answer(Command::Query).await;
        if !matches!(no_rows, Ok(_) | Err(ConnectError::Refused(_))) {
            return no_rows.map(drop);
        }
        // This one is due, whatever became of the first.
        let set = held.read_answer(Command::Query).await;
        no_rows.and(set).map(drop)
    }

    async fn end_foreign_variables(&self, held: &mut Held, job: &Job) -> Result<(), ConnectError> {
        let text = match job.command {
            Command::Query => query_text(&job.request.payload, self.capabilities).ok(),
            Command::StmtExecute => Some(job.text()),
            _ => None,
        };
        let named = text.map_or(Vec::new(), |text| user_variables(text, self.lex));
        if named.is_empty() {
            return Ok(());
        }
        let own = held.own_variables.take().unwrap_or_default();
        let is_new = |name: &[u8]| !own.iter().any(|own| is_same(own, name));
        let new = named.iter().filter(|it| it.may_be_read && is_new(it.name));
        let new: Vec<&[u8]> = new.map(|it| it.name).collect();
        held.own_variables = Some(own);
        held.own_variables_are(named.iter().map(|it| it.name));
        // What the last statement has left is worth more than what a trigger may have.
        let may_ask = asks_for_last(job) || runs_hidden(job) && !held.foreign.row_count;
        if new.is_empty() || may_ask {
            return Ok(());
        }
        // The session's own FOUND_ROWS() outlasts a question.
        let rows = match held.foreign.found_rows {
            true => None,
            false => Some(found_rows(held).await?),
        };
        let left = set_ones(held, &new).await?;
        if !left.is_empty() {
            let set = left.iter().map(|name| [b"@`", *name, b"` = NULL"].concat());
            let set = set.collect::<Vec<_>>().join(&b", "[..]);
            held.ask_bytes(&[b"SET ", set.as_slice()].concat()).await?;
        }
        match rows {
            Some(rows) => restore_found_rows(held, rows).await,
            None => Ok(()),
        }
    }
}

/// Which of these variables have a value: to set one that has none would make it another one to
/// those who look at its type.
async fn set_ones<'a>(held: &mut Held, names: &[&'a [u8]]) -> Result<Vec<&'a [u8]>, ConnectError> {
    let asked = names
        .iter()
        .map(|name| [b"CONVERT(@`", *name, b"` IS NULL USING binary)"].concat());
    let asked = asked.collect::<Vec<_>>().join(&b", "[..]);
    let question = [b"SELECT ", asked.as_slice(), b" LIMIT 1"].concat();
    let row = held.ask_bytes(&question).await?;
    let is_set = |cell: &Option<Vec<u8>>| cell.as_deref() != Some(b"1");
    let set = names.iter().zip(row).filter(|(_, cell)| is_set(cell));
    Ok(set.map(|(name, _)| *name).collect())
}

impl Held {
    /// From here on user variables of these names are the session's own.
    pub(super) fn own_variables_are<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>) {
        let Some(own) = &mut self.own_variables else {
            return;
        };
        for name in names {
            if !own.iter().any(|own| is_same(own, name)) {
                own.push(name.into());
            }
        }
    }
}

/// May it be the same name? Those are compared without case, and beyond ASCII by rules of their own.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other) || !(one.is_ascii() || other.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_own_statements_have_replaced_is_not_foreign() {
        let mut foreign = Foreign::ALL;
        foreign.ran(true, false);
        assert_eq!(
            foreign,
            Foreign {
                found_rows: true,
                ..Foreign::default()
            }
        );
        foreign.ran(false, true);
        assert_eq!(foreign, Foreign::default());
    }
}
