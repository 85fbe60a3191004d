//! The findings, one weakness at a time.

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
            source_id: None,
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

#[test]
fn what_mariadb_lacks_is_said_in_its_own_words() {
    let mariadb = |change: fn(&mut Told)| {
        let mut all = cluster();
        for (number, facts) in (1..).zip(&mut all) {
            let told = facts.told.as_mut().unwrap();
            told.flavour = Flavour::MariaDb;
            told.server_id = number;
            for channel in &mut told.channels {
                (channel.source, channel.source_id) = (None, Some(1));
            }
        }
        change(all[1].told.as_mut().unwrap());
        let lines = findings(&all);
        lines.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(mariadb(|_| {}), [""; 0]);
    type Change = fn(&mut Told);
    let table: [(Change, &str); 6] = [
        (
            |it| it.gtid_mode = "OFF".into(),
            "fault: backend r1: gtid_strict_mode is OFF",
        ),
        (
            |it| it.super_read_only = false,
            "warning: backend r1: read_only is OFF",
        ),
        (
            |it| it.server_id = 1,
            "fault: backend r1: it has the writer's server_id (1)",
        ),
        (
            |it| it.channels[0].source_id = Some(9),
            "warning: backend r1: it replicates from server_id 9",
        ),
        (
            |it| it.missing_grants = vec![APPLIED],
            "fault: backend r1: the monitor's account lacks SELECT ON",
        ),
        (
            |it| it.flavour = Flavour::MySql,
            "fault: backend r1: its version is",
        ),
    ];
    for (change, expected) in table {
        let lines = mariadb(change);
        assert_eq!(lines.len(), 1, "{expected}: {lines:?}");
        assert!(lines[0].starts_with(expected), "{expected}: {lines:?}");
    }
}
