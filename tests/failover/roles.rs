//! Roles by configuration: what others do to the backends moves no write.

use crate::stage::{Stage, fixed, number, until_refused, until_written, write};

#[tokio::test]
async fn p5_a_configured_reader_that_is_promoted_gets_no_write() {
    let stage = Stage::with(fixed).await;
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    stage
        .lab
        .switch_over(stage.member(0), stage.member(1))
        .await
        .unwrap();
    until_refused(&mut conn, "demoted", 1836).await;
    for _ in 0..20 {
        assert_eq!(number(&mut conn, &write("lost")).await, Err(1836));
    }
    // Writable again, and still a reader of the other one.
    stage
        .member(0)
        .execute(["SET GLOBAL read_only = OFF"])
        .await
        .unwrap();
    for _ in 0..20 {
        assert_eq!(number(&mut conn, &write("lost")).await, Err(1836));
    }
    stage
        .lab
        .switch_over(stage.member(1), stage.member(0))
        .await
        .unwrap();
    until_written(&mut conn, "after").await;
    assert_eq!(stage.count(1, "lost").await, 0);
    stage.end().await;
}
