//! COMMIT RELEASE and ROLLBACK RELEASE, in words or by `completion_type`: the backend ends its
//! connection after the answer, and so ends the session.

use super::Ended;
use super::job::Job;
use super::relay::Progress;
use super::session::Session;
use super::statement::Attempt;
use crate::protocol::{Command, query_text};
use crate::sql::{Class, released};

impl Session {
    /// A statement was answered, and the answer has left.
    pub(super) fn answered(&self, job: &Job, progress: &Progress) -> Result<Attempt, Ended> {
        match progress.error().is_none() && self.is_released_by(job) {
            true => Err(Ended::Released),
            false => Ok(Attempt::Done),
        }
    }

    fn is_released_by(&self, job: &Job) -> bool {
        let by_default = || {
            let value = self.state.variables.get("completion_type");
            value.is_some_and(|value| matches!(&**value, b"RELEASE" | b"2"))
        };
        self.end_of_transaction(job)
            .is_some_and(|said| said.unwrap_or_else(by_default))
    }

    /// What a COMMIT or ROLLBACK says of the connection, as [`released`] tells; none if the
    /// statement is neither.
    pub(super) fn end_of_transaction(&self, job: &Job) -> Option<Option<bool>> {
        if !matches!(job.class(), Some(Class::Commit | Class::Control)) {
            return None;
        }
        let sql = match job.command {
            Command::Query => query_text(&job.request.payload, self.capabilities).ok(),
            _ => Some(job.text()),
        };
        sql.and_then(|sql| released(sql, self.lex))
    }
}
