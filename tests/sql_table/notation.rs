//! Classes in a notation that fits into a table: `class +leaves -ends`.

use tidegate::sql::{Class, LexMode, Marks, Other, Statement, WriterRead, classify};

/// What is expected, and of which statement.
pub(crate) type Row = (&'static str, &'static str);

/// What is expected, and of which statements.
pub(crate) type Rows = &'static [(&'static str, &'static [&'static str])];

const MARKS: &[(Marks, &str)] = &[
    (Marks::USER_VARIABLE, "user_variable"),
    (Marks::TEMPORARY_TABLE, "temporary_table"),
    (Marks::TABLE_LOCKS, "table_locks"),
    (Marks::USER_LOCK, "user_lock"),
    (Marks::HANDLER, "handler"),
    (Marks::ROLE, "role"),
    (Marks::PREPARED, "prepared"),
    (Marks::XA, "xa"),
    (Marks::NEXT_TRANSACTION, "next_transaction"),
    (Marks::SQL_LOG_BIN, "sql_log_bin"),
    (Marks::SESSION_VARIABLE, "session_variable"),
    (Marks::LAST_INSERT_ID, "last_insert_id"),
    (Marks::TIMESTAMP, "timestamp"),
    (Marks::COUNTERS, "counters"),
    (Marks::UNKNOWN, "unknown"),
];

/// What a statement is taken for.
pub(crate) fn shown(sql: &str) -> String {
    show(&classify(sql.as_bytes(), LexMode::default()))
}

pub(crate) fn show(statement: &Statement) -> String {
    let mut text = class(&statement.class);
    for (sign, marks) in [("+", statement.leaves), ("-", statement.ends)] {
        for (mark, name) in MARKS {
            if marks.intersects(*mark) {
                text.push_str(&format!(" {sign}{name}"));
            }
        }
    }
    for name in &statement.sets {
        text.push_str(&format!(" sets {name}"));
    }
    for table in &statement.makes {
        text.push_str(&format!(" makes {}", table.name));
    }
    if statement.names_tracking {
        text.push_str(" tracking");
    }
    text
}

fn class(class: &Class) -> String {
    let snapshot = |taken: &bool| if *taken { " with snapshot" } else { "" };
    match class {
        Class::Read { tables: true } => "read".to_owned(),
        Class::Read { tables: false } => "read of nothing".to_owned(),
        Class::ReadWithFunctions(names) => format!("read with {}", names.join(", ")),
        Class::WriterRead(read) => match read {
            WriterRead::Instance => "instance",
            WriterRead::Locking => "locking",
            WriterRead::UserLock => "user lock",
            WriterRead::UserVariable => "user variable",
            WriterRead::Connection => "connection",
        }
        .to_owned(),
        Class::LastStatement => "last statement".to_owned(),
        Class::Write => "write".to_owned(),
        Class::Other(other) => match other {
            Other::Call => "call",
            Other::Xa => "xa",
            Other::Prepared => "prepared",
            Other::Batch => "batch",
            Other::Unknown => "unknown",
        }
        .to_owned(),
        Class::Set => "set".to_owned(),
        Class::Use => "use".to_owned(),
        Class::Admin => "admin".to_owned(),
        Class::Kill(kill) => format!(
            "kill {}{}",
            if kill.query_only { "query " } else { "" },
            kill.id.map_or("?".to_owned(), |id| id.to_string())
        ),
        Class::Begin {
            consistent_snapshot,
            read_write,
        } => {
            let read_write = if *read_write { " read write" } else { "" };
            format!("begin{read_write}{}", snapshot(consistent_snapshot))
        }
        Class::BeginReadOnly {
            consistent_snapshot,
        } => format!("begin read only{}", snapshot(consistent_snapshot)),
        Class::Commit => "commit".to_owned(),
        Class::Control => "control".to_owned(),
    }
}
