//! One command on its way to a backend, as routing sees it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::command::Request;
use super::losing::Ran;
use super::prepared::{Permit, Prepared};
use super::wishes::Wishes;
use crate::protocol::{Command, ExecuteHead};
use crate::routing::{Kind, Reason};
use crate::sql::{Class, Marks, Other, Own, Statement, WriterRead};

/// One command on its way to a backend.
pub(super) struct Job {
    /// Which command.
    pub command: Command,
    /// Its packets.
    pub request: Request,
    /// What its SQL says, or that of the prepared statement that it runs; `None` for commands
    /// without SQL, and where it was not read.
    pub statement: Option<Arc<Statement>>,
    /// What it asks for, for itself alone.
    pub wishes: Wishes,
    /// What it has to do with prepared statements.
    pub uses: Uses,
    /// A reader has refused it as a write, whatever its SQL says: a view may call a function that
    /// writes.
    pub refused_as_write: bool,
    /// Where it may have run: that connection to the writer broke, and it has not been answered.
    pub may_have_run: Option<Ran>,
}

/// What a command has to do with prepared statements.
pub(super) enum Uses {
    /// Nothing.
    Nothing,
    /// COM_STMT_PREPARE.
    Prepares {
        /// What it prepares.
        prepared: Arc<Prepared>,
        /// Its place among all, until it is entered.
        permit: Option<Permit>,
    },
    /// COM_STMT_EXECUTE.
    Executes {
        /// What it executes.
        prepared: Arc<Prepared>,
        /// How the command is made up.
        head: ExecuteHead,
        /// The types of its parameters.
        types: Option<Arc<[u8]>>,
    },
}

/// Borrowed names of functions.
pub(super) type Names<'a> = SmallVec<[&'a str; 4]>;

impl Job {
    /// One that has nothing to do with prepared statements, and was not tried anywhere.
    pub(super) fn new(
        command: Command,
        request: Request,
        statement: Option<Arc<Statement>>,
        wishes: Wishes,
    ) -> Self {
        Self {
            command,
            request,
            statement,
            wishes,
            uses: Uses::Nothing,
            refused_as_write: false,
            may_have_run: None,
        }
    }

    /// The same for one that has.
    pub(super) fn using(mut self, uses: Uses) -> Self {
        self.uses = uses;
        self
    }

    /// Has it provably no effect beyond its own session, so that an error leaves nothing behind?
    pub(super) fn is_pure(&self) -> bool {
        match &self.statement {
            _ if self.refused_as_write => false,
            Some(statement) => statement.is_pure() || matches!(statement.class, Class::Kill(_)),
            None => !matches!(
                self.command,
                Command::Query | Command::StmtExecute | Command::StmtFetch
            ),
        }
    }

    /// Is all of its SQL parsed before any of it runs?
    pub(super) fn is_parsed_whole(&self) -> bool {
        let runs_more = [Other::Call, Other::Prepared, Other::Batch];
        match self.class() {
            Some(Class::Other(other)) => !runs_more.contains(other),
            Some(_) => self.command == Command::Query,
            None => false,
        }
    }

    /// The statement that decides where it runs: what it runs, or what it prepares.
    fn routed(&self) -> Option<&Statement> {
        match &self.uses {
            Uses::Prepares { prepared, .. } => Some(&prepared.statement),
            Uses::Executes { .. } | Uses::Nothing => self.statement.as_deref(),
        }
    }

    /// Variables of Tidegate's own that its SQL names.
    pub(super) fn own(&self) -> Option<&Own> {
        self.statement.as_ref().map(|statement| &statement.own)
    }

    /// The client's id for the statement that it prepares.
    pub(super) fn client_statement(&self) -> Option<u32> {
        match &self.uses {
            Uses::Prepares { prepared, .. } => Some(prepared.id),
            Uses::Executes { .. } | Uses::Nothing => None,
        }
    }

    /// Its SQL, perhaps with more before it; empty for a command without any, and only the first
    /// packet of a long one.
    pub(super) fn text(&self) -> &[u8] {
        match &self.uses {
            Uses::Prepares { prepared, .. } | Uses::Executes { prepared, .. } => &prepared.text,
            Uses::Nothing if self.command == Command::Query => &self.request.payload,
            Uses::Nothing => &[],
        }
    }

    /// Does it ask for a cursor?
    pub(super) fn asks_for_cursor(&self) -> bool {
        matches!(&self.uses, Uses::Executes { head, .. } if head.cursor)
    }

    /// The schema in which its functions are looked up, if that is another than the session's.
    pub(super) fn prepared_in(&self) -> Option<Option<&[u8]>> {
        match &self.uses {
            Uses::Executes { prepared, .. } => Some(prepared.context.schema.as_deref()),
            Uses::Prepares { .. } | Uses::Nothing => None,
        }
    }

