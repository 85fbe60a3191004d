//! Connections are there before the clients that need them.

use mysql_async::prelude::Queryable;
use tidegate::telemetry::{ConnectionState, Handover};

use crate::lending;
use crate::stage::{LIMIT, Stage, on_a_reader};

const READY: i64 = 2;

#[tokio::test]
async fn the_first_login_of_an_account_has_connections_opened_for_the_next() {
    let stage = Stage::with(|config| {
        lending(4)(config);
        config.session.keeping.min_idle = usize::try_from(READY).unwrap();
    })
    .await;
    let metrics = &stage.running.metrics;
    let idle = |backend| {
        metrics
            .backend_connections(backend, ConnectionState::Idle)
            .get()
    };
    let mut first = stage.client().await;
    let ready = async {
        while (0..3).any(|backend| idle(backend) < READY) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, ready)
        .await
        .expect("they are opened");
    // A client that was there before may have left one more.
    let more = (0..3).map(|backend| idle(backend) - READY).sum::<i64>();
    assert!(more <= 1, "and no more than that: {more}");
    let mut second = stage.client().await;
    on_a_reader(&mut second).await;
    assert!(metrics.handovers(0, Handover::Done).get() > 0, "a login");
    let read = (1..3).map(|backend| metrics.handovers(backend, Handover::AsItWas).get());
    assert!(read.sum::<u64>() > 0, "a read");
    // There is room for four, and what stands ready is in nobody's way.
    let mut others = [stage.client().await, stage.client().await];
    for conn in others.iter_mut().chain([&mut first, &mut second]) {
        conn.query_drop("DO 1").await.expect("the writer");
    }
    stage.end().await;
}
