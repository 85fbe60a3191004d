//! What an answer of the writer means for the session and its scope, settled before the client
//! can read it: GTIDs, unknown tokens, the transaction, session state, pins.

use std::sync::Arc;

use super::connections::Held;
use super::job::Job;
use super::observe::WriterNotes;
use super::relay::Progress;
use super::session::Session;
use super::visible::Visible;
use crate::backend::Beginning;
use crate::protocol::{Command, Status};
use crate::routing::{Isolation, Place, Transaction, UnknownCause};
use crate::sql::{Class, LexMode, Marks, Other, can_follow};

/// MySQL's error for a syntax that it does not understand.
const PARSE_ERROR: u16 = 1064;

/// Character sets in which a byte that looks like a quote or a backslash may be half a letter
/// (MySQL manual, "The Big5 …, GBK …, sjis Character Set").
const UNREADABLE_CHARSETS: &[&[u8]] = &[b"big5", b"cp932", b"gb18030", b"gbk", b"sjis"];

impl Session {
    /// Draws all conclusions from an answer that came whole.
    pub(super) fn settle(
        &mut self,
        held: &mut Held,
        job: &Job,
        progress: &Progress,
        notes: &WriterNotes<'_>,
        place: Place,
    ) {
        self.settle_state(held, job, notes);
        if notes.unreadable {
            self.lose(UnknownCause::Unreadable, None);
        }
        if progress.error() == Some(PARSE_ERROR) && job.is_parsed_whole() {
            // Nothing of it ran.
            return;
        }
        let failed = progress.error().is_some();
        if notes.state_changed && !sets_only_what_it_says(job) || failed && may_run_routines(job) {
            // Of what a routine sets, no more may be told than that, and nothing if it fails: it
            // may have been the tracking of variables or, in MariaDB, another domain for GTIDs.
            self.doubt_tracking();
        }
        if self.tracks_as_wished && !job.is_pure() && !matches!(job.class(), Some(Class::Set)) {
            self.lose(UnknownCause::TrackingOff, None);
        }
        if failed {
            self.settle_marks(job, notes, true);
            self.settle_error(held, job, place);
            return;
        }
        self.settle_marks(job, notes, false);
        if job.command != Command::StmtPrepare && !self.keeps_no_state(job) {
            self.marks |= Marks::UNKNOWN;
        }
        self.note_sequences(job);
        let written = self.settle_transaction(held.status, job, notes, place);
        if written && !notes.gtids {
            self.lose(UnknownCause::NoGtid, None);
        }
    }

    /// Takes note of what a statement has left on the connection, and of what it has ended there.
    fn settle_marks(&mut self, job: &Job, notes: &WriterNotes<'_>, failed: bool) {
        self.marks |= job.leaves();
        if job.leaves().intersects(Marks::ROLE) {
            // It follows the session, once it is known.
            self.marks.remove(Marks::ROLE);
            self.role_due = true;
        }
        if let Some(statement) = &job.statement
            && !failed
        {
            self.marks.remove(statement.ends);
        }
        if !failed && self.marks.intersects(Marks::LAST_INSERT_ID) {
            self.left_behind.insert_id_known();
        }
        self.settle_pins(job, notes, failed);
    }

    /// Do the stored functions that it calls leave nothing on the connection, as far as is known?
    fn keeps_no_state(&self, job: &Job) -> bool {
        let functions = job.functions();
        let snapshot = self.shared.watch.snapshot();
        let schema = self.schema_name();
        let mut names = functions.iter();
        names.all(|name| snapshot.routines.leaves_nothing(schema, name))
    }

    /// An ERR carries neither GTIDs nor flags: whatever the statement did before it is unknown.
    fn settle_error(&mut self, held: &mut Held, job: &Job, place: Place) {
        self.lose_unless_pure(job, UnknownCause::Error, None);
        // In an XA transaction it is refused; else it has committed before it failed.
        let committed = job.statement.as_ref().is_some_and(|it| it.commits);
        if committed && !self.marks.intersects(Marks::XA) {
            let ended = Status::IN_TRANS | Status::IN_TRANS_READONLY;
            held.status.remove(ended);
            self.status.remove(ended);
        }
        // A procedure may have begun a transaction before it failed. The next OK will tell.
        let may_begin = matches!(job.class(), None | Some(Class::Other(_)));
        if self.transaction == Transaction::None && may_begin && !job.is_pure() {
            self.transaction = Transaction::OnWriter {
                place,
                snapshot_taken: false,
            };
        }
    }

