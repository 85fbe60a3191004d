//! Thousands of clients that come at once, with room for few backend connections.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{setting, support, wire};

/// Room at each backend.
const ROOM: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_a_crowd_is_served_through_few_connections_and_nobody_hangs() {
    let crowd = setting("TIDEGATE_CHAOS_CLIENTS").unwrap_or(300);
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.max_clients = crowd + 10;
    config.session.login_timeout = Duration::from_secs(300);
    config.session.limits.backend_connections = Some(ROOM);
    config.session.limits.connection_wait = Duration::from_secs(280);
    let (running, port) = wire::proxy(config).await;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..crowd {
        clients.spawn(async move {
            let mut conn = Conn::new(support::application(port)).await?;
            let one: Option<u32> = conn.query_first("SELECT 1").await?;
            assert_eq!(one, Some(1));
            conn.disconnect().await
        });
    }
    let (mut served, mut refused) = (0, 0);
    let playing = async {
        while let Some(client) = clients.join_next().await {
            match client.expect("a client does not panic") {
                Ok(()) => served += 1,
                Err(Error::Server(error)) if error.code == 1040 => refused += 1,
                Err(error) => panic!("neither served nor told why: {error}"),
            }
        }
    };
    let limit = Duration::from_secs(300);
    timeout(limit, playing).await.expect("nobody hangs");
    println!(
        "{crowd} clients at once, {ROOM} connections to each backend: {served} served, {refused} \
         refused with error 1040, in {:.1?}",
        begun.elapsed()
    );
    assert_eq!(refused, 0, "with room for all of them in turn");
    running.drain().await;
}