    /// The stored functions that it calls.
    pub(super) fn functions(&self) -> Names<'_> {
        match self.routed().map(|statement| &statement.class) {
            Some(Class::ReadWithFunctions(names)) => names.iter().map(String::as_str).collect(),
            _ => Names::new(),
        }
    }

    /// What it does.
    pub(super) fn class(&self) -> Option<&Class> {
        self.statement.as_ref().map(|statement| &statement.class)
    }

    /// State that it may leave on its connection.
    pub(super) fn leaves(&self) -> Marks {
        self.statement
            .as_ref()
            .map_or(Marks::NONE, |statement| statement.leaves)
    }

    /// What routing has to know of it; `functions` are its own.
    pub(super) fn kind<'a>(&self, functions: &'a [&'a str]) -> Kind<'a> {
        if self.command == Command::StmtPrepare {
            return match self.routed().map(|statement| &statement.class) {
                Some(Class::Read { tables }) => Kind::Read { tables: *tables },
                Some(Class::ReadWithFunctions(_)) => Kind::ReadWithFunctions { functions },
                _ => Kind::Prepare,
            };
        }
        // What is sent on as it comes can't be sent again.
        let Some(class) = self.class().filter(|_| !self.request.more) else {
            return kind_of(self.command);
        };
        match class {
            Class::Read { tables } => Kind::Read { tables: *tables },
            Class::ReadWithFunctions(_) => Kind::ReadWithFunctions { functions },
            Class::WriterRead(WriterRead::Instance) if !self.shows_rows() => Kind::Variables,
            Class::WriterRead(read) => Kind::WriterRead(match read {
                WriterRead::Instance => Reason::InstanceRead,
                WriterRead::Locking => Reason::LockingRead,
                WriterRead::UserLock => Reason::UserLock,
                WriterRead::UserVariable => Reason::UserVariable,
                WriterRead::Connection => Reason::ConnectionState,
            }),
            Class::LastStatement => Kind::LastStatement,
            Class::Write => Kind::Write,
            Class::Other(other) => Kind::Other(match other {
                Other::Call => Reason::Call,
                Other::Xa => Reason::Xa,
                Other::Prepared => Reason::PreparedStatement,
                Other::Batch => Reason::Batch,
                Other::Unknown => Reason::UnknownStatement,
            }),
            Class::Set | Class::Use => Kind::State,
            Class::Admin | Class::Kill(_) => Kind::Admin,
            Class::Begin {
                consistent_snapshot,
                ..
            } => Kind::Begin {
                consistent_snapshot: *consistent_snapshot,
            },
            Class::BeginReadOnly { .. } => Kind::BeginReadOnly,
            Class::Commit | Class::Control => Kind::Control,
        }
    }

    /// May its answer show rows of tables?
    pub(super) fn shows_rows(&self) -> bool {
        let tables = self.statement.as_ref().is_none_or(|it| it.shows_tables);
        match self.class() {
            Some(Class::Read { tables }) => *tables,
            Some(Class::WriterRead(_)) => tables,
            Some(
                Class::ReadWithFunctions(_)
                | Class::Other(_)
                // The count of rows that it changed tells something of them.
                | Class::Write
                | Class::Begin {
                    consistent_snapshot: true,
                    ..
                }
                | Class::BeginReadOnly {
                    consistent_snapshot: true,
                },
            ) => true,
            Some(_) => false,
            None => matches!(self.command, Command::Query | Command::StmtExecute),
        }
    }

    /// Does its first consistent read fix what a REPEATABLE READ transaction shows?
    pub(super) fn takes_snapshot(&self) -> bool {
        match self.class() {
            Some(Class::Read { tables }) => *tables,
            Some(
                Class::Begin {
                    consistent_snapshot,
                    ..
                }
                | Class::BeginReadOnly {
                    consistent_snapshot,
                },
            ) => *consistent_snapshot,
            Some(Class::ReadWithFunctions(_)) => true,
            _ => false,
        }
    }

    /// Is it a read that may be sent again though the writer may have run it? A function may write,
    /// whatever it says of itself.
    pub(super) fn may_run_twice(&self) -> bool {
        self.is_read() && self.is_pure()
    }

    /// Is it a read that a reader may take, and another one where that could not?
    pub(super) fn is_read(&self) -> bool {
        if self.request.more {
            return false;
        }
        matches!(
            self.routed().map(|statement| &statement.class),
            Some(
                Class::Read { .. }
                    | Class::ReadWithFunctions(_)
                    | Class::WriterRead(WriterRead::Instance)
            )
        )
    }
}

fn kind_of(command: Command) -> Kind<'static> {
    match command {
        Command::InitDb | Command::SetOption | Command::Ping => Kind::State,
        Command::Statistics => Kind::Variables,
        Command::ProcessInfo | Command::Debug | Command::ProcessKill => Kind::Admin,
        Command::StmtExecute => Kind::Other(Reason::PreparedStatement),
        _ => Kind::Other(Reason::UnknownStatement),
    }
}
