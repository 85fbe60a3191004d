//! P3 for what is asked again and again: a session that reads the same goes the same way, and what has
//! come before in the same bytes is not read anew.

use tidegate::lab::APP;
use tidegate::protocol::{Capabilities, Command};

use crate::stage::{LIMIT, Stage, WRITER, on_a_reader};
use crate::wire::compare::{comparable, texts};
use crate::wire::{Client, MODERN};

/// None, one and many rows; with warnings, long and empty values, and an error.
const READS: [&str; 12] = [
    "SELECT * FROM app.again WHERE a = 0",
    "SELECT * FROM app.again WHERE a = 1",
    "SELECT * FROM app.again",
    "SELECT a, 1 / 0 FROM app.again WHERE a = 2",
    "SELECT '', NULL FROM app.again LIMIT 3",
    "SELECT REPEAT(b, 2000) FROM app.again WHERE a < 3",
    "SELECT a, b FROM app.again WHERE b LIKE '%9%' ORDER BY b LIMIT 7",
    "SELECT NULL, REPEAT('x', 252), a FROM app.again WHERE a > 140",
    // As many packets as a byte can count, and one column more than it can.
    "SELECT a FROM app.again",
    "SELECT MANY FROM app.again WHERE a < 4",
    "SELECT MANY, a FROM app.again WHERE a < 4",
    "SELECT no_such_column FROM app.again",
];

fn reads() -> impl Iterator<Item = String> {
    let many = ["a"; 250].join(", ");
    READS
        .into_iter()
        .map(move |read| read.replace("MANY", &many))
}

/// So often each, in one go.
const TIMES: usize = 4;

#[tokio::test]
async fn p3_what_is_asked_again_is_answered_the_same() {
    let stage = Stage::new().await;
    let rows: Vec<String> = (1..=400)
        .map(|a| format!("({a}, '{}')", format!("{a}-").repeat(20)))
        .collect();
    stage
        .prepare([
            "CREATE TABLE app.again (a INT PRIMARY KEY, b TEXT)".to_owned(),
            "CREATE TABLE app.wrote (a INT)".to_owned(),
            format!("INSERT INTO app.again VALUES {}", rows.join(",")),
        ])
        .await;
    on_a_reader(&mut stage.client().await).await;
    let eof = Capabilities::DEPRECATE_EOF;
    let track = Capabilities::SESSION_TRACK;
    let forms = [
        MODERN,
        MODERN.without(eof),
        MODERN.without(track),
        MODERN.without(eof).without(track),
    ];
    // Who has written is told more by the reader.
    let wrote = [false, true];
    for (wanted, wrote) in forms
        .into_iter()
        .flat_map(|it| wrote.map(|wrote| (it, wrote)))
    {
        let mut through = Client::connect(stage.port, APP, wanted).await;
        if wrote {
            through.query("INSERT INTO app.wrote VALUES (1)").await;
        }
        until_on_a_reader(&mut through).await;
        let reader = stage.lab.readers().first().expect("a reader").port();
        let mut direct = Client::connect(reader, APP, wanted).await;
        // The last one can't be prepared.
        let ways = [(Command::Query, 12), (Command::StmtExecute, 11)];
        for (command, count) in ways {
            for read in reads().take(count) {
                let read = &*read;
                let expected = argument(&mut direct, command, read).await;
                let expected = comparable(direct.ask(command, &expected).await, wanted);
                let argument = argument(&mut through, command, read).await;
                for time in 0..TIMES {
                    let answer = comparable(through.ask(command, &argument).await, wanted);
                    let what = format!("{read} by {}, time {time}", command.name());
                    assert_eq!(texts(&answer), texts(&expected), "{what}");
                }
            }
        }
    }
    stage.end().await;
}

async fn until_on_a_reader(client: &mut Client) {
    let reading = async {
        loop {
            let served = client.query(Stage::SERVED_BY).await;
            let at_writer = |packet: &Vec<u8>| packet.ends_with(WRITER.as_bytes());
            if !served.iter().any(at_writer) {
                return;
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, reading).await;
    assert!(ended.is_ok(), "no reader answers");
}

/// What a client sends to read so.
async fn argument(client: &mut Client, command: Command, read: &str) -> Vec<u8> {
    if command == Command::Query {
        return read.as_bytes().to_vec();
    }
    let prepared = client.ask(Command::StmtPrepare, read.as_bytes()).await;
    let id = prepared[0].get(1..5).expect("the statement's id");
    // No cursor, and run once.
    [id, &[0, 1, 0, 0, 0]].concat()
}
