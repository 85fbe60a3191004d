//! State that lives on one backend connection, as a set of named marks.

use std::ops::{BitOr, BitOrAssign};

/// A set of kinds of state that a connection may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks(u32);

impl Marks {
    /// None.
    pub const NONE: Self = Self(0);
    /// A user variable.
    pub const USER_VARIABLE: Self = Self(1);
    /// A temporary table whose name is not known.
    pub const TEMPORARY_TABLE: Self = Self(1 << 1);
    /// LOCK TABLES, LOCK INSTANCE or FLUSH TABLES WITH READ LOCK.
    pub const TABLE_LOCKS: Self = Self(1 << 2);
    /// GET_LOCK().
    pub const USER_LOCK: Self = Self(1 << 3);
    /// An open HANDLER.
    pub const HANDLER: Self = Self(1 << 4);
    /// SET ROLE.
    pub const ROLE: Self = Self(1 << 5);
    /// A statement prepared by SQL.
    pub const PREPARED: Self = Self(1 << 6);
    /// An XA transaction.
    pub const XA: Self = Self(1 << 7);
    /// SET TRANSACTION, which holds for the next transaction only.
    pub const NEXT_TRANSACTION: Self = Self(1 << 8);
    /// `sql_log_bin`: what the session writes may reach no reader.
    pub const SQL_LOG_BIN: Self = Self(1 << 9);
    /// A session variable that says something of its connection, and that no other one can be
    /// told: the next insert's id, the seeds of RAND().
    pub const SESSION_VARIABLE: Self = Self(1 << 10);
    /// A value for LAST_INSERT_ID() to return.
    pub const LAST_INSERT_ID: Self = Self(1 << 11);
    /// `timestamp`: the clock of NOW() stands still.
    pub const TIMESTAMP: Self = Self(1 << 13);
    /// Something else that no backend connection but this one knows.
    pub const UNKNOWN: Self = Self(1 << 12);

    /// FLUSH STATUS: its counters are about to be looked at.
    pub const COUNTERS: Self = Self(1 << 14);

    /// Is nothing in it?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Is any of `other` in it?
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Takes `other` out.
    pub fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
