//! Playing a sequence, directly and through Tidegate.

use std::sync::Arc;
use std::time::Duration;

use tidegate::app::Running;
use tidegate::lab::APP;
use tidegate::protocol::track::{self, Change};
use tidegate::protocol::{Capabilities, Command, OkPacket, PrepareOk, Status};
use tidegate::session::PoolPolicy;
use tokio::time::timeout;

use crate::STAGES;
use crate::binary::execution;
use crate::step::Step;
use crate::support::{self, Alone};
use crate::wire::compare::{comparable, same_schema, texts};
use crate::wire::{self, Client, MODERN};

/// Longer than a reader needs for everything that the play before has written.
const CATCH_UP: Duration = Duration::from_secs(300);

/// Longer than any step takes.
const LIMIT: Duration = Duration::from_secs(20);

/// How many kinds of clients there are.
pub(crate) const FORMS: u64 = 3;

/// What a client reads at one step.
type Answer = Result<Vec<Vec<u8>>, String>;

/// A cluster with one reader that keeps up and one that lags, and a Tidegate in front.
#[derive(Clone)]
pub(crate) struct Theatre(Arc<House>);

struct House {
    lab: Alone,
    running: Running,
    port: u16,
}

impl Theatre {
    pub(crate) async fn open(pool: PoolPolicy) -> Self {
        let lab = support::lab_alone().await;
        lab.readers()[0].set_delay(0).await.unwrap();
        lab.writer().execute(fixed()).await.unwrap();
        for stage in 0..STAGES {
            for schema in schemas(stage) {
                lab.writer().execute(scenery(&schema)).await.unwrap();
            }
        }
        assert!(lab.settle(CATCH_UP).await.unwrap());
        let mut config = wire::config(&lab);
        config.session.pool = pool;
        let (running, port) = wire::proxy(config).await;
        Self(Arc::new(House { lab, running, port }))
    }

    pub(crate) async fn close(self) {
        if let Some(house) = Arc::into_inner(self.0) {
            house.running.drain().await;
        }
    }

    /// The first difference between the two ways, if there is one.
    pub(crate) async fn compare(&self, stage: u64, seed: u64, steps: &[Step]) -> Option<String> {
        let [one, other] = schemas(stage);
        let capabilities = form(seed);
        let direct = self
            .play(self.0.lab.writer().port(), &one, capabilities, steps)
            .await;
        let through = self.play(self.0.port, &other, capabilities, steps).await;
        let names = [one.as_str(), other.as_str()];
        for (index, step) in steps.iter().enumerate() {
            let plain = readable(step, direct.get(index), capabilities, names);
            let proxied = readable(step, through.get(index), capabilities, names);
            let prepares = matches!(step, Step::Prepare(_));
            if is_abandoned(through.get(index)) || prepares && is_refused(direct.get(index)) {
                return None;
            }
            let mut answered = steps.iter().zip(&through).take(index).rev();
            let before = answered.find(|(step, answer)| {
                counts(step) && answer.as_ref().is_ok_and(|it| !it.is_empty())
            });
            if before.is_some_and(|(step, answer)| is_own(step, answer)) && reads_diagnostics(step)
            {
                return None;
            }
            if plain != proxied && !(is_refused(through.get(index)) && is_error(direct.get(index)))
            {
                return Some(format!(
                    "step {} {:?}\n  directly  {plain:?}\n  through   {proxied:?}",
                    index + 1,
                    step.line()
                ));
            }
        }
        None
    }

    async fn play(
        &self,
        port: u16,
        schema: &str,
        capabilities: Capabilities,
        steps: &[Step],
    ) -> Vec<Answer> {
        let mut actor = Actor {
            client: Client::connect(port, APP, capabilities).await,
            ids: Vec::new(),
            ahead: Vec::new(),
        };
        // It begins with writes of its own, which readers do not have yet.
        for sql in BEGINNING {
            let done = actor.take(&Step::Sql((*sql).to_owned()), schema).await;
            assert_eq!(done.expect(sql)[0][0], 0, "{sql}");
        }
        let mut answers = Vec::new();
        for step in steps {
            let answer = timeout(LIMIT, actor.take(step, schema)).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer".to_owned()));
            let over = answer.is_err();
            answers.push(answer);
            if over {
                break;
            }
        }
        actor.client.wire.close().await;
        answers
    }
}

