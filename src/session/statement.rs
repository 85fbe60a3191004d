//! The way of a statement: read it, decide, run it where the decision says, and decide again where
//! that could not be done and nothing has reached the client.

use std::sync::Arc;
use std::time::Instant;

use super::Ended;
use super::command::Request;
use super::deciding::{Begun, Tried};
use super::hold::NotRun;
use super::job::Job;
use super::known::{self, Read};
use super::losing::Ran;
use super::read_only::COMMIT;
use super::relay::Progress;
use super::session::Session;
use crate::error::ClientError;
use crate::gtid::Set;
use crate::protocol::{Command, query_text};
use crate::routing::{BackendId, Decision, Exclusion, Place, ReadMark, Reason, Role};
use crate::sql::{Class, Hint, Marks, Statement, WriterRead, is_instance_schema};

/// What a client asks for with a statement.
pub(super) enum Asked {
    /// To run it.
    Run(Job),
    /// To be told where it would run.
    Explain(Job),
    /// What can't be done, as the client is told when all of the request has come.
    Refuse(Request, ClientError),
}

/// How an attempt at one backend ended.
pub(super) enum Attempt {
    /// The client has its answer.
    Done,
    /// Nothing has reached the client, and the statement has left nothing behind.
    Again(Exclusion),
    /// The same, and the backend may well take it on a new connection.
    Anew {
        /// Where it may have run.
        ran: Option<Ran>,
    },
    /// It is a write, of which nothing was executed, and another writer may take it.
    Held(NotRun),
}

/// A decision to run, with what was noted under the scope's lock.
pub(super) struct Run {
    /// Where.
    pub place: Place,
    /// Why there.
    pub reason: Reason,
    /// Ends the read; `None` for what shows no rows.
    pub mark: Option<ReadMark>,
    /// What an answer has to cover; `None` where nothing is promised.
    pub token: Option<Arc<Set>>,
    /// What the backend was when that was decided.
    pub role: Role,
}

impl Session {
    /// A command with SQL, or one that runs where SQL would.
    pub(super) async fn statement(
        &mut self,
        command: Command,
        request: Request,
    ) -> Result<(), Ended> {
        let asked = self.read_request_of(command, request);
        self.do_as_asked(asked).await
    }

    /// Does what a statement asks for.
    pub(super) async fn do_as_asked(&mut self, asked: Asked) -> Result<(), Ended> {
        match asked {
            Asked::Run(mut job) => self.run_statement(&mut job).await,
            Asked::Explain(job) => Box::pin(self.explain(&job)).await,
            Asked::Refuse(request, error) => {
                self.skip(request).await?;
                self.refuse(&error).await
            }
        }
    }

    /// Reads a command with SQL, or one that runs where SQL would.
    pub(super) fn read_request_of(&self, command: Command, request: Request) -> Asked {
        let text = match command {
            Command::Query => query_text(&request.payload, self.capabilities).unwrap_or_default(),
            _ => &[],
        };
        let statement = self.read_statement(command, &request);
        let hint = match &statement {
            Some(read) if !read.may_have_comments => Ok(Hint::default()),
            _ => self.hint_of(text, request.more),
        };
        let asked = hint.and_then(|hint| {
            let wishes = self.wishes_of(command, &request, &hint)?;
            Ok((wishes, hint.explain))
        });
        let (wishes, explains) = match asked {
            Ok(asked) => asked,
            Err(error) => return Asked::Refuse(request, error),
        };
        let statement = statement.map(|read| read.statement);
        let job = Job::new(command, request, statement, wishes);
        match explains {
            true => Asked::Explain(job),
            false => Asked::Run(job),
        }
    }

    /// A statement of whatever kind: where the last one ran, if it may follow, and else as it has to be
    /// found out.
    pub(super) async fn run_statement(&mut self, job: &mut Job) -> Result<(), Ended> {
        let arrived = Instant::now();
        let Some(trail) = self.trail.take() else {
            return Box::pin(self.run_anew(job)).await;
        };
        let Some(run) = self.along(&trail, job, arrived) else {
            return Box::pin(self.run_anew(job)).await;
        };
        let at = run.place.backend;
        match self.at_reader(run, job).await? {
            Attempt::Done => {
                self.trail = Some(trail);
                Ok(())
            }
            failed => Box::pin(self.after_trail(failed, at, job, arrived)).await,
        }
    }

    /// The way of the last read was none for this one.
    pub(super) async fn after_trail(
        &mut self,
        failed: Attempt,
        at: BackendId,
        job: &mut Job,
        arrived: Instant,
    ) -> Result<(), Ended> {
        let mut tried = Tried::default();
        let next = self.after_failing(failed, at, job, &mut tried, arrived);
        match next.await? {
            true => Ok(()),
            false => self.run_decided(job, tried).await,
        }
    }

    /// A statement that may concern the proxy itself.
    async fn run_anew(&mut self, job: &mut Job) -> Result<(), Ended> {
        if self.transaction.is_on_reader() && job.leaves().intersects(Marks::NEXT_TRANSACTION) {
            // The writer's connection knows of no transaction.
            self.client.set_sequence(job.request.sequence);
            return self.refuse(&ClientError::transaction_in_progress()).await;
        }
        if matches!(job.class(), Some(Class::Kill(_))) {
            return Box::pin(self.kill(job)).await;
        }
        self.run_own_statement(job).await
    }

