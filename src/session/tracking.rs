//! Session tracking belongs to the proxy, and the client must not notice.
//!
//! Around a statement that names a `session_track_*` variable the writer's connection tracks what
//! the client has asked for, so that the statement does and answers what it would directly. Before
//! the next one its wishes are read back and the proxy's own tracking is put on again.

use super::connections::Held;
use super::session::Session;
use super::settle::lex_mode;
use super::visible::Visible;
use crate::backend::{ConnectError, Row};
use crate::sql::FOLLOWED;

impl Session {
    /// Makes the connection track what the client believes it does.
    pub(super) async fn track_as_wished(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        if self.tracks_as_wished {
            return Ok(());
        }
        // What the statement changes besides is found out by comparing.
        self.followed_before = held.ask(&followed()).await?;
        held.ask(&self.visible.as_wished()).await?;
        self.tracks_as_wished = true;
        Ok(())
    }

    /// Reads back what the client wishes and puts the proxy's own tracking on again.
    pub(super) async fn track_again(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        let row = held.ask(Visible::READ_BACK).await?;
        self.visible = Visible::read(&row).ok_or(ConnectError::Unexpected)?;
        if let Some(Some(sql_mode)) = row.get(Visible::SQL_MODE) {
            self.lex = lex_mode(sql_mode);
        }
        let after = held.ask(&followed()).await?;
        self.compare(held, &after);
        held.ask(&self.visible.tracking_on_writer()).await?;
        self.tracks_as_wished = false;
        Ok(())
    }

    fn compare(&mut self, held: &mut Held, after: &Row) {
        let before = std::mem::take(&mut self.followed_before);
        for (index, name) in FOLLOWED.iter().enumerate() {
            let Some(now) = after.get(index) else {
                continue;
            };
            // Without a picture from before, everything may have changed.
            if before.get(index) != Some(now) {
                let value = now.clone().unwrap_or_default();
                self.state.variables.insert((*name).into(), value.clone());
                held.state.variables.insert((*name).into(), value);
            }
        }
    }
}

fn followed() -> String {
    let names: Vec<String> = FOLLOWED
        .iter()
        .map(|name| format!("@@session.{name}"))
        .collect();
    format!("SELECT {}", names.join(", "))
}
