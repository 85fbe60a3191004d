//! Whether a reader's replication runs, for the operator: nothing is decided by it.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::backend::client::{Broken, answer};
use crate::routing::Replication;

/// How often it is asked for.
const REFRESH: Duration = Duration::from_secs(1);

/// MySQL manual, "SHOW REPLICA STATUS Statement": needs REPLICATION CLIENT; in MariaDB,
/// SLAVE MONITOR.
const QUESTION: &str = "SHOW REPLICA STATUS";

/// When it was asked for last, and what was said.
#[derive(Debug, Default)]
pub(super) struct Following {
    asked: Option<Instant>,
    known: Option<Replication>,
}

impl Following {
    /// Asks, if it is time, and logs what has changed; `None` if it is not, or if nothing has.
    pub(super) async fn follow(
        &mut self,
        conn: &mut Conn,
        backend: &str,
    ) -> Result<Option<Option<Replication>>, Broken> {
        if self.asked.is_some_and(|asked| asked.elapsed() < REFRESH) {
            return Ok(None);
        }
        let first = self.asked.replace(Instant::now()).is_none();
        let rows: Vec<Row> = match answer(conn.query(QUESTION)).await {
            // The account may not know.
            Err(broken) if broken.is_denied() => Vec::new(),
            rows => rows?,
        };
        let told = together(rows.iter().map(read));
        if told == self.known && !first {
            return Ok(None);
        }
        tell(backend, self.known, told);
        self.known = told;
        Ok(Some(told))
    }
}

fn read(row: &Row) -> Replication {
    // MariaDB knows the new name of the statement, not those of the columns.
    let runs = |columns: [&str; 2]| {
        let mut cells = columns.into_iter().map(|column| row.get_opt(column));
        let said: Option<String> = cells.find_map(|cell| cell.and_then(Result::ok));
        said.as_deref() == Some("Yes")
    };
    let delay: Option<u64> = row.get_opt("SQL_Delay").and_then(Result::ok);
    Replication {
        applies: runs(["Replica_SQL_Running", "Slave_SQL_Running"]),
        receives: runs(["Replica_IO_Running", "Slave_IO_Running"]),
        delay: Duration::from_secs(delay.unwrap_or_default()),
    }
}

/// Of several channels the one that lags most counts; none without any.
fn together(channels: impl Iterator<Item = Replication>) -> Option<Replication> {
    channels.reduce(|all, one| Replication {
        applies: all.applies && one.applies,
        receives: all.receives && one.receives,
        delay: all.delay.max(one.delay),
    })
}

fn tell(backend: &str, before: Option<Replication>, now: Option<Replication>) {
    let Some(now) = now else {
        if before.is_some() {
            tracing::warn!(backend, "no replication is configured any more");
        }
        return;
    };
    let was = |runs: fn(&Replication) -> bool| before.is_none_or(|before| runs(&before));
    for (what, runs, ran) in [
        ("applier", now.applies, was(|it| it.applies)),
        ("receiver", now.receives, was(|it| it.receives)),
    ] {
        match (ran, runs) {
            (true, false) => tracing::warn!(backend, what, "replication stopped"),
            (false, true) => tracing::info!(backend, what, "replication runs again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_channels_the_worst_counts() {
        let one = Replication {
            applies: true,
            receives: true,
            delay: Duration::from_secs(1),
        };
        let stopped = Replication {
            applies: false,
            delay: Duration::ZERO,
            ..one
        };
        assert_eq!(together([].into_iter()), None);
        assert_eq!(together([one].into_iter()), Some(one));
        let both = together([one, stopped].into_iter()).unwrap();
        assert!(!both.applies && both.receives);
        assert_eq!(both.delay, Duration::from_secs(1));
    }
}
