//! A client that prepares, and says what it reads as text.

use tidegate::lab::APP;
use tidegate::protocol::{Capabilities, Command, ErrPacket, PrepareOk, Reader};

use crate::wire::{Client, MODERN};

/// LONGLONG, VARCHAR and BLOB as types of parameters.
const LONGLONG: u8 = 0x08;
const VARCHAR: u8 = 0xfd;

/// A value of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Int(i64),
    Text(&'a str),
    /// It has come by COM_STMT_SEND_LONG_DATA.
    Sent,
}

/// What an answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Rows of one column, as text.
    Rows(Vec<String>),
    /// An OK packet.
    Ok,
    /// An error's number and text.
    Err(u16, String),
}

impl Answer {
    /// The only row.
    pub(crate) fn one(self) -> String {
        match self {
            Self::Rows(rows) if rows.len() == 1 => rows.into_iter().next().unwrap(),
            other => panic!("no single row: {other:?}"),
        }
    }

    /// The error's number.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Err(code, _) => code,
            other => panic!("no error: {other:?}"),
        }
    }
}

/// A client that prepares.
pub(crate) struct Binary {
    pub(crate) client: Client,
}

impl Binary {
    pub(crate) async fn connect(port: u16) -> Self {
        Self::with(port, MODERN).await
    }

    pub(crate) async fn with(port: u16, capabilities: Capabilities) -> Self {
        let client = Client::connect(port, APP, capabilities).await;
        Self { client }
    }

    /// COM_STMT_PREPARE; the statement's id.
    pub(crate) async fn prepare(&mut self, sql: &str) -> u32 {
        let packets = self.client.ask(Command::StmtPrepare, sql.as_bytes()).await;
        let ok = PrepareOk::parse(&packets[0], self.client.capabilities);
        ok.unwrap_or_else(|_| panic!("{sql}: {}", packets[0].escape_ascii()))
            .statement_id
    }

    /// COM_STMT_PREPARE that fails, or an OK.
    pub(crate) async fn try_prepare(&mut self, sql: &str) -> Answer {
        let packets = self.client.ask(Command::StmtPrepare, sql.as_bytes()).await;
        match packets[0][0] {
            0 => Answer::Ok,
            _ => error(&packets[0]),
        }
    }

