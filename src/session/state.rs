//! What a session's state is, and what a backend connection still has to be told of it.

use super::connections::Held;
use crate::backend::{Baseline, ConnectError, ConnectionState, Variables};
use crate::protocol::Command;
use crate::sql::{FOLLOWED, is_followed};

/// What the client has told its session: the half of the state that belongs to the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionState {
    /// From where the variables count.
    pub baseline: Baseline,
    /// The schema in use.
    pub schema: Option<Vec<u8>>,
    /// Session variables set since the baseline.
    pub variables: Variables,
    /// The character sets were set by SET NAMES, which also chooses the collation that results are
    /// labelled with.
    pub names: bool,
    /// What `CURRENT_ROLE()` said after a SET ROLE.
    pub role: Option<Vec<u8>>,
}

/// What has to be sent before a connection may serve a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replay {
    /// COM_RESET_CONNECTION comes first.
    pub reset: bool,
    /// COM_INIT_DB with this schema.
    pub schema: Option<Vec<u8>>,
    /// One SET statement.
    pub set: Option<Vec<u8>>,
    /// SET ROLE with these.
    pub role: Option<Vec<u8>>,
}

impl Replay {
    /// Is there nothing to send?
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Held {
    /// Queues what has to be sent before the connection may serve the session; the answers are
    /// read by [`Held::read_replay`]. `tracking` is lost in a reset and sent again.
    pub(super) fn queue_replay(&mut self, replay: &Replay, tracking: impl FnOnce() -> String) {
        if replay.reset {
            self.forget();
            self.queue_command(Command::ResetConnection);
            self.queue_tracking(tracking());
        }
        if let Some(schema) = &replay.schema {
            let payload = [&[Command::InitDb as u8], schema.as_slice()].concat();
            self.wire.restart_sequence();
            self.wire.queue(&payload);
        }
        if let Some(role) = &replay.role {
            self.queue_query(&[b"SET ROLE ", role.as_slice()].concat());
        }
        if let Some(set) = &replay.set {
            self.queue_query(set);
        }
    }

    /// Reads the answers to what was queued.
    ///
    /// # Errors
    /// As [`crate::backend::Connection::read_answer`]; after any of them the connection is of no
    /// use, since answers may be outstanding.
    pub(super) async fn read_replay(&mut self, replay: &Replay) -> Result<(), ConnectError> {
        if replay.reset {
            self.read_answer(Command::ResetConnection).await?;
            self.read_answer(Command::Query).await?;
        }
        if replay.schema.is_some() {
            self.read_answer(Command::InitDb).await?;
        }
        for _ in replay.role.iter().chain(&replay.set) {
            self.read_answer(Command::Query).await?;
        }
        Ok(())
    }
}

/// What may keep a connection from ever reaching a session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreachable;

impl SessionState {
    /// As right after login.
    pub(super) fn after_login(collation: u8, schema: Option<Vec<u8>>) -> Self {
        Self {
            baseline: Baseline::Login { collation },
            schema,
            variables: Variables::new(),
            names: false,
            role: None,
        }
    }

    /// As right after COM_RESET_CONNECTION, which keeps the schema and the roles.
    pub(super) fn reset(&mut self) {
        self.baseline = Baseline::Reset;
        self.variables.clear();
        self.names = false;
    }

    /// Is it what the connection was told, word for word? So it is before nearly every statement.
    pub(super) fn is_on(&self, connection: &ConnectionState) -> bool {
        !connection.unknown
            && self.baseline == connection.baseline
            && self.names == connection.names
            && self.schema == connection.schema
            && self.role == connection.role
            && self.variables == connection.variables
    }

