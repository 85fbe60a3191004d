//! The way of a statement: read it, decide, run it where the decision says, and decide again where
//! that could not be done and nothing has reached the client.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::Ended;
use super::command::Request;
use super::job::{Job, Uses};
use super::relay::Progress;
use super::session::Session;
use super::wishes::Wishes;
use crate::error::ClientError;
use crate::gtid::Set;
use crate::protocol::{Command, query_attributes, query_text};
use crate::routing::{
    Asks, BackendId, Causality, Decision, Exclusion, Level, Load, Need, Place, ReadMark, Reason,
    RefuseKind, Role, SessionFacts, Transaction, Waiting, decide,
};
use crate::sql::{
    Class, Hint, Kill, Last, Marks, Statement, WriterRead, classify, is_instance_schema,
    seems_hinted,
};

/// How an attempt at one backend ended.
pub(super) enum Attempt {
    /// The client has its answer.
    Done,
    /// Nothing has reached the client, and the statement has left nothing behind.
    Again(Exclusion),
    /// The same, and the backend may well take it on a new connection.
    Anew,
}

/// What has been tried for one statement.
#[derive(Default)]
pub(super) struct Tried {
    excluded: SmallVec<[(BackendId, Exclusion); 4]>,
    waiting: Option<Waiting>,
    /// It has lost a connection to a backend that is up as far as is known, and tried that again.
    anew: bool,
    /// When the first wait began.
    waited_since: Option<Instant>,
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
}

