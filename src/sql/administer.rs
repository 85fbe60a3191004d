//! Statements about the server, its sessions and its locks, and those that only show something.

use super::facts::{Facts, is_one_of};
use super::kill::kill;
use super::lexer::Token;
use super::marks::Marks;
use super::scan::Scan;
use super::statement::{Class, IdColumns, Other, Statement, WriterRead};

/// By its first word, in upper case.
pub(super) fn classify(verb: &[u8], scan: &Scan<'_>) -> Statement {
    let connection = Class::WriterRead(WriterRead::Connection);
    let instance = Class::WriterRead(WriterRead::Instance);
    if !scan.functions.is_empty() {
        // KILL f(), HANDLER … WHERE f().
        return Statement::unknown();
    }
    match verb {
        b"SHOW" => show(scan),
        b"GET" => Statement::new(Class::LastStatement).leaving(Marks::USER_VARIABLE),
        b"RESIGNAL" => Statement::new(Class::LastStatement),
        b"SIGNAL" => Statement::new(connection),
        b"HELP" | b"CHECKSUM" => Statement::new(instance),
        b"HANDLER" => Statement::new(connection).leaving(Marks::HANDLER),
        b"KILL" => Statement::new(kill(scan)),
        // Both commit the open transaction, as statements that are not understood may.
        b"LOCK" => {
            Statement::new(Class::Other(Other::Unknown)).leaving(match scan.is(1, "INSTANCE") {
                // No UNLOCK TABLES frees it.
                true => Marks::TABLE_LOCKS | Marks::UNKNOWN,
                false => Marks::TABLE_LOCKS,
            })
        }
        b"UNLOCK" if scan.is(1, "INSTANCE") => Statement::new(Class::Other(Other::Unknown)),
        b"UNLOCK" => Statement {
            ends: Marks::TABLE_LOCKS,
            ..Statement::new(Class::Other(Other::Unknown))
        },
        b"FLUSH" => Statement::new(Class::Admin)
            .leaving(match locks_tables(scan) {
                true => Marks::TABLE_LOCKS,
                false if scan.is(1, "STATUS") || scan.is(2, "STATUS") => Marks::COUNTERS,
                false => Marks::NONE,
            })
            .committing(),
        b"ANALYZE" if is_one_of(&["TABLE", "LOCAL", "NO_WRITE_TO_BINLOG"], scan.word(1)) => {
            Statement::new(Class::Admin).committing()
        }
        // They commit the open transaction; so does CHECK TABLE.
        b"CHECK" | b"OPTIMIZE" | b"REPAIR" | b"CACHE" | b"RESET" | b"PURGE" | b"CHANGE"
        | b"STOP" | b"SHUTDOWN" | b"RESTART" | b"INSTALL" | b"UNINSTALL" | b"CLONE" => {
            Statement::new(Class::Admin).committing()
        }
        _ => Statement::unknown(),
    }
}

/// FLUSH TABLES … WITH READ LOCK, or FOR EXPORT.
fn locks_tables(scan: &Scan<'_>) -> bool {
    scan.facts.has(Facts::LOCKING | Facts::ODD)
}

fn show(scan: &Scan<'_>) -> Statement {
    if scan.facts.has(Facts::USER_LOCK) {
        return Statement::unknown();
    }
    let full = is_one_of(&["FULL", "EXTENDED"], scan.word(1));
    let extended_full = full && scan.is(2, "FULL");
    let at = 1 + usize::from(full) + usize::from(extended_full);
    let what = scan.word(at);
    let leftovers = is_one_of(&["WARNINGS", "ERRORS"], what)
        // SHOW COUNT(*) WARNINGS.
        || is_one_of(&["COUNT"], what) && scan.head.get(at + 1) == Some(&Token::Mark(b'('));
    if leftovers {
        return Statement::new(Class::LastStatement).without_tables();
    }
    if is_one_of(&["PROFILE", "PROFILES"], what) {
        return Statement::new(Class::WriterRead(WriterRead::Connection));
    }
    // The dictionary is replicated; what else a server shows is its own, also the
    // AUTO_INCREMENT in SHOW CREATE TABLE, statistics, and whether an event is enabled.
    let dictionary = ["TABLES", "COLUMNS", "FIELDS", "DATABASES", "SCHEMAS"];
    let created = [
        "DATABASE",
        "SCHEMA",
        "VIEW",
        "PROCEDURE",
        "FUNCTION",
        "TRIGGER",
    ];
    let replicated = is_one_of(&dictionary, what)
        || is_one_of(&["CREATE"], what) && is_one_of(&created, scan.word(at + 1));
    let own = Facts::INSTANCE | Facts::CONNECTION | Facts::LAST_STATEMENT | Facts::USER_VARIABLE;
    if replicated && !scan.facts.has(own) {
        return Statement::new(Class::Read { tables: true });
    }
    let statement = Statement::new(Class::WriterRead(WriterRead::Instance));
    let scoped = is_one_of(&["GLOBAL", "SESSION", "LOCAL"], what);
    let settings = [
        "COLLATION",
        "ENGINES",
        "PLUGINS",
        "PROCESSLIST",
        "STATUS",
        "VARIABLES",
    ];
    let what = if scoped { scan.word(at + 1) } else { what };
    // WHERE may hold a query.
    let tells_nothing = is_one_of(&settings, what) && !scan.facts.has(Facts::TABLES);
    let mut statement = match tells_nothing {
        true => statement.without_tables(),
        false => statement,
    };
    if is_one_of(&["PROCESSLIST"], what) {
        statement.ids = Some(IdColumns::At(vec![0]));
    }
    // Those that track the session are among them.
    statement.names_tracking = is_one_of(&["VARIABLES"], what) && !scan.is(at, "GLOBAL");
    statement
}
