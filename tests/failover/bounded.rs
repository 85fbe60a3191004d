//! What a bound says once another server takes the writes.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use crate::stage::{LIMIT, Stage, fixed, until_written, write};

const BOUND: Duration = Duration::from_millis(200);

#[tokio::test]
async fn p1_a_bounded_read_does_not_take_the_word_of_who_is_no_longer_the_writer() {
    // Roles that stay as they are, so that nobody tells Tidegate of the new writer.
    let stage = Stage::with(fixed).await;
    let (old, new, other) = (stage.member(0), stage.member(1), stage.member(2));
    let mut conn = stage.client().await;
    until_written(&mut conn, "before").await;
    assert!(stage.lab.settle(LIMIT).await.unwrap());
    stage.lab.switch_over(old, new).await.unwrap();
    for left_behind in [old, other] {
        left_behind.stop_applier().await.unwrap();
    }
    new.execute([write("behind its back")]).await.unwrap();
    let written = Instant::now();
    let read = format!(
        "SELECT COUNT(*) FROM app.kept WHERE what = 'behind its back' \
         /* tidegate: level=bounded, max_staleness={}ms */",
        BOUND.as_millis()
    );
    // Many sessions, so that some read where the row is missing, if any may.
    let mut conns = Vec::new();
    for _ in 0..10 {
        conns.push(stage.client().await);
    }
    let mut refused = 0;
    // On a busy machine it takes a while until Tidegate knows that nobody is the writer.
    while written.elapsed() < 8 * BOUND || refused == 0 && written.elapsed() < LIMIT {
        for conn in &mut conns {
            let due = written.elapsed() > BOUND;
            match conn.query_first::<u64, _>(&read).await {
                Ok(seen) => assert!(seen == Some(1) || !due, "{:?} late", written.elapsed()),
                Err(mysql_async::Error::Server(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(refused > 0, "somebody had to say that he does not know");
    stage.end().await;
}
