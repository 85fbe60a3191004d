//! Which stored functions only read, as the writer has them.

use std::time::{Duration, Instant};

use mysql_async::Conn;

use crate::backend::client::{Broken, all};
use crate::routing::Routines;
use crate::sql::Flavour;

/// How long what was learned is taken for true. A function that is replaced by one that writes is
/// still safe meanwhile: readers refuse it, and the writer takes it then.
const REFRESH: Duration = Duration::from_secs(10);

/// Functions beyond this many are not learned, and so run on the writer.
const LIMIT: usize = 10_000;

/// The body is NULL for an account that may not see it (MySQL manual, "The INFORMATION_SCHEMA
/// ROUTINES Table"): SHOW_ROUTINE is enough. In these modes it would be read wrongly.
const QUESTION: &str = "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_DEFINITION \
    FROM information_schema.ROUTINES \
    WHERE ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_DEFINITION IS NOT NULL \
    AND ROUTINE_SCHEMA NOT IN ('mysql', 'sys') \
    AND SQL_DATA_ACCESS IN ('READS SQL DATA', 'NO SQL', 'CONTAINS SQL') \
    AND NOT FIND_IN_SET('ANSI_QUOTES', SQL_MODE) \
    AND NOT FIND_IN_SET('NO_BACKSLASH_ESCAPES', SQL_MODE)";

/// When they were asked for last.
#[derive(Debug, Default)]
pub(super) struct Learning {
    asked: Option<Instant>,
}

impl Learning {
    /// Asks, if it is time; none if it is not. An account that may not
    /// know learns of native ones only.
    pub(super) async fn learn(
        &mut self,
        conn: &mut Conn,
        flavour: Flavour,
    ) -> Result<Option<Routines>, Broken> {
        if self.asked.is_some_and(|asked| asked.elapsed() < REFRESH) {
            return Ok(None);
        }
        self.asked = Some(Instant::now());
        let question = format!("{QUESTION} LIMIT {LIMIT}");
        let rows: Vec<(String, String, String)> = match all(conn, &question).await {
            Err(broken) if broken.is_denied() => Vec::new(),
            rows => rows?,
        };
        let mut routines = Routines::of(flavour);
        for (schema, name, body) in &rows {
            routines.learn(schema, name, body);
        }
        Ok(Some(routines))
    }
}
