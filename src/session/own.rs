//! Tidegate's own user variables. An app sets and reads them as it does any other, on its writer
//! connection; Tidegate puts the token there before a statement that reads it, and asks for their
//! values after a statement that may have set them.
//!
//! So every form works that works for variables: SET with literals or expressions, SELECT … INTO,
//! prepared statements. Without Tidegate they are NULL, or whatever the app has set them to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::relay::Progress;
use super::session::Session;
use crate::backend::{ConnectError, Row, question, user_variable};
use crate::error::ClientError;
use crate::gtid::Set;
use crate::routing::BackendView;
use crate::sql::{Class, Other, Setting};

/// The longest token that an app may carry here, in bytes of text.
const TOKEN_LIMIT: usize = 64 << 10;

/// A carried token may hold what the writer is just committing; that takes this long at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause before the writer is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// Where clients set them, in the order of [`Setting::ALL`].
const VARIABLES: [&str; 4] = [
    "@tidegate_level",
    "@tidegate_max_staleness",
    "@tidegate_key",
    "@tidegate_token",
];

/// Behind the question: leaves ROW_COUNT() as any SET does.
const QUIET: &str = "SET @tidegate_level = @tidegate_level";

/// The values of Tidegate's own variables on the writer's connection, as they were asked for last,
/// in the order of [`Setting::ALL`].
pub(super) type Values = [Option<Vec<u8>>; 4];

/// What came of a look at the variables.
pub(super) enum Taken {
    /// They hold.
    Good,
    /// One does not; it is as it was before, and the client is told.
    Refused(ClientError),
}

impl Session {
    /// May this statement set one of Tidegate's own variables, by itself or by what it executes?
    pub(super) fn may_set_own(&mut self, job: &Job) -> bool {
        let executes = matches!(job.class(), Some(Class::Other(Other::Prepared)));
        let Some(own) = job.own() else {
            return false;
        };
        self.standing.by_execute |= executes && own.quoted;
        !own.named.is_empty() && own.assigns || executes && self.standing.by_execute
    }

    /// Gives the writer's connection the values that a statement may read or leave as they are.
    pub(super) async fn tell_own(
        &mut self,
        held: &mut Held,
        job: &Job,
    ) -> Result<(), ConnectError> {
        let Some(own) = job.own().filter(|own| !own.named.is_empty()) else {
            return Ok(());
        };
        if own.named.contains(&Setting::Token) {
            let token = self.whole_token().await;
            if let Some(known) = self.standing.values.last_mut() {
                *known = token.map(String::into_bytes);
            }
        }
        let values = &self.standing.values;
        held.has_own = true;
        held.ask(&assignments(values)).await.map(drop)
    }

    /// Takes them from the connection, before another session has it.
    ///
    /// # Errors
    /// As [`Held::ask`].
    pub(super) async fn end_own(&self, held: &mut Held) -> Result<(), ConnectError> {
        if held.has_own {
            held.ask(&assignments(&Values::default())).await?;
            held.has_own = false;
        }
        Ok(())
    }

    /// The session's token, with all that it has seen anywhere. None if nobody can tell.
    async fn whole_token(&self) -> Option<String> {
        let arrived = Instant::now();
        let mut token = loop {
            let snapshot = self.shared.watch.snapshot();
            let whole = self.scope.lock().whole(&snapshot, arrived);
            match whole {
                Ok(token) => break Set::clone(&*token?),
                Err(backends) => {
                    let silent = self.shared.watch.probe(&backends).await;
                    if !silent.is_empty() && arrived.elapsed() > PATIENCE {
                        return None;
                    }
                }
            }
        };
        if let Some(carried) = &self.standing.token {
            token.union(carried);
        }
        Some(token.to_string().replace('\n', ""))
    }

    /// Takes over what a statement has set, before the client reads that it has.
    ///
    /// # Errors
    /// As [`Held::ask`]: the connection is lost.
    pub(super) async fn take_own(&mut self, held: &mut Held) -> Result<Taken, ConnectError> {
        let values = VARIABLES.map(user_variable);
        let row = held
            .ask(&question(values.each_ref().map(String::as_str)))
            .await?;
        let values = four(row).ok_or(ConnectError::Unexpected)?;
        match self.accept(&values).await {
            Ok(()) => {
                self.standing.values = values;
                held.ask(QUIET).await?;
                Ok(Taken::Good)
            }
            Err(error) => {
                held.ask(&assignments(&self.standing.values)).await?;
                Ok(Taken::Refused(error))
            }
        }
    }

