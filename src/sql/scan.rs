//! Reading one statement, token by token, for everything in it that decides where it may run.

use smallvec::SmallVec;

use super::facts::{Facts, Keyword, is, is_instance_schema, is_one_of};
use super::functions::{Call, call, is_space_sensitive};
use super::items;
use super::lexer::{Lexer, Token};
use super::marks::Marks;
use super::own::is_own;

/// So many tokens from the start are kept.
const HEAD: usize = 12;

/// A statement that calls more unknown functions than this is not looked into.
const FUNCTION_LIMIT: usize = 8;

/// One statement, read to its end.
#[derive(Debug, Default)]
pub(super) struct Scan<'a> {
    /// Its first tokens, without parentheses before them.
    pub(super) head: SmallVec<[Token<'a>; HEAD]>,
    /// How many tokens it has, without parentheses before them.
    pub(super) count: usize,
    /// It begins with a parenthesis.
    pub(super) parenthesised: bool,
    /// What was found.
    pub(super) facts: Facts,
    /// Stored functions that it calls, as [`Class::ReadWithFunctions`](super::Class) has them.
    pub(super) functions: SmallVec<[String; 2]>,
    /// State that it may leave.
    pub(super) leaves: Marks,
}

/// A statement in the course of being read.
struct Reading<'a> {
    scan: Scan<'a>,
    /// The tokens before, the last one first.
    before: [Token<'a>; 3],
    /// Behind `@@`, where the variable's name is due.
    names_variable: bool,
    /// Words with a parenthesis behind them are calls from now on.
    tracks_calls: bool,
    /// They are from a list of values on.
    tracks_values: bool,
    depth: usize,
    named: Named,
    /// A parenthesis follows the token before at once.
    touches: bool,
}

/// How far a name with a parenthesis, the last of the functions at this index, looks like that of
/// a common table expression.
#[derive(Clone, Copy)]
enum Named {
    No,
    /// Inside the parenthesis, whose content has this depth.
    Open {
        index: usize,
        depth: usize,
    },
    /// Behind it.
    Closed {
        index: usize,
    },
    /// Behind the AS that follows.
    As {
        index: usize,
    },
}

impl<'a> Scan<'a> {
    /// Reads up to the end of the statement; its semicolon is taken as well.
    pub(super) fn of(lexer: &mut Lexer<'a>) -> Self {
        let mut reading = Reading {
            scan: Scan::default(),
            before: [Token::Mark(b';'); 3],
            names_variable: false,
            tracks_calls: false,
            tracks_values: false,
            depth: 0,
            named: Named::No,
            touches: false,
        };
        while let Some(token) = lexer.next() {
            if token == Token::Mark(b';') {
                break;
            }
            reading.take(token);
            reading.touches = lexer.touches_parenthesis();
        }
        reading.take(Token::Mark(b';'));
        reading.scan
    }

    /// The word at a place, in the head.
    pub(super) fn word(&self, at: usize) -> &'a [u8] {
        match self.head.get(at) {
            Some(Token::Word(word)) => word,
            _ => b"",
        }
    }

    /// Is the word at a place this one?
    pub(super) fn is(&self, at: usize, keyword: &str) -> bool {
        is(self.word(at), keyword)
    }
}

impl<'a> Reading<'a> {
    fn take(&mut self, token: Token<'a>) {
        let started = !self.scan.head.is_empty();
        if !started && token == Token::Mark(b'(') {
            self.scan.parenthesised = true;
            return;
        }
        if token != Token::Mark(b';') {
            if !started {
                self.begin(token);
            }
            self.scan.count += 1;
            if self.scan.head.len() < HEAD {
                self.scan.head.push(token);
            }
        }
        self.after_verb(token);
        self.name_of_variable(token);
        self.named(token);
        match token {
            Token::Word(word) => self.word(word),
            Token::Quoted(name) => self.name(name),
            Token::Mark(b'(') => self.open(),
            Token::Mark(b')') => self.depth = self.depth.saturating_sub(1),
            Token::SystemVariable => self.names_variable = true,
            Token::UserVariable(_) => self.add(Facts::USER_VARIABLE),
            // Behind a system variable it is only SET's other equals sign.
            Token::Assign if leaves_variable(self.before[0]) => {
                self.scan.leaves |= Marks::USER_VARIABLE;
            }
            Token::Broken => self.add(Facts::BROKEN),
            Token::Assign | Token::Literal | Token::Number(_) | Token::Mark(_) => {}
        }
        let [last, second, _] = self.before;
        self.before = [token, last, second];
    }

