//! What can be asked for on the console: from the text to one of a closed set.

use super::words::{Word, bare, words};
use crate::routing::Reads;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A table.
    Show(Show, Option<String>),
    /// Where a statement would run, for a new session of this account.
    Explain {
        /// Whose level and scope count.
        user: String,
        /// The statement.
        sql: String,
    },
    /// Moves the switch for reads.
    SetReads(Reads),
    /// Lets a backend get no new reads, or again some.
    Drain(String, bool),
    /// Reads the configuration again.
    Reload,
    /// Ends a client's session.
    Kill(u64),
    /// Lists the commands.
    Help,
    /// What drivers ask for when they connect: variables by the names of the columns.
    Select(Vec<(String, Option<String>)>),
    /// What drivers say when they connect, and what means nothing here.
    Nothing,
    /// The end.
    Quit,
}

/// A table that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// The backends and what is known of them.
    Backends,
    /// The clients.
    Sessions,
    /// How busy the backends are.
    Pool,
    /// Every metric.
    Stats,
    /// Every key of the configuration.
    Config,
    /// How many statements ran where, and why.
    Reasons,
    /// The switch for reads.
    Reads,
    /// Nothing, which is what drivers expect.
    Empty,
}

/// What a driver may ask for, and its answer.
const KNOWN: &[(&str, &str)] = &[
    (
        "version_comment",
        "Tidegate console: SHOW HELP lists the commands",
    ),
    ("version", super::VERSION),
    ("max_allowed_packet", "65536"),
    ("wait_timeout", "28800"),
    ("interactive_timeout", "28800"),
    ("net_write_timeout", "60"),
    ("auto_increment_increment", "1"),
    ("autocommit", "1"),
    ("lower_case_table_names", "0"),
    ("sql_mode", ""),
    ("system_time_zone", "UTC"),
    ("time_zone", "SYSTEM"),
    ("transaction_isolation", "REPEATABLE-READ"),
    ("tx_isolation", "REPEATABLE-READ"),
    ("character_set_client", "utf8mb4"),
    ("character_set_connection", "utf8mb4"),
    ("character_set_results", "utf8mb4"),
    ("character_set_server", "utf8mb4"),
    ("collation_server", "utf8mb4_0900_ai_ci"),
    ("collation_connection", "utf8mb4_0900_ai_ci"),
    ("init_connect", ""),
    ("license", "Apache-2.0"),
    ("performance_schema", "0"),
];

impl Command {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = bare(text);
        let words = words(text).ok_or("a quote does not end")?;
        let Some((verb, rest)) = words.split_first() else {
            return Ok(Self::Nothing);
        };
        let verb = verb.text().unwrap_or_default().to_ascii_lowercase();
        match (verb.as_str(), rest) {
            ("help", _) => Ok(Self::Help),
            ("quit" | "exit", []) => Ok(Self::Quit),
            ("reload", []) => Ok(Self::Reload),
            // The mysql client keeps HELP to itself.
            ("show", [what]) if what.is("help") => Ok(Self::Help),
            ("show", rest) => show(rest),
            ("explain", rest) => explain(text, rest),
            ("set", [name, rest @ ..]) if name.is("reads") => set_reads(rest),
            ("drain" | "undrain", [name]) => {
                let name = name.text().ok_or("expected a backend's name")?;
                Ok(Self::Drain(name.to_owned(), verb == "drain"))
            }
            ("drain" | "undrain", _) => Err(format!("expected {} 'backend'", verb.to_uppercase())),
            ("kill", rest) => kill(rest),
            ("select", rest) => select(rest)
                .map(Self::Select)
                .ok_or_else(|| HELP.to_owned()),
            ("set" | "use" | "begin" | "start" | "commit" | "rollback", _) => Ok(Self::Nothing),
            _ => Err(HELP.to_owned()),
        }
    }
}

const HELP: &str = "SHOW HELP lists the commands";

