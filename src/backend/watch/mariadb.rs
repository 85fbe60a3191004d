//! What a MariaDB writer has executed: more exactly than its GTID variables tell.
//!
//! `@@gtid_binlog_state` grows when a transaction is written to the binary log, which is before
//! anybody can see its rows; with semi-synchronous replication (AFTER_SYNC) long before. What can
//! be seen is told by `Binlog_snapshot_file` and `Binlog_snapshot_position`, which move when the
//! engine has committed (MariaDB documentation, "Enhancements for START TRANSACTION WITH
//! CONSISTENT SNAPSHOT"). So the state counts once the snapshot has reached the end that the log
//! had when the state was told; until then, what lies before the snapshot.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::time::{Instant, sleep};

use super::ask::{is_on, set};
use crate::backend::client::{Broken, all, answer, read, read_all};
use crate::backend::flavour::Asked;
use crate::gtid::Set;
use crate::sql::Flavour;

/// How long a commit that is under way is waited for: most take less, unless a replica has to
/// acknowledge them.
const PATIENCE: Duration = Duration::from_millis(20);

/// Between two looks at the snapshot, the first of which is free.
const PAUSE: Duration = Duration::from_millis(1);

/// Needs BINLOG MONITOR. MariaDB keeps the old name.
const END: &str = "SHOW MASTER STATUS";

const SNAPSHOT: &str = "SHOW STATUS WHERE Variable_name IN \
                        ('Binlog_snapshot_file', 'Binlog_snapshot_position')";

/// What is remembered of the writer's binary log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// What lies before the snapshot that was looked up last.
    looked_up: Option<(Place, Set)>,
    /// An end that the snapshot did not reach in time.
    stuck_before: Option<Place>,
}

/// What a writer says of itself.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) identity: String,
    pub(super) read_only: bool,
    /// Its numbers ascend in each domain (`gtid_strict_mode`).
    pub(super) ordered: bool,
    /// Written to the binary log, all of it before the question was answered.
    pub(super) logged: Set,
    /// Of that, what everybody sees.
    pub(super) visible: Set,
    /// What its own applier has executed, as a reader of another writer.
    pub(super) applied: Set,
}

/// A place in the binary log; files are numbered, and places compare as they follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Names of the same length compare by their numbers; a longer number is a higher one.
    file: (usize, String),
    position: u64,
}

impl Place {
    fn new(file: String, position: u64) -> Self {
        Self {
            file: (file.len(), file),
            position,
        }
    }
}

impl Log {
    /// Asks the writer.
    pub(super) async fn ask(&mut self, conn: &mut Conn) -> Result<Told, Broken> {
        let question = format!(
            "SELECT {}, @@global.read_only, @@global.gtid_strict_mode, \
             @@global.gtid_binlog_state, @@global.gtid_slave_pos; {END}; {SNAPSHOT}",
            Flavour::MariaDb.identity()
        );
        let asking = async {
            let mut results = conn.query_iter(question).await?;
            let own: Vec<Row> = results.collect().await?;
            let end: Vec<Row> = results.collect().await?;
            let snapshot: Vec<Row> = results.collect().await?;
            results.drop_result().await?;
            Ok((own, end, snapshot))
        };
        let (own, end, snapshot) = answer(asking).await?;
        let own = own.into_iter().next().ok_or(Broken::Nonsense)?;
        let (identity, read_only, ordered, logged, applied): (
            String,
            String,
            bool,
            String,
            String,
        ) = read(own)?;
        let logged = set(&logged)?;
        let visible = match end.first() {
            Some(row) => {
                let (end, snapshot) = (end_of(row)?, place(read_all(snapshot)?)?);
                self.visible(conn, &logged, end, snapshot).await?
            }
            // Without a binary log there are no GTIDs.
            None => Set::default(),
        };
        Ok(Told {
            identity,
            read_only: is_on(&read_only),
            ordered,
            logged,
            visible,
            applied: set(&applied)?,
        })
    }

    /// What of `logged` everybody sees, where the log ended at `end` then.
    async fn visible(
        &mut self,
        conn: &mut Conn,
        logged: &Set,
        end: Place,
        mut snapshot: Place,
    ) -> Result<Set, Broken> {
        // What did not come in time is looked at again only when something has changed.
        let patience = match self.stuck_before.as_ref() == Some(&end) {
            true => Duration::ZERO,
            false => PATIENCE,
        };
        let since = Instant::now();
        while snapshot < end {
            if since.elapsed() >= patience {
                self.stuck_before = Some(end);
                return self.before(conn, snapshot, logged).await;
            }
            snapshot = place(all(conn, SNAPSHOT).await?)?;
            if snapshot < end {
                sleep(PAUSE).await;
            }
        }
        self.stuck_before = None;
        Ok(logged.clone())
    }

    /// What lies before a snapshot. The server reads its log for that.
    async fn before(
        &mut self,
        conn: &mut Conn,
        snapshot: Place,
        logged: &Set,
    ) -> Result<Set, Broken> {
        if let Some((_, known)) = self.looked_up.as_ref().filter(|(at, _)| *at == snapshot) {
            return Ok(known.clone());
        }
        let question = "SELECT BINLOG_GTID_POS(?, ?)";
        let arguments = (&snapshot.file.1, snapshot.position);
        let row: Option<Row> = answer(conn.exec_first(question, arguments)).await?;
        let position: String = read(row.ok_or(Broken::Nonsense)?)?;
        let known = set(&position)?.within(logged);
        self.looked_up = Some((snapshot, known.clone()));
        Ok(known)
    }
}

fn end_of(row: &Row) -> Result<Place, Broken> {
    let file = row.get_opt::<String, _>(0).and_then(Result::ok);
    let position = row.get_opt::<u64, _>(1).and_then(Result::ok);
    file.zip(position)
        .map(|(file, position)| Place::new(file, position))
        .ok_or(Broken::Nonsense)
}

fn place(status: Vec<(String, String)>) -> Result<Place, Broken> {
    let (mut file, mut position) = (None, None);
    for (name, value) in status {
        match name.to_ascii_lowercase().as_str() {
            "binlog_snapshot_file" => file = Some(value),
            "binlog_snapshot_position" => position = value.parse().ok(),
            _ => {}
        }
    }
    file.zip(position)
        .map(|(file, position)| Place::new(file, position))
        .ok_or(Broken::Nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_also_where_the_number_grows_longer() {
        let at = |file: &str, position| Place::new(file.to_owned(), position);
        let ascending = [
            at("binlog.000001", 4),
            at("binlog.000001", 900),
            at("binlog.000002", 4),
            at("binlog.999999", 4),
            at("binlog.1000000", 4),
        ];
        assert!(ascending.is_sorted());
    }

    #[test]
    fn a_status_without_its_place_is_nonsense() {
        let status = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            place(pairs.iter().map(owned).collect())
        };
        let file = ("Binlog_snapshot_file", "b.000001");
        let found = status(&[("BINLOG_SNAPSHOT_POSITION", "7"), file]).unwrap();
        assert_eq!(found, Place::new("b.000001".to_owned(), 7));
        assert!(status(&[file]).is_err());
        assert!(status(&[file, ("Binlog_snapshot_position", "x")]).is_err());
    }
}
