//! Why a statement went where it went.

/// Builds [`Reason`] so that variant, label and help text cannot drift apart.
macro_rules! reasons {
    ($($(#[doc = $help:literal])+ $variant:ident = $label:literal,)+) => {
        /// Why a statement ran where it ran, waited, or was refused. The same value feeds the
        /// metric label, the log field, the console and the tests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $help])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of [`Reason::index`].
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in metrics, logs and on the console, in snake case.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// One sentence for the operator, as metrics and the console show it.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($help),+).trim_ascii()),+ }
            }
        }
    };
}

impl Reason {
    /// Does the writer take a read for it that a reader would take, were one fit for it?
    pub fn is_fallback(self) -> bool {
        matches!(
            self,
            Self::PredictedTooLate
                | Self::WaitNotAllowed
                | Self::WaitTimedOut
                | Self::NoReader
                | Self::ReadersLag
                | Self::TokenUnknown
                | Self::RetriedReaderLost
                | Self::RetriedLagError
                | Self::AlarmRerouted
                | Self::ReplayFailed
                | Self::ReaderFull
        )
    }

    /// The position in [`Reason::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

reasons! {
    /// A reader was known to have everything that the read must see.
    ReadCovered = "read_covered",
    /// The read uses no table, so any backend that is up gives the same answer.
    ReadNoTables = "read_no_tables",
    /// A reader caught up with what the read must see while the read waited for it.
    ReadWaited = "read_waited",
    /// The level is eventual: any healthy reader will do.
    ReadEventual = "read_eventual",
    /// A read-only transaction runs on a reader that had everything when it began.
    ReadOnlyTransaction = "read_only_transaction",
    /// It belongs to the connection that ran the statement before, whose leftovers it reads.
    LastStatement = "last_statement",

    /// It writes, or may write.
    Write = "write",
    /// The level asks for the writer.
    WriterLevel = "writer_level",
    /// Reads run on the writer for as long as there is one: read_from asks for that.
    ReadFromWriter = "read_from_writer",
    /// The operator has switched all reads to the writer.
    ReadsSwitched = "reads_switched",
    /// It begins or ends a transaction.
    TransactionControl = "transaction_control",
    /// A transaction is open on the writer.
    Transaction = "transaction",
    /// autocommit is off, so every statement is part of a transaction.
    AutocommitOff = "autocommit_off",
    /// The isolation level is READ UNCOMMITTED or SERIALIZABLE.
    Isolation = "isolation",
    /// It changes the session's state.
    SessionState = "session_state",
    /// It administers the instance.
    Admin = "admin",
    /// It reads the state of the instance itself, which must look like the writer's.
    InstanceRead = "instance_read",
    /// It reads the state of the instance, and a reader answers since no writer is there.
    InstanceReadNoWriter = "instance_read_no_writer",
    /// It locks the rows that it reads.
    LockingRead = "locking_read",
    /// It takes, frees or asks for a user lock.
    UserLock = "user_lock",
    /// It reads or sets a user variable, which the writer's connection holds.
    UserVariable = "user_variable",
    /// It reads what belongs to its connection, such as LAST_INSERT_ID().
    ConnectionState = "connection_state",
    /// It calls a procedure, which may do anything.
    Call = "call",
    /// It is part of an XA transaction.
    Xa = "xa",
    /// The statement is not understood.
    UnknownStatement = "unknown_statement",
    /// It calls a function that is not known to read only.
    UnknownFunction = "unknown_function",
    /// It holds several statements.
    Batch = "batch",
    /// It prepares or runs a prepared statement that is no read, or whose SQL was not read.
    PreparedStatement = "prepared_statement",
    /// It fetches rows from a cursor, which stays where it was opened.
    Cursor = "cursor",

    /// Pinned: the session has a temporary table.
    PinTemporaryTable = "pin_temporary_table",
    /// Pinned: the session holds table locks.
    PinTableLocks = "pin_table_locks",
    /// Pinned: the session holds a user lock.
    PinUserLock = "pin_user_lock",
    /// Pinned: the session has set a system variable.
    PinSessionVariable = "pin_session_variable",
    /// Pinned: the session has set `timestamp`, so that its clock stands still.
    PinTimestamp = "pin_timestamp",
    /// Pinned: the session measures its statements: `profiling`, `optimizer_trace`, FLUSH STATUS.
    PinMeasuring = "pin_measuring",
    /// Pinned: values for this very execution, too large to be kept, have gone to the writer.
    PinLongData = "pin_long_data",
    /// Pinned: the next transaction has its own characteristics.
    PinNextTransaction = "pin_next_transaction",
    /// Pinned: the session has an XA transaction.
    PinXa = "pin_xa",
    /// Pinned: the client has changed what the server tracks for it.
    PinTracking = "pin_tracking",
    /// Pinned: sql_log_bin is off, so what the session writes reaches no reader.
    PinSqlLogBin = "pin_sql_log_bin",
    /// Pinned: the session has state that is not understood.
    PinUnknownState = "pin_unknown_state",

    /// No reader has what the read must see, and none would have it before the wait ran out.
    PredictedTooLate = "predicted_too_late",
    /// No reader has what the read must see, and the policy allows no wait.
    WaitNotAllowed = "wait_not_allowed",
    /// No reader caught up with what the read must see before the wait ran out.
    WaitTimedOut = "wait_timed_out",
    /// No reader is up and open for new reads.
    NoReader = "no_reader",
    /// Every reader that is up lags beyond max_lag, or its lag is unknown.
    ReadersLag = "readers_lag",
    /// What the read must see is unknown until the writer has been asked.
    TokenUnknown = "token_unknown",
    /// The level is strong, so the writer is asked first what it has.
    StrongFetch = "strong_fetch",
    /// Nobody knows yet what was committed within the bound on staleness, so the writer is asked.
    BoundUnknown = "bound_unknown",
    /// The scope has read on the writer, and what it saw there has to be found out first.
    ReadAfterWriterRead = "read_after_writer_read",
    /// The scope has read on another reader, and what it saw there has to be found out first.
    ReadAfterOtherReader = "read_after_other_reader",
    /// A reader that will soon have what the read must see is waited for.
    ReaderBehind = "reader_behind",
    /// The scope has seen a transaction on a reader that the writer has not finished yet.
    WriterBehind = "writer_behind",

    /// A reader was lost before its answer came, so the read ran again elsewhere.
    RetriedReaderLost = "retried_reader_lost",
    /// A reader gave an error that its lag explains, so the read ran again on the writer.
    RetriedLagError = "retried_lag_error",
    /// A reader's answer proved that the reader is behind what was known of it.
    AlarmRerouted = "alarm_rerouted",
    /// The session's state could not be made on the reader.
    ReplayFailed = "replay_failed",
    /// A reader has as many connections as it may, and none came free in time.
    ReaderFull = "reader_full",

    /// Refused: no backend is proven to be writable.
    RefusedNoWriter = "refused_no_writer",
    /// Refused: more than one backend claims to be the writer.
    RefusedAmbiguousWriter = "refused_ambiguous_writer",
    /// Refused: no reader caught up in time, and the policy or a missing writer leaves no other.
    RefusedTimeout = "refused_timeout",
    /// Refused: no reader caught up in time, and the writer runs as many reads in the readers' stead
    /// as it may.
    RefusedShed = "refused_shed",
    /// Refused: as many statements wait as may.
    RefusedQueueFull = "refused_queue_full",
    /// Refused: no backend is up.
    RefusedAllGone = "refused_all_gone",
    /// Refused: the writer still lacks what the scope has seen on a reader.
    RefusedWriterBehind = "refused_writer_behind",
    /// Refused: no reader is known to be within the bound on staleness, and no writer is there.
    RefusedTooStale = "refused_too_stale",
    /// Refused: what the read must see is unknown, and no writer is there to ask.
    RefusedTokenUnknown = "refused_token_unknown",
    /// Refused: a write in a read-only transaction, with MySQL's own error.
    RefusedReadOnlyTransaction = "refused_read_only_transaction",
    /// Refused: the backend of the open transaction, or of the last statement, is lost.
    RefusedStateLost = "refused_state_lost",
    /// Refused, once: a failover has lost what the scope had written or seen.
    RefusedLostWrites = "refused_lost_writes",
}