fn show(rest: &[Word]) -> Result<Command, String> {
    let (what, like) = match rest {
        [what] => (what, None),
        [what, like, pattern] if like.is("like") => (what, pattern.text().map(str::to_owned)),
        // SHOW SESSION VARIABLES, SHOW FULL TABLES FROM x
        [first, ..] if ["session", "global", "full"].iter().any(|it| first.is(it)) => {
            return Ok(Command::Show(Show::Empty, None));
        }
        [what, ..]
            if ["variables", "tables", "columns"]
                .iter()
                .any(|it| what.is(it)) =>
        {
            return Ok(Command::Show(Show::Empty, None));
        }
        _ => return Err(SHOWN.to_owned()),
    };
    let tables = [
        ("backends", Show::Backends),
        ("sessions", Show::Sessions),
        ("processlist", Show::Sessions),
        ("pool", Show::Pool),
        ("stats", Show::Stats),
        ("status", Show::Stats),
        ("config", Show::Config),
        ("reasons", Show::Reasons),
        ("reads", Show::Reads),
        ("warnings", Show::Empty),
        ("variables", Show::Empty),
        ("databases", Show::Empty),
        ("tables", Show::Empty),
        ("collation", Show::Empty),
    ];
    let table = tables.iter().find(|(name, _)| what.is(name));
    let (_, table) = table.ok_or(SHOWN)?;
    Ok(Command::Show(*table, like))
}

const SHOWN: &str =
    "SHOW takes BACKENDS, SESSIONS, POOL, STATS, CONFIG, REASONS or READS, and LIKE 'pattern'";

fn explain(text: &str, rest: &[Word]) -> Result<Command, String> {
    let expected = "expected EXPLAIN 'statement' or EXPLAIN AS 'user' 'statement'";
    let (user, sql) = match rest {
        [sql @ Word::Quoted(_)] => ("", sql.text()),
        [as_, user, sql @ Word::Quoted(_)] if as_.is("as") => {
            (user.text().unwrap_or_default(), sql.text())
        }
        [] => return Err(expected.to_owned()),
        [as_, ..] if as_.is("as") => return Err(expected.to_owned()),
        _ => (
            "",
            text.split_once(char::is_whitespace)
                .map(|(_, sql)| sql.trim()),
        ),
    };
    Ok(Command::Explain {
        user: user.to_owned(),
        sql: sql.ok_or(expected)?.to_owned(),
    })
}

fn set_reads(rest: &[Word]) -> Result<Command, String> {
    let word = match rest {
        [Word::Sign('='), word] | [word] => word.text().unwrap_or_default(),
        _ => "",
    };
    let reads = word.to_ascii_lowercase().parse();
    reads
        .map(Command::SetReads)
        .map_err(|choices| format!("SET READS: {choices}"))
}

fn kill(rest: &[Word]) -> Result<Command, String> {
    let id = match rest {
        [kind, id] if kind.is("connection") || kind.is("session") => id.text(),
        [id] => id.text(),
        _ => None,
    };
    id.and_then(|id| id.parse().ok())
        .map(Command::Kill)
        .ok_or_else(|| "expected KILL and the id of a session".to_owned())
}

/// The columns of a SELECT of variables and of numbers, and their values as far as they are known.
/// `None` for anything else: the mysql client asks for `select $$` to get an error.
fn select(rest: &[Word]) -> Option<Vec<(String, Option<String>)>> {
    let mut columns = Vec::new();
    let until = rest
        .iter()
        .position(|word| word.is("limit") || word.is("from"));
    let listed = rest.get(..until.unwrap_or(rest.len())).unwrap_or_default();
    for item in listed.split(|word| *word == Word::Sign(',')) {
        let value = item.first()?;
        let text = value.text()?;
        let name = match item {
            [_, as_, name] if as_.is("as") => name.text().unwrap_or_default(),
            [_, name @ (Word::Bare(_) | Word::Quoted(_))] => name.text().unwrap_or_default(),
            _ => text,
        };
        let answer = match value {
            Word::Bare(text) if text.starts_with('@') => known(text),
            Word::Bare(word) if item.len() > 2 && word.eq_ignore_ascii_case("version") => {
                Some(super::VERSION)
            }
            Word::Bare(text) if text.parse::<f64>().is_err() => None,
            _ => Some(text),
        };
        columns.push((name.to_owned(), answer.map(str::to_owned)));
    }
    Some(columns)
}

