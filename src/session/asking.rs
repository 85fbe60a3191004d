//! What a statement asks of Tidegate itself, in its comments and beside its text.

use super::command::Request;
use super::session::Session;
use super::wishes::Wishes;
use crate::error::ClientError;
use crate::protocol::{Capabilities, Command, query_attributes};
use crate::sql::{Hint, seems_hinted};

impl Session {
    /// What the comments of SQL ask of the proxy; `more` of it follows, which is not collected.
    pub(super) fn hint_of(&self, sql: &[u8], more: bool) -> Result<Hint, ClientError> {
        if !more && self.can_read(sql) {
            return Hint::of(sql, self.lex)
                .map_err(|it| ClientError::unknown_hint(&it.to_string()));
        }
        match seems_hinted(sql) {
            true => Err(ClientError::hint_not_read()),
            false => Ok(Hint::default()),
        }
    }

    /// What a command with SQL asks for beside its text and in its hint.
    pub(super) fn wishes_of(
        &self,
        command: Command,
        request: &Request,
        hint: &Hint,
    ) -> Result<Wishes, ClientError> {
        let attributes = self.capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        let attributed = attributes && command == Command::Query;
        if hint.settings.is_empty() && !attributed {
            return Ok(Wishes::default());
        }
        let mut wishes = Wishes::of(&hint.settings)?;
        if attributed {
            let attributes = query_attributes(&request.payload, self.capabilities);
            wishes.narrow(&Wishes::of_attributes(&attributes.unwrap_or_default())?);
        }
        Ok(wishes)
    }

    /// What the text of a statement asks for that is to be prepared.
    pub(super) fn wishes_of_text(&self, text: &[u8]) -> Result<Wishes, ClientError> {
        let hint = self.hint_of(text, false)?;
        match hint.explain {
            true => Err(ClientError::hint_in_prepared()),
            false => Wishes::of(&hint.settings),
        }
    }
}
