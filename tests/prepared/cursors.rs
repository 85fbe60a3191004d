//! Cursors stay on the backend where they were opened.

use crate::binary::{Answer, Binary};
use crate::stage::Stage;

const ROWS: &str = "SELECT CONCAT(n, '@', (SELECT name FROM app.whoami)) \
    FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) AS t ORDER BY n";

#[tokio::test]
async fn p3_a_cursor_is_fetched_from_where_it_was_opened_whatever_runs_in_between() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let reads = client.prepare(ROWS).await;
    assert!(client.open(reads, &[]).await, "a cursor");
    let Answer::Rows(first) = client.fetch(reads, 1).await else {
        panic!("no rows");
    };
    assert!(!first[0].ends_with("w1"), "{first:?}");
    let at = first[0][1..].to_owned();
    client.text("DO 1").await;
    client.text("BEGIN").await;
    client.text("SELECT name FROM app.whoami").await;
    let second = client.fetch(reads, 1).await;
    assert_eq!(second, Answer::Rows(vec![format!("2{at}")]));
    client.text("COMMIT").await;
    let third = client.fetch(reads, 9).await;
    assert_eq!(third, Answer::Rows(vec![format!("3{at}")]));
    assert_eq!(client.fetch(reads, 1).await.code(), 1421);
    stage.end().await;
}

#[tokio::test]
async fn p3_an_execution_elsewhere_closes_the_cursor() {
    let stage = Stage::new().await;
    let mut client = Binary::connect(stage.port).await;
    client.until_on_a_reader().await;
    let reads = client.prepare(ROWS).await;
    assert!(client.open(reads, &[]).await);
    client.text("BEGIN").await;
    assert!(client.open(reads, &[]).await);
    let rows = client.fetch(reads, 2).await;
    let expected = ["1@w1", "2@w1"].map(str::to_owned).to_vec();
    assert_eq!(rows, Answer::Rows(expected));
    assert_eq!(client.reset(reads).await, Answer::Ok);
    assert_eq!(client.fetch(reads, 2).await.code(), 1421);
    client.text("COMMIT").await;
    let Answer::Rows(all) = client.execute(reads, &[]).await else {
        panic!("no rows");
    };
    assert_eq!(all.len(), 3);
    stage.end().await;
}
