//! What a backend says of itself.

use crate::gtid::{Set, Uuid};
use crate::routing::Role;
use crate::sql::Flavour;

/// One backend, as it was asked.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name in the configuration.
    pub name: String,
    /// Its role there.
    pub role: Role,
    /// What it said, or why it said nothing.
    pub told: Result<Told, String>,
}

/// What a backend said. Settings are the global ones, which a new session begins with.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Whose server it is.
    pub flavour: Flavour,
    /// `@@server_uuid`, or what stands for it in MariaDB.
    pub uuid: Option<Uuid>,
    /// `@@version`.
    pub version: String,
    /// `@@server_id`, by which MariaDB's GTIDs tell servers apart.
    pub server_id: u32,
    /// `@@gtid_mode`; in MariaDB `@@gtid_strict_mode`.
    pub gtid_mode: String,
    /// `@@log_bin`.
    pub log_bin: bool,
    /// `@@replica_preserve_commit_order`; MariaDB always does, within a domain.
    pub preserves_commit_order: bool,
    /// `@@replica_parallel_workers`.
    pub parallel_workers: u64,
    /// `@@read_only`.
    pub read_only: bool,
    /// `@@super_read_only`; in MariaDB `@@read_only`, which is all that it has.
    pub super_read_only: bool,
    /// Settings that change what a statement means, by name.
    pub defaults: Vec<(&'static str, String)>,
    /// GTIDs that are executed; on the writer also those that are being committed.
    pub executed: Set,
    /// Filters of the binary log or of replication, as `name=value`.
    pub filters: Vec<String>,
    /// Its replication channels.
    pub channels: Vec<Channel>,
    /// Privileges that the monitor's account lacks.
    pub missing_grants: Vec<&'static str>,
}

/// One replication channel of a reader.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// Whose transactions it receives; none if it never has, or in MariaDB.
    pub source: Option<Uuid>,
    /// The same in MariaDB, by `@@server_id`.
    pub source_id: Option<u32>,
    /// Does it receive them?
    pub receives: bool,
    /// Does it execute them?
    pub applies: bool,
    /// The last error of either; empty for none.
    pub error: String,
}
