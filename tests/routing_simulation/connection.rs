//! The connections of a session, each of which proves itself before it is used.

use std::sync::Arc;

use tidegate::routing::{Place, Snapshot};

use crate::mutation::Mutation;
use crate::simulation::Simulation;

/// A connection between two commands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// The life of the server that it really leads to.
    pub(crate) generation: u64,
    /// The life that it has proven to belong to.
    place: Option<Place>,
}

/// Why there is no connection for a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoConnection {
    Unreachable,
    /// The one that held the session's state is gone.
    StateLost,
    /// It broke after the statement was sent.
    Broken,
}

impl Simulation {
    /// Makes the session's connection to this place ready. `before` is what was known when the
    /// statement was about to be sent.
    pub(crate) fn connect(
        &mut self,
        session: usize,
        place: Place,
        before: &Arc<Snapshot>,
        notices: bool,
    ) -> Result<(), NoConnection> {
        let backend = place.backend.index();
        let server = &self.servers[backend];
        let client = &mut self.sessions[session];
        let holds_state = match backend {
            0 => client.holds_state(),
            _ => client.transaction.is_some_and(|open| open.place == place),
        };
        let lost = if backend == 0 && holds_state {
            NoConnection::StateLost
        } else {
            NoConnection::Unreachable
        };
        if let Some(mut held) = client.held[backend].take() {
            let lives = server.up && held.generation == server.generation;
            if !lives && !notices {
                return Err(match holds_state {
                    true => lost,
                    false => NoConnection::Broken,
                });
            }
            if lives {
                if held.place != Some(place) {
                    held.place = self.adopt(place, before);
                }
                if held.place == Some(place) {
                    self.sessions[session].held[backend] = Some(held);
                    return Ok(());
                }
            }
        }
        if holds_state || !self.servers[backend].up {
            return Err(lost);
        }
        let held = Held {
            generation: self.servers[backend].generation,
            place: self.adopt(place, before),
        };
        if held.place != Some(place) {
            return Err(NoConnection::Unreachable);
        }
        self.sessions[session].held[backend] = Some(held);
        Ok(())
    }

    /// Compares what the server says over this connection with what was known of it *before* it
    /// was asked: the same server, with at least the same history.
    fn adopt(&self, wanted: Place, before: &Snapshot) -> Option<Place> {
        if self.mutation == Mutation::TrustTheAddress {
            return Some(wanted);
        }
        let server = &self.servers[wanted.backend.index()];
        let view = before.backend(wanted.backend)?;
        let place = view.place()?;
        let executed = server.executed_set();
        let known = view.current_watermark();
        let whole = known.is_none_or(|mark| executed.contains(&mark.executed));
        (place.incarnation.server_uuid == server.uuid() && whole).then_some(place)
    }

    /// Does the connection that a statement runs on still stand?
    pub(crate) fn stands(&self, session: usize, place: Place) -> bool {
        let backend = place.backend.index();
        let server = &self.servers[backend];
        let held = self.sessions[session].held[backend];
        server.up && held.is_some_and(|held| held.generation == server.generation)
    }
}
