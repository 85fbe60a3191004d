//! A session has the values that its writer gave it, however the readers' own defaults differ.

use mysql_async::prelude::Queryable;
use tidegate::lab::APP;

use crate::stage::{Stage, WRITER};
use crate::steps::take;

/// A variable, a default for some of the backends, and a read that shows it.
const DIFFERS: &[(&str, &str, &str)] = &[
    ("sql_mode", "'PIPES_AS_CONCAT,ANSI_QUOTES'", "'a' || 'b'"),
    ("group_concat_max_len", "4", "GROUP_CONCAT('abcdef')"),
    ("div_precision_increment", "7", "1 / 3"),
    ("time_zone", "'+05:30'", "FROM_UNIXTIME(0)"),
    ("lc_time_names", "'de_DE'", "DAYNAME('2024-01-01')"),
    ("default_week_format", "3", "WEEK('2023-01-01')"),
];

async fn default_everywhere(stage: &Stage) {
    let names = DIFFERS.iter().map(|(name, ..)| *name);
    let back: Vec<_> = names
        .map(|name| format!("SET GLOBAL {name} = DEFAULT"))
        .collect();
    stage.lab.writer().execute(&back).await.unwrap();
    for reader in stage.lab.readers() {
        reader.execute(&back).await.unwrap();
    }
}

fn setting() -> Vec<String> {
    let answers = DIFFERS.iter().map(|(name, value, _)| (*name, *value));
    let set = |(name, value)| format!("SET GLOBAL {name} = {value}");
    answers.map(set).collect()
}

/// The answers of a new client's session, and of the same session after a reset; each by text and
/// prepared, each from readers alone or from the writer's own port.
async fn answers(stage: &Stage, port: u16) -> Vec<Vec<Option<String>>> {
    let mut conn = stage.client_at(port, APP).await;
    let mut answers = Vec::new();
    for reset in [false, true] {
        if reset {
            take(&mut conn, "#reset").await;
            take(&mut conn, "USE app").await;
        }
        for (name, _, shows) in DIFFERS {
            let sql = format!("SELECT CAST({shows} AS CHAR), MAX(name) FROM app.whoami");
            for _ in 0..2 {
                let text: Option<(String, String)> = conn.query_first(&sql).await.unwrap();
                let prepared: Option<(String, String)> = conn.exec_first(&sql, ()).await.unwrap();
                let on =
                    [&text, &prepared].map(|row| row.as_ref().is_some_and(|row| row.1 == WRITER));
                assert!(
                    port != stage.port || on == [false; 2],
                    "{name}: on the writer"
                );
                answers.push(vec![text.map(|row| row.0), prepared.map(|row| row.0)]);
            }
        }
    }
    answers
}

#[tokio::test]
async fn p3_a_session_has_its_writers_defaults_on_readers_too() {
    let stage = Stage::new().await;
    let writer = stage.lab.writer().port();
    for at_readers in [true, false] {
        default_everywhere(&stage).await;
        let before = answers(&stage, writer).await;
        match at_readers {
            true => {
                for reader in stage.lab.readers() {
                    reader.execute(setting()).await.unwrap();
                }
            }
            false => stage.lab.writer().execute(setting()).await.unwrap(),
        }
        let direct = answers(&stage, writer).await;
        assert_eq!(direct == before, at_readers, "does what is set show?");
        let through = answers(&stage, stage.port).await;
        assert_eq!(through, direct, "set at the readers: {at_readers}");
    }
    default_everywhere(&stage).await;
    stage.end().await;
}
