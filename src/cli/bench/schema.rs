//! The schema that is played on: made, filled, and removed again.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::error::Error;
use super::site::Site;

/// How long the readers may take to get the tables.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How long removing it may take.
const REMOVAL_LIMIT: Duration = Duration::from_secs(20);

/// Rows in one INSERT.
const BATCH: u32 = 1000;

/// How all of its tables begin.
const PREFIX: &str = "tidegate_bench_";

/// A schema with a table for each target, and one for writes beside the load.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    name: String,
    /// Whether it was there before: then only the tables go.
    was_there: bool,
    tables: usize,
}

impl Schema {
    /// What there is already, before anything is touched.
    pub(super) async fn look(site: &Site, name: &str, targets: usize) -> Result<Self, Error> {
        let mut conn = site.connect("the writer", &site.writer).await?;
        let there: Option<String> = conn
            .exec_first(
                "SELECT schema_name FROM information_schema.schemata WHERE schema_name = ?",
                (name,),
            )
            .await
            .map_err(Error::statement("looking for the schema"))?;
        Ok(Self {
            name: name.to_owned(),
            was_there: there.is_some(),
            tables: targets + 1,
        })
    }

    /// Asks whether it may begin, unless it is told not to ask.
    pub(super) async fn ask(&self, site: &Site, load: &str, yes: bool) -> Result<(), Error> {
        if yes {
            return Ok(());
        }
        let what = match self.was_there {
            true => format!(
                "drop and make the tables {PREFIX}… of the schema {}, which is there already,",
                self.name
            ),
            false => format!("create the schema {}, drop it at the end,", self.name),
        };
        let question = format!("bench is to {what} on {}, and {load}", site.writer);
        if !io::stdin().is_terminal() {
            return Err(Error::Refused(format!(
                "{question}; nobody is there to say yes to that: say it with --yes"
            )));
        }
        // Who waits for a person must be able to stop waiting: so a thread that nobody joins.
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            let _ = write!(io::stderr(), "{question}. Go on? [y/N] ");
            let mut line = String::new();
            let _ = io::stdin().lock().read_line(&mut line);
            let _ = tell.send(matches!(line.trim(), "y" | "Y" | "yes"));
        });
        match told.await {
            Ok(true) => Ok(()),
            _ => Err(Error::Refused("nothing was done".to_owned())),
        }
    }

    /// The table of a target, as SQL names it.
    pub(super) fn table(&self, target: usize) -> String {
        format!("`{}`.{PREFIX}{}", self.name, target + 1)
    }

    /// The table for writes beside the load.
    pub(super) fn beside(&self) -> String {
        format!("`{}`.{PREFIX}0", self.name)
    }

    /// Makes and fills it, and waits until the readers have it.
    pub(super) async fn make(&self, site: &Site, rows: u32) -> Result<(), Error> {
        let mut conn = site.connect("the writer", &site.writer).await?;
        let failed = || Error::statement("making the tables");
        if !self.was_there {
            let create = format!("CREATE DATABASE `{}`", self.name);
            conn.query_drop(create).await.map_err(failed())?;
        }
        let mut last = self.beside();
        for (table, rows) in [(self.beside(), 1)]
            .into_iter()
            .chain((1..self.tables).map(|number| (self.table(number - 1), rows)))
        {
            let drop = format!("DROP TABLE IF EXISTS {table}");
            conn.query_drop(drop).await.map_err(failed())?;
            let create = format!(
                "CREATE TABLE {table} (id INT UNSIGNED PRIMARY KEY, version INT UNSIGNED NOT \
                 NULL, body VARCHAR(100) NOT NULL) ENGINE = InnoDB"
            );
            conn.query_drop(create).await.map_err(failed())?;
            fill(&mut conn, &table, rows).await.map_err(failed())?;
            last = table;
        }
        let rows = if self.tables > 1 { rows } else { 1 };
        for reader in &site.readers {
            let mut conn = site.connect("a reader", reader).await?;
            let since = Instant::now();
            while !has(&mut conn, &last, rows).await {
                if since.elapsed() > PATIENCE {
                    return Err(Error::NotSettled(reader.clone()));
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Removes what was made.
    pub(super) async fn remove(&self, site: &Site) -> Result<(), Error> {
        let statements = self.removal();
        let removal = async {
            let mut conn = site.connect("the writer", &site.writer).await?;
            for statement in &statements {
                let done = conn.query_drop(statement).await;
                done.map_err(Error::statement("removing the tables"))?;
            }
            Ok(())
        };
        let why = match timeout(REMOVAL_LIMIT, removal).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err::<_, Error>(error)) => error.to_string(),
            Err(_) => "the writer does not answer".to_owned(),
        };
        Err(Error::Refused(format!(
            "what was made is still there ({why}); remove it with: {}",
            statements.join("; ")
        )))
    }

    fn removal(&self) -> Vec<String> {
        match self.was_there {
            false => vec![format!("DROP DATABASE IF EXISTS `{}`", self.name)],
            true => (0..self.tables)
                .map(|number| format!("DROP TABLE IF EXISTS `{}`.{PREFIX}{number}", self.name))
                .collect(),
        }
    }
}

async fn fill(conn: &mut Conn, table: &str, rows: u32) -> mysql_async::Result<()> {
    let body = "x".repeat(60);
    let mut from = 0;
    while from < rows {
        let until = rows.min(from + BATCH);
        let mut insert = format!("INSERT INTO {table} VALUES ");
        for id in from..until {
            let comma = if id > from { ", " } else { "" };
            // Writing to a string can't fail.
            let _ = write!(insert, "{comma}({id}, 0, '{body}')");
        }
        conn.query_drop(insert).await?;
        from = until;
    }
    Ok(())
}

/// Before it has the table, a reader answers with an error.
async fn has(conn: &mut Conn, table: &str, rows: u32) -> bool {
    let count = format!("SELECT COUNT(*) FROM {table}");
    let found: mysql_async::Result<Option<u32>> = conn.query_first(count).await;
    found.is_ok_and(|found| found == Some(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_was_there_is_never_dropped() {
        let schema = |was_there| Schema {
            name: "s".to_owned(),
            was_there,
            tables: 2,
        };
        assert_eq!(schema(false).removal(), ["DROP DATABASE IF EXISTS `s`"]);
        let tables = [0, 1].map(|n| format!("DROP TABLE IF EXISTS `s`.tidegate_bench_{n}"));
        assert_eq!(schema(true).removal(), tables);
    }
}
