//! `FOUND_ROWS()` counts what the client has read last, though the proxy has asked something since.
//!
//! <https://dev.mysql.com/doc/refman/en/information-functions.html#function_found-rows>

use super::connections::Held;
use super::session::Session;
use crate::backend::{ConnectError, question};

/// What a question of the proxy's own leaves: it has one row.
const OWN: u64 = 1;

/// More rows than this are not counted out again.
const MOST: u64 = 10_000;

impl Session {
    /// Lets the connection track as the client wishes, for a statement that names its tracking.
    pub(super) async fn track_for_client(&mut self, held: &mut Held) -> Result<(), ConnectError> {
        let rows = found_rows(held).await?;
        if self.tracking_doubted {
            self.track_again(held).await?;
        }
        self.track_as_wished(held).await?;
        restore_found_rows(held, rows).await
    }
}

/// What `FOUND_ROWS()` is now.
pub(super) async fn found_rows(held: &mut Held) -> Result<u64, ConnectError> {
    let row = held.ask(&question(["FOUND_ROWS()"])).await?;
    let text = row.into_iter().next().flatten().unwrap_or_default();
    let text = std::str::from_utf8(&text).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or(ConnectError::Unexpected)
}

/// Makes it that again.
pub(super) async fn restore_found_rows(held: &mut Held, rows: u64) -> Result<(), ConnectError> {
    match rows {
        OWN => Ok(()),
        0 => held.ask("SELECT 0 LIMIT 0").await.map(drop),
        MOST.. => Ok(()),
        rows => held.ask(&counting(rows)).await.map(drop),
    }
}

/// A query that has so many rows and sends one.
fn counting(rows: u64) -> String {
    let ten: Vec<String> = (0..10)
        .map(|digit| format!("SELECT {digit} AS d"))
        .collect();
    let ten = ten.join(" UNION ALL ");
    let digits = rows.checked_ilog10().unwrap_or(0) + 1;
    let tables: Vec<String> = (0..digits)
        .map(|place| format!("({ten}) AS t{place}"))
        .collect();
    let number: Vec<String> = (0..digits)
        .map(|place| format!("t{place}.d * {}", 10_u64.pow(place)))
        .collect();
    format!(
        "SELECT SQL_CALC_FOUND_ROWS 0 FROM {} WHERE {} < {rows} LIMIT 1",
        tables.join(" JOIN "),
        number.join(" + ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_with_so_many_rows_has_a_digit_for_each_of_theirs() {
        for (rows, digits) in [(2, 1), (9, 1), (10, 2), (99, 2), (9_999, 4)] {
            let sql = counting(rows);
            assert_eq!(sql.matches("UNION ALL").count(), digits * 9, "{sql}");
            assert!(sql.contains(&format!("< {rows} LIMIT 1")));
        }
    }
}
