use crate::protocol::flags::flags;

flags! {
    /// A connection's state as the last OK or EOF told it, MySQL's `SERVER_STATUS_…` flags.
    ///
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html> (enum SERVER_STATUS_flags_enum)
    Status(u16);
    /// A transaction is open.
    IN_TRANS = 1;
    /// `autocommit` is on.
    AUTOCOMMIT = 1 << 1;
    /// Another result of the same response follows.
    MORE_RESULTS_EXISTS = 1 << 3;
    /// The statement found no good index.
    NO_GOOD_INDEX_USED = 1 << 4;
    /// The statement used no index.
    NO_INDEX_USED = 1 << 5;
    /// A cursor is open: rows come by COM_STMT_FETCH.
    CURSOR_EXISTS = 1 << 6;
    /// The cursor has given its last row.
    LAST_ROW_SENT = 1 << 7;
    /// A database was dropped.
    DB_DROPPED = 1 << 8;
    /// A backslash is a character like others.
    NO_BACKSLASH_ESCAPES = 1 << 9;
    /// A prepared statement was prepared anew and has other columns now.
    METADATA_CHANGED = 1 << 10;
    /// The statement took longer than `long_query_time`.
    QUERY_WAS_SLOW = 1 << 11;
    /// This result holds the OUT parameters of a CALL.
    PS_OUT_PARAMS = 1 << 12;
    /// The open transaction is read-only.
    IN_TRANS_READONLY = 1 << 13;
    /// The OK packet carries a block of session changes.
    SESSION_STATE_CHANGED = 1 << 14;
}

impl Status {
    /// What outlasts the statement that told it. The server clears the rest when the next one
    /// begins (`SERVER_STATUS_CLEAR_SET`).
    pub const fn lasting(self) -> Self {
        let lasting = Self::IN_TRANS.0
            | Self::AUTOCOMMIT.0
            | Self::NO_BACKSLASH_ESCAPES.0
            | Self::IN_TRANS_READONLY.0;
        Self(self.0 & lasting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_read_only_transaction_prints_by_name() {
        // MySQL 9.7.4's answer to START TRANSACTION READ ONLY.
        let text = "{IN_TRANS, AUTOCOMMIT, IN_TRANS_READONLY, SESSION_STATE_CHANGED}";
        assert_eq!(format!("{:?}", Status(0x6003)), text);
        assert_eq!(format!("{:?}", Status(0x8002)), "{AUTOCOMMIT, 0x8000}");
    }
}