    /// Follows the transaction by the backend's flags. True if something was committed for sure,
    /// so that a GTID was due.
    fn settle_transaction(
        &mut self,
        status: Status,
        job: &Job,
        notes: &WriterNotes<'_>,
        place: Place,
    ) -> bool {
        self.status = match self.transaction.is_on_reader() {
            true => status | Status::IN_TRANS | Status::IN_TRANS_READONLY,
            false => status,
        };
        self.autocommit = status.contains(Status::AUTOCOMMIT);
        let wrote = notes.affected_rows > 0 && !job.is_pure();
        if !status.contains(Status::IN_TRANS) {
            let rolled_back = matches!(job.class(), Some(Class::Control));
            let ended_a_write = std::mem::take(&mut self.transaction_wrote) && !rolled_back;
            if !self.transaction.is_on_reader() {
                self.transaction = Transaction::None;
            }
            if was_a_transaction(job) {
                self.next_transaction_began(job);
            }
            if matches!(job.class(), Some(Class::Commit)) {
                self.read_only_at_writer = false;
            }
            return wrote || ended_a_write;
        }
        if notes.gtids {
            self.transaction_wrote = false;
        }
        self.transaction_wrote |= wrote;
        let goes_on = matches!(
            job.class(),
            Some(
                Class::Read { .. }
                    | Class::ReadWithFunctions(_)
                    | Class::WriterRead(_)
                    | Class::LastStatement
                    | Class::Write
                    | Class::Set
                    | Class::Use
            )
        );
        let had_snapshot = matches!(
            self.transaction,
            Transaction::OnWriter {
                snapshot_taken: true,
                ..
            }
        );
        self.transaction = Transaction::OnWriter {
            place,
            snapshot_taken: (goes_on && had_snapshot) || job.takes_snapshot(),
        };
        false
    }

    /// SET TRANSACTION holds for one transaction, and that one is over.
    fn next_transaction_began(&mut self, job: &Job) {
        if !job.leaves().intersects(Marks::NEXT_TRANSACTION) {
            self.marks.remove(Marks::NEXT_TRANSACTION);
        }
    }

    /// Takes over what the answer says about the session's state.
    fn settle_state(&mut self, held: &mut Held, job: &Job, notes: &WriterNotes<'_>) {
        let charsets = |(name, _): &&(Vec<u8>, Vec<u8>)| {
            name.starts_with(b"character_set_") || name == b"collation_connection"
        };
        let count = notes.variables.iter().filter(charsets).count();
        if count > 0 {
            // SET NAMES tells of three at once; so does SET CHARACTER SET.
            self.state.names = count >= 3;
            held.state.names = self.state.names;
        }
        for (name, value) in &notes.variables {
            self.settle_variable(held, name, value);
            self.collation_due |= name == b"character_set_connection";
        }
        if let Some(schema) = &notes.schema {
            let schema = (!schema.is_empty()).then(|| schema.clone());
            self.state.schema.clone_from(&schema);
            self.request.database.clone_from(&schema);
            held.state.schema = schema;
        }
        if notes.insert_id {
            self.marks |= Marks::LAST_INSERT_ID;
        }
        let explained = !matches!(job.command, Command::Query | Command::StmtExecute)
            || notes.schema.is_some()
            || leaves_state(job)
            || job
                .statement
                .as_ref()
                .is_some_and(|it| !it.makes.is_empty() || !it.drops.is_empty())
            || matches!(job.class(), Some(Class::Set | Class::Use));
        if notes.state_changed && !explained {
            self.marks |= Marks::UNKNOWN;
        }
    }

    fn settle_variable(&mut self, held: &mut Held, name: &[u8], value: &[u8]) {
        if name.starts_with(b"session_track_") {
            if !self.tracks_as_wished {
                // Switched off in a procedure, say: what it wrote after that is unknown.
                self.doubt_tracking();
                self.lose(UnknownCause::TrackingOff, None);
            }
            return;
        }
        let Ok(text) = std::str::from_utf8(name) else {
            return;
        };
        if !can_follow(name) {
            // Only the client asked for it.
            return;
        }
        let name: Box<str> = text.to_ascii_lowercase().into();
        match &*name {
            "sql_mode" => self.lex = lex_mode(value),
            "character_set_client" => self.charset_readable = is_readable(value),
            _ => {}
        }
        self.state.variables.insert(name.clone(), value.to_vec());
        held.state.variables.insert(name, value.to_vec());
    }

    /// Takes over what a connection has said of a session that begins on it.
    pub(super) fn begin_on(&mut self, beginning: Beginning) {
        self.visible = Visible::of(beginning.flavour);
        self.lex = lex_mode(beginning.default_of("sql_mode"));
        self.charset_readable = is_readable(beginning.default_of("character_set_client"));
        self.default_isolation = isolation(beginning.isolation());
        self.began_on = beginning.backend;
        self.began_on_reader = beginning.backend != self.writer;
        self.status = beginning.status;
        self.autocommit = beginning.status.contains(Status::AUTOCOMMIT);
        self.initial = beginning.defaults;
    }

    /// Has a new connection keep the values that the session began with, where its backend's own
    /// defaults would make a read answer otherwise.
    pub(super) fn keep_defaults(&mut self, held: &mut Held) {
        let own = Arc::clone(&held.proof.defaults);
        // As most are: those that were told the same share it.
        if Arc::ptr_eq(&own, &self.initial) {
            return;
        }
        for (name, value) in own.iter() {
            let Some(initial) = self.initial.get(name) else {
                continue;
            };
            if initial == value || self.state.variables.contains_key(*name) {
                continue;
            }
            self.shared.tell_difference(held.backend, name);
            if held.backend == self.writer && self.began_on_reader {
                // Nobody has promised what a reader said while there was no writer.
                self.settle_variable(held, name.as_bytes(), value);
                continue;
            }
            let initial = initial.clone();
            if let Some(writer) = self.connections.look(self.began_on) {
                writer
                    .state
                    .variables
                    .insert((*name).into(), initial.clone());
            }
            self.state.variables.insert((*name).into(), initial);
        }
    }

