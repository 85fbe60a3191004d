//! Running a statement where the decision says: `session`'s `reader` and `writer` in small.

use rand::Rng;
use tidegate::routing::{Exclusion, Isolation, Place};

use crate::client::{Open, Run, What};
use crate::mutation::Mutation;
use crate::scope::{Promise, Required};
use crate::simulation::{Event, Simulation};
use crate::truth::Micros;

/// How long a reader whose answer was wrong gets no reads.
const SHUN: Micros = 10_000;

impl Simulation {
    pub(crate) fn execute(&mut self, session: usize) {
        let run = self.statement(session).run.take().expect("a run");
        let what = self.statement(session).what;
        let place = run.place;
        let notices = self.random.random();
        let connected = self.connect(session, place, &run.before, notices);
        self.statement(session).run = Some(run);
        if let Err(how) = connected {
            return self.without_connection(session, how);
        }
        let mut server = place.backend.index();
        if let (Mutation::WriteAtHome, What::Write(_), Some(home)) =
            (self.mutation, what, self.sessions[session].home)
        {
            server = home.index();
        }
        let wrote = self.sessions[session]
            .transaction
            .is_some_and(|it| it.wrote);
        match what {
            What::Write(outcome) => self.write(session, server, outcome),
            What::Commit(outcome) if wrote => self.write(session, server, outcome),
            What::WriteInside => self.write_inside(session, place),
            _ if what.reads() => self.read(session, place),
            _ => {
                self.change_state(session, place, what);
                let number = self.sessions[session].number;
                self.soon(Event::End(session, number), 100);
            }
        }
    }

    fn write_inside(&mut self, session: usize, place: Place) {
        if place.backend.0 != 0 {
            self.violates(Promise::P5, format!("{session} writes on {place:?}"));
        }
        let value = self.servers[0].visible;
        self.statement(session).value = value;
        let client = &mut self.sessions[session];
        let open = client.transaction.as_mut().expect("a transaction");
        (open.wrote, open.left) = (true, open.left - 1);
        let number = client.number;
        self.soon(Event::End(session, number), 100);
    }

    fn read(&mut self, session: usize, place: Place) {
        let visible = self.servers[place.backend.index()].visible;
        let client = &mut self.sessions[session];
        let statement = client.statement.as_mut().expect("a statement");
        statement.value = visible;
        if let Some(open) = &mut client.transaction {
            if open.isolation == Isolation::RepeatableRead
                && let Some(snapshot) = open.snapshot
            {
                // It keeps what it has: nothing newer was promised to this read.
                statement.value = snapshot;
                statement.required = Required::default();
            }
            open.snapshot.get_or_insert(statement.value);
            open.left -= 1;
        }
        let number = client.number;
        // Of a long result some reaches the client before the end is there.
        if self.random.random_ratio(1, 5) {
            self.soon(Event::Show(session, number), 300);
        } else {
            self.soon(Event::End(session, number), 300);
        }
    }

    fn change_state(&mut self, session: usize, place: Place, what: What) {
        let left = self.random.random_range(1..4);
        let client = &mut self.sessions[session];
        match what {
            What::MakeState(pin) => client.pin = Some(pin),
            What::BeginReadOnly(isolation) | What::Begin(isolation) => {
                client.transaction = Some(Open {
                    place,
                    isolation,
                    snapshot: None,
                    left,
                    wrote: false,
                });
            }
            What::Commit(_) => (client.transaction, client.read_only_at_writer) = (None, false),
            _ => {}
        }
    }

    pub(crate) fn show(&mut self, session: usize) {
        let place = self.place(session);
        if self.stands(session, place) {
            self.client_sees(session, place);
        }
        let number = self.sessions[session].number;
        self.soon(Event::End(session, number), 5_000);
    }

    fn client_sees(&mut self, session: usize, place: Place) {
        let statement = self.statement(session);
        statement.shown = true;
        let (what, value, required) = (statement.what, statement.value, statement.required);
        if what == What::ReadState && place.backend.0 != 0 {
            let what = format!("{session} does not find its temporary table on {place:?}");
            self.violates(Promise::P1, what);
        }
        let checked = what.reads().then_some(required);
        self.show_to(session, place, value, checked);
    }

    pub(crate) fn end(&mut self, session: usize) {
        let place = self.place(session);
        let what = self.statement(session).what;
        if !self.stands(session, place) {
            return self.broken(session, place);
        }
        if what.reads() && place.backend.0 != 0 {
            return self.end_at_reader(session, place);
        }
        if what.shows_rows() {
            self.end_read(session, true);
            if !self.statement(session).shown {
                self.client_sees(session, place);
            }
        }
        self.report.reads_on_writer += u64::from(what == What::Read);
        self.finish(session);
    }

    /// Looks at an answer before the client does.
    fn end_at_reader(&mut self, session: usize, place: Place) {
        let executed = self.told(place.backend.index());
        let token = self.run_of(session).token.clone();
        let stale = self.free_watermarks && token.is_some_and(|it| !executed.contains(&it));
        let shown = self.statement(session).shown;
        self.end_read(session, shown || !stale);
        if stale {
            self.report.alarms += 1;
            self.publisher.shun(place, self.now + SHUN);
            self.wake_all();
            self.kick(place.backend.index());
            return match shown {
                true => self.reconnect(session),
                false => self.again(session, place, Exclusion::Alarm),
            };
        }
        if self.free_watermarks {
            self.publisher.executed(place, executed, self.now);
            self.wake_all();
        }
        if !shown {
            self.client_sees(session, place);
        }
        self.report.reads_on_readers += 1;
        self.sessions[session].home = Some(place.backend);
        self.finish(session);
    }

    pub(crate) fn place(&self, session: usize) -> Place {
        self.run_of(session).place
    }

    pub(crate) fn run_of(&self, session: usize) -> &Run {
        let statement = self.sessions[session].statement.as_ref();
        let run = statement.and_then(|it| it.run.as_ref());
        run.expect("a run")
    }
}
