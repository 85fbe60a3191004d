//! A group (group replication) with one primary: who that is the group decides, and Tidegate follows.

use std::net::TcpListener;
use std::time::Instant;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::{Cluster, Flavour, Instance, MONITOR, Options, REPLICATION};

use crate::stage::{LIMIT, Stage, TABLE, number, until_written, write};
use crate::support;

const NAME: &str = "a0b1c2d3-0000-4000-8000-000000000001";

const ASK_STATE: &str = "SELECT MEMBER_STATE FROM performance_schema.replication_group_members \
                         WHERE MEMBER_ID = @@server_uuid";

/// All three are online, and the first is the primary.
pub(crate) async fn form_group() -> Cluster {
    let options = Options {
        mysqld_args: [
            "--plugin-load-add=group_replication.so",
            "--report-host=127.0.0.1",
            "--loose-group-replication-start-on-boot=OFF",
            "--loose-group-replication-recovery-get-public-key=ON",
            "--loose-group-replication-recovery-reconnect-interval=1",
            "--loose-group-replication-recovery-retry-count=1000",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("--loose-group-replication-group-name={NAME}")])
        .collect(),
        ..support::options([0, 0])
    };
    let lab = Cluster::start(options).await.unwrap();
    support::name_backends(&lab).await;
    let listeners = [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let addresses = listeners.map(|it| it.local_addr().unwrap().to_string());
    let (user, password) = (REPLICATION.user, REPLICATION.password);
    for (instance, address) in lab.instances().zip(&addresses) {
        let statements = [
            "STOP REPLICA".to_owned(),
            "RESET REPLICA ALL".to_owned(),
            "SET GLOBAL super_read_only = OFF".to_owned(),
            "RESET BINARY LOGS AND GTIDS".to_owned(),
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_USER = '{user}', \
                 SOURCE_PASSWORD = '{password}' FOR CHANNEL 'group_replication_recovery'"
            ),
            format!("SET GLOBAL group_replication_local_address = '{address}'"),
            format!(
                "SET GLOBAL group_replication_group_seeds = '{}'",
                addresses.join(",")
            ),
        ];
        instance.execute(statements).await.unwrap();
    }
    let first = [
        "SET GLOBAL group_replication_bootstrap_group = ON",
        "START GROUP_REPLICATION",
        "SET GLOBAL group_replication_bootstrap_group = OFF",
    ];
    lab.writer().execute(first).await.unwrap();
    until_state(lab.writer(), "ONLINE").await;
    for reader in lab.readers() {
        reader.execute(["START GROUP_REPLICATION"]).await.unwrap();
        until_state(reader, "ONLINE").await;
    }
    let monitor = MONITOR.user;
    let grant =
        format!("GRANT SELECT ON performance_schema.replication_group_members TO {monitor}");
    lab.writer().execute([&grant, TABLE]).await.unwrap();
    assert!(lab.settle(LIMIT).await.unwrap());
    lab
}

async fn until_state(instance: &Instance, wanted: &str) {
    let since = Instant::now();
    loop {
        let row = instance.row(ASK_STATE).await.unwrap();
        let state: String = row.and_then(|row| row.get(0)).unwrap_or_default();
        if state == wanted {
            return;
        }
        let log = || instance.log_tail(20);
        assert!(since.elapsed() < LIMIT, "{state}, not {wanted}:\n{}", log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Each write is there for the next read, and readers answer such reads.
async fn sees_its_writes(conn: &mut Conn, round: &str) {
    let mut by_readers = 0;
    for number_of in 1..=50 {
        let what = format!("{round} {number_of}");
        number(conn, &write(&what)).await.unwrap();
        let sql = format!(
            "SELECT COUNT(*), (SELECT name FROM app.whoami) FROM app.kept \
             WHERE what LIKE '{round} %'"
        );
        let seen: Option<(u64, String)> = conn.query_first(&sql).await.unwrap();
        let (count, who) = seen.unwrap();
        assert_eq!(count, number_of, "on {who}");
        let writer: Option<String> = conn
            .query_first("SELECT name FROM app.whoami /* tidegate: level=writer */")
            .await
            .unwrap();
        by_readers += u32::from(Some(who) != writer);
    }
    assert!(by_readers > 0, "no reader has answered");
}

/// Sessions that take whatever they get never get it from this one.
async fn never_served_by(stage: &Stage, unwanted: &str) {
    for _ in 0..30 {
        let mut conn = stage.client().await;
        let sql = "SELECT name FROM app.whoami /* tidegate: level=eventual */";
        let name: Option<String> = conn.query_first(sql).await.unwrap();
        assert_ne!(name.as_deref(), Some(unwanted));
    }
}

async fn until_metric(stage: &Stage, sample: &str, value: f64) {
    let since = Instant::now();
    while stage.metric(sample) != value {
        assert!(since.elapsed() < LIMIT, "{sample} is not {value}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn p1_p5_the_primary_of_a_group_is_followed_and_a_member_that_recovers_gets_no_reads() {
    if support::skips(Flavour::MySql, "group replication is MySQL's") {
        return;
    }
    let stage = Stage::before(form_group().await, |config| {
        for backend in &mut config.backend.backends {
            backend.role = None;
        }
    })
    .await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    assert_eq!(stage.metric("tidegate_backend_writer{backend=\"w1\"}"), 1.0);
    sees_its_writes(&mut conn, "first").await;

    // The group makes another one its primary.
    let uuid: String = {
        let row = stage.member(1).row("SELECT @@server_uuid").await.unwrap();
        row.and_then(|row| row.get(0)).unwrap()
    };
    let change = format!("SELECT group_replication_set_as_primary('{uuid}')");
    stage.member(0).row(&change).await.unwrap();
    until_written(&mut conn, "changed").await;
    assert_eq!(stage.metric("tidegate_backend_writer{backend=\"r1\"}"), 1.0);
    sees_its_writes(&mut conn, "second").await;
    assert_eq!(stage.metric("tidegate_errant_gtids{backend=\"r2\"}"), 0.0);

    // One leaves, and can't get what it has missed when it is back.
    let recovering = "tidegate_backend_recovering{backend=\"r2\"}";
    stage
        .member(2)
        .execute(["STOP GROUP_REPLICATION"])
        .await
        .unwrap();
    until_metric(&stage, recovering, 1.0).await;
    never_served_by(&stage, "r2").await;
    let user = REPLICATION.user;
    let lock = format!("ALTER USER {user} ACCOUNT LOCK");
    stage.member(1).execute([lock]).await.unwrap();
    stage
        .member(2)
        .execute(["START GROUP_REPLICATION"])
        .await
        .unwrap();
    until_state(stage.member(2), "RECOVERING").await;
    assert_eq!(stage.metric(recovering), 1.0);
    never_served_by(&stage, "r2").await;
    sees_its_writes(&mut conn, "third").await;
    let unlock = format!("ALTER USER {user} ACCOUNT UNLOCK");
    stage.member(1).execute([unlock]).await.unwrap();
    until_state(stage.member(2), "ONLINE").await;
    until_metric(&stage, recovering, 0.0).await;

    // The primary dies, and the group finds another one.
    stage.member(1).kill9().await.unwrap();
    let mut other = stage.client().await;
    until_written(&mut other, "after").await;
    sees_its_writes(&mut other, "fourth").await;
    drop((conn, other));
    stage.end().await;
}
