//! Who the writer is, put into a snapshot.

use super::election::{Candidate, Outcome, Stance, elect};
use super::publish::Known;
use crate::routing::{BackendId, BackendView, Role, Snapshot};
use crate::sql::Flavour;

/// Finds the writer by what is known, and says so in the snapshot; returns it if it is another one.
///
/// While none is proven, roles stay as they were: who was the writer may be again.
pub(super) fn settle(snapshot: &mut Snapshot, known: &[Known]) -> Option<BackendId> {
    let outcome = outcome(snapshot, known);
    let before = (snapshot.rivals, snapshot.contested);
    snapshot.rivals = outcome == Outcome::Rivals;
    snapshot.contested = matches!(outcome, Outcome::Contested(_));
    if before != (snapshot.rivals, snapshot.contested) {
        tell_rivals(outcome, known);
    }
    let writer = match outcome {
        Outcome::Writer(writer) | Outcome::Contested(writer) => Some(writer),
        Outcome::Nobody | Outcome::Rivals => None,
    };
    for view in &mut snapshot.backends {
        view.writable = Some(view.id) == writer;
    }
    let writer = writer?;
    let view = snapshot.backend(writer)?;
    let server = view.incarnation?.server_uuid;
    let received = known
        .get(writer.index())
        .and_then(|it| it.received.as_ref());
    // From a source that it still has, more may come.
    let own = known.get(writer.index()).and_then(|it| it.sources.as_ref());
    let alone = own.is_some_and(|sources| sources.is_empty());
    let drained = alone && received.is_some_and(|received| view.has_executed(received));
    let seat = &mut snapshot.seat;
    seat.drained = drained;
    let moves = seat.backend != Some(writer);
    if seat.server.is_some_and(|before| before != server) {
        seat.generation += 1;
        let name = known.get(writer.index()).and_then(Known::name);
        tracing::warn!(backend = name, "another server is the writer now");
    }
    seat.backend = Some(writer);
    seat.server = Some(server);
    let mut taken_up = None;
    for (view, known) in snapshot.backends.iter_mut().zip(known) {
        let found_out = known.config.as_ref().is_some_and(|it| it.role.is_none());
        let role = match view.id == writer {
            true => Role::Writer,
            false => Role::Reader,
        };
        if !found_out || view.role == role {
            continue;
        }
        known.takes_role(view, role);
        if role == Role::Writer {
            taken_up = Some(view.id);
        }
    }
    taken_up.or(moves.then_some(writer))
}

fn outcome(snapshot: &Snapshot, known: &[Known]) -> Outcome {
    let views = snapshot.backends.iter().zip(known);
    let candidates: Vec<_> = views
        .filter_map(|(view, known)| {
            let config = known.config.as_ref()?;
            let sources = match (&known.sources, config.role) {
                (Some(sources), _) => Some(sources.as_slice()),
                // Who is named does not have to prove that it is nobody's reader.
                (None, Some(Role::Writer)) => Some(&[][..]),
                (None, _) => None,
            };
            let told = sources.filter(|_| view.place().is_some());
            let newest = known.lives.newest().map(|life| life.server_uuid);
            Some(Candidate {
                id: view.id,
                eligible: config.role != Some(Role::Reader),
                stance: told.map(|sources| Stance {
                    claims: known.claims,
                    sources,
                }),
                uuid: view.incarnation.map(|it| it.server_uuid).or(newest),
                address: &config.address,
            })
        })
        .collect();
    match elect(&candidates, snapshot.seat.backend) {
        // Another server under its address was never the writer.
        Outcome::Contested(writer) if !is_seated(snapshot, writer) => Outcome::Rivals,
        outcome => outcome,
    }
}

fn is_seated(snapshot: &Snapshot, writer: BackendId) -> bool {
    let life = snapshot.backend(writer).and_then(|view| view.incarnation);
    life.is_some_and(|life| snapshot.seat.server == Some(life.server_uuid))
}

fn tell_rivals(outcome: Outcome, known: &[Known]) {
    let claim = known.iter().filter(|it| it.claims);
    let names: Vec<_> = claim.filter_map(Known::name).collect();
    let backends = names.join(", ");
    match outcome {
        Outcome::Rivals => tracing::error!(
            backends,
            "more than one backend takes writes, and none of them replicates from the other: no \
             write is let through before all but one are read only"
        ),
        Outcome::Contested(writer) => tracing::error!(
            backends,
            writer = known.get(writer.index()).and_then(Known::name),
            "more than one backend takes writes, and none of them replicates from the other: the \
             last writer keeps them while all others receive from it; make the rest read only"
        ),
        Outcome::Writer(_) | Outcome::Nobody => {
            tracing::info!("no more than one backend takes writes again");
        }
    }
}

impl Known {
    /// It is this from now on.
    pub(super) fn takes_role(&self, view: &mut BackendView, role: Role) {
        if std::mem::replace(&mut view.role, role) == role {
            return;
        }
        if self.lives.newest().map(|life| life.flavour) == Some(Flavour::MariaDb) {
            // A writer of MariaDB and a reader tell what they have in different ways.
            view.watermark = None;
            view.probe = None;
        }
        if role == Role::Writer {
            view.replication = None;
        }
    }

    /// Its name.
    fn name(&self) -> Option<&str> {
        self.config.as_ref().map(|config| config.name.as_str())
    }
}
