//! What the proxy asks servers of each flavour.

use crate::gtid::Uuid;
use crate::sql::Flavour;

/// The questions of the proxy's own whose text depends on the flavour.
pub(super) trait Asked {
    /// An expression for who the server is, for [`Asked::read_identity`].
    fn identity(self) -> &'static str;

    /// Who it is; `None` for a text that no server answers.
    fn read_identity(self, text: &str) -> Option<Uuid>;

    /// An expression for its history: what it has executed, or at least begun to commit.
    fn history(self) -> &'static str;

    /// An expression for what the applier has executed, as a lower bound; on a MySQL writer too.
    fn applied(self) -> &'static str;

    /// An expression for what is in the binary log, where that is told apart.
    fn logged(self) -> &'static str;

    /// When the server was started, by its own clock: a question that answers a number of seconds.
    /// The same in every answer of one life, whatever happens to the clock: both numbers come from
    /// one reading.
    fn started(self) -> &'static str;
}

impl Asked for Flavour {
    fn identity(self) -> &'static str {
        match self {
            Self::MySql => "@@server_uuid",
            // Copies of a server have its id, but not its port, host or directory.
            Self::MariaDb => {
                "CONCAT_WS(' ', @@server_id, CRC32(CONCAT_WS(' ', @@port, @@hostname, @@datadir)))"
            }
        }
    }

    fn read_identity(self, text: &str) -> Option<Uuid> {
        match self {
            Self::MySql => text.parse().ok(),
            Self::MariaDb => {
                let (server_id, rest) = text.split_once(' ')?;
                Some(Uuid::of_mariadb(
                    server_id.parse().ok()?,
                    rest.parse().ok()?,
                ))
            }
        }
    }

    fn history(self) -> &'static str {
        match self {
            Self::MySql => "@@global.gtid_executed",
            // What it has written to its binary log, and what its applier has executed: with
            // log_slave_updates off, that is not in the log.
            Self::MariaDb => "CONCAT_WS(',', @@global.gtid_binlog_state, @@global.gtid_slave_pos)",
        }
    }

    fn applied(self) -> &'static str {
        match self {
            Self::MySql => "@@global.gtid_executed",
            Self::MariaDb => "@@global.gtid_slave_pos",
        }
    }

    fn logged(self) -> &'static str {
        match self {
            Self::MySql => "''",
            Self::MariaDb => "@@global.gtid_binlog_state",
        }
    }

    fn started(self) -> &'static str {
        match self {
            Self::MySql => {
                "SELECT CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS SIGNED) \
                 FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'"
            }
            Self::MariaDb => {
                "SELECT CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS SIGNED) \
                 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_each_flavour_tells_it() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        assert_eq!(Flavour::MySql.read_identity(uuid), uuid.parse().ok());
        let identity = Flavour::MariaDb.read_identity("7 3998043633");
        assert_eq!(identity, Some(Uuid::of_mariadb(7, 3_998_043_633)));
        for text in ["", "7", "x 1", "1 -1", "1 4294967296"] {
            assert_eq!(Flavour::MariaDb.read_identity(text), None, "{text}");
        }
        assert_eq!(Flavour::MySql.read_identity("7 1"), None);
    }
}