    /// The state of a connection that was told all of it.
    pub(super) fn on_connection(&self) -> ConnectionState {
        ConnectionState {
            baseline: self.baseline,
            schema: self.schema.clone(),
            variables: self.variables.clone(),
            names: self.names,
            role: self.role.clone(),
            unknown: false,
        }
    }
}

/// What `connection` has to be told so that it is as `session` is.
///
/// # Errors
/// [`Unreachable`] where no replay leads there: a session that begins at a login's character set
/// can't be served by a connection that was reset, or without a schema by one that has one.
pub(super) fn diff(
    session: &SessionState,
    connection: &ConnectionState,
) -> Result<Replay, Unreachable> {
    if session.is_on(connection) {
        return Ok(Replay::default());
    }
    let stray = connection
        .variables
        .keys()
        .any(|name| !session.variables.contains_key(name));
    let reset = connection.unknown || stray || session.baseline != connection.baseline;
    if reset && session.baseline != Baseline::Reset {
        return Err(Unreachable);
    }
    let schema = match (&session.schema, &connection.schema) {
        (Some(wanted), had) if had.as_ref() != Some(wanted) => Some(wanted.clone()),
        (None, Some(_)) => return Err(Unreachable),
        _ => None,
    };
    let stale = |name: &str| {
        let wanted = session.variables.get(name);
        wanted.is_some() && (reset || connection.variables.get(name) != wanted)
    };
    // Those that depend on each other stand in FOLLOWED, in their order.
    let others = session.variables.keys().map(|name| &**name);
    let others = others.filter(|name| !is_followed(name.as_bytes()));
    let names = FOLLOWED.iter().copied().chain(others);
    let by_names = names_clause(session).filter(|_| {
        reset || session.names != connection.names || NAMES.iter().any(|name| stale(name))
    });
    let named = by_names.is_some();
    let rest = names.filter(|name| stale(name) && !(named && NAMES.contains(name)));
    let rest = rest.filter_map(|name| Some((name, session.variables.get(name)?.as_slice())));
    let set = set_statement(by_names, rest);
    let role = match (&session.role, &connection.role) {
        (Some(wanted), had) if had.as_ref() != Some(wanted) => Some(wanted.clone()),
        (None, Some(_)) => return Err(Unreachable),
        _ => None,
    };
    Ok(Replay {
        reset,
        schema,
        set,
        role,
    })
}

/// What SET NAMES sets.
const NAMES: [&str; 4] = [
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// `NAMES … COLLATE …`, if that is how the session got its character sets.
fn names_clause(session: &SessionState) -> Option<Vec<u8>> {
    let [client, connection, results, collation] =
        NAMES.map(|name| session.variables.get(name).filter(is_name));
    let (charset, collation) = (client?, collation?);
    let same = session.names && connection? == charset && results? == charset;
    same.then(|| {
        let parts = [b"NAMES ", charset.as_slice(), b" COLLATE ", collation];
        parts.concat()
    })
}

/// Can it stand in SQL as it is?
fn is_name(value: &&Vec<u8>) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !value.is_empty() && value.iter().all(plain)
}

/// One SET for all of them, in the order in which they come; `None` for none.
fn set_statement<'a>(
    first: Option<Vec<u8>>,
    variables: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Option<Vec<u8>> {
    let mut sql = first.map_or(Vec::new(), |first| [b"SET ", first.as_slice()].concat());
    for (name, value) in variables {
        sql.extend_from_slice(if sql.is_empty() { b"SET " } else { b", " });
        sql.extend_from_slice(b"@@session.");
        sql.extend_from_slice(name.as_bytes());
        sql.push(b'=');
        put_value(&mut sql, name, value);
    }
    (!sql.is_empty()).then_some(sql)
}

/// Numbers bare, since MySQL refuses a quoted one; everything else as hexadecimal text, which no
/// character set and no sql_mode reads in another way.
fn put_value(sql: &mut Vec<u8>, name: &str, value: &[u8]) {
    let numeric = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if value.is_empty() && name == "character_set_results" {
        sql.extend_from_slice(b"NULL");
    } else if name == "system_versioning_asof" && value == b"DEFAULT" {
        // MariaDB's word for no time at all, which it takes as a keyword only.
        sql.extend_from_slice(value);
    } else if !value.is_empty() && value.iter().all(numeric) {
        sql.extend_from_slice(value);
    } else {
        sql.extend_from_slice(b"_utf8mb4 X'");
        for byte in value {
            sql.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        sql.push(b'\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(variables: &[(&str, &str)]) -> SessionState {
        let mut state = SessionState::after_login(45, Some(b"app".to_vec()));
        for (name, value) in variables {
            state
                .variables
                .insert((*name).into(), value.as_bytes().to_vec());
        }
        state
    }

    fn fresh() -> ConnectionState {
        ConnectionState::after_login(45, Some(b"app".to_vec()))
    }

    #[test]
    fn equal_states_need_no_replay() {
        assert_eq!(diff(&session(&[]), &fresh()), Ok(Replay::default()));
    }

    #[test]
    fn only_what_differs_is_set() {
        let session = session(&[("sql_select_limit", "7"), ("time_zone", "+01:00")]);
        let mut connection = fresh();
        connection
            .variables
            .insert("time_zone".into(), b"+01:00".to_vec());
        let replay = diff(&session, &connection).expect("reachable");
        assert_eq!(
            replay.set.as_deref(),
            Some(&b"SET @@session.sql_select_limit=7"[..])
        );
    }

    #[test]
    fn text_is_written_so_that_no_mode_can_misread_it() {
        let session = session(&[("time_zone", "'x")]);
        let replay = diff(&session, &fresh()).expect("reachable");
        let expected = &b"SET @@session.time_zone=_utf8mb4 X'2778'"[..];
        assert_eq!(replay.set.as_deref(), Some(expected));
    }

    #[test]
    fn what_set_names_has_set_is_set_by_names_again() {
        let mut session = session(&[
            ("character_set_client", "latin1"),
            ("character_set_connection", "latin1"),
            ("character_set_results", "latin1"),
            ("collation_connection", "latin1_bin"),
            ("time_zone", "+01:00"),
        ]);
        session.names = true;
        let replay = diff(&session, &fresh()).expect("reachable");
        let set = String::from_utf8(replay.set.unwrap()).unwrap();
        assert!(set.starts_with("SET NAMES latin1 COLLATE latin1_bin, @@session.time_zone="));
        let told = session.on_connection();
        assert_eq!(diff(&session, &told), Ok(Replay::default()));
        session
            .variables
            .insert("character_set_results".into(), b"".to_vec());
        let replay = diff(&session, &fresh()).expect("reachable");
        let set = String::from_utf8(replay.set.unwrap()).unwrap();
        assert!(!set.contains("NAMES"), "{set}");
    }

    #[test]
    fn results_without_a_character_set_are_null() {
        let session = session(&[("character_set_results", "")]);
        let replay = diff(&session, &fresh()).expect("reachable");
        let expected = &b"SET @@session.character_set_results=NULL"[..];
        assert_eq!(replay.set.as_deref(), Some(expected));
    }

    #[test]
    fn no_time_of_system_versioning_is_a_keyword_and_a_time_is_text() {
        for (value, written) in [("DEFAULT", "DEFAULT"), ("x", "_utf8mb4 X'78'")] {
            let session = session(&[("system_versioning_asof", value)]);
            let replay = diff(&session, &fresh()).expect("reachable");
            let expected = format!("SET @@session.system_versioning_asof={written}");
            assert_eq!(replay.set, Some(expected.into_bytes()));
        }
    }

    #[test]
    fn a_stray_variable_needs_a_reset() {
        let mut connection = fresh();
        connection.variables.insert("sql_mode".into(), Vec::new());
        assert_eq!(diff(&session(&[]), &connection), Err(Unreachable));
        let mut session = session(&[]);
        session.reset();
        let replay = Replay {
            reset: true,
            ..Replay::default()
        };
        assert_eq!(diff(&session, &connection), Ok(replay));
    }

    #[test]
    fn a_reset_connection_can_not_go_back_to_a_login() {
        let mut connection = fresh();
        connection.reset();
        assert_eq!(diff(&session(&[]), &connection), Err(Unreachable));
    }

    #[test]
    fn the_schema_follows() {
        let mut session = session(&[]);
        session.schema = Some(b"other".to_vec());
        let replay = diff(&session, &fresh()).expect("reachable");
        assert_eq!(replay.schema.as_deref(), Some(&b"other"[..]));
        session.schema = None;
        assert_eq!(diff(&session, &fresh()), Err(Unreachable));
    }
}
