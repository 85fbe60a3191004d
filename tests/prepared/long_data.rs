//! Values that come ahead of their execution.

use crate::binary::{Answer, Binary, Value};
use crate::stage::Stage;

#[tokio::test]
async fn p3_values_that_came_ahead_go_where_the_execution_runs() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let sql = "SELECT CONCAT(?, ?, '@', name) FROM app.whoami";
    let id = client.prepare(sql).await;
    let mut places = Vec::new();
    for begin in [false, true, false] {
        if begin {
            client.text("BEGIN").await;
        }
        client.send_long(id, 0, b"ab").await;
        client.send_long(id, 1, b"").await;
        client.send_long(id, 0, b"c").await;
        let shown = client.execute(id, &[Value::Sent, Value::Sent]).await.one();
        let (value, place) = shown.split_once('@').unwrap();
        assert_eq!(value, "abc");
        places.push(place == "w1");
        // They counted once.
        let next = client
            .execute(id, &[Value::Text("x"), Value::Text("y")])
            .await;
        assert!(next.one().starts_with("xy@"));
        if begin {
            client.text("COMMIT").await;
        }
    }
    assert_eq!(places, [false, true, false]);
    client.send_long(id, 0, b"lost").await;
    assert_eq!(client.reset(id).await, Answer::Ok);
    let next = client
        .execute(id, &[Value::Text("x"), Value::Text("y")])
        .await;
    assert!(next.one().starts_with("xy@"));
    stage.end().await;
}

#[tokio::test]
async fn p9_a_value_too_large_to_be_kept_goes_on_to_the_writer() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let id = client
        .prepare("SELECT CONCAT(LENGTH(?), '@', name) FROM app.whoami")
        .await;
    let chunk = vec![b'x'; 700_000];
    client.send_long(id, 0, &chunk).await;
    let shown = client.execute(id, &[Value::Sent]).await.one();
    assert!(shown.starts_with("700000@r"), "{shown}");
    for _ in 0..3 {
        client.send_long(id, 0, &chunk).await;
    }
    let shown = client.execute(id, &[Value::Sent]).await.one();
    assert_eq!(shown, "2100000@w1");
    // The next one is free again.
    let shown = client.execute(id, &[Value::Text("abc")]).await.one();
    assert!(shown.starts_with("3@r"), "{shown}");
    client.send_long(id, 0, &vec![b'x'; 20 << 20]).await;
    let shown = client.execute(id, &[Value::Sent]).await.one();
    assert_eq!(shown, "20971520@w1");
    stage.end().await;
}

#[tokio::test]
async fn p3_an_execution_beyond_16_mib_with_types_told_before_arrives_whole() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let sql = "SELECT CONCAT(LENGTH(?), '@', name) FROM app.whoami";
    let id = client.prepare(sql).await;
    let shown = client.execute(id, &[Value::Text("abc")]).await.one();
    assert!(shown.starts_with("3@r"), "{shown}");
    for length in [0xff_ffff - 20, 0xff_ffff, 17 << 20, 33 << 20] {
        let text = "y".repeat(length);
        // The writer's connection has not been told of the types yet, the first time.
        let shown = client.again(id, &[Value::Text(&text)]).await.one();
        assert!(shown.starts_with(&format!("{length}@")), "{shown}");
    }
    stage.end().await;
}