    fn add(&mut self, facts: Facts) {
        self.scan.facts |= facts;
    }

    /// What the first word says about where calls may stand.
    fn begin(&mut self, token: Token<'a>) {
        let Token::Word(word) = token else {
            return;
        };
        // In these a parenthesis also stands behind the names of tables, columns and types.
        let defines = ["CREATE", "ALTER", "DROP", "RENAME", "GRANT", "REVOKE"];
        self.tracks_values = is_one_of(&["INSERT", "REPLACE", "LOAD"], word);
        self.tracks_calls = !self.tracks_values && !is_one_of(&defines, word);
        if is(word, "TABLE") || is(word, "WITH") {
            self.add(Facts::TABLES);
        }
    }

    /// What the word before means, now that it is known what follows.
    fn after_verb(&mut self, token: Token<'a>) {
        let [Token::Word(verb), before, _] = self.before else {
            return;
        };
        if before == Token::Mark(b'.') {
            return;
        }
        let word = match token {
            Token::Word(word) => word,
            _ => b"",
        };
        if is(verb, "INTO") {
            match token {
                _ if leaves_variable(token) => self.scan.leaves |= Marks::USER_VARIABLE,
                Token::UserVariable(_) => {}
                _ if is_one_of(&["OUTFILE", "DUMPFILE"], word) => self.add(Facts::FILE),
                _ => self.add(Facts::INTO),
            }
        } else if is(verb, "FOR") {
            match token {
                // NEXT VALUE FOR s, PREVIOUS VALUE FOR s (MariaDB).
                _ if matches!(before, Token::Word(before) if is(before, "VALUE")) => {
                    self.stored(None, b"NEXTVAL");
                }
                _ if is_one_of(&["UPDATE", "SHARE"], word) => self.add(Facts::LOCKING),
                // A read of rows as they were (MariaDB).
                _ if is(word, "SYSTEM_TIME") => {}
                // SUBSTRING(a FROM 1 FOR 2), hints for an index, a column of JSON_TABLE().
                Token::Literal | Token::Number(_) | Token::Mark(b'?') => {}
                _ if is_one_of(&["JOIN", "ORDER", "GROUP", "ORDINALITY"], word) => {}
                _ => self.add(Facts::ODD),
            }
        } else if is_one_of(&["INSERT", "REPLACE"], verb) && token != Token::Mark(b'(') {
            self.add(Facts::WRITES);
        }
    }

    fn name_of_variable(&mut self, token: Token<'a>) {
        if !self.names_variable || token == Token::Mark(b'.') {
            return;
        }
        let (Token::Word(name) | Token::Quoted(name)) = token else {
            self.names_variable = false;
            return self.add(Facts::INSTANCE);
        };
        if is_one_of(
            &["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"],
            name,
        ) {
            return;
        }
        self.names_variable = false;
        self.add(if is_one_of(&["WARNING_COUNT", "ERROR_COUNT"], name) {
            Facts::LAST_STATEMENT | Facts::DIAGNOSTICS
        } else if is_one_of(&["IDENTITY", "LAST_INSERT_ID"], name) {
            Facts::CONNECTION
        } else if is(name, "PSEUDO_THREAD_ID") {
            Facts::INSTANCE | Facts::THREAD
        } else {
            Facts::INSTANCE
        });
    }

    /// `name (…) AS (` declares a common table expression, and calls nothing.
    fn named(&mut self, token: Token<'a>) {
        self.named = match (self.named, token) {
            (Named::Open { index, depth }, Token::Mark(b')')) if depth == self.depth => {
                Named::Closed { index }
            }
            (open @ Named::Open { .. }, _) => open,
            (Named::Closed { index }, Token::Word(word)) if is(word, "AS") => Named::As { index },
            (Named::As { index }, Token::Mark(b'(')) => {
                self.scan.functions.remove(index);
                Named::No
            }
            _ => Named::No,
        };
    }