    /// Can the proxy tell where a string ends in this SQL? In ASCII it always can.
    pub(super) fn can_read(&self, sql: &[u8]) -> bool {
        self.charset_readable || sql.is_ascii()
    }

    /// The isolation level of the open transaction, or else of the next. One that holds for a
    /// single transaction only may be any: READ COMMITTED is gated at each statement.
    pub(super) fn isolation(&self) -> Isolation {
        if self.marks.intersects(Marks::NEXT_TRANSACTION) {
            return Isolation::ReadCommitted;
        }
        let names = ["transaction_isolation", "tx_isolation"];
        match names
            .iter()
            .find_map(|name| self.state.variables.get(*name))
        {
            Some(value) => isolation(value),
            None => self.default_isolation,
        }
    }

    /// The schema as routing looks up functions in it.
    pub(super) fn schema_name(&self) -> Option<&str> {
        std::str::from_utf8(self.state.schema.as_deref()?).ok()
    }
}

/// Is it known by its text what of the session it changes?
fn sets_only_what_it_says(job: &Job) -> bool {
    let names = match job.class() {
        Some(Class::Set | Class::Use | Class::Other(Other::Prepared | Other::Xa)) => true,
        _ => {
            let statement = job.statement.as_ref();
            let tables = statement.is_some_and(|it| !it.makes.is_empty() || !it.drops.is_empty());
            tables || leaves_state(job)
        }
    };
    names && !may_run_routines(job) || !runs_sql(job)
}

/// Does it say that it leaves something that is told as a change of state? LAST_INSERT_ID() is not.
fn leaves_state(job: &Job) -> bool {
    let mut leaves = job.leaves();
    leaves.remove(Marks::LAST_INSERT_ID);
    !leaves.is_empty()
}

/// May it run statements that its text does not show?
fn may_run_routines(job: &Job) -> bool {
    let hidden = match job.class() {
        None | Some(Class::Other(Other::Call | Other::Batch)) => true,
        Some(_) => job.leaves().intersects(Marks::UNKNOWN) || !job.functions().is_empty(),
    };
    hidden && runs_sql(job)
}

fn runs_sql(job: &Job) -> bool {
    matches!(job.command, Command::Query | Command::StmtExecute)
}

/// Was it a transaction of its own for sure? Without a table there is none, and what SHOW reads
/// does not count.
fn was_a_transaction(job: &Job) -> bool {
    match job.class() {
        Some(Class::Write | Class::Begin { .. } | Class::BeginReadOnly { .. }) => true,
        Some(Class::Read { tables: true }) => {
            let text = job.text().trim_ascii_start();
            let text = text.strip_prefix(&[Command::Query as u8]).unwrap_or(text);
            let verb = text.trim_ascii_start().get(..6);
            verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"SELECT"))
        }
        _ => false,
    }
}

pub(super) fn lex_mode(sql_mode: &[u8]) -> LexMode {
    let has = |wanted: &str| {
        sql_mode
            .split(|byte| *byte == b',')
            .any(|mode| mode.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    LexMode {
        ansi_quotes: has("ANSI_QUOTES") || has("ANSI"),
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
    }
}

fn is_readable(charset: &[u8]) -> bool {
    !UNREADABLE_CHARSETS
        .iter()
        .any(|name| charset.eq_ignore_ascii_case(name))
}

/// What is not one of the others is REPEATABLE READ, unless it is unknown: then the safe road.
fn isolation(value: &[u8]) -> Isolation {
    match value {
        b"REPEATABLE-READ" => Isolation::RepeatableRead,
        b"READ-COMMITTED" => Isolation::ReadCommitted,
        b"READ-UNCOMMITTED" => Isolation::ReadUncommitted,
        _ => Isolation::Serializable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_an_isolation_level_that_is_not_known_counts_as_the_strictest() {
        assert_eq!(isolation(b"READ-COMMITTED"), Isolation::ReadCommitted);
        assert_eq!(isolation(b"SNAPSHOT"), Isolation::Serializable);
        assert_eq!(isolation(b""), Isolation::Serializable);
    }

    #[test]
    fn the_lexer_follows_sql_mode() {
        let mode = lex_mode(b"REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,ANSI");
        assert!(mode.ansi_quotes && !mode.no_backslash_escapes);
        assert!(lex_mode(b"no_backslash_escapes").no_backslash_escapes);
        assert_eq!(lex_mode(b""), LexMode::default());
    }

    #[test]
    fn p5_sql_in_a_charset_that_hides_quotes_is_not_read() {
        assert!(is_readable(b"utf8mb4") && is_readable(b"latin1"));
        assert!(!is_readable(b"GBK") && !is_readable(b"sjis"));
    }
}
