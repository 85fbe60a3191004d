//! The backends that there are and were, by their ids, and which of them sessions are to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

use super::session::Session;
use crate::routing::{BackendId, Place, Transaction};
use crate::slots::Slots;

/// Where a backend is in its life here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in use.
    Serving,
    /// It gets no new reads, by the operator's word.
    Drained,
    /// It was taken out of the configuration, and finishes what it is running.
    Leaving,
    /// It is not watched any more.
    Gone,
}

/// How soon sessions are to give up their connections to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Which backend.
    pub backend: BackendId,
    /// Now, whatever the connection holds; else as soon as it holds nothing.
    pub now: bool,
}

#[derive(Debug)]
struct Member {
    name: String,
    standing: AtomicU8,
}

/// All backends.
#[derive(Debug)]
pub struct Roster {
    members: Slots<Member>,
    leave: watch::Sender<Arc<[Leave]>>,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Serving, Self::Drained, Self::Leaving, Self::Gone];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Drained => "drained",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
        }
    }
}

impl Roster {
    /// Of backends that serve.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let member = |name| Member {
            name,
            standing: AtomicU8::new(Standing::Serving as u8),
        };
        Self {
            members: names.into_iter().map(member).collect(),
            leave: watch::Sender::new(Arc::from([])),
        }
    }

    /// One more backend, which has the next id.
    pub fn add(&self, name: String) {
        let member = Member {
            name,
            standing: AtomicU8::new(Standing::Serving as u8),
        };
        // Ids end where the table does.
        let _ = self.members.push(member);
    }

    /// A backend's name.
    pub fn name(&self, id: BackendId) -> Option<&str> {
        self.members.get(id.index()).map(|it| it.name.as_str())
    }

    /// Where it is in its life.
    pub fn standing(&self, id: BackendId) -> Standing {
        let member = self.members.get(id.index());
        let standing = member.map(|it| it.standing.load(Ordering::Relaxed));
        let standing = standing.and_then(|it| Standing::ALL.get(usize::from(it)));
        standing.copied().unwrap_or(Standing::Gone)
    }

    /// Notes where it is, and tells sessions whether they are to leave it.
    pub fn set_standing(&self, id: BackendId, standing: Standing) {
        if let Some(member) = self.members.get(id.index()) {
            member.standing.store(standing as u8, Ordering::Relaxed);
        }
        self.leave.send_modify(|leave| {
            let others = leave.iter().filter(|it| it.backend != id).copied();
            let this = (standing != Standing::Serving).then_some(Leave {
                backend: id,
                now: standing == Standing::Gone,
            });
            *leave = others.chain(this).collect();
        });
    }

    /// All that there are or were, in the order of their ids.
    pub fn all(&self) -> impl Iterator<Item = BackendId> + '_ {
        (0..)
            .map(BackendId)
            .zip(self.members.iter())
            .map(|(id, _)| id)
    }

    /// Those that are gone.
    pub fn gone(&self) -> Vec<BackendId> {
        let gone =
            |id: &BackendId| matches!(self.standing(*id), Standing::Gone | Standing::Leaving);
        self.all().filter(gone).collect()
    }

    /// The backend of this name that is in the configuration.
    pub fn find(&self, name: &str) -> Option<BackendId> {
        let here =
            |id: &BackendId| matches!(self.standing(*id), Standing::Serving | Standing::Drained);
        self.all()
            .find(|id| self.name(*id) == Some(name) && here(id))
    }

    /// Which backends sessions are to leave.
    pub(super) fn leave(&self) -> watch::Receiver<Arc<[Leave]>> {
        self.leave.subscribe()
    }
}

impl Session {
    /// Gives up connections to backends that are to be left, as far as nothing on them is still
    /// needed. To be called between two commands.
    pub(super) async fn leave_backends(&mut self, leave: &[Leave]) {
        for leave in leave {
            if (leave.now || !self.needs(leave.backend))
                && let Some(held) = self.connections.take(leave.backend)
            {
                held.quit().await;
            }
        }
    }

    /// Is there anything on the connection to a backend that would be lost with it?
    fn needs(&self, backend: BackendId) -> bool {
        let there = |place: Option<Place>| place.is_some_and(|it| it.backend == backend);
        self.transaction != Transaction::None
            || self.prepared.are_held_by(backend, false)
            || self.carried.iter().any(|(reader, _)| *reader == backend)
            || there(self.last_statement)
            || there(self.last_counted)
            || there(self.last_select)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_told_to_leave_what_does_not_serve() {
        let roster = Roster::new(["w1".to_owned(), "r1".to_owned()]);
        let leave = roster.leave();
        let told = || {
            leave
                .borrow()
                .iter()
                .map(|it| (it.backend.0, it.now))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(), []);
        roster.set_standing(BackendId(1), Standing::Leaving);
        assert_eq!((told(), roster.find("r1")), (vec![(1, false)], None));
        assert_eq!(roster.gone(), [BackendId(1)]);
        roster.set_standing(BackendId(1), Standing::Gone);
        assert_eq!(told(), [(1, true)]);
        roster.set_standing(BackendId(1), Standing::Serving);
        assert_eq!((told(), roster.find("r1")), (vec![], Some(BackendId(1))));
        roster.set_standing(BackendId(1), Standing::Drained);
        assert_eq!(
            (roster.gone(), roster.find("r1")),
            (vec![], Some(BackendId(1)))
        );
    }

    #[test]
    fn of_two_of_one_name_the_one_in_the_configuration_is_found() {
        let roster = Roster::new(["w1".to_owned(), "r1".to_owned()]);
        roster.set_standing(BackendId(1), Standing::Gone);
        roster.add("r1".to_owned());
        assert_eq!(roster.find("r1"), Some(BackendId(2)));
        assert_eq!(roster.standing(BackendId(9)), Standing::Gone);
    }
}
