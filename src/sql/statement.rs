//! What a statement is, as far as it matters where it runs and what it leaves behind.

use super::marks::Marks;
use super::own::Own;

/// One statement, or one batch, as routing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub class: Class,
    /// State that it may leave on the connection that runs it, also if it fails.
    pub leaves: Marks,
    /// State that it ends there if it succeeds.
    pub ends: Marks,
    /// Its answer may tell something of tables: rows, counts, definitions.
    pub shows_tables: bool,
    /// It names a `session_track_*` variable, to set or to read it.
    pub names_tracking: bool,
    /// It commits the open transaction first (MySQL manual, "Statements That Cause an Implicit
    /// Commit").
    pub commits: bool,
    /// What it reads, if it is a [`Class::LastStatement`].
    pub last: Last,
    /// Session variables that it sets and that are not in [`FOLLOWED`](super::FOLLOWED), in lower
    /// case: the tracker has to be told of them first.
    pub sets: Vec<Box<str>>,
    /// It is a single call about a user lock, and answers with a single number.
    pub lock_call: Option<LockCall>,
    /// Which columns of its result hold ids of connections.
    pub ids: Option<IdColumns>,
    /// Temporary tables that it makes, also if it fails.
    pub makes: Vec<TableName>,
    /// Tables that are gone if it succeeds, temporary ones first.
    pub drops: Vec<TableName>,
    /// Variables of Tidegate's own that it names.
    pub own: Own,
}

/// What a statement leaves on its connection for the next one to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Warnings and errors, and whatever is not one of the others: of the statement before.
    Diagnostics,
    /// ROW_COUNT(): COM_STMT_PREPARE leaves it as it is.
    RowCount,
    /// FOUND_ROWS(): only queries change it.
    FoundRows,
}

/// `SELECT GET_LOCK(…)` or `SELECT RELEASE_LOCK(…)`, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockCall {
    /// Takes one, if the answer is 1.
    Take,
    /// Frees one, if the answer is 1.
    Release,
}

/// Columns of a result that hold ids of connections, as KILL takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdColumns {
    /// Those at these places, counted from 0: CONNECTION_ID(), @@pseudo_thread_id.
    At(Vec<usize>),
    /// Those of these names, in upper case, whatever table they belong to: a list of processes.
    Named(&'static [&'static str]),
}

/// A table as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Its schema, if that is named; else it is the session's.
    pub schema: Option<Box<str>>,
    /// Its name: letters, digits, `_` and `$` of ASCII alone.
    pub name: Box<str>,
}

/// What a statement does. What is not proven to be anything better is [`Other::Unknown`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Reads, and provably nothing else: no effect anywhere, and the same result on every backend
    /// that has the same rows.
    Read {
        /// False only if it provably reads no table: such a read needs no token.
        tables: bool,
    },
    /// The same, if all of these stored functions are declared to read only: their names without
    /// quotes, behind their schema and a dot where one is written.
    ReadWithFunctions(Vec<String>),
    /// Has no effect but on its own session, and belongs on the writer.
    WriterRead(WriterRead),
    /// Reads what the statement before left on its connection: warnings, errors, row counts.
    LastStatement,
    /// Changes data or schema and shows no rows.
    Write,
    /// Anything else that may do anything.
    Other(Other),
    /// Changes only variables of its session: SET without a subquery or a stored function.
    Set,
    /// USE.
    Use,
    /// Administers the instance or other sessions: FLUSH, SET GLOBAL.
    Admin,
    /// KILL.
    Kill(Kill),
    /// BEGIN or START TRANSACTION, not READ ONLY.
    Begin {
        /// WITH CONSISTENT SNAPSHOT: it reads at once.
        consistent_snapshot: bool,
        /// READ WRITE. Without it, a transaction that takes the place of an open one is READ ONLY
        /// if that one was.
        read_write: bool,
    },
    /// START TRANSACTION READ ONLY.
    BeginReadOnly {
        /// WITH CONSISTENT SNAPSHOT: it reads at once.
        consistent_snapshot: bool,
    },
    /// COMMIT, also AND CHAIN or RELEASE.
    Commit,
    /// ROLLBACK (TO SAVEPOINT), SAVEPOINT, RELEASE SAVEPOINT.
    Control,
}

/// Why a read belongs on the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterRead {
    /// It reads the instance itself: variables, status, other sessions.
    Instance,
    /// It locks the rows that it reads.
    Locking,
    /// It takes, frees or asks for a user lock.
    UserLock,
    /// It reads or sets a user variable.
    UserVariable,
    /// It reads what belongs to its connection: LAST_INSERT_ID(), CONNECTION_ID(), roles; or it
    /// counts rows for FOUND_ROWS().
    Connection,
}

/// Why anything may come of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// CALL.
    Call,
    /// XA.
    Xa,
    /// PREPARE, EXECUTE, DEALLOCATE as SQL.
    Prepared,
    /// Several statements in one text.
    Batch,
    /// It is not understood.
    Unknown,
}

/// KILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The id as the client gave it; `None` for an expression.
    pub id: Option<u64>,
    /// KILL QUERY: the statement ends, the connection stays.
    pub query_only: bool,
}

impl Statement {
    /// One that leaves nothing.
    pub(super) fn new(class: Class) -> Self {
        Self {
            class,
            leaves: Marks::NONE,
            ends: Marks::NONE,
            shows_tables: true,
            names_tracking: false,
            commits: false,
            last: Last::Diagnostics,
            sets: Vec::new(),
            lock_call: None,
            ids: None,
            makes: Vec::new(),
            drops: Vec::new(),
            own: Own::default(),
        }
    }

    /// One that is not understood: nobody knows what it leaves.
    pub fn unknown() -> Self {
        Self::new(Class::Other(Other::Unknown)).leaving(Marks::UNKNOWN)
    }

    /// The same, and its answer tells nothing of tables.
    pub(super) fn without_tables(mut self) -> Self {
        self.shows_tables = false;
        self
    }

    /// The same, and it commits the open transaction.
    pub(super) fn committing(mut self) -> Self {
        self.commits = true;
        self
    }

    /// The same, and it may leave this too.
    pub(super) fn leaving(mut self, marks: Marks) -> Self {
        self.leaves |= marks;
        self
    }

    /// Takes in what another statement of the same batch leaves.
    pub(super) fn join(&mut self, other: Self) {
        self.leaves |= other.leaves;
        self.names_tracking |= other.names_tracking;
        self.shows_tables |= other.shows_tables;
        self.sets.extend(other.sets);
        if !(self.makes.is_empty() && other.makes.is_empty()) {
            // Which schema is in use changes within a batch, so nobody knows its whole name.
            self.makes.clear();
            self.leaves |= Marks::TEMPORARY_TABLE;
        }
        self.lock_call = None;
        self.ids = None;
        self.commits &= other.commits;
        // The order in which they come and go is not kept.
        self.drops.clear();
    }

    /// Has it no effect beyond its own session, so that an error leaves nothing behind?
    pub fn is_pure(&self) -> bool {
        matches!(
            self.class,
            Class::Read { .. } | Class::WriterRead(_) | Class::LastStatement
        )
    }
}
