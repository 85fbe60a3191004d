//! What follows from what the backends say. Pure.

use std::fmt;

use super::facts::{Facts, Told};
use crate::gtid::{Set, Uuid};
use crate::routing::Role;
use crate::sql::Flavour;

/// The right that MariaDB's readers have to give.
const APPLIED: &str = "SELECT ON mysql.gtid_slave_pos";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A promise does not hold.
    Fault,
    /// Something will be worse than it could be.
    Warning,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The backend's name.
    pub backend: String,
    /// What was found.
    pub found: String,
    /// What that weakens.
    pub weakens: &'static str,
    /// How to mend it.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Fault => "fault",
            Severity::Warning => "warning",
        };
        let Self {
            backend,
            found,
            weakens,
            mend,
            ..
        } = self;
        write!(
            f,
            "{severity}: backend {backend}: {found}: {weakens}; {mend}"
        )
    }
}

/// Everything that weakens a promise, backend by backend.
pub fn findings(all: &[Facts]) -> Vec<Finding> {
    let writer = all
        .iter()
        .find(|facts| facts.role == Role::Writer)
        .and_then(|facts| facts.told.as_ref().ok());
    let mut list = Vec::new();
    for facts in all {
        let mut about = About {
            backend: &facts.name,
            list: &mut list,
        };
        match &facts.told {
            Err(error) => about.fault(
                format!("it can't be asked ({error})"),
                "nothing is sent there",
                "check its address, and the monitor's account and password",
            ),
            Ok(told) => {
                about.server(told);
                about.twins(facts, told, all);
                match facts.role {
                    Role::Writer => about.writer(told),
                    Role::Reader => about.reader(told, writer, all),
                }
            }
        }
    }
    list
}

struct About<'a> {
    backend: &'a str,
    list: &'a mut Vec<Finding>,
}

