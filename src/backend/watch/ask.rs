//! What the monitor asks a backend, again and again.

use std::time::Instant;

use mysql_async::Conn;

use super::mariadb::Log;
use super::publish::Answer;
use crate::backend::client::{Broken, Life, first};
use crate::backend::flavour::Asked;
use crate::gtid::Set;
use crate::routing::Role;
use crate::sql::Flavour;

/// GTIDs that are being committed first, then those that are: what a read saw is in one of them,
/// whichever moment it read at.
const MYSQL: &str =
    "SELECT @@global.gtid_owned, @@global.gtid_executed, @@global.read_only, @@server_uuid";

/// The applier's position is written down in each transaction of its own, so this table has what
/// a read may have seen before the variable has it (MariaDB documentation, "mysql.gtid_slave_pos
/// Table").
const APPLIED: &str = "SELECT GROUP_CONCAT(CONCAT_WS('-', domain_id, server_id, seq_no)) \
                       FROM mysql.gtid_slave_pos";

/// One backend, on one connection.
#[derive(Debug)]
pub(super) struct Asking {
    life: Life,
    role: Role,
    log: Log,
}

impl Asking {
    /// Nothing asked yet.
    pub(super) fn new(life: Life, role: Role) -> Self {
        Self {
            life,
            role,
            log: Log::default(),
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Asks what it has executed.
    pub(super) async fn ask(&mut self, conn: &mut Conn) -> Result<Answer, Broken> {
        match (self.life.flavour, self.role) {
            (Flavour::MySql, _) => self.mysql(conn).await,
            (Flavour::MariaDb, Role::Writer) => self.mariadb_writer(conn).await,
            (Flavour::MariaDb, Role::Reader) => self.mariadb_reader(conn).await,
        }
    }

    async fn mysql(&self, conn: &mut Conn) -> Result<Answer, Broken> {
        let started = Instant::now();
        let told = first(conn, MYSQL).await?;
        let learned = Instant::now();
        let (owned, executed, read_only, uuid): (String, String, bool, String) =
            told.ok_or(Broken::Nonsense)?;
        self.is_same(&uuid)?;
        let executed = set(&executed)?;
        let mut seen = Set::parse_owned(&owned).map_err(|_| Broken::Nonsense)?;
        seen.union(&executed);
        Ok(Answer {
            started,
            learned,
            life: self.life,
            seen,
            executed,
            read_only,
            ordered: true,
        })
    }

    async fn mariadb_writer(&mut self, conn: &mut Conn) -> Result<Answer, Broken> {
        let started = Instant::now();
        let told = self.log.ask(conn).await?;
        let learned = Instant::now();
        self.is_same(&told.identity)?;
        let mut seen = told.logged;
        seen.union(&told.applied);
        let mut executed = told.visible;
        executed.union(&told.applied);
        Ok(Answer {
            started,
            learned,
            life: self.life,
            seen,
            executed,
            read_only: told.read_only,
            ordered: told.ordered,
        })
    }

    async fn mariadb_reader(&self, conn: &mut Conn) -> Result<Answer, Broken> {
        let question = format!(
            "SELECT {}, @@global.read_only, {}, {}, ({APPLIED})",
            self.life.flavour.identity(),
            self.life.flavour.applied(),
            self.life.flavour.logged(),
        );
        let started = Instant::now();
        let told = first(conn, &question).await?;
        let learned = Instant::now();
        let (identity, read_only, applied, logged, written_down): (
            String,
            String,
            String,
            String,
            Option<String>,
        ) = told.ok_or(Broken::Nonsense)?;
        self.is_same(&identity)?;
        let executed = self.executed(&applied, &logged)?;
        let mut seen = set(&written_down.unwrap_or_default())?;
        seen.union(&set(&logged)?);
        seen.union(&executed);
        Ok(Answer {
            started,
            learned,
            life: self.life,
            seen,
            executed,
            read_only: is_on(&read_only),
            ordered: true,
        })
    }

    /// What a reader has executed: what its applier has, and, where that is told apart, what it
    /// has logged under its own name. Nobody sends it that: it was its own writer, or is errant.
    pub(super) fn executed(&self, applied: &str, logged: &str) -> Result<Set, Broken> {
        let mut executed = set(applied)?;
        let mut own = set(logged)?;
        own.retain_uuids(|source| self.life.server_uuid.numbers(source));
        executed.union(&own);
        Ok(executed)
    }

    /// Is it still the server that was connected?
    pub(super) fn is_same(&self, identity: &str) -> Result<(), Broken> {
        let uuid = self.life.flavour.read_identity(identity);
        match uuid.ok_or(Broken::Nonsense)? == self.life.server_uuid {
            true => Ok(()),
            false => Err(Broken::Stranger),
        }
    }
}

/// A set as a server tells it.
pub(super) fn set(text: &str) -> Result<Set, Broken> {
    Set::parse(text).map_err(|_| Broken::Nonsense)
}

/// Newer versions of MariaDB have several ways of being read only.
pub(super) fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "OFF")
}
