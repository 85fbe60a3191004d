//! Errors that reach a client, and the wrapper that keeps secrets out of logs.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A password or another secret: wiped from memory when dropped, never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the secret text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Hand it to the wire, never to a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whose fault an error is; the label of the error metrics' first split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The client broke the protocol, a limit, or gave wrong credentials.
    Client,
    /// A backend failed, refused or went away.
    Backend,
    /// The promise can't be kept now, so the proxy refuses rather than breaks it.
    Promise,
}

/// An error made by the proxy, with a real MySQL number and SQLSTATE so that drivers react as they
/// do to MySQL. Errors made by a backend are relayed as they are and never become this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({state}): {message}")]
pub struct ClientError {
    /// The error number (MySQL Error Reference, "Server Error Message Reference").
    pub code: u16,
    /// The SQLSTATE.
    pub state: &'static str,
    /// What the client may read: no address, no literal of anyone's statement.
    pub message: Cow<'static, str>,
    /// Whose fault it is.
    pub fault: Fault,
    /// May the same statement be sent again by the client without running twice?
    pub retry: bool,
}

/// MySQL's words for 4031.
const IDLE: &str = "The client was disconnected by the server because of inactivity. See \
                    wait_timeout and interactive_timeout for configuring this behavior.";

impl ClientError {
    const fn new(code: u16, state: &'static str, fault: Fault, retry: bool) -> Self {
        Self {
            code,
            state,
            message: Cow::Borrowed(""),
            fault,
            retry,
        }
    }