impl About<'_> {
    fn fault(&mut self, found: String, weakens: &'static str, mend: &str) {
        self.add(Severity::Fault, found, weakens, mend);
    }

    fn warning(&mut self, found: String, weakens: &'static str, mend: &str) {
        self.add(Severity::Warning, found, weakens, mend);
    }

    fn add(&mut self, severity: Severity, found: String, weakens: &'static str, mend: &str) {
        self.list.push(Finding {
            severity,
            backend: self.backend.to_owned(),
            found,
            weakens,
            mend: mend.to_owned(),
        });
    }

    /// What counts for both roles.
    fn server(&mut self, told: &Told) {
        self.gtids(told);
        for grant in &told.missing_grants {
            self.fault(
                format!("the monitor's account lacks {grant}"),
                match *grant {
                    "PROCESS" => {
                        "after a connection that was lost in a COMMIT, reads stay on the writer"
                    }
                    "BINLOG MONITOR" | APPLIED => {
                        "nobody can tell what reads there have seen, so it counts as down"
                    }
                    _ => "filters and stopped replication are not seen",
                },
                &match grant.contains(" ON ") {
                    true => format!("GRANT {grant} TO the monitor's account"),
                    false => format!("GRANT {grant} ON *.* TO the monitor's account"),
                },
            );
        }
        if !told.filters.is_empty() {
            self.fault(
                format!(
                    "filters leave transactions out ({})",
                    told.filters.join(", ")
                ),
                "a read may miss rows whose GTIDs are executed",
                "remove the filters, or the backend from the configuration",
            );
        }
    }

    /// Can its GTIDs be relied on?
    fn gtids(&mut self, told: &Told) {
        let on = told.gtid_mode == "ON";
        match told.flavour {
            Flavour::MySql if !on => self.fault(
                format!("gtid_mode is {}", told.gtid_mode),
                "nobody can tell what it has executed, so no read is proven fresh",
                "switch it on (MySQL manual, \"Enabling GTID Transactions Online\")",
            ),
            Flavour::MariaDb if !on => self.fault(
                format!("gtid_strict_mode is {}", told.gtid_mode),
                "a position does not prove what was executed before it, so reads run on the writer",
                "SET GLOBAL gtid_strict_mode = ON, and in the server's file",
            ),
            _ => {}
        }
    }

    /// A reader of another make than the writer.
    fn flavours(&mut self, told: &Told, writer: &Told) {
        if told.flavour != writer.flavour {
            self.fault(
                format!(
                    "its version is {}, the writer's {}",
                    told.version, writer.version
                ),
                "MySQL and MariaDB do not understand each other's GTIDs, so it gets no reads",
                "use servers of one make",
            );
        } else if told.flavour == Flavour::MariaDb && told.server_id == writer.server_id {
            self.fault(
                format!("it has the writer's server_id ({})", told.server_id),
                "their GTIDs can't be told apart",
                "SET GLOBAL server_id = …, and in the server's file",
            );
        }
    }

    /// Two names that lead to one server.
    fn twins(&mut self, facts: &Facts, told: &Told, all: &[Facts]) {
        let earlier = all.iter().take_while(|other| other.name != facts.name);
        let same = |other: &&Facts| {
            told.uuid.is_some() && other.told.as_ref().is_ok_and(|it| it.uuid == told.uuid)
        };
        if let Some(twin) = earlier.into_iter().find(same) {
            self.fault(
                match told.flavour {
                    Flavour::MySql => format!("it has the server_uuid of {}", twin.name),
                    Flavour::MariaDb => format!("it is the same server as {}", twin.name),
                },
                "their GTIDs can't be told apart",
                "remove one of the two, or give a copied server an auto.cnf of its own",
            );
        }
    }

    fn writer(&mut self, told: &Told) {
        if !told.log_bin {
            self.fault(
                "log_bin is OFF".to_owned(),
                "its writes get no GTIDs and reach no reader",
                "start it with log_bin",
            );
        }
        if told.read_only {
            self.fault(
                "read_only is ON".to_owned(),
                "writes get an error",
                "SET PERSIST read_only = OFF, or name the writer that took over",
            );
        }
    }

    fn reader(&mut self, told: &Told, writer: Option<&Told>, all: &[Facts]) {
        if !told.super_read_only {
            let (found, mend) = match told.flavour {
                Flavour::MySql => ("super_read_only is OFF", "SET PERSIST super_read_only = ON"),
                Flavour::MariaDb => (
                    "read_only is OFF",
                    "SET GLOBAL read_only = ON, and in the server's file",
                ),
            };
            self.warning(
                found.to_owned(),
                "a write that goes astray leaves a row that no other backend has",
                mend,
            );
        }
        if !told.preserves_commit_order && told.parallel_workers > 1 {
            self.fault(
                "replica_preserve_commit_order is OFF".to_owned(),
                "a read may see a transaction without one that was committed before it",
                "STOP REPLICA SQL_THREAD; SET PERSIST replica_preserve_commit_order = ON; \
                 START REPLICA SQL_THREAD",
            );
        }
        self.replication(told, all);
        if let Some(writer) = writer {
            self.flavours(told, writer);
            self.errant(&told.executed, &writer.executed);
            self.defaults(told, writer);
        }
    }

    fn replication(&mut self, told: &Told, all: &[Facts]) {
        let told_all = |grant: &&str| !["REPLICATION CLIENT", "SLAVE MONITOR"].contains(grant);
        if told.channels.is_empty() && told.missing_grants.iter().all(told_all) {
            self.fault(
                "it replicates from nobody".to_owned(),
                "it gets no reads once something was written",
                match told.flavour {
                    Flavour::MySql => "CHANGE REPLICATION SOURCE TO …; START REPLICA",
                    Flavour::MariaDb => "CHANGE MASTER TO …; START REPLICA",
                },
            );
        }
        let known = |uuid: &Uuid| {
            let mut told = all.iter().filter_map(|facts| facts.told.as_ref().ok());
            told.any(|told| told.uuid.as_ref() == Some(uuid))
        };
        let known_id = |id: &u32| {
            let mut told = all.iter().filter_map(|facts| facts.told.as_ref().ok());
            told.any(|told| told.server_id == *id)
        };
        for channel in &told.channels {
            if let Some(id) = channel.source_id.filter(|id| !known_id(id)) {
                self.warning(
                    format!("it replicates from server_id {id}, which is no backend here"),
                    "it may never get what the writer commits",
                    "make it follow the writer, or another backend",
                );
            }
            if !channel.receives || !channel.applies {
                let what = if channel.receives {
                    "applier"
                } else {
                    "receiver"
                };
                let error = match channel.error.as_str() {
                    "" => String::new(),
                    error => format!(" ({error})"),
                };
                self.warning(
                    format!("its {what} is stopped{error}"),
                    "it falls behind and gets fewer reads, then none",
                    "START REPLICA",
                );
            }
            if let Some(source) = channel.source.filter(|source| !known(source)) {
                self.warning(
                    format!("it replicates from {source}, which is no backend here"),
                    "it may never get what the writer commits",
                    "make it follow the writer, or another backend",
                );
            }
        }
    }

    fn errant(&mut self, executed: &Set, by_writer: &Set) {
        let mut errant = executed.clone();
        errant.subtract(by_writer);
        if !errant.is_empty() {
            let set = errant.to_string().replace('\n', "");
            self.warning(
                format!("it has errant transactions ({set})"),
                "reads there may show rows that no other backend has",
                "rebuild it, or commit empty transactions with these GTIDs on the writer",
            );
        }
    }

    fn defaults(&mut self, told: &Told, writer: &Told) {
        for ((name, own), (_, writers)) in told.defaults.iter().zip(&writer.defaults) {
            // The host's time zone matters only where it is used.
            let unused = *name == "system_time_zone"
                && ![told, writer].iter().any(|it| it.uses_system_time_zone());
            if own == writers || unused {
                continue;
            }
            self.fault(
                format!("{name} is '{own}', on the writer '{writers}'"),
                "the same statement means something else there",
                "set both to the same, with SET PERSIST or in the server's file",
            );
        }
    }
}

impl Told {
    fn uses_system_time_zone(&self) -> bool {
        let is_system = |(name, value): &(&str, String)| *name == "time_zone" && value == "SYSTEM";
        self.defaults.iter().any(is_system)
    }
}

#[cfg(test)]
mod tests;
