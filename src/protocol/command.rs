/// The first byte of what a client sends, MySQL's `COM_…`.
///
/// Those that MySQL itself only uses inside the server (COM_SLEEP, COM_END) are not commands.
/// MySQL 9.7 answers error 1047 to those whose doc says "removed".
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Close the connection; no response.
    Quit = 0x01,
    /// Change the database.
    InitDb = 0x02,
    /// Run statements as text.
    Query = 0x03,
    /// List the columns of a table; deprecated.
    FieldList = 0x04,
    /// Removed.
    CreateDb = 0x05,
    /// Removed.
    DropDb = 0x06,
    /// Removed in 8.4.
    Refresh = 0x07,
    /// Removed in 8.4.
    Shutdown = 0x08,
    /// A line of text about the server.
    Statistics = 0x09,
    /// Removed in 8.4.
    ProcessInfo = 0x0a,
    /// Never sent by a client.
    Connect = 0x0b,
    /// Removed in 8.4.
    ProcessKill = 0x0c,
    /// Dump the server's internals to its log.
    Debug = 0x0d,
    /// Is the connection alive?
    Ping = 0x0e,
    /// Never sent by a client.
    Time = 0x0f,
    /// Never sent by a client.
    DelayedInsert = 0x10,
    /// Log in as another user on the same connection.
    ChangeUser = 0x11,
    /// Stream the binary log from a file position.
    BinlogDump = 0x12,
    /// Removed.
    TableDump = 0x13,
    /// Never sent by a client.
    ConnectOut = 0x14,
    /// Announce a replication client.
    RegisterSlave = 0x15,
    /// Prepare a statement.
    StmtPrepare = 0x16,
    /// Run a prepared statement.
    StmtExecute = 0x17,
    /// Send a part of a parameter; no response.
    StmtSendLongData = 0x18,
    /// Forget a prepared statement; no response.
    StmtClose = 0x19,
    /// Forget a prepared statement's long data and cursor.
    StmtReset = 0x1a,
    /// Switch multi-statements on or off.
    SetOption = 0x1b,
    /// Read rows of an open cursor.
    StmtFetch = 0x1c,
    /// Never sent by a client.
    Daemon = 0x1d,
    /// Stream the binary log after a GTID set.
    BinlogDumpGtid = 0x1e,
    /// Forget the session's state, keep its login.
    ResetConnection = 0x1f,
    /// The clone plugin's own protocol.
    Clone = 0x20,
    /// Group replication's own protocol.
    SubscribeGroupReplicationStream = 0x21,
}

impl Command {
    const ALL: [Self; 0x21] = [
        Self::Quit,
        Self::InitDb,
        Self::Query,
        Self::FieldList,
        Self::CreateDb,
        Self::DropDb,
        Self::Refresh,
        Self::Shutdown,
        Self::Statistics,
        Self::ProcessInfo,
        Self::Connect,
        Self::ProcessKill,
        Self::Debug,
        Self::Ping,
        Self::Time,
        Self::DelayedInsert,
        Self::ChangeUser,
        Self::BinlogDump,
        Self::TableDump,
        Self::ConnectOut,
        Self::RegisterSlave,
        Self::StmtPrepare,
        Self::StmtExecute,
        Self::StmtSendLongData,
        Self::StmtClose,
        Self::StmtReset,
        Self::SetOption,
        Self::StmtFetch,
        Self::Daemon,
        Self::BinlogDumpGtid,
        Self::ResetConnection,
        Self::Clone,
        Self::SubscribeGroupReplicationStream,
    ];

    /// The command of a byte; `None` for one that MySQL does not know (its error 1047).
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Its name in MySQL, such as `COM_QUERY`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quit => "COM_QUIT",
            Self::InitDb => "COM_INIT_DB",
            Self::Query => "COM_QUERY",
            Self::FieldList => "COM_FIELD_LIST",
            Self::CreateDb => "COM_CREATE_DB",
            Self::DropDb => "COM_DROP_DB",
            Self::Refresh => "COM_REFRESH",
            Self::Shutdown => "COM_SHUTDOWN",
            Self::Statistics => "COM_STATISTICS",
            Self::ProcessInfo => "COM_PROCESS_INFO",
            Self::Connect => "COM_CONNECT",
            Self::ProcessKill => "COM_PROCESS_KILL",
            Self::Debug => "COM_DEBUG",
            Self::Ping => "COM_PING",
            Self::Time => "COM_TIME",
            Self::DelayedInsert => "COM_DELAYED_INSERT",
            Self::ChangeUser => "COM_CHANGE_USER",
            Self::BinlogDump => "COM_BINLOG_DUMP",
            Self::TableDump => "COM_TABLE_DUMP",
            Self::ConnectOut => "COM_CONNECT_OUT",
            Self::RegisterSlave => "COM_REGISTER_SLAVE",
            Self::StmtPrepare => "COM_STMT_PREPARE",
            Self::StmtExecute => "COM_STMT_EXECUTE",
            Self::StmtSendLongData => "COM_STMT_SEND_LONG_DATA",
            Self::StmtClose => "COM_STMT_CLOSE",
            Self::StmtReset => "COM_STMT_RESET",
            Self::SetOption => "COM_SET_OPTION",
            Self::StmtFetch => "COM_STMT_FETCH",
            Self::Daemon => "COM_DAEMON",
            Self::BinlogDumpGtid => "COM_BINLOG_DUMP_GTID",
            Self::ResetConnection => "COM_RESET_CONNECTION",
            Self::Clone => "COM_CLONE",
            Self::SubscribeGroupReplicationStream => "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_byte_is_its_own_command_or_none() {
        let mut names = HashSet::new();
        for byte in 0..=u8::MAX {
            match Command::from_byte(byte) {
                Some(command) => {
                    assert_eq!(command as u8, byte, "{command:?}");
                    assert!(names.insert(command.name()), "{} twice", command.name());
                }
                None => assert!(byte == 0 || byte > 0x21, "{byte:#x}"),
            }
        }
        assert_eq!(names.len(), 0x21);
    }
}
