use crate::protocol::{Command, EofPacket, ErrPacket, MAX_PAYLOAD};

/// How the response to a command begins, after which it may always be an ERR packet instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// No response at all.
    Nothing,
    /// One OK packet.
    Simple,
    /// One packet that looks like the end of a result.
    Ending,
    /// An OK packet, a file request or a result; more may follow.
    Text,
    /// An OK packet or a result in binary form; more may follow.
    Binary,
    /// Rows in binary form without definitions.
    Fetch,
    /// A prepare OK packet, definitions of parameters, definitions of columns.
    Prepare,
    /// Definitions up to the end of a result, without a count.
    Fields,
    /// A line of text.
    Statistics,
    /// An exchange of authentication packets, then an OK packet.
    ChangeUser,
    /// Only an ERR packet: the command is unknown to servers, or its stream is not spoken here.
    Refused,
}

impl Shape {
    /// Is a packet of so many bytes that begins so a row, or the begin of one, where a row or the end
    /// of the result is due?
    pub(super) fn takes_row(self, first: u8, len: usize) -> bool {
        match self {
            Self::Text => {
                first != ErrPacket::HEADER && (first != EofPacket::HEADER || len >= MAX_PAYLOAD)
            }
            _ => first == 0,
        }
    }
}

impl From<Command> for Shape {
    fn from(command: Command) -> Self {
        match command {
            Command::Quit | Command::StmtSendLongData | Command::StmtClose => Self::Nothing,
            Command::InitDb
            | Command::CreateDb
            | Command::DropDb
            | Command::Refresh
            | Command::ProcessKill
            | Command::Ping
            | Command::RegisterSlave
            | Command::StmtReset
            | Command::ResetConnection => Self::Simple,
            Command::Shutdown | Command::Debug | Command::SetOption => Self::Ending,
            Command::Query | Command::ProcessInfo => Self::Text,
            Command::StmtExecute => Self::Binary,
            Command::StmtFetch => Self::Fetch,
            Command::StmtPrepare => Self::Prepare,
            Command::FieldList => Self::Fields,
            Command::Statistics => Self::Statistics,
            Command::ChangeUser => Self::ChangeUser,
            Command::Connect
            | Command::Time
            | Command::DelayedInsert
            | Command::BinlogDump
            | Command::TableDump
            | Command::ConnectOut
            | Command::Daemon
            | Command::BinlogDumpGtid
            | Command::Clone
            | Command::SubscribeGroupReplicationStream => Self::Refused,
        }
    }
}
