//! Prepared statements that a connection knows, and its session's client does not.
//!
//! A statement stays with the connection when its client closes it, or leaves. Whoever needs the same
//! there finds it prepared: the same text, which was read in the same state of the session, and was
//! given parameters of the same types. What MySQL finds out when it prepares a statement it keeps for
//! good (MySQL manual, "PREPARE Statement"), so nothing less than that is the same statement.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::super::connections::Held;
use super::bind::OnBackend;
use crate::backend::ConnectionState;
use crate::protocol::Command;

/// A statement as a connection was asked to prepare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) struct Origin {
    /// Its SQL.
    pub text: Bytes,
    /// What the connection had been told then.
    pub state: ConnectionState,
}

/// The statements of one connection that nobody uses, the one that rests longest first.
#[derive(Debug, Default)]
pub(in crate::session) struct Shelf(VecDeque<OnBackend>);

impl Shelf {
    /// Takes one in. What is returned has no place there, and is to be closed.
    fn put(&mut self, statement: OnBackend, most: usize) -> Option<OnBackend> {
        if !statement.is_as_prepared() || most == 0 {
            return Some(statement);
        }
        // Of two that are the same, one will do.
        let same = self.0.iter().position(|other| other.is_same(&statement));
        let gone = same.and_then(|index| self.0.remove(index));
        self.0.push_back(statement);
        let full = || (self.0.len() > most).then(|| self.0.pop_front()).flatten();
        gone.or_else(full)
    }

    /// One that was prepared like this, and has been told these types of parameters.
    pub(super) fn take(&mut self, origin: &Origin, types: Option<&Arc<[u8]>>) -> Option<OnBackend> {
        let fits = |it: &OnBackend| it.fits(origin, types);
        let index = self.0.iter().rposition(fits)?;
        self.0.remove(index)
    }

    /// The backend has forgotten all of them.
    pub(in crate::session) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Held {
    /// The client needs a statement no more. It stays with the connection, among so many others at
    /// `most`; else the backend, which does not answer, is told to forget it.
    pub(in crate::session) async fn shelve(&mut self, id: u32, most: usize) {
        let known = self.statements.remove(&id);
        let gone = known.and_then(|known| self.shelf.put(known, most));
        if let Some(gone) = gone {
            self.queue_close(&gone);
            // A broken connection is noticed when it is used next.
            let _ = self.wire.flush().await;
        }
    }

    /// The same with all that the client has there. Nothing is sent before the next statement.
    pub(in crate::session) fn shelve_all(&mut self, most: usize) {
        for known in std::mem::take(&mut self.statements).into_values() {
            if let Some(gone) = self.shelf.put(known, most) {
                self.queue_close(&gone);
            }
        }
    }

    /// Forgets a statement, here and on the backend, which does not answer.
    pub(in crate::session) async fn close_statement(&mut self, id: u32) {
        if let Some(known) = self.statements.remove(&id) {
            self.queue_close(&known);
            // A broken connection is noticed when it is used next.
            let _ = self.wire.flush().await;
        }
    }

    fn queue_close(&mut self, statement: &OnBackend) {
        let mut payload = vec![Command::StmtClose as u8];
        payload.extend_from_slice(&statement.id().to_le_bytes());
        self.wire.restart_sequence();
        self.wire.queue(&payload);
    }
}
