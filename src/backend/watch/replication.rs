//! Whether a backend's replication runs, for the operator, and from whom, which tells readers from
//! writers.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::ask::Group;
use super::election::{Source, Sources};
use crate::backend::client::{Broken, answer, first};
use crate::gtid::Set;
use crate::routing::Replication;
use crate::sql::Flavour;

/// How often a backend is asked that takes no writes. As often each is asked whether it is in a group,
/// which MySQL looks up in a table of all its variables, and that takes it a millisecond.
const REFRESH: Duration = Duration::from_secs(1);

/// How often one that takes writes is.
const REFRESH_WRITABLE: Duration = Duration::from_millis(100);

/// Channels of a group's own: their other ends are all members.
const OF_GROUP: &str = "group_replication_";

/// A name only where the plugin is there and set up; everybody may read this table.
const GROUP: &str = "SELECT VARIABLE_VALUE FROM performance_schema.global_variables \
                     WHERE VARIABLE_NAME = 'group_replication_group_name'";

const MEMBERS: &str = "SELECT COUNT(*) FROM performance_schema.replication_group_members";

/// When it was asked for last, and what was said.
#[derive(Debug, Default)]
pub(super) struct Following {
    asked: Option<Instant>,
    known: Option<Replication>,
    group: Group,
    /// When it was asked for that.
    group_asked: Option<Instant>,
}

/// What a backend says of its replication.
#[derive(Debug)]
pub(super) struct Told {
    /// How it runs; none without any.
    pub(super) replication: Option<Replication>,
    /// From whom; none if the account may not know.
    pub(super) sources: Option<Sources>,
    /// All that it has received, executed or not; none if that is not told.
    pub(super) received: Option<Set>,
    /// Whether it is in a group.
    pub(super) group: Group,
}

impl Following {
    /// Is it time to ask again?
    pub(super) fn is_due(&self, claims: bool) -> bool {
        let refresh = if claims { REFRESH_WRITABLE } else { REFRESH };
        self.asked.is_none_or(|asked| asked.elapsed() >= refresh)
    }

    /// The next time it is asked whether it is in a group, too, however short ago it was.
    pub(super) fn doubt_group(&mut self) {
        self.group_asked = None;
    }

    /// Asks, and logs what has changed.
    pub(super) async fn follow(
        &mut self,
        conn: &mut Conn,
        flavour: Flavour,
        backend: &str,
    ) -> Result<Told, Broken> {
        let first_time = self.asked.replace(Instant::now()).is_none();
        // MySQL manual, "SHOW REPLICA STATUS Statement": needs REPLICATION CLIENT; in MariaDB, where
        // each source has a name, SLAVE MONITOR.
        let question = match flavour {
            Flavour::MySql => "SHOW REPLICA STATUS",
            Flavour::MariaDb => "SHOW ALL REPLICAS STATUS",
        };
        let rows: Option<Vec<Row>> = match answer(conn.query(question)).await {
            // The account may not know.
            Err(broken) if broken.is_denied() => None,
            rows => Some(rows?),
        };
        let channels: Vec<_> = rows
            .iter()
            .flatten()
            .filter(|row| !is_of_group(row))
            .collect();
        let replication = together(channels.iter().map(|row| read(row)));
        if replication != self.known || first_time {
            tell(backend, self.known, replication);
            self.known = replication;
        }
        let group = match flavour {
            Flavour::MySql if self.group_asked.is_none_or(|it| it.elapsed() >= REFRESH) => {
                let group = group(conn).await?;
                self.group_asked = self.asked;
                group
            }
            Flavour::MySql => self.group,
            Flavour::MariaDb => Group::None,
        };
        if group == Group::Hidden && self.group != group {
            tracing::error!(
                backend,
                "it is in a group, and the monitor's account may not see what it is there, so it \
                 gets no writes: GRANT SELECT ON performance_schema.replication_group_members"
            );
        }
        self.group = group;
        let received = match group {
            Group::None => rows.as_ref().and_then(|_| received(&channels)),
            // What a group has sent is told elsewhere.
            Group::Member | Group::Hidden => None,
        };
        Ok(Told {
            received,
            replication,
            sources: rows.is_some().then(|| {
                let sources = channels.iter().filter_map(|row| source(row, flavour));
                sources.collect()
            }),
            group,
        })
    }
}

/// What all channels have received.
fn received(channels: &[&Row]) -> Option<Set> {
    let mut all = Set::default();
    for row in channels {
        let told = cell(row, &["Retrieved_Gtid_Set", "Gtid_IO_Pos"])?;
        all.union(&Set::parse(&told).ok()?);
    }
    Some(all)
}

async fn group(conn: &mut Conn) -> Result<Group, Broken> {
    let name: Option<String> = match first(conn, GROUP).await {
        Err(broken) if broken.is_denied() => None,
        told => told?,
    };
    if name.is_none_or(|name| name.is_empty()) {
        return Ok(Group::None);
    }
    match first::<u64>(conn, MEMBERS).await {
        Err(broken) if broken.is_denied() => Ok(Group::Hidden),
        told => told.map(|_| Group::Member),
    }
}

fn is_of_group(row: &Row) -> bool {
    cell(row, &["Channel_Name"]).is_some_and(|name| name.starts_with(OF_GROUP))
}

/// The server at the other end of a channel, unless that was stopped: whoever is promoted stops it.
fn source(row: &Row, flavour: Flavour) -> Option<Source> {
    let runs = |columns: &[&str]| cell(row, columns).is_some_and(|said| said != "No");
    if !runs(&["Replica_IO_Running", "Slave_IO_Running"])
        && !runs(&["Replica_SQL_Running", "Slave_SQL_Running"])
    {
        return None;
    }
    let number = |columns: &[&str]| cell(row, columns).and_then(|text| text.parse().ok());
    let receives = ["Replica_IO_Running", "Slave_IO_Running"];
    Some(Source {
        receives: cell(row, &receives).as_deref() == Some("Yes"),
        uuid: cell(row, &["Source_UUID", "Master_UUID"]).and_then(|text| text.parse().ok()),
        server_id: match flavour {
            Flavour::MySql => None,
            Flavour::MariaDb => {
                number(&["Master_Server_Id", "Source_Server_Id"]).filter(|id| *id != 0)
            }
        },
        host: cell(row, &["Source_Host", "Master_Host"]).unwrap_or_default(),
        port: number(&["Source_Port", "Master_Port"])
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or_default(),
    })
}

/// The cell under the first of these names that there is, as text.
fn cell(row: &Row, columns: &[&str]) -> Option<String> {
    let mut cells = columns.iter().map(|column| row.get_opt(*column));
    cells.find_map(|cell| cell.and_then(Result::ok))
}

fn read(row: &Row) -> Replication {
    // MariaDB knows the new name of the statement, not those of the columns.
    let runs = |columns: [&str; 2]| cell(row, &columns).as_deref() == Some("Yes");
    let delay = cell(row, &["SQL_Delay"]).and_then(|text| text.parse().ok());
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
