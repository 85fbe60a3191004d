//! What sysbench says, and how often at a time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::load::ROWS;

/// A workload of which each proxy gets the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Workload {
    /// One row by its key, as text.
    Text,
    /// The same by COM_STMT_EXECUTE of one statement that each connection prepares once.
    Prepared,
    /// A hundred rows of 200 bytes.
    Rows,
    /// One row of a megabyte.
    Megabyte,
    /// One row beyond 16 MiB, which takes two packets.
    Blob,
    /// sysbench's oltp_read_write: transactions, as text.
    ReadWrite,
}

/// Sends one statement again and again and reads its rows.
const SCRIPT: &str = "sysbench.cmdline.options = { statement = {\"What to send\", \"SELECT 1\"} }
function thread_init()
  driver = sysbench.sql.driver()
  connection = driver:connect()
end
function event()
  local rows = connection:query(sysbench.opt.statement)
  if rows then rows:free() end
end
function thread_done()
  connection:disconnect()
end
";

impl Workload {
    /// Can a reader answer it, also beside HAProxy?
    pub(crate) fn is_read(self) -> bool {
        self != Self::ReadWrite
    }

    /// How it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "point select, text",
            Self::Prepared => "point select, prepared",
            Self::Rows => "100 rows",
            Self::Megabyte => "1 MB",
            Self::Blob => "16 MiB",
            Self::ReadWrite => "oltp_read_write",
        }
    }

    /// Connections at a time, of those that are asked for: what moves megabytes needs few.
    pub(crate) fn threads(self, asked: &[usize]) -> Vec<usize> {
        match self {
            Self::Text | Self::Prepared => asked.to_vec(),
            Self::Rows | Self::ReadWrite => vec![8],
            Self::Megabyte | Self::Blob => vec![2],
        }
    }

    /// sysbench's arguments: the script, and what is its own.
    pub(crate) fn arguments(self, script: &Path) -> Vec<String> {
        let statement = |sql: &str| {
            let script = script.to_string_lossy().into_owned();
            vec![
                script,
                format!("--statement={sql}"),
                "--db-ps-mode=disable".to_owned(),
            ]
        };
        let standard = |name: &str, mode| {
            vec![
                name.to_owned(),
                format!("--db-ps-mode={mode}"),
                format!("--table-size={ROWS}"),
            ]
        };
        match self {
            Self::Text => standard("oltp_point_select", "disable"),
            Self::Prepared => standard("oltp_point_select", "auto"),
            Self::ReadWrite => standard("oltp_read_write", "disable"),
            Self::Rows => {
                statement("SELECT id, k, c, pad FROM sbtest1 WHERE id BETWEEN 1001 AND 1100")
            }
            // The column has 120 bytes.
            Self::Megabyte => statement("SELECT REPEAT(c, 8334) FROM sbtest1 WHERE id = 1001"),
            Self::Blob => statement("SELECT REPEAT(c, 139900) FROM sbtest1 WHERE id = 1001"),
        }
    }

    /// Writes down the script of those that send one statement.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write_script(folder: &Path) -> Result<PathBuf, Error> {
        let file = folder.join("statement.lua");
        fs::write(&file, SCRIPT)?;
        Ok(file)
    }
}