    async fn accept(&mut self, values: &Values) -> Result<(), ClientError> {
        let mut wishes = self.standing.initial.clone();
        for (setting, value) in Setting::ALL.into_iter().zip(values) {
            if let Some(value) = value {
                wishes.take(setting, value)?;
            }
        }
        wishes.applied_to(self.policy)?;
        let [.., token] = values;
        let [.., before] = &self.standing.values;
        if let Some(token) = token.as_ref().filter(|it| Some(*it) != before.as_ref())
            && !token.is_empty()
        {
            let token = self.check_token(token).await?;
            self.carry_token(token);
        }
        self.standing.wishes = wishes;
        Ok(())
    }

    /// A token that an app brings must be one that the writer knows by now: an invented one would
    /// never be covered.
    async fn check_token(&self, text: &[u8]) -> Result<Set, ClientError> {
        let refuse = |expected: &str| {
            let shown: String = String::from_utf8_lossy(text).chars().take(40).collect();
            ClientError::wrong_setting(Setting::Token.name(), &shown, expected)
        };
        let token = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.len() <= TOKEN_LIMIT)
            .and_then(|text| Set::parse(text).ok())
            .ok_or_else(|| refuse("expected what SELECT @tidegate_token gave, up to 64 KiB"))?;
        let arrived = Instant::now();
        loop {
            let writer = self.shared.writer();
            let silent = self.shared.watch.probe(&[writer]).await;
            let snapshot = self.shared.watch.snapshot();
            let view = snapshot.backend(writer).filter(|view| view.writable);
            let probe = view.and_then(BackendView::current_probe);
            match probe.filter(|_| silent.is_empty()) {
                Some(probe) if probe.executed.contains(&token) => return Ok(token),
                Some(probe) if !probe.seen.contains(&token) => {
                    return Err(refuse("the writer does not know all of its transactions"));
                }
                _ if arrived.elapsed() > PATIENCE => return Err(ClientError::not_proven()),
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// It counts for this connection alone, whatever scope it is in.
    fn carry_token(&mut self, token: Set) {
        let mut carried = self
            .standing
            .token
            .take()
            .map_or_else(Set::default, |known| Set::clone(&known));
        carried.union(&token);
        self.standing.token = Some(Arc::new(carried));
    }

    /// What the client is told of a statement that has set what can't be.
    pub(super) async fn refuse_own(
        &mut self,
        error: ClientError,
        job: &Job,
        progress: &Progress,
    ) -> Result<(), Ended> {
        if progress.flushed() {
            // A result so long has been read already: all that is left is to say it here.
            tracing::warn!(client = self.entry.id, %error, "a setting was not taken over");
            return Ok(());
        }
        self.client.output().clear();
        self.client.set_sequence(job.request.sequence);
        self.refuse(&error).await
    }
}

fn four(row: Row) -> Option<Values> {
    <Values>::try_from(row).ok()
}

/// Gives the variables these values.
fn assignments(values: &Values) -> String {
    let assign = |(setting, value): (Setting, &Option<Vec<u8>>)| {
        let value = match value {
            None => "NULL".to_owned(),
            Some(value) => {
                let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("_utf8mb4 X'{hex}'")
            }
        };
        format!("@tidegate_{} = {value}", setting.name())
    };
    let all: Vec<String> = Setting::ALL.into_iter().zip(values).map(assign).collect();
    format!("SET {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_without_a_quote_to_break() {
        let values = [Some(b"strong".to_vec()), None, Some(b"a'b".to_vec()), None];
        assert_eq!(
            assignments(&values),
            "SET @tidegate_level = _utf8mb4 X'7374726f6e67', @tidegate_max_staleness = NULL, \
             @tidegate_key = _utf8mb4 X'612762', @tidegate_token = NULL"
        );
    }
}