impl Session {
    /// A command with SQL, or one that runs where SQL would.
    pub(super) async fn statement(
        &mut self,
        command: Command,
        request: Request,
    ) -> Result<(), Ended> {
        let text = match command {
            Command::Query => query_text(&request.payload, self.capabilities).unwrap_or_default(),
            _ => &[],
        };
        let asked = match self.hint_of(text, request.more) {
            Ok(hint) => self
                .wishes_of(command, &request, &hint)
                .map(|wishes| (wishes, hint.explain)),
            Err(error) => Err(error),
        };
        let (wishes, explains) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                self.skip(request).await?;
                return self.refuse(&error).await;
            }
        };
        let statement = self.read_statement(command, &request);
        let job = Job {
            command,
            request,
            statement,
            wishes,
            uses: Uses::Nothing,
        };
        match explains {
            true => self.explain(&job).await,
            false => self.run_statement(job).await,
        }
    }

    /// What the comments of SQL ask of the proxy; `more` of it follows, which is not collected.
    pub(super) fn hint_of(&self, sql: &[u8], more: bool) -> Result<Hint, ClientError> {
        if !more && self.can_read_sql() {
            return Hint::of(sql, self.lex)
                .map_err(|it| ClientError::unknown_hint(&it.to_string()));
        }
        match seems_hinted(sql) {
            true => Err(ClientError::hint_not_read()),
            false => Ok(Hint::default()),
        }
    }

    /// What a command with SQL asks for beside its text and in its hint.
    fn wishes_of(
        &self,
        command: Command,
        request: &Request,
        hint: &Hint,
    ) -> Result<Wishes, ClientError> {
        let mut wishes = Wishes::of(&hint.settings)?;
        if command == Command::Query {
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

    /// What a statement needs; `functions` are its own.
    fn need<'a>(&self, job: &Job, functions: &'a [&'a str]) -> Need<'a> {
        let at_writer =
            self.read_only_at_writer && matches!(job.class(), Some(Class::BeginReadOnly { .. }));
        let writer = Asks {
            level: Some(Level::Writer),
            ..Asks::default()
        };
        Need {
            kind: job.kind(functions),
            asks: if at_writer { writer } else { job.wishes.asks },
        }
    }

    /// What would be decided about a statement now. Nothing begins.
    pub(super) fn consider(&self, job: &Job, tried: &Tried, arrived: Instant) -> Decision {
        let functions = job.functions();
        let need = self.need(job, &functions);
        let loads = self.shared.loads.now();
        let facts = self.facts(job, tried, arrived, &loads);
        let snapshot = self.shared.watch.snapshot();
        // What is found out by deciding is kept for no one.
        let mut scope = self.scope.lock().clone();
        decide(&need, &facts, &mut scope, &snapshot, arrived)
    }

    /// A statement that may concern the proxy itself.
    pub(super) async fn run_statement(&mut self, job: Job) -> Result<(), Ended> {
        if self.transaction.is_on_reader() && job.leaves().intersects(Marks::NEXT_TRANSACTION) {
            // The writer's connection knows of no transaction.
            self.client.set_sequence(job.request.sequence);
            return self.refuse(&ClientError::transaction_in_progress()).await;
        }
        if let Some(Class::Kill(Kill {
            id: Some(id),
            query_only,
        })) = job.class()
            && super::Registry::is_client_id(*id)
        {
            self.client.set_sequence(job.request.sequence);
            return self.kill_client(*id, *query_only).await;
        }
        if let Some(unknown) = job.own().and_then(|own| own.unknown.as_ref()) {
            let error = ClientError::unknown_setting(&unknown.to_string());
            self.skip(job.request).await?;
            return self.refuse(&error).await;
        }
        if let Err(error) = job.wishes.applied_to(self.standing_policy()) {
            self.skip(job.request).await?;
            return self.refuse(&error).await;
        }
        self.execute(job).await
    }

    /// What the SQL of a command says, as far as the proxy reads it: a statement beyond 16 MiB is
    /// not collected.
    fn read_statement(&self, command: Command, request: &Request) -> Option<Arc<Statement>> {
        if command != Command::Query || request.more || !self.can_read_sql() {
            return None;
        }
        let sql = query_text(&request.payload, self.capabilities).ok()?;
        Some(Arc::new(self.classify(sql)))
    }

    /// Classifies SQL as it counts in this session's schema.
    pub(super) fn classify(&self, sql: &[u8]) -> Statement {
        let mut statement = classify(sql, self.lex);
        if self.state.schema.as_deref().is_some_and(is_instance_schema) {
            match statement.class {
                Class::Read { tables: true } => {
                    statement.class = Class::WriterRead(WriterRead::Instance);
                }
                Class::ReadWithFunctions(_) => statement = Statement::unknown(),
                _ => {}
            }
        }
        statement
    }

    /// Decides and runs until the client has an answer.
    pub(super) async fn execute(&mut self, job: Job) -> Result<(), Ended> {
        self.enter_scope(&job);
        let ended = self.run_until_answered(job).await;
        self.note_scope();
        ended
    }

    async fn run_until_answered(&mut self, mut job: Job) -> Result<(), Ended> {
        self.carry_variables(&job).await;
        if self.transaction.is_on_reader() && job.statement.as_ref().is_some_and(|it| it.commits) {
            self.end_on_reader("COMMIT").await;
        }
        if self.must_leave_reader(&job) && !self.leave_reader(&job).await? {
            return Ok(());
        }
        let arrived = Instant::now();
        let mut tried = Tried::default();
        loop {
            let decision = self.decide(&job, &tried, arrived);
            let (decision, mark, token) = decision;
            match decision {
                Decision::Run { place, reason } => {
                    self.observe_wait(&tried);
                    let run = Run {
                        place,
                        reason,
                        mark,
                        token,
                    };
                    match self.attempt(run, &mut job).await? {
                        Attempt::Done => return Ok(()),
                        Attempt::Anew if !std::mem::replace(&mut tried.anew, true) => {}
                        Attempt::Anew => {
                            tried.excluded.push((place.backend, Exclusion::Unreachable));
                        }
                        Attempt::Again(how) => tried.excluded.push((place.backend, how)),
                    }
                }
                Decision::Probe { backends, .. } => {
                    let silent = self.shared.watch.probe(&backends).await;
                    let excluded = silent.into_iter().map(|id| (id, Exclusion::Unreachable));
                    tried.excluded.extend(excluded);
                }
                Decision::Wait {
                    place,
                    token,
                    until,
                    ..
                } => {
                    tried.waited_since.get_or_insert_with(Instant::now);
                    self.shared.watch.wait(place, &token, until).await;
                    tried.waiting = Some(Waiting { place, token });
                }
                Decision::Refuse {
                    kind: RefuseKind::Timeout,
                    ..
                } if self.may_leave_reader() => {
                    if !self.leave_reader(&job).await? {
                        return Ok(());
                    }
                    tried = Tried::default();
                }
                Decision::Refuse { kind, reason } => {
                    self.observe_wait(&tried);
                    self.shared.metrics.refused(reason.index());
                    self.skip_rest(&mut job.request).await?;
                    return self.refuse(&refusal(kind)).await;
                }
            }
        }
    }

    /// Asks `decide`, and notes under the same lock that the read begins.
    fn decide(
        &self,
        job: &Job,
        tried: &Tried,
        arrived: Instant,
    ) -> (Decision, Option<ReadMark>, Option<Arc<Set>>) {
        let functions = job.functions();
        let need = self.need(job, &functions);
        let loads = self.shared.loads.now();
        let facts = self.facts(job, tried, arrived, &loads);
        let snapshot = self.shared.watch.snapshot();
        let mut scope = self.scope.lock();
        let decision = decide(&need, &facts, &mut scope, &snapshot, Instant::now());
        if let Some(errant) = scope.take_errant() {
            tracing::warn!(client = self.entry.id, %errant, "errant transactions on a reader");
        }
        let Decision::Run { place, .. } = decision else {
            return (decision, None, None);
        };
        let token = self.promised(job, &scope, tried, place);
        let mark = job.shows_rows().then(|| scope.begin_read(place));
        (decision, mark, token)
    }

    /// What an answer from `place` has to cover.
    fn promised(
        &self,
        job: &Job,
        scope: &Causality,
        tried: &Tried,
        place: Place,
    ) -> Option<Arc<Set>> {
        let fixed = matches!(
            self.transaction,
            Transaction::ReadOnlyOn {
                snapshot_taken: true,
                ..
            }
        );
        let level = self.standing_policy().narrowed(job.wishes.asks).level;
        if !job.shows_rows() || fixed || level == Level::Eventual {
            return None;
        }
        let token = match level {
            Level::Bounded => scope.seen(),
            _ => scope.known(),
        };
        // What the scope has done since the wait began runs beside this statement.
        let waited = tried.waiting.as_ref().filter(|it| it.place == place);
        Some(Arc::clone(waited.map_or(token, |waiting| &waiting.token)))
    }

    fn facts<'a>(
        &'a self,
        job: &'a Job,
        tried: &'a Tried,
        arrived: Instant,
        loads: &'a [Load],
    ) -> SessionFacts<'a> {
        let schema = match job.prepared_in() {
            Some(schema) => schema.and_then(|name| std::str::from_utf8(name).ok()),
            None => self.schema_name(),
        };
        SessionFacts {
            policy: self.standing_policy(),
            session: u64::from(self.entry.id),
            home: self.home,
            loads,
            pin: self.pin(job),
            transaction: self.transaction,
            autocommit: self.autocommit,
            isolation: self.isolation(),
            schema,
            last_statement: self.last_place(job),
            arrived,
            excluded: &tried.excluded,
            carried: self.standing.token.as_ref(),
            waiting: tried.waiting.as_ref(),
        }
    }

    async fn attempt(&mut self, run: Run, job: &mut Job) -> Result<Attempt, Ended> {
        let backend = run.place.backend;
        let role = self
            .shared
            .watch
            .snapshot()
            .backend(backend)
            .map(|view| view.role);
        match role {
            Some(Role::Reader) => self.at_reader(run, job).await,
            _ => self.at_writer(run, job).await,
        }
    }

    /// Where that was left which a statement reads.
    fn last_place(&self, job: &Job) -> Option<Place> {
        match job.statement.as_ref().map(|statement| statement.last) {
            Some(Last::RowCount) => self.last_counted,
            Some(Last::FoundRows) => self.last_select,
            Some(Last::Diagnostics) | None => self.last_statement,
        }
    }

    /// A statement has ended there.
    pub(super) fn ran_at(&mut self, place: Place, job: &Job, progress: &Progress) {
        self.last_statement = Some(place);
        if job.command != Command::StmtPrepare {
            self.last_counted = Some(place);
        }
        let reads = matches!(
            job.class(),
            Some(Class::Read { .. } | Class::ReadWithFunctions(_) | Class::WriterRead(_))
        );
        if progress.had_rows() || reads && progress.error().is_none() {
            self.last_select = Some(place);
        }
    }

    fn observe_wait(&self, tried: &Tried) {
        if let Some(since) = tried.waited_since {
            self.shared.metrics.read_waited(since.elapsed());
        }
    }
}

/// What the client reads of a refusal.
fn refusal(kind: RefuseKind) -> ClientError {
    match kind {
        RefuseKind::NoWriter => ClientError::no_writer(),
        RefuseKind::AmbiguousWriter => ClientError::ambiguous_writer(),
        RefuseKind::Timeout => ClientError::wait_timed_out(),
        RefuseKind::AllGone => ClientError::all_gone(),
        RefuseKind::WriterBehind | RefuseKind::TooStale | RefuseKind::TokenUnknown => {
            ClientError::not_proven()
        }
        RefuseKind::ReadOnlyTransaction => ClientError::read_only_transaction(),
        RefuseKind::StateLost => ClientError::transaction_lost(),
    }
}