    fn word(&mut self, word: &'a [u8]) {
        self.tracking(word);
        if is_one_of(items::PROCESS_TABLES, word) {
            self.add(Facts::THREAD);
        }
        if is_instance_schema(word) {
            self.add(Facts::INSTANCE);
        }
        // Behind a dot every word is an identifier, and FOR UPDATE writes nothing.
        match self.before[0] {
            Token::Mark(b'.') => {
                // MariaDB in Oracle's mode: it takes the next number.
                if is(word, "NEXTVAL") {
                    self.add(Facts::ODD);
                }
                return;
            }
            Token::Word(before) if is(before, "FOR") => return,
            _ => {}
        }
        match Keyword::of(word) {
            Some(Keyword::Fact(Facts::RETURNING)) if self.depth > 0 => {}
            // LOAD DATA … CHARACTER SET x … LINES (columns).
            Some(Keyword::Values) if self.is_behind("CHARACTER") => {}
            Some(Keyword::Fact(facts)) => {
                self.add(facts);
                self.tracks_calls |= facts.has(Facts::QUERY);
            }
            Some(Keyword::Values) => self.tracks_calls |= self.tracks_values,
            None => {}
        }
    }

    fn is_behind(&self, keyword: &str) -> bool {
        matches!(self.before[0], Token::Word(before) if is(before, keyword))
    }

    fn name(&mut self, name: &'a [u8]) {
        self.tracking(name);
        if is_one_of(items::PROCESS_TABLES, name) {
            self.add(Facts::THREAD);
        }
        if is_instance_schema(name) {
            self.add(Facts::INSTANCE);
        }
    }

    fn tracking(&mut self, name: &[u8]) {
        const TRACKING: &[u8] = b"session_track_";
        let start = name.get(..TRACKING.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(TRACKING))
            || is_one_of(&["SESSION_VARIABLES", "VARIABLES_BY_THREAD"], name)
        {
            self.add(Facts::TRACKING);
        }
    }

    /// A parenthesis that may belong to a call.
    fn open(&mut self) {
        self.depth += 1;
        if !self.tracks_calls {
            return;
        }
        match self.before {
            // `AS alias (columns)`, and a type behind CAST(… AS.
            [_, Token::Word(word), _] if is(word, "AS") => {}
            [
                Token::Word(name) | Token::Quoted(name),
                Token::Mark(b'.'),
                schema,
            ] => {
                let (Token::Word(schema) | Token::Quoted(schema)) = schema else {
                    return self.add(Facts::ODD);
                };
                self.stored(Some(schema), name);
            }
            [Token::Word(name), ..] if !self.touches && is_space_sensitive(name) => {
                self.stored(None, name);
            }
            [Token::Word(name), ..] => self.call(name),
            // `f` (…) may call a stored function of that name.
            [Token::Quoted(name), ..] => self.stored(None, name),
            _ => {}
        }
    }

    fn call(&mut self, name: &'a [u8]) {
        match call(name) {
            Call::Pure => {}
            Call::TakeUserLock => {
                self.add(Facts::USER_LOCK);
                self.scan.leaves |= Marks::USER_LOCK;
            }
            Call::ReleaseUserLocks => self.add(Facts::USER_LOCK | Facts::RELEASES_ALL),
            Call::UserLock => self.add(Facts::USER_LOCK),
            Call::LastInsertId => {
                self.add(Facts::CONNECTION);
                self.scan.leaves |= Marks::LAST_INSERT_ID;
            }
            Call::Connection => self.add(match is(name, "CONNECTION_ID") {
                true => Facts::CONNECTION | Facts::THREAD,
                false => Facts::CONNECTION,
            }),
            Call::LastStatement => self.add(match is(name, "ROW_COUNT") {
                true => Facts::LAST_STATEMENT | Facts::ROW_COUNT,
                false => Facts::LAST_STATEMENT | Facts::FOUND_ROWS,
            }),
            Call::Instance => self.add(Facts::INSTANCE),
            Call::Stored => self.stored(None, name),
        }
    }

    fn stored(&mut self, schema: Option<&[u8]>, name: &[u8]) {
        let plain = |name: &[u8]| {
            let odd = name.iter().any(|byte| matches!(byte, b'`' | b'"' | b'.'));
            String::from_utf8(name.to_vec()).ok().filter(|_| !odd)
        };
        let name = match schema {
            Some(schema) => plain(schema)
                .zip(plain(name))
                .map(|(schema, name)| format!("{schema}.{name}")),
            None => plain(name),
        };
        match name {
            Some(name) if self.scan.functions.len() < FUNCTION_LIMIT => {
                self.named = Named::Open {
                    index: self.scan.functions.len(),
                    depth: self.depth,
                };
                self.scan.functions.push(name);
            }
            _ => self.add(Facts::ODD),
        }
    }
}

/// A user variable that stays on its connection: the session keeps those of Tidegate's own.
fn leaves_variable(token: Token<'_>) -> bool {
    matches!(token, Token::UserVariable(name) if !is_own(name))
}
