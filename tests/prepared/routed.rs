//! Where executions run, and what they see.

use tidegate::lab::Instance;
use tidegate::protocol::Command;

use crate::binary::{Answer, Binary, Value};
use crate::stage::{LIMIT, Stage};
use crate::wire;

const SERVED_BY: &str = "SELECT name FROM app.whoami WHERE ? = 1";

#[tokio::test]
async fn p1_a_prepared_read_runs_on_a_reader_and_sees_what_its_session_wrote() {
    let stage = Stage::new().await;
    stage
        .prepare([
            "DROP TABLE IF EXISTS app.prep_own",
            "CREATE TABLE app.prep_own (id INT PRIMARY KEY, v VARCHAR(9))",
        ])
        .await;
    let mut client = Binary::connect(stage.port).await;
    let served = client.prepare(SERVED_BY).await;
    let write = client
        .prepare("REPLACE INTO app.prep_own VALUES (1, ?)")
        .await;
    let read = client
        .prepare("SELECT v FROM app.prep_own WHERE id = 1")
        .await;
    client.until_on_a_reader().await;
    assert_ne!(client.execute(served, &[Value::Int(1)]).await.one(), "w1");
    stage.freeze().await;
    for value in ["one", "two", "three"] {
        assert_eq!(
            client.execute(write, &[Value::Text(value)]).await,
            Answer::Ok
        );
        assert_eq!(client.execute(read, &[]).await.one(), value);
        let by = client.again(served, &[Value::Int(1)]).await.one();
        assert_eq!(by, "w1", "no reader has the write");
    }
    stage.thaw().await;
    let back = async { while client.again(served, &[Value::Int(1)]).await.one() == "w1" {} };
    assert!(tokio::time::timeout(LIMIT, back).await.is_ok());
    assert_eq!(client.execute(read, &[]).await.one(), "three");
    stage.end().await;
}

#[tokio::test]
async fn each_backend_prepares_a_statement_once_however_often_it_runs() {
    if wire::changes_hands() {
        println!("skipped: another connection has to be told again");
        return;
    }
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let before = prepares(&stage).await;
    let served = client.prepare(SERVED_BY).await;
    for round in 0..40 {
        // Inside a transaction it runs on the writer, else on a reader.
        let inside = round % 2 == 0;
        if inside {
            client.text("BEGIN").await;
        }
        let by = client.again_or_first(served, round).await;
        assert_eq!(by == "w1", inside, "round {round}");
        if inside {
            client.text("COMMIT").await;
        }
    }
    let after = prepares(&stage).await;
    let grown: Vec<u64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    assert_eq!(grown[0], 1, "at the writer: {grown:?}");
    assert!(grown[1..].iter().all(|count| *count <= 1), "{grown:?}");
    assert!(grown[1..].iter().sum::<u64>() >= 1, "{grown:?}");
    stage.end().await;
}

impl Binary {
    /// Types with the first execution only, so that another connection has to be told of them.
    async fn again_or_first(&mut self, id: u32, round: usize) -> String {
        match round {
            0 => self.execute(id, &[Value::Int(1)]).await.one(),
            _ => self.again(id, &[Value::Int(1)]).await.one(),
        }
    }
}

/// `Com_stmt_prepare` of each backend.
async fn prepares(stage: &Stage) -> Vec<u64> {
    let mut counts = Vec::new();
    for instance in stage.lab.instances() {
        let row = instance
            .row("SHOW GLOBAL STATUS LIKE 'Com_stmt_prepare'")
            .await;
        let count: String = row.unwrap().unwrap().take(1).unwrap();
        counts.push(count.parse().unwrap());
    }
    counts
}

#[tokio::test]
async fn a_statement_outlives_the_backend_connection_that_prepared_it() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let served = client.prepare(SERVED_BY).await;
    let echo = client.prepare("SELECT CONCAT(?, @@port)").await;
    assert_ne!(client.execute(served, &[Value::Int(1)]).await.one(), "w1");
    let first = client.execute(echo, &[Value::Text("p")]).await.one();
    for instance in stage.lab.instances() {
        let threads = "SELECT GROUP_CONCAT(ID) FROM information_schema.processlist \
                       WHERE USER = 'app'";
        for id in told(instance, threads).await.unwrap_or_default().split(',') {
            // One may be gone already.
            let _ = instance.execute([format!("KILL {id}")]).await;
        }
    }
    assert_ne!(client.again(served, &[Value::Int(1)]).await.one(), "w1");
    assert_eq!(client.again(echo, &[Value::Text("p")]).await.one(), first);
    stage.end().await;
}

#[tokio::test]
async fn p3_a_table_that_no_reader_has_yet_is_no_error_for_a_prepared_read() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    stage.freeze().await;
    stage
        .lab
        .writer()
        .execute([
            "DROP TABLE IF EXISTS app.prep_new",
            "CREATE TABLE app.prep_new (v VARCHAR(9))",
            "INSERT INTO app.prep_new VALUES ('new')",
        ])
        .await
        .unwrap();
    // Another session made it, so that nothing but the readers' error tells of it.
    let read = client.prepare("SELECT v FROM app.prep_new").await;
    assert_eq!(client.execute(read, &[]).await.one(), "new");
    stage.thaw().await;
    stage.end().await;
}

#[tokio::test]
async fn p3_what_a_statement_reads_is_described_as_directly_also_after_its_table_has_changed() {
    let stage = Stage::new().await;
    let table = [
        "DROP TABLE IF EXISTS app.prep_meta",
        "CREATE TABLE app.prep_meta (id INT PRIMARY KEY, v VARCHAR(9))",
        "INSERT INTO app.prep_meta VALUES (1, 'one')",
    ];
    let mut roads = Vec::new();
    for port in [stage.lab.writer().port(), stage.port] {
        stage.prepare(table).await;
        let mut client = Binary::connect(port).await;
        let sql = b"SELECT * FROM app.prep_meta";
        let mut packets = client.client.ask(Command::StmtPrepare, sql).await;
        // MariaDB does not count from 1.
        let id: Vec<u8> = packets[0].splice(1..5, [0; 4]).collect();
        let mut shown = Vec::new();
        for change in [
            "DO 1",
            "ALTER TABLE app.prep_meta ADD COLUMN w BIGINT NOT NULL DEFAULT 7",
            "ALTER TABLE app.prep_meta DROP COLUMN v",
            "ALTER TABLE app.prep_meta MODIFY w VARCHAR(20)",
        ] {
            client.text(change).await;
            // At once, and where it has run before the change.
            for on_a_reader in [false, true] {
                if on_a_reader && port == stage.port {
                    client.until_on_a_reader().await;
                }
                let execute = [&id[..], &[0, 1, 0, 0, 0]].concat();
                let mut answer = client.client.ask(Command::StmtExecute, &execute).await;
                // The end tells of flags and session state.
                answer.pop();
                shown.push(answer);
            }
        }
        roads.push((packets, shown));
    }
    let through = roads.pop().unwrap();
    let direct = roads.pop().unwrap();
    assert_eq!(direct.0, through.0, "COM_STMT_PREPARE");
    assert_eq!(direct.1[2].len(), 5, "three columns and a row");
    for (index, (one, other)) in direct.1.iter().zip(&through.1).enumerate() {
        assert_eq!(one, other, "execution {index}");
    }
    stage.end().await;
}

/// The only cell of a question at a backend.
async fn told(instance: &Instance, sql: &str) -> Option<String> {
    instance.row(sql).await.unwrap().unwrap().take(0).unwrap()
}
