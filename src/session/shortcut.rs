//! The short way of a read along the trail of the last one.
//!
//! Most statements of an app are reads that follow one another, to the same reader, over the connection
//! at hand, and each answer comes whole and ends as the one before did. What such a read takes of all
//! that a statement may take is done here in a row, without a future for each step of it: a proxy that is
//! not busy has forgotten its code by the time the next statement comes, and what it takes is for the most
//! part the time to fetch that code again (docs/performance.md).
//!
//! Nothing is decided here that is not decided elsewhere in the same way, and whatever is not just so
//! goes on from where it is: before the statement was sent as any other one, and after that as any other
//! answer.

use std::time::Instant;

use super::Ended;
use super::command::Request;
use super::connections::Held;
use super::job::Job;
use super::observe::ReaderNotes;
use super::pressure::Patience;
use super::reader::{Asking, Relayed};
use super::relay::{Progress, RelayError, hand_on_whole};
use super::session::Session;
use super::state::Replay;
use super::statement::{Asked, Attempt, Run};
use crate::net::{Wire, WireError};
use crate::protocol::{Capabilities, Command, Status};
use crate::routing::{Place, Transaction};

/// What is not to be done the short way.
pub(super) enum Todo {
    /// A command.
    Request(Request),
    /// A statement that was read.
    Statement(Asked),
}

/// Which way a command goes.
pub(super) enum Way {
    /// The short one.
    Short(OnTrail),
    /// Another one, from as far as it was read. Nothing else has been done of it.
    Long(Todo),
}

/// A read whose statement is queued for its reader.
pub(super) struct OnTrail {
    job: Job,
    run: Run,
    held: Box<Held>,
    /// When the statement had come.
    arrived: Instant,
}

impl Session {
    /// Finds the way of a command; one that goes the short way lies in the output to its reader then.
    pub(super) fn set_out(&mut self, request: Request) -> Way {
        if self.trail.is_none() || self.barred.is_some() {
            return Way::Long(Todo::Request(request));
        }
        let asked = match request.command {
            Some(command @ Command::Query) => self.read_request_of(command, request),
            Some(Command::StmtExecute) => self.read_execution(request),
            _ => return Way::Long(Todo::Request(request)),
        };
        let Asked::Run(mut job) = asked else {
            return Way::Long(Todo::Statement(asked));
        };
        let arrived = Instant::now();
        let Some((run, mut held)) = self.begin_along(&job, arrived) else {
            return Way::Long(Todo::Statement(Asked::Run(job)));
        };
        self.client.set_sequence(job.request.sequence);
        self.address(&mut held, &mut job);
        held.queue_as_it_came(&job.request.payload);
        Way::Short(OnTrail {
            job,
            run,
            held,
            arrived,
        })
    }

    /// The way along the trail and the connection to be taken, if there is nothing to be done before.
    fn begin_along(&mut self, job: &Job, arrived: Instant) -> Option<(Run, Box<Held>)> {
        let place = self.trail.as_ref()?.place;
        let at_home = self
            .home
            .as_ref()
            .is_some_and(|it| it.backend == place.backend);
        let ready = at_home
            && self.transaction == Transaction::None
            && !job.asks_for_cursor()
            && self.is_at_hand(place, job)
            && self.knows_how_it_ends(place)
            && !self.entry.is_killed();
        if !ready {
            return None;
        }
        let run = self.along(self.trail.as_ref()?, job, arrived)?;
        match self.connections.take(place.backend) {
            Some(held) if !self.has_to_be_told(&held, job, run.token.as_ref()) => Some((run, held)),
            held => {
                self.cancel(run.mark);
                if let Some(held) = held {
                    self.connections.put(held);
                }
                None
            }
        }
    }

    /// Was there an answer on the connection to a reader that this one may end like?
    fn knows_how_it_ends(&mut self, place: Place) -> bool {
        let held = self.connections.look(place.backend);
        held.is_some_and(|held| held.last_end.is_some())
    }

