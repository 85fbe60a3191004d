//! Somebody who is no client of Tidegate.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::sync::watch;

use crate::cluster::{USERS, connect};
use crate::fleet::Fleet;
use crate::history::What;
use crate::record::Record;
use crate::ways::fill;

/// Counts in rows that everybody reads, until he is told to end. He asks whoever is the writer.
pub(crate) async fn stranger(
    fleet: &Fleet,
    record: &Record,
    rows: Vec<u32>,
    mut end: watch::Receiver<bool>,
) {
    let scope = record.new_scope();
    let mut conn = None;
    let mut rows = rows.iter().cycle();
    while !*end.borrow_and_update() {
        conn = match conn {
            None => connect(fleet.writer().port(), USERS[0]).await,
            some => some,
        };
        if let (Some(open), Some(row)) = (&mut conn, rows.next()) {
            let sent = record.now();
            let what = match open.query_drop(fill("{bump}", *row)).await {
                Ok(()) => What::Bumped,
                Err(_) => What::MayHaveBumped,
            };
            record.add(scope, *row, sent, what, "the stranger");
            if what != What::Bumped {
                conn = None;
            }
        }
        // Readers on a slow disk have to keep up.
        let pause = Duration::from_millis(10);
        let _ = tokio::time::timeout(pause, end.wait_for(|end| *end)).await;
    }
}
