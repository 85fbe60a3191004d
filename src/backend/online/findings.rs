//! What follows from what the backends say. Pure.

use std::fmt;

use super::facts::{Facts, Told};
use crate::gtid::{Set, Uuid};
use crate::routing::Role;

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
        if told.version.contains("MariaDB") {
            self.fault(
                format!("it is MariaDB ({})", told.version),
                "its GTIDs are not understood yet, so it gets no reads",
                "use MySQL 8.0.26 or later",
            );
        }
        if told.gtid_mode != "ON" {
            self.fault(
                format!("gtid_mode is {}", told.gtid_mode),
                "nobody can tell what it has executed, so no read is proven fresh",
                "switch it on (MySQL manual, \"Enabling GTID Transactions Online\")",
            );
        }
        for grant in &told.missing_grants {
            self.fault(
                format!("the monitor's account lacks {grant}"),
                match *grant {
                    "PROCESS" => {
                        "after a connection that was lost in a COMMIT, reads stay on the writer"
                    }
                    _ => "filters and stopped replication are not seen",
                },
                &format!("GRANT {grant} ON *.* TO the monitor's account"),
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

    /// Two names that lead to one server.
    fn twins(&mut self, facts: &Facts, told: &Told, all: &[Facts]) {
        let earlier = all.iter().take_while(|other| other.name != facts.name);
        let same = |other: &&Facts| {
            told.uuid.is_some() && other.told.as_ref().is_ok_and(|it| it.uuid == told.uuid)
        };
        if let Some(twin) = earlier.into_iter().find(same) {
            self.fault(
                format!("it has the server_uuid of {}", twin.name),
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
            self.warning(
                "super_read_only is OFF".to_owned(),
                "a write that goes astray leaves a row that no other backend has",
                "SET PERSIST super_read_only = ON",
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
            self.errant(&told.executed, &writer.executed);
            self.defaults(told, writer);
        }
    }

    fn replication(&mut self, told: &Told, all: &[Facts]) {
        if told.channels.is_empty() && !told.missing_grants.contains(&"REPLICATION CLIENT") {
            self.fault(
                "it replicates from nobody".to_owned(),
                "it gets no reads once something was written",
                "CHANGE REPLICATION SOURCE TO …; START REPLICA",
            );
        }
        let known = |uuid: &Uuid| {
            let mut told = all.iter().filter_map(|facts| facts.told.as_ref().ok());
            told.any(|told| told.uuid.as_ref() == Some(uuid))
        };
        for channel in &told.channels {
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
mod tests {
    use super::super::facts::Channel;
    use super::*;

    const W: &str = "77777777-7777-7777-7777-777777777777";

    fn told(letter: u8) -> Told {
        Told {
            uuid: Some(Uuid::from_bytes([letter; 16])),
            version: "9.7.4".to_owned(),
            gtid_mode: "ON".to_owned(),
            log_bin: true,
            preserves_commit_order: true,
            parallel_workers: 4,
            defaults: vec![
                ("sql_mode", "STRICT_TRANS_TABLES".to_owned()),
                ("time_zone", "SYSTEM".to_owned()),
                ("system_time_zone", "UTC".to_owned()),
            ],
            executed: Set::parse(&format!("{W}:1-10")).unwrap(),
            ..Told::default()
        }
    }

    fn cluster() -> [Facts; 2] {
        let reader = Told {
            read_only: true,
            super_read_only: true,
            channels: vec![Channel {
                source: told(0x77).uuid,
                receives: true,
                applies: true,
                error: String::new(),
            }],
            ..told(0x61)
        };
        [
            ("w1", Role::Writer, told(0x77)),
            ("r1", Role::Reader, reader),
        ]
        .map(|(name, role, told)| Facts {
            name: name.to_owned(),
            role,
            told: Ok(told),
        })
    }

    fn found(index: usize, change: impl FnOnce(&mut Told)) -> Vec<String> {
        let mut all = cluster();
        change(all[index].told.as_mut().unwrap());
        findings(&all).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cluster_that_is_set_up_well_gives_no_finding() {
        assert!(findings(&cluster()).is_empty());
    }

    #[test]
    fn each_weakness_is_one_line_with_backend_severity_and_the_way_out() {
        type Change = fn(&mut Told);
        let table: [(usize, Change, &str); 17] = [
            (
                0,
                |it| it.gtid_mode = "OFF".into(),
                "fault: backend w1: gtid_mode is OFF",
            ),
            (
                1,
                |it| it.gtid_mode = "ON_PERMISSIVE".into(),
                "fault: backend r1: gtid_mode is ON_P",
            ),
            (
                0,
                |it| it.log_bin = false,
                "fault: backend w1: log_bin is OFF",
            ),
            (
                0,
                |it| it.read_only = true,
                "fault: backend w1: read_only is ON",
            ),
            (
                1,
                |it| it.preserves_commit_order = false,
                "fault: backend r1: replica_preserve_com",
            ),
            (
                1,
                |it| it.super_read_only = false,
                "warning: backend r1: super_read_only is OFF",
            ),
            (
                1,
                |it| it.filters = vec!["Replicate_Do_DB=a".into()],
                "fault: backend r1: filters",
            ),
            (
                0,
                |it| it.filters = vec!["Binlog_Do_DB=a".into()],
                "fault: backend w1: filters",
            ),
            (
                1,
                |it| it.missing_grants = vec!["PROCESS"],
                "fault: backend r1: the monitor's",
            ),
            (
                0,
                |it| it.missing_grants = vec!["REPLICATION CLIENT"],
                "fault: backend w1: the mon",
            ),
            (
                1,
                |it| it.defaults[0].1 = "ANSI".into(),
                "fault: backend r1: sql_mode is 'ANSI', on",
            ),
            (
                1,
                |it| it.defaults[2].1 = "CET".into(),
                "fault: backend r1: system_time_zone is",
            ),
            (
                1,
                |it| it.channels.clear(),
                "fault: backend r1: it replicates from nobody",
            ),
            (
                1,
                |it| it.channels[0].applies = false,
                "warning: backend r1: its applier is stopped",
            ),
            (
                1,
                |it| it.channels[0].receives = false,
                "warning: backend r1: its receiver is sto",
            ),
            (
                1,
                |it| it.channels[0].source = Some(Uuid::from_bytes([9; 16])),
                "warning: backend r1: it replicates from 09090909",
            ),
            (
                1,
                |it| it.executed = Set::parse(&format!("{W}:1-9:12")).unwrap(),
                "warning: backend r1: it has errant transactions (77777777-7777-7777-7777-7777777\
                 77777:12)",
            ),
        ];
        for (index, change, expected) in table {
            let lines = found(index, change);
            assert_eq!(lines.len(), 1, "{expected}: {lines:?}");
            assert!(lines[0].starts_with(expected), "{expected}: {lines:?}");
        }
    }

    #[test]
    fn one_server_under_two_names_and_one_that_is_silent_are_faults() {
        let lines = found(1, |it| it.uuid = told(0x77).uuid);
        assert!(lines[0].starts_with("fault: backend r1: it has the server_uuid of w1"));
        let mut all = cluster();
        all[1].told = Err("connection refused".to_owned());
        let lines = findings(&all);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].to_string().contains("connection refused"));
    }

    #[test]
    fn a_single_worker_and_an_unused_host_time_zone_do_not_matter() {
        assert!(
            found(1, |it| {
                it.preserves_commit_order = false;
                it.parallel_workers = 1;
            })
            .is_empty()
        );
        let mut all = cluster();
        for facts in &mut all {
            facts.told.as_mut().unwrap().defaults[1].1 = "+00:00".to_owned();
        }
        all[1].told.as_mut().unwrap().defaults[2].1 = "CET".to_owned();
        assert!(findings(&all).is_empty());
    }
}