    /// COM_STMT_EXECUTE with the types of its parameters.
    pub(crate) async fn execute(&mut self, id: u32, values: &[Value<'_>]) -> Answer {
        self.run(id, values, true, 0).await.0
    }

    /// The same, without the types.
    pub(crate) async fn again(&mut self, id: u32, values: &[Value<'_>]) -> Answer {
        self.run(id, values, false, 0).await.0
    }

    /// The same with a cursor; true if it is open.
    pub(crate) async fn open(&mut self, id: u32, values: &[Value<'_>]) -> bool {
        let (answer, packets) = self.run(id, values, true, 1).await;
        let last = packets.last().unwrap();
        assert!(matches!(answer, Answer::Rows(rows) if rows.is_empty()));
        // SERVER_STATUS_CURSOR_EXISTS in the OK packet at the end.
        last[3] & 0x40 != 0
    }

    async fn run(
        &mut self,
        id: u32,
        values: &[Value<'_>],
        types: bool,
        cursor: u8,
    ) -> (Answer, Vec<Vec<u8>>) {
        let argument = execution(id, values, types, cursor);
        let packets = self.client.ask(Command::StmtExecute, &argument).await;
        (answer(&packets), packets)
    }

    /// COM_STMT_FETCH.
    pub(crate) async fn fetch(&mut self, id: u32, count: u32) -> Answer {
        let argument = [id.to_le_bytes(), count.to_le_bytes()].concat();
        let packets = self.client.ask(Command::StmtFetch, &argument).await;
        match packets[0][0] {
            0xff => error(&packets[0]),
            _ => Answer::Rows(rows(&packets)),
        }
    }

    /// COM_STMT_SEND_LONG_DATA.
    pub(crate) async fn send_long(&mut self, id: u32, param: u16, bytes: &[u8]) {
        let argument = [&id.to_le_bytes()[..], &param.to_le_bytes(), bytes].concat();
        self.client.send(Command::StmtSendLongData, &argument).await;
    }

    /// COM_STMT_RESET.
    pub(crate) async fn reset(&mut self, id: u32) -> Answer {
        let packets = self.client.ask(Command::StmtReset, &id.to_le_bytes()).await;
        answer(&packets)
    }

    /// COM_STMT_CLOSE.
    pub(crate) async fn close(&mut self, id: u32) {
        self.client
            .send(Command::StmtClose, &id.to_le_bytes())
            .await;
    }

    /// COM_QUERY with an answer of one column.
    pub(crate) async fn text(&mut self, sql: &str) -> Answer {
        let packets = self.client.query(sql).await;
        match packets[0][0] {
            0x00 => Answer::Ok,
            0xff => error(&packets[0]),
            _ => {
                let cell = |packet: &Vec<u8>| {
                    let bytes = Reader::new(packet).lenenc_bytes("cell").expect("a cell");
                    String::from_utf8_lossy(bytes).into_owned()
                };
                let mut body = packets[2..].iter().take(packets.len() - 3);
                let rows = body.by_ref().filter(|packet| packet[0] != 0xfe);
                Answer::Rows(rows.map(cell).collect())
            }
        }
    }

    /// Runs until the proxy reads on a reader.
    pub(crate) async fn until_on_a_reader(&mut self) {
        let reading =
            async { while self.text("SELECT name FROM app.whoami").await.one() == "w1" {} };
        let ended = tokio::time::timeout(crate::stage::LIMIT, reading).await;
        assert!(ended.is_ok(), "reads stay on the writer");
    }
}

/// The argument of a COM_STMT_EXECUTE.
pub(crate) fn execution(id: u32, values: &[Value<'_>], types: bool, cursor: u8) -> Vec<u8> {
    let mut out = id.to_le_bytes().to_vec();
    out.extend([cursor, 1, 0, 0, 0]);
    if values.is_empty() {
        return out;
    }
    // None is NULL.
    out.extend(vec![0_u8; values.len().div_ceil(8)]);
    out.push(u8::from(types));
    if types {
        for value in values {
            out.extend(match value {
                Value::Int(_) => [LONGLONG, 0],
                _ => [VARCHAR, 0],
            });
        }
    }
    for value in values {
        match value {
            Value::Int(number) => out.extend(number.to_le_bytes()),
            Value::Text(text) => tidegate::protocol::put_lenenc_bytes(&mut out, text.as_bytes()),
            Value::Sent => {}
        }
    }
    out
}

fn answer(packets: &[Vec<u8>]) -> Answer {
    match packets[0][0] {
        0x00 => Answer::Ok,
        0xff => error(&packets[0]),
        _ => match packets.last() {
            Some(last) if last[0] == 0xff => error(last),
            _ => Answer::Rows(rows(&packets[2..])),
        },
    }
}

/// Rows of one column of text, in binary form.
fn rows(packets: &[Vec<u8>]) -> Vec<String> {
    let is_row = |packet: &&Vec<u8>| packet[0] == 0;
    let rows = packets.iter().filter(is_row);
    rows.map(|packet| {
        if packet[1] & 4 != 0 {
            return "NULL".to_owned();
        }
        let bytes = Reader::new(&packet[2..]).lenenc_bytes("cell");
        String::from_utf8_lossy(bytes.expect("a column of text")).into_owned()
    })
    .collect()
}

fn error(packet: &[u8]) -> Answer {
    let error = ErrPacket::parse(packet).expect("an error");
    let text = String::from_utf8_lossy(error.message).into_owned();
    Answer::Err(error.code, text)
}
