//! What SET ROLE does not tell: which roles a session has then. The writer's connection is asked
//! before another connection has to be told.

use super::job::Job;
use super::session::Session;
use crate::backend::{ConnectError, question};
use crate::sql::{Class, Flavour};

impl Session {
    /// Learns the session's roles from the writer's connection, before a reader is told; false if
    /// they stay unknown.
    pub(super) async fn knows_role(&mut self, job: &Job) -> bool {
        // What the last statement has left there must not be overwritten by asking.
        matches!(job.class(), Some(Class::LastStatement)) || self.takes_role().await
    }

    /// The same, before another connection is told.
    pub(super) async fn takes_role(&mut self) -> bool {
        if !self.role_due {
            return true;
        }
        let Some(mut held) = self.connections.take(self.writer) else {
            return false;
        };
        // MySQL tells them as SET ROLE takes them; MariaDB tells the bare name, or NULL.
        let roles = match held.flavour() {
            Flavour::MySql => "CURRENT_ROLE()",
            Flavour::MariaDb => {
                "IFNULL(CONCAT('`', REPLACE(CURRENT_ROLE(), '`', '``'), '`'), 'NONE')"
            }
        };
        let row = match held.ask(&question([roles])).await {
            Ok(row) => row,
            Err(ConnectError::Refused(_)) => {
                self.connections.put(held);
                return false;
            }
            Err(_) => return false,
        };
        let Some(Some(role)) = row.into_iter().next() else {
            return false;
        };
        held.state.role = Some(role.clone());
        self.state.role = Some(role);
        self.role_due = false;
        self.connections.put(held);
        true
    }
}
