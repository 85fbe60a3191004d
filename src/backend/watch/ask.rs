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

/// First whether it takes writes: then it was the writer when it was asked, and has everything that
/// was committed by then, also what a writer before it had committed. GTIDs that are being committed
/// come before those that are: what a read saw is in one of them, whichever moment it read at.
const MYSQL: &str = "SELECT CAST(@@global.read_only AS SIGNED), @@global.gtid_owned, \
                     @@global.gtid_executed, @@server_uuid, FALSE";

/// The same of a member of a group, which takes writes only as a primary that has a majority, and
/// recovers, or has no part in it, unless it is online (MySQL manual, "The
/// replication_group_members Table").
const MEMBER: &str = "SELECT @@global.read_only OR NOT EXISTS (SELECT 1 FROM performance_schema.replication_group_members \
       WHERE MEMBER_ID = @@server_uuid AND MEMBER_STATE = 'ONLINE' AND MEMBER_ROLE = 'PRIMARY') \
     OR (SELECT 2 * SUM(MEMBER_STATE <> 'UNREACHABLE') <= COUNT(*) \
       FROM performance_schema.replication_group_members), \
     @@global.gtid_owned, @@global.gtid_executed, @@server_uuid, \
     NOT EXISTS (SELECT 1 FROM performance_schema.replication_group_members \
       WHERE MEMBER_ID = @@server_uuid AND MEMBER_STATE = 'ONLINE')";

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
    group: Group,
}

/// Whether a backend is in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Group {
    /// It is not.
    #[default]
    None,
    /// It is.
    Member,
    /// It is, and the account may not see what it is there.
    Hidden,
}

impl Asking {
    /// Nothing asked yet.
    pub(super) fn new(life: Life, role: Role) -> Self {
        Self {
            life,
            role,
            log: Log::default(),
            group: Group::default(),
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn flavour(&self) -> Flavour {
        self.life.flavour
    }

    /// From now on it is asked as one of this role.
    pub(super) fn set_role(&mut self, role: Role) {
        if std::mem::replace(&mut self.role, role) != role {
            self.log = Log::default();
        }
    }

    /// From now on it is asked as one in a group or not; true if that is another question.
    pub(super) fn set_group(&mut self, group: Group) -> bool {
        std::mem::replace(&mut self.group, group) != group
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
        let question = match self.group {
            Group::Member => MEMBER,
            Group::None | Group::Hidden => MYSQL,
        };
        let told = first(conn, question).await?;
        let learned = Instant::now();
        let told: (bool, String, String, String, bool) = told.ok_or(Broken::Nonsense)?;
        let (read_only, owned, executed, uuid, recovering) = told;
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
            read_only: read_only || self.group == Group::Hidden,
            recovering,
            ordered: true,
            role: self.role,
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
            recovering: false,
            ordered: told.ordered,
            role: self.role,
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
            recovering: false,
            ordered: true,
            role: self.role,
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
