//! The operator's switch: all reads to the writer now, and back; and the mirror that only counts.

use mysql_async::prelude::Queryable;
use tidegate::admin;
use tidegate::net::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{Stage, WRITER, back_on_a_reader, on_a_reader, served_by};

async fn stage(is_local: bool) -> Stage {
    let address = Endpoint::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 0,
    };
    Stage::with(|config| {
        config.http = Some(admin::Config {
            address,
            is_local,
            login: None,
        })
    })
    .await
}

/// The whole answer to a request.
async fn ask(stage: &Stage, request: &str, body: &str) -> String {
    let Some(Endpoint::Tcp { host, port }) = stage.running.http.clone() else {
        panic!("an address");
    };
    let mut stream = TcpStream::connect((host, port)).await.unwrap();
    let length = body.len();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn p6_all_reads_go_to_the_writer_and_back_when_the_operator_says_so() {
    let stage = stage(true).await;
    let mut conn = stage.client().await;
    let mut inside = stage.client().await;
    let reader = on_a_reader(&mut inside).await;
    inside
        .query_drop("START TRANSACTION READ ONLY")
        .await
        .unwrap();
    assert_eq!(served_by(&mut inside).await, reader);
    on_a_reader(&mut conn).await;
    assert!(ask(&stage, "GET /reads", "").await.ends_with("split\n"));
    for position in ["writer", "mirror"] {
        let answer = ask(&stage, "PUT /reads", position).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        for _ in 0..5 {
            assert_eq!(served_by(&mut conn).await, WRITER, "{position}");
        }
        let hinted = format!("{} /* tidegate: level=eventual */", Stage::SERVED_BY);
        let name: Option<String> = conn.query_first(hinted).await.unwrap();
        assert_eq!(name.as_deref(), Some(WRITER), "{position}");
        let name: Option<String> = conn.exec_first(Stage::SERVED_BY, ()).await.unwrap();
        assert_eq!(name.as_deref(), Some(WRITER), "{position}");
        // A transaction ends where it is.
        assert_eq!(served_by(&mut inside).await, reader, "{position}");
    }
    inside.query_drop("COMMIT").await.unwrap();
    assert_eq!(served_by(&mut inside).await, WRITER);
    let metrics = ask(&stage, "GET /metrics", "").await;
    assert!(metrics.contains("tidegate_reads_split 0"), "{metrics}");
    assert!(metrics.contains("reason=\"reads_switched\""), "{metrics}");
    let mirrored = metrics.lines().find(|line| {
        line.starts_with("tidegate_mirrored_reads_total{backend=\"r")
            && line.contains("reason=\"read_covered\"")
    });
    assert!(mirrored.is_some(), "{metrics}");
    let answer = ask(&stage, "PUT /reads", "split").await;
    assert!(answer.ends_with("split\n"), "{answer}");
    back_on_a_reader(&mut conn, "the switch").await;
    stage.end().await;
}

#[tokio::test]
async fn p10_the_switch_takes_only_what_it_knows_and_only_from_this_machine() {
    let stage = stage(true).await;
    let answer = ask(&stage, "PUT /reads", "reader").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("split, writer, mirror"), "{answer}");
    let long = "writer".repeat(100);
    assert!(
        ask(&stage, "PUT /reads", &long)
            .await
            .starts_with("HTTP/1.1 400")
    );
    assert!(
        ask(&stage, "POST /reads", "writer")
            .await
            .starts_with("HTTP/1.1 405")
    );
    assert!(ask(&stage, "GET /reads", "").await.ends_with("split\n"));
    stage.end().await;
    let stage = self::stage(false).await;
    let answer = ask(&stage, "PUT /reads", "writer").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(ask(&stage, "GET /reads", "").await.ends_with("split\n"));
    stage.end().await;
}
