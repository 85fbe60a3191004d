//! What a connection tells of statements that are not its session's.
//!
//! One that is taken over as it was has another session's warnings, ROW_COUNT() and FOUND_ROWS(), and
//! any that was just logged in those of Tidegate's own questions, until statements of the session
//! have replaced them. Few ask for any of these before that, and so nothing is done about it until
//! one does.
//!
//! The same goes for user variables. A session that has set one keeps its connection, but a trigger
//! may have set some that nobody was told of (`SELECT … INTO @x`: no tracker of MySQL's does). Those
//! that a statement names, and the session has not named before, are NULL for it.

use super::connections::Held;
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
        if runs_hidden(job) && !held.foreign.diagnostics && self.has_words {
            // The session's own warnings are there by now, which are asked for far more often.
            return Ok(());
        }
        held.foreign = Foreign::default();
        held.queue_as_new();
        held.wire.flush().await?;
        held.read_answer(Command::Query).await?;
        held.read_answer(Command::Query).await.map(drop)
    }

    async fn end_foreign_variables(&self, held: &mut Held, job: &Job) -> Result<(), ConnectError> {
        let text = match job.command {
            Command::Query => query_text(&job.request.payload, self.capabilities).ok(),
            Command::StmtExecute => Some(job.text()),
            _ => None,
        };
        let named = text.map_or(Vec::new(), |text| user_variables(text, self.lex));
        let before = held.own_variables.as_ref().map_or(0, Vec::len);
        held.own_variables_are(named.into_iter());
        // Asking for diagnostics sets variables, and reads none that it names.
        let own = held.own_variables.as_ref();
        let new = own.and_then(|own| own.get(before..)).unwrap_or_default();
        if new.is_empty() || matches!(job.class(), Some(Class::LastStatement)) {
            return Ok(());
        }
        let mut set = b"SET ".to_vec();
        for (index, name) in new.iter().enumerate() {
            let comma: &[u8] = if index == 0 { b"@`" } else { b", @`" };
            set.extend_from_slice(&[comma, name, b"` = NULL"].concat());
        }
        held.queue_query(&set);
        held.wire.flush().await?;
        held.read_answer(Command::Query).await.map(drop)
    }
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
