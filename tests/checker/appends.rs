//! What a client does with lists.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use rand::Rng;

use crate::client::{Broken, Client};
use crate::history::{Key, Level};
use crate::lists::Did;

/// Lists that everybody appends to.
const LISTS: [Key; 8] = [101, 102, 103, 104, 105, 106, 107, 108];

impl Client {
    /// Appends to a list that others append to, too.
    pub(crate) async fn append(&mut self, conn: &mut Conn, scope: u32) -> Result<(), Broken> {
        let key = LISTS[self.chance.random_range(0..LISTS.len())];
        let element = self.record.new_element();
        let sql = format!(
            "INSERT INTO app.lists VALUES ({key}, ' {element}') \
             ON DUPLICATE KEY UPDATE l = CONCAT(lists.l, ' {element}')"
        );
        let sent = self.record.now();
        let (how, done) = match self.chance.random_range(0..3) {
            0 => ("a prepared append", conn.exec_drop(sql, ()).await),
            1 => (
                "an append in a batch",
                conn.query_drop(format!("SELECT 1; {sql}")).await,
            ),
            _ => ("an append", conn.query_drop(sql).await),
        };
        let did = match done {
            Ok(()) => Did::Appended(element),
            Err(_) => Did::MayHaveAppended(element),
        };
        let session = (Level::Session, how);
        self.record.add_to_list(scope, key, sent, did, session);
        self.record.failed(how, &done);
        done.map_err(|_| Broken)
    }

    /// Reads one of them.
    pub(crate) async fn read_list(&mut self, conn: &mut Conn, scope: u32) -> Result<(), Broken> {
        let key = LISTS[self.chance.random_range(0..LISTS.len())];
        let (level, hint) = self.some_level();
        let sql = format!(
            "SELECT COALESCE(l.l, ''), w.name \
             FROM app.whoami w LEFT JOIN app.lists l ON l.id = {key} {hint}"
        );
        let sent = self.record.now();
        let row: Result<Option<(String, String)>, Error> = match self.chance.random_bool(0.5) {
            true => conn.exec_first(&sql, ()).await,
            false => conn.query_first(&sql).await,
        };
        match row {
            Ok(Some((list, place))) => {
                let list = list.split_whitespace().map(|it| it.parse().unwrap());
                let how = format!("a select on {place}");
                self.record.read_on(&place, &self.fleet);
                let saw = Did::Saw(list.collect());
                self.record
                    .add_to_list(scope, key, sent, saw, (level, &how));
                Ok(())
            }
            Ok(None) => panic!("{sql}: no row"),
            Err(error) => {
                self.record.failed("a select of a list", &Err(error));
                Err(Broken)
            }
        }
    }
}