/// One client in the course of a sequence.
struct Actor {
    client: Client,
    /// The ids of its prepared statements, as they came; `None` for one that failed.
    ids: Vec<Option<u32>>,
    /// Which of them have a value that came ahead.
    ahead: Vec<usize>,
}

impl Actor {
    async fn take(&mut self, step: &Step, schema: &str) -> Answer {
        let place = |text: &str| text.replace("{s}", schema).into_bytes();
        match step {
            Step::Sql(sql) => self.ask(Command::Query, &place(sql)).await,
            Step::InitDb(name) => self.ask(Command::InitDb, &place(name)).await,
            Step::Reset => self.ask(Command::ResetConnection, &[]).await,
            Step::Prepare(sql) => {
                let mut answer = self.ask(Command::StmtPrepare, &place(sql)).await?;
                let ok = PrepareOk::parse(&answer[0], self.client.capabilities);
                self.ids.push(ok.ok().map(|ok| ok.statement_id));
                // PREPARE as SQL counts there too, and the proxy does not see all of it.
                if answer[0][0] == 0 {
                    answer[0][1..5].fill(0);
                }
                Ok(answer)
            }
            Step::Execute {
                nth,
                values,
                types,
                cursor,
            } => {
                let Some(id) = self.id(*nth) else {
                    return Ok(Vec::new());
                };
                let ahead = self.ahead.contains(nth);
                self.ahead.retain(|one| one != nth);
                let argument = execution(id, values, *types, *cursor, ahead);
                self.ask(Command::StmtExecute, &argument).await
            }
            Step::Fetch(nth) => {
                let Some(id) = self.id(*nth) else {
                    return Ok(Vec::new());
                };
                let argument = [id.to_le_bytes(), 2_u32.to_le_bytes()].concat();
                self.ask(Command::StmtFetch, &argument).await
            }
            Step::Long(nth, value) => {
                if let Some(id) = self.id(*nth) {
                    let argument = [&id.to_le_bytes()[..], &[0, 0], value.as_bytes()].concat();
                    self.client.send(Command::StmtSendLongData, &argument).await;
                    self.ahead.push(*nth);
                }
                Ok(Vec::new())
            }
            Step::ResetPrepared(nth) => {
                let Some(id) = self.id(*nth) else {
                    return Ok(Vec::new());
                };
                self.ahead.retain(|one| one != nth);
                self.ask(Command::StmtReset, &id.to_le_bytes()).await
            }
            Step::Close(nth) => {
                if let Some(id) = self.ids.get_mut(*nth).and_then(Option::take) {
                    self.client
                        .send(Command::StmtClose, &id.to_le_bytes())
                        .await;
                }
                Ok(Vec::new())
            }
        }
    }

    fn id(&self, nth: usize) -> Option<u32> {
        self.ids.get(nth).copied().flatten()
    }

    async fn ask(&mut self, command: Command, argument: &[u8]) -> Answer {
        self.client.send(command, argument).await;
        self.client.try_answer(command).await
    }
}

/// A read-only transaction on a reader can't go on with what only the writer does; its client is
/// told to run it again. What comes after that is another story.
fn is_abandoned(answer: Option<&Answer>) -> bool {
    code(answer) == Some(1213)
}

/// A write in a read-only transaction is refused before anybody looks at it more closely.
fn is_refused(answer: Option<&Answer>) -> bool {
    code(answer) == Some(1792)
}

/// Does it touch the diagnostics?
fn counts(step: &Step) -> bool {
    !matches!(step, Step::InitDb(_))
}