    /// The same for one that kills no client.
    pub(super) async fn run_own_statement(&mut self, job: &mut Job) -> Result<(), Ended> {
        if let Some(unknown) = job.own().and_then(|own| own.unknown.as_ref()) {
            let error = ClientError::unknown_setting(&unknown.to_string());
            self.skip_rest(&mut job.request).await?;
            return self.refuse(&error).await;
        }
        if let Err(error) = job.wishes.applied_to(self.standing_policy()) {
            self.skip_rest(&mut job.request).await?;
            return self.refuse(&error).await;
        }
        self.execute(job).await
    }

    /// What the SQL of a command says, as far as the proxy reads it: a statement beyond 16 MiB is
    /// not collected.
    fn read_statement(&self, command: Command, request: &Request) -> Option<Read> {
        if command != Command::Query || request.more {
            return None;
        }
        let sql = query_text(&request.payload, self.capabilities).ok()?;
        let readable = self.can_read(sql);
        readable.then(|| self.read(sql))
    }

    /// Reads SQL as it counts in this session's schema.
    fn read(&self, sql: &[u8]) -> Read {
        let mut read = known::read(sql, self.lex);
        if self.state.schema.as_deref().is_some_and(is_instance_schema) {
            match read.statement.class {
                Class::Read { tables: true } => {
                    let statement = Arc::make_mut(&mut read.statement);
                    statement.class = Class::WriterRead(WriterRead::Instance);
                }
                Class::ReadWithFunctions(_) => read.statement = Arc::new(Statement::unknown()),
                _ => {}
            }
        }
        read
    }

    /// What it says.
    pub(super) fn classify(&self, sql: &[u8]) -> Arc<Statement> {
        self.read(sql).statement
    }

    /// Decides and runs until the client has an answer.
    pub(super) async fn execute(&mut self, job: &mut Job) -> Result<(), Ended> {
        self.run_decided(job, Tried::default()).await
    }

    /// The same after what has been tried for it.
    async fn run_decided(&mut self, job: &mut Job, tried: Tried) -> Result<(), Ended> {
        // What runs by a decision may change what the next one would be.
        self.trail = None;
        self.enter_scope(job);
        self.doubt_scope(job);
        let ended = self.run_until_answered(job, tried).await;
        self.note_scope();
        ended
    }

    async fn run_until_answered(&mut self, job: &mut Job, mut tried: Tried) -> Result<(), Ended> {
        if self.refuses_left_behind(job).await? {
            return Ok(());
        }
        if !self.carried.is_empty() {
            Box::pin(self.carry_variables(job)).await;
        }
        if self.transaction.is_on_reader() && job.statement.as_ref().is_some_and(|it| it.commits) {
            Box::pin(self.end_on_reader(COMMIT)).await;
        }
        if self.must_leave_reader(job) && !Box::pin(self.leave_reader(job)).await? {
            return Ok(());
        }
        self.mirror(job);
        let arrived = Instant::now();
        loop {
            let known = self.shared.watch.published();
            let (decision, begun) = self.decide(job, &tried, arrived);
            let Begun { mark, token, role } = begun;
            let waits = tried.waits(&decision, &self.shared);
            let answered = match decision {
                Decision::Run { place, reason } if tried.may_run(place, reason) => {
                    tried.queued = None;
                    self.observe_wait(&tried, reason);
                    let run = Run {
                        place,
                        reason,
                        mark,
                        token,
                        role,
                    };
                    let trail = self.leaves_trail(&run, job, &tried, known);
                    match self.attempt(run, job).await? {
                        Attempt::Done => {
                            self.trail = trail;
                            true
                        }
                        failed => {
                            let at = place.backend;
                            let next = self.after_failing(failed, at, job, &mut tried, arrived);
                            Box::pin(next).await?
                        }
                    }
                }
                decision => {
                    self.cancel(mark);
                    // Elsewhere, as all that hardly any statement does: most need no room for it.
                    let first = self.before_running(decision, waits, job, &mut tried, arrived);
                    Box::pin(first).await?
                }
            };
            if answered {
                return Ok(());
            }
        }
    }

    async fn attempt(&mut self, run: Run, job: &mut Job) -> Result<Attempt, Ended> {
        match self.runs_as(&run, job) {
            Role::Reader => {
                if run.place.backend == self.writer {
                    Box::pin(self.leave_old_writer(run.place.backend)).await;
                }
                self.at_reader(run, job).await
            }
            // Elsewhere: it takes far more than a read.
            Role::Writer => Box::pin(self.at_writer(run, job)).await,
        }
    }

    /// A statement has ended there.
    pub(super) fn ran_at(&mut self, place: Place, job: &Job, progress: &Progress) {
        self.last_statement = Some(place);
        self.has_words = progress.left_words();
        let counted = job.command != Command::StmtPrepare;
        if counted {
            self.last_counted = Some(place);
        }
        let reads = matches!(
            job.class(),
            Some(Class::Read { .. } | Class::ReadWithFunctions(_) | Class::WriterRead(_))
        );
        let selected = progress.had_rows() || reads && progress.error().is_none();
        if selected {
            self.last_select = Some(place);
        }
        self.left_behind.ran(counted, selected);
        if let Some(held) = self.connections.look(place.backend) {
            held.foreign.ran(counted, selected);
        }
    }
}