    /// Sends the statement, waits for the answer and hands it on.
    ///
    /// Not cancel safe: the connection is closed then.
    ///
    /// # Errors
    /// How the session ends.
    pub(super) async fn go_along(&mut self, mut read: OnTrail) -> Result<(), Ended> {
        let shared = &self.shared;
        let backend = read.run.place.backend;
        let running = shared.loads.begin(backend, read.arrived);
        let wire = &mut read.held.wire;
        let sent = match wire.flush_now() {
            Ok(false) => Box::pin(wire.flush()).await,
            sent => sent.map(drop),
        };
        let limits = &self.config.limits;
        let filled = match sent {
            Ok(()) => {
                let mut patience = Patience::with_reader(shared, backend, limits, &mut self.alarm);
                patience.fill(wire, &mut self.client, false).await
            }
            Err(error) => Err(RelayError::Backend(error.into())),
        };
        let error = match filled {
            Ok(0) => Some(RelayError::Backend(WireError::Closed)),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let handed = match &error {
            None => read.hand_on(&mut self.client, self.capabilities),
            Some(_) => None,
        };
        let Some(progress) = handed else {
            drop(running);
            return Box::pin(self.go_on(read, error)).await;
        };
        let at = Instant::now();
        running.answered(at);
        drop(running);
        if let Some(mark) = read.run.mark.take() {
            self.scope.lock().end_read(mark, at);
        }
        self.count_backend_bytes(&mut read.held);
        // Where the client goes on meanwhile, what is left to do here costs it nothing.
        let left = self.client.flush_now();
        let (backend, reason) = (backend.index(), read.run.reason.index());
        self.settle_along(read, &progress);
        match left {
            Ok(true) => {}
            Ok(false) => Box::pin(self.flush()).await?,
            Err(_) => return Err(Ended::ClientGone),
        }
        self.shared.metrics.statement(backend, reason);
        Ok(())
    }

    /// Draws the conclusions from an answer that was handed on.
    fn settle_along(&mut self, read: OnTrail, progress: &Progress) {
        let OnTrail {
            job, run, mut held, ..
        } = read;
        self.executed(&mut held, &job, None);
        self.follow_on_reader(run.place, &job, held.status, false);
        self.connections.put(held);
        self.ran_at(run.place, &job, progress);
    }

    /// Goes on with a read that was sent as with any other: its answer is not one to be handed on at
    /// once, or there is none.
    async fn go_on(&mut self, read: OnTrail, error: Option<RelayError>) -> Result<(), Ended> {
        let OnTrail {
            mut job,
            run,
            mut held,
            arrived,
        } = read;
        let trail = self.trail.take();
        let at = run.place.backend;
        let mut notes = ReaderNotes::after(held.last_end.take());
        let relayed = match error {
            Some(error) => Ok(Relayed::none(error)),
            None => {
                let (nothing, sent) = (Replay::default(), Asking::Since(arrived));
                self.ask_reader(&mut held, &nothing, &job, &mut notes, sent)
                    .await
            }
        };
        match self
            .settle_at_reader(run, &mut job, held, notes, relayed)
            .await?
        {
            Attempt::Done => {
                self.trail = trail;
                Ok(())
            }
            failed => self.after_trail(failed, at, &mut job, arrived).await,
        }
    }
}

impl OnTrail {
    /// Puts the answer into the client's output, if it has come whole, ends as the last one on this
    /// connection did, and proves again what that has proven; `None` if not, and then nothing has
    /// changed.
    fn hand_on(&mut self, client: &mut Wire, capabilities: Capabilities) -> Option<Progress> {
        let held = &mut *self.held;
        let known = held.last_end.take()?;
        let told = &held.last_executed;
        let proven = match known.executed() {
            Some(text) => told.proves_again(text, self.run.token.as_ref()),
            None => told.is_empty(),
        };
        let plain = held.capabilities.contains(Capabilities::DEPRECATE_EOF)
            && !known.status.contains(Status::IN_TRANS);
        let progress = match proven && plain {
            true => {
                let (command, input) = (self.job.command, held.wire.input());
                hand_on_whole(command, input, &known, client, capabilities)
            }
            false => None,
        };
        if progress.is_some() {
            held.status = known.status;
        }
        held.last_end = Some(known);
        progress
    }
}