fn known(variable: &str) -> Option<&'static str> {
    let name = variable.trim_start_matches('@').to_ascii_lowercase();
    let name = name
        .strip_prefix("session.")
        .or(name.strip_prefix("global."))
        .unwrap_or(&name);
    let found = KNOWN.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case_and_with_any_quotes() {
        let parse = |text: &str| Command::parse(text).unwrap();
        assert_eq!(parse("show backends;"), Command::Show(Show::Backends, None));
        let like = Some("tidegate_errors%".to_owned());
        assert_eq!(
            parse("SHOW STATS LIKE 'tidegate_errors%'"),
            Command::Show(Show::Stats, like)
        );
        assert_eq!(
            parse("Set Reads = \"Writer\""),
            Command::SetReads(Reads::Writer)
        );
        assert_eq!(parse("set reads mirror"), Command::SetReads(Reads::Mirror));
        assert_eq!(parse("DRAIN r-1"), Command::Drain("r-1".to_owned(), true));
        assert_eq!(
            parse("undrain `r-1`"),
            Command::Drain("r-1".to_owned(), false)
        );
        assert_eq!(parse("KILL CONNECTION 7"), Command::Kill(7));
        assert_eq!(parse("/* driver */ SET NAMES utf8mb4"), Command::Nothing);
        let explained = |user: &str, sql: &str| Command::Explain {
            user: user.to_owned(),
            sql: sql.to_owned(),
        };
        assert_eq!(parse("EXPLAIN 'SELECT ''a'''"), explained("", "SELECT 'a'"));
        assert_eq!(
            parse("explain as app 'DELETE FROM t'"),
            explained("app", "DELETE FROM t")
        );
        assert_eq!(
            parse("explain select * from t where a = 'x' limit 1;"),
            explained("", "select * from t where a = 'x' limit 1")
        );
    }

    #[test]
    fn what_drivers_ask_for_at_the_start_is_answered() {
        let columns = |text: &str| match Command::parse(text) {
            Ok(Command::Select(columns)) => columns,
            other => panic!("{other:?}"),
        };
        let some = |text: &str| Some(text.to_owned());
        let comment = columns("select @@version_comment limit 1");
        assert_eq!(comment.len(), 1);
        assert!(comment[0].1.as_ref().is_some_and(|it| it.contains("HELP")));
        assert_eq!(
            columns("SELECT @@session.auto_increment_increment AS auto_increment_increment, @@x y"),
            [
                ("auto_increment_increment".to_owned(), some("1")),
                ("y".to_owned(), None)
            ]
        );
        assert_eq!(columns("SELECT 1"), [("1".to_owned(), some("1"))]);
        assert_eq!(
            columns("select version()")[0].1,
            some(super::super::VERSION)
        );
        assert_eq!(columns("select database()")[0].1, None);
    }

    #[test]
    fn what_is_no_command_is_answered_with_those_that_there_are() {
        for (text, part) in [
            ("INSERT INTO t VALUES (1)", "HELP"),
            ("SHOW ME", "SHOW takes BACKENDS"),
            ("SET READS = reader", "split"),
            ("KILL everybody", "KILL and the id"),
            ("DRAIN", "DRAIN 'backend'"),
            ("EXPLAIN", "EXPLAIN 'statement'"),
            ("HELP 'x", "quote"),
            ("select $$", "HELP"),
            ("SELECT", "HELP"),
        ] {
            let error = Command::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