/// Does the proxy answer itself? No backend knows of that in its diagnostics.
fn is_own(step: &Step, answer: &Answer) -> bool {
    matches!(step, Step::ResetPrepared(_))
        || matches!(code(Some(answer)), Some(1243 | 1421 | 1568 | 1792 | 1835))
}

fn reads_diagnostics(step: &Step) -> bool {
    let line = step.line();
    // What it executes may read them.
    matches!(step, Step::Execute { .. })
        || ["WARNINGS", "ERRORS", "_count", "ROW_COUNT"]
            .iter()
            .any(|word| line.contains(word))
}

fn is_error(answer: Option<&Answer>) -> bool {
    code(answer).is_some()
}

/// The number of the error that an answer is.
fn code(answer: Option<&Answer>) -> Option<u16> {
    match answer?.as_ref().ok()?.last()?.as_slice() {
        [0xff, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

/// What may be compared of an answer. Some things may differ besides what [`comparable`] names:
///
/// - An error that names a prepared statement names it by its id, so its text is not compared.
/// - CALL of a procedure that changes no rows repeats the count of rows of the command before.
/// - COM_INIT_DB repeats the count of warnings of the command before, which may have run elsewhere.
/// - What MySQL tells of the state of a transaction, though `session_track_transaction_info` is
///   off, depends on what it has told before on the connection. For clients that read EOF packets
///   the flag in the EOF before the rows is as of then.
/// - A transaction that begins while a read-only one is open counts as read-only as well, in the
///   flags; through the proxy the two may be on two connections.
/// - A function in another schema, or a statement prepared in one, makes the server tell the next
///   statement of the connection which schema is in use, though it did not change.
fn readable(
    step: &Step,
    answer: Option<&Answer>,
    capabilities: Capabilities,
    names: [&str; 2],
) -> Result<Vec<String>, String> {
    let packets = match answer {
        None => return Err("the session was over before".to_owned()),
        Some(Err(error)) => return Err(error.clone()),
        Some(Ok(packets)) => packets,
    };
    let chooses = match step {
        Step::Sql(sql) => sql.starts_with("USE"),
        Step::InitDb(_) => true,
        _ => false,
    };
    let masked = packets.iter().map(|packet| {
        let mut packet = same_schema(packet, names);
        let by_id = [Some(&[0xdb, 4][..]), Some(&[0x8d, 5])].contains(&packet.get(1..3));
        if packet[0] == 0xff && by_id {
            // What is left is the number and the SQLSTATE; in UCS-2 MySQL may leave the text out.
            packet.truncate(9);
        }
        match OkPacket::parse(&packet, capabilities) {
            Ok(ok) if matches!(packet[0], 0x00 | 0xfe) => {
                let mut session = Vec::new();
                let kept = |change: &Change<'_>| match change {
                    Change::Schema(_) => chooses,
                    Change::TransactionState(_) => false,
                    _ => true,
                };
                track::filter(ok.session, &mut session, kept).expect("changes");
                let warnings = match step {
                    Step::InitDb(_) => 0,
                    _ => ok.warnings,
                };
                let affected_rows = match step {
                    Step::Sql(sql) if sql.contains("out1") || sql.contains("modes") => 0,
                    Step::Execute { .. } if packets.len() > 1 => 0,
                    _ => ok.affected_rows,
                };
                let mut out = Vec::new();
                OkPacket {
                    status: Status(ok.status.0 & !Status::IN_TRANS_READONLY.0),
                    affected_rows,
                    warnings,
                    session: &session,
                    ..ok
                }
                .encode(packet[0], capabilities, &mut out);
                out
            }
            _ => packet,
        }
    });
    let mut packets = comparable(masked.collect(), capabilities);
    if let Some((last, before)) = packets.split_last_mut()
        && !capabilities.contains(Capabilities::DEPRECATE_EOF)
    {
        let eofs = before
            .iter_mut()
            .filter(|packet| packet.len() == 5 && packet[0] == 0xfe);
        // An error that comes instead of the rows has no flags of its own.
        let told_at_the_end = (Status::NO_INDEX_USED | Status::NO_GOOD_INDEX_USED).0;
        let unknown = match last.first() {
            Some(0xff) => told_at_the_end.to_le_bytes()[0] | 1,
            _ => 1,
        };
        eofs.for_each(|packet| packet[3] &= !unknown);
        if matches!(step, Step::Prepare(_)) && last.len() == 5 {
            // After an error nobody but the server knows whether it began a transaction.
            last[3] &= !1;
        }
    }
    Ok(texts(&packets))
}

fn form(seed: u64) -> Capabilities {
    let without = |bits: u32| Capabilities(MODERN.0 & !bits);
    match seed % FORMS {
        0 => MODERN,
        1 => without(Capabilities::DEPRECATE_EOF.0),
        _ => without(Capabilities::DEPRECATE_EOF.0 | Capabilities::SESSION_TRACK.0),
    }
}

/// Two schemas whose names differ in one letter.
fn schemas(stage: u64) -> [String; 2] {
    [format!("test_seq{stage}a"), format!("test_seq{stage}b")]
}

/// What every sequence begins with.
const BEGINNING: &[&str] = &[
    "USE {s}",
    "TRUNCATE t",
    "INSERT INTO t (v) VALUES ('one'), ('two'), ('three')",
    "TRUNCATE my",
    "DROP TABLE IF EXISTS made",
    "DROP TABLE IF EXISTS made2",
    "DO 0",
];

/// What is there once.
fn fixed() -> Vec<String> {
    [
        "CREATE ROLE IF NOT EXISTS seq_role",
        "GRANT seq_role TO app",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What is there in each schema.
fn scenery(schema: &str) -> Vec<String> {
    [
        "DROP DATABASE IF EXISTS {s}",
        "CREATE DATABASE {s}",
        "CREATE TABLE {s}.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40), KEY (v))",
        "CREATE TABLE {s}.my (id INT PRIMARY KEY, v VARCHAR(40)) ENGINE = MyISAM",
        "CREATE VIEW {s}.w AS SELECT id, v FROM {s}.t",
        "CREATE FUNCTION {s}.pure(a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1",
        "CREATE FUNCTION {s}.counts() RETURNS INT READS SQL DATA \
         RETURN (SELECT COUNT(*) FROM {s}.t)",
        "CREATE FUNCTION {s}.writes(a INT) RETURNS INT MODIFIES SQL DATA \
         BEGIN INSERT INTO {s}.t (v) VALUES (CONCAT('f', a)); RETURN a; END",
        "CREATE FUNCTION {s}.sets(a INT) RETURNS INT DETERMINISTIC \
         BEGIN SET @seen = a; RETURN a; END",
        "CREATE PROCEDURE {s}.shows() SELECT v FROM {s}.t ORDER BY id",
        "CREATE PROCEDURE {s}.two() BEGIN SELECT 1; SELECT COUNT(*) FROM {s}.t; END",
        "CREATE PROCEDURE {s}.out1(OUT a INT, INOUT b INT) BEGIN SET a = 7; SET b = b + 1; END",
        "CREATE PROCEDURE {s}.adds() INSERT INTO {s}.t (v) VALUES ('p')",
        "CREATE PROCEDURE {s}.fails() BEGIN INSERT INTO {s}.t (v) VALUES ('q'); \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END",
        "CREATE PROCEDURE {s}.modes() SET time_zone = '+07:00', @called = 3",
        "CREATE PROCEDURE {s}.temps() CREATE TEMPORARY TABLE IF NOT EXISTS {s}.t SELECT 'tp' v",
        "GRANT ALL ON {s}.* TO app",
    ]
    .map(|sql| sql.replace("{s}", schema))
    .to_vec()
}