    fn says(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// 1040: the limit on clients is reached.
    pub fn too_many_clients() -> Self {
        Self::new(1040, "08004", Fault::Client, true).says("Too many connections")
    }

    /// 1040: the limit on backend connections is reached, and none came free in time.
    pub fn too_many_connections() -> Self {
        Self::new(1040, "08004", Fault::Backend, true).says(
            "Too many connections (Tidegate: no backend connection came free; [limits] \
             backend_connections)",
        )
    }

    /// 1203: one account has as many clients as it may, in MySQL's own words.
    pub fn too_many_of_user(user: &str) -> Self {
        Self::new(1203, "42000", Fault::Client, true).says(format!(
            "User {user} already has more than 'max_user_connections' active connections \
             (Tidegate: [limits] clients_per_user)"
        ))
    }

    /// 1226: as many statements of one account wait as may, in MySQL's own words.
    pub fn user_queue_full(user: &str, count: usize) -> Self {
        Self::new(1226, "42000", Fault::Promise, true).says(format!(
            "User '{user}' has exceeded the 'queued_statements_per_user' resource (current value: \
             {count})"
        ))
    }

    /// 3024: as many statements wait as may.
    pub fn queue_full() -> Self {
        Self::new(3024, "HY000", Fault::Promise, true).says(
            "Query execution was interrupted, maximum statement execution time exceeded (Tidegate: \
             as many statements wait as [limits] queued_statements allows)",
        )
    }

    /// 1043: what came is no login.
    pub fn bad_handshake() -> Self {
        Self::new(1043, "08S01", Fault::Client, false).says("Bad handshake")
    }

    /// 1045: wrong credentials, in MySQL's own words.
    pub fn access_denied(user: &str, host: &str, with_password: bool) -> Self {
        let using = if with_password { "YES" } else { "NO" };
        Self::new(1045, "28000", Fault::Client, false).says(format!(
            "Access denied for user '{user}'@'{host}' (using password: {using})"
        ))
    }

    /// 3159: TLS is required, and the client came without.
    pub fn tls_required() -> Self {
        Self::new(3159, "HY000", Fault::Client, false).says(
            "Connections without TLS are refused here: [tls] required is on; use \
             --ssl-mode=REQUIRED, or what your driver calls it",
        )
    }

    /// 1236: a replication client, and nobody is named to serve it.
    pub fn no_binary_log() -> Self {
        Self::new(1236, "HY000", Fault::Client, false).says(
            "Tidegate streams no binary log here: name a backend in [replication] backend, or \
             connect to the database server itself",
        )
    }

    /// 1047: a command that the proxy does not know.
    pub fn unknown_command() -> Self {
        Self::new(1047, "08S01", Fault::Client, false).says("Unknown command")
    }

    /// 1053: the proxy is being drained.
    pub fn draining() -> Self {
        Self::new(1053, "08S01", Fault::Backend, true).says("Server shutdown in progress")
    }

    /// 1094: KILL of a client that is not there.
    pub fn no_such_thread(id: u64) -> Self {
        Self::new(1094, "HY000", Fault::Client, false).says(format!("Unknown thread id: {id}"))
    }

    /// 1095: KILL of a client that is another account's.
    pub fn not_its_owner(id: u64) -> Self {
        Self::new(1095, "HY000", Fault::Client, false)
            .says(format!("You are not owner of thread {id}"))
    }

    /// 1153: a packet beyond the limit.
    pub fn packet_too_large() -> Self {
        Self::new(1153, "08S01", Fault::Client, false)
            .says("Got a packet bigger than 'max_allowed_packet' bytes")
    }

    /// 1064: a hint for Tidegate that does not exist; `text` names those that do.
    pub fn unknown_hint(text: &str) -> Self {
        Self::new(1064, "42000", Fault::Client, false).says(text.to_owned())
    }

    /// 1231: a value that one of Tidegate's own settings does not take; `expected` says which do.
    pub fn wrong_setting(name: &str, value: &str, expected: &str) -> Self {
        Self::new(1231, "42000", Fault::Client, false).says(format!(
            "Variable 'tidegate_{name}' can't be set to the value of '{value}' (Tidegate: \
             {expected})"
        ))
    }

    /// 1193: no such setting of Tidegate's own; `text` names those that there are.
    pub fn unknown_setting(text: &str) -> Self {
        Self::new(1193, "HY000", Fault::Client, false).says(text.to_owned())
    }

    /// 1064: what looks like a hint, in SQL that is not read.
    pub fn hint_not_read() -> Self {
        Self::new(1064, "42000", Fault::Client, false)
            .says("Tidegate reads no hints in this character set, or in a statement beyond 16 MiB")
    }

    /// 1295: a statement with a hint can't be prepared.
    pub fn hint_in_prepared() -> Self {
        Self::new(1295, "HY000", Fault::Client, false).says(
            "This command is not supported in the prepared statement protocol yet (Tidegate: \
             send the statement with the hint \"explain\" as text)",
        )
    }

    /// 1156: packets out of order.
    pub fn out_of_order() -> Self {
        Self::new(1156, "08S01", Fault::Client, false).says("Got packets out of order")
    }

    /// 1835: a packet that can't be decoded.
    pub fn malformed() -> Self {
        Self::new(1835, "HY000", Fault::Client, false).says("Malformed communication packet.")
    }

    /// 1251: the client knows no way to log in that the proxy can use.
    pub fn no_common_login() -> Self {
        Self::new(1251, "08004", Fault::Client, false).says(
            "Client does not support authentication protocol requested by server; \
             Tidegate needs caching_sha2_password",
        )
    }

    /// 1158: the connection to the backend broke while it ran the statement.
    pub fn connection_lost(what: &str) -> Self {
        Self::new(1158, "08S01", Fault::Backend, false).says(format!(
            "Got an error reading communication packets: Tidegate lost the connection to {what} \
             during the statement, which may or may not have run"
        ))
    }

    /// 1158: the connection to the writer is gone before the statement was sent, and with it what
    /// only that connection had.
    pub fn state_lost() -> Self {
        Self::new(1158, "08S01", Fault::Backend, false).says(
            "Got an error reading communication packets: Tidegate lost the session's connection to \
             the writer, and with it what only that connection had; the statement did not run",
        )
    }

    /// 1158 while a COMMIT was under way, or what may commit: nobody knows whether it took place.
    pub fn unknown_outcome() -> Self {
        Self::new(1158, "08S01", Fault::Backend, false).says(
            "Got an error reading communication packets: unknown outcome, Tidegate lost the \
             connection to the writer during a statement that may commit; the transaction may or \
             may not be committed",
        )
    }

    /// 1213: the transaction was rolled back since its connection is gone; run it again.
    pub fn transaction_lost() -> Self {
        Self::new(1213, "40001", Fault::Backend, true).says(
            "Deadlock found when trying to get lock; try restarting transaction (Tidegate: the \
             backend that ran this transaction is gone, and it was rolled back)",
        )
    }

    /// 1213: a statement that the reader of a read-only transaction can't run.
    pub fn transaction_on_reader() -> Self {
        Self::new(1213, "40001", Fault::Promise, true).says(
            "Deadlock found when trying to get lock; try restarting transaction (Tidegate: this \
             read-only transaction ran on a reader, which can't go on with it; the next one \
             will run on the writer)",
        )
    }

    /// 3024: no reader caught up in time, and the writer has as many reads as it may in their stead.
    pub fn shed() -> Self {
        Self::new(3024, "HY000", Fault::Promise, true).says(
            "Query execution was interrupted, maximum statement execution time exceeded (Tidegate: \
             no reader has caught up, and the writer is at the limit of fallback_reads)",
        )
    }

    /// 1205: no reader caught up in time, and the configuration forbids the writer.
    pub fn wait_timed_out() -> Self {
        Self::new(1205, "HY000", Fault::Promise, true).says(
            "Lock wait timeout exceeded; try restarting transaction (Tidegate: no reader caught \
             up with this session in time)",
        )
    }

    /// 1205: what the session must see can't be proven present anywhere.
    pub fn not_proven() -> Self {
        Self::new(1205, "HY000", Fault::Promise, true).says(
            "Lock wait timeout exceeded; try restarting transaction (Tidegate: no backend is \
             proven to have what this session has written or seen)",
        )
    }

    /// 1243: a statement id that is not known, in MySQL's own words.
    pub fn unknown_prepared(id: u32) -> Self {
        Self::new(1243, "HY000", Fault::Client, false).says(format!(
            "Unknown prepared statement handler ({id}) given to mysql_stmt_precheck"
        ))
    }

    /// 1105: what only the connection of the last statement knew.
    pub fn left_behind() -> Self {
        Self::new(1105, "HY000", Fault::Client, false).says(
            "what the last statement left is not known any more, since another session has its \
             connection (Tidegate: [pool] mode = \"transaction\"); ask within a transaction, or use \
             mode = \"session\"",
        )
    }

    /// 1105: what LAST_INSERT_ID() returned went with the connection to the writer.
    pub fn insert_id_lost() -> Self {
        Self::new(1105, "HY000", Fault::Backend, false).says(
            "what LAST_INSERT_ID() returned is not known any more: Tidegate lost the session's \
             connection to the writer; the next id that is generated will be known again",
        )
    }

    /// 1421: a fetch where no cursor is open, in MySQL's own words.
    pub fn no_cursor(id: u32) -> Self {
        Self::new(1421, "HY000", Fault::Client, false)
            .says(format!("The statement ({id}) has no open cursor."))
    }

    /// 1461: a limit on prepared statements is reached; `key` moves it.
    pub fn too_many_prepared(count: usize, key: &str) -> Self {
        Self::new(1461, "42000", Fault::Client, false).says(format!(
            "Can't create more than max_prepared_stmt_count statements (current value: {count}; \
             Tidegate: [limits] {key})"
        ))
    }

    /// 4031: no command came for as long as the session has set, in MySQL's own words.
    pub fn idle() -> Self {
        Self::new(4031, "HY000", Fault::Client, true).says(IDLE)
    }

    /// 4031: no command came for as long as the configuration lets a client idle.
    pub fn idle_here() -> Self {
        let says = format!("{IDLE} (Tidegate: [limits] idle_timeout)");
        Self::new(4031, "HY000", Fault::Client, true).says(says)
    }

    /// 1105: a failover has lost what the session's scope had written or seen.
    pub fn lost_writes() -> Self {
        Self::new(1105, "HY000", Fault::Promise, false).says(
            "Tidegate: another server has become the writer, and it does not have all that was \
             written or read here before; from the next statement on it counts as it is \
             ([failover] on_lost_writes)",
        )
    }

    /// 1836: no backend is proven writable.
    pub fn no_writer() -> Self {
        Self::new(1836, "HY000", Fault::Backend, true)
            .says("Running in read-only mode (Tidegate: no writer is available)")
    }

    /// 1836: more than one backend claims to be the writer, and none gets a write on a guess.
    pub fn ambiguous_writer() -> Self {
        Self::new(1836, "HY000", Fault::Backend, true).says(
            "Running in read-only mode (Tidegate: more than one backend claims to be the writer)",
        )
    }

    /// 1568: SET TRANSACTION inside of one, in MySQL's own words.
    pub fn transaction_in_progress() -> Self {
        Self::new(1568, "25001", Fault::Client, false)
            .says("Transaction characteristics can't be changed while a transaction is in progress")
    }

    /// 1792: a write in a read-only transaction, in MySQL's own words.
    pub fn read_only_transaction() -> Self {
        Self::new(1792, "25006", Fault::Client, false)
            .says("Cannot execute statement in a READ ONLY transaction.")
    }

    /// 1429: no backend can be reached.
    pub fn all_gone() -> Self {
        Self::new(1429, "HY000", Fault::Backend, true)
            .says("Unable to connect to foreign data source: Tidegate reaches no backend")
    }
}
