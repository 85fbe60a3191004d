//! One thing that a client does, in a notation that fits into a line.

use std::fmt::Write;

/// One thing that a client does. Prepared statements are counted as they come, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// COM_QUERY; `{s}` is the schema of its side.
    Sql(String),
    /// COM_INIT_DB.
    InitDb(String),
    /// COM_RESET_CONNECTION.
    Reset,
    /// COM_STMT_PREPARE.
    Prepare(String),
    /// COM_STMT_EXECUTE with these values, with their types or without, with a cursor or without.
    Execute {
        nth: usize,
        values: Vec<Option<String>>,
        types: bool,
        cursor: bool,
    },
    /// COM_STMT_FETCH of two rows.
    Fetch(usize),
    /// COM_STMT_SEND_LONG_DATA for the first parameter.
    Long(usize, String),
    /// COM_STMT_RESET.
    ResetPrepared(usize),
    /// COM_STMT_CLOSE.
    Close(usize),
}

impl Step {
    /// As it is written in a table: `#` begins what is no SQL.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Sql(sql) => sql.clone(),
            Self::InitDb(name) => format!("#use {name}"),
            Self::Reset => "#reset".to_owned(),
            Self::Prepare(sql) => format!("#prepare {sql}"),
            Self::Execute {
                nth,
                values,
                types,
                cursor,
            } => {
                let how = match (types, cursor) {
                    (true, false) => "execute",
                    (true, true) => "open",
                    (false, false) => "again",
                    (false, true) => "reopen",
                };
                let mut line = format!("#{how} {nth}");
                for value in values {
                    let value = value.as_deref().unwrap_or("NULL");
                    write!(line, " {value}").unwrap();
                }
                line
            }
            Self::Fetch(nth) => format!("#fetch {nth}"),
            Self::Long(nth, value) => format!("#long {nth} {value}"),
            Self::ResetPrepared(nth) => format!("#forget {nth}"),
            Self::Close(nth) => format!("#close {nth}"),
        }
    }
}

/// Reads a line again.
pub(crate) fn parse(line: &str) -> Step {
    let Some(rest) = line.strip_prefix('#') else {
        return Step::Sql(line.to_owned());
    };
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut words = rest.split(' ');
    let mut nth = || words.next().unwrap().parse().expect(line);
    match word {
        "use" => Step::InitDb(rest.to_owned()),
        "reset" => Step::Reset,
        "prepare" => Step::Prepare(rest.to_owned()),
        "fetch" => Step::Fetch(nth()),
        "long" => Step::Long(nth(), words.next().unwrap().to_owned()),
        "forget" => Step::ResetPrepared(nth()),
        "close" => Step::Close(nth()),
        "execute" | "open" | "again" | "reopen" => {
            let nth = nth();
            let value = |word: &str| (word != "NULL").then(|| word.to_owned());
            Step::Execute {
                nth,
                values: words.map(value).collect(),
                types: matches!(word, "execute" | "open"),
                cursor: matches!(word, "open" | "reopen"),
            }
        }
        _ => panic!("no step: {line}"),
    }
}

/// A sequence as a person reads it.
pub(crate) fn show(steps: &[Step]) -> String {
    let lines: Vec<String> = steps
        .iter()
        .map(|step| format!("    {:?},", step.line()))
        .collect();
    lines.join("\n")
}

#[test]
fn a_line_reads_back_as_the_step_that_it_shows() {
    for line in [
        "SELECT 1",
        "#use {s}",
        "#reset",
        "#prepare SELECT ?",
        "#execute 0 a NULL",
        "#again 1",
        "#open 0",
        "#reopen 0 x",
        "#fetch 2",
        "#long 0 abc",
        "#forget 0",
        "#close 1",
    ] {
        assert_eq!(parse(line).line(), line);
    }
}
