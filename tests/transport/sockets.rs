//! Unix sockets, in front and to the backends.

use std::os::unix::fs::FileTypeExt;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tidegate::app;
use tidegate::lab::APP;
use tidegate::net::Endpoint;

use crate::{support, wire};

#[tokio::test]
async fn p1_by_unix_sockets_on_both_sides_a_session_reads_its_writes() {
    let lab = support::lab().await;
    let path = lab.directory().join("front.sock");
    let mut config = wire::config(&lab);
    config.listen.addresses.push(Endpoint::Unix(path.clone()));
    for (backend, instance) in config.backend.backends.iter_mut().zip(lab.instances()) {
        backend.address = Endpoint::Unix(instance.socket().to_owned());
    }
    let running = app::start(config).await.expect("starts");
    assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());
    let opts = OptsBuilder::default()
        .socket(Some(path.to_str().unwrap()))
        .user(Some(APP.user))
        .pass(Some(APP.password))
        .db_name(Some("app"));
    let mut conn = Conn::new(opts).await.unwrap();
    conn.query_drop("DROP TABLE IF EXISTS by_socket")
        .await
        .unwrap();
    conn.query_drop("CREATE TABLE by_socket (n INT)")
        .await
        .unwrap();
    for n in 1..20_u32 {
        conn.exec_drop("INSERT INTO by_socket VALUES (?)", (n,))
            .await
            .unwrap();
        let seen: Option<u32> = conn
            .query_first("SELECT COUNT(*) FROM by_socket")
            .await
            .unwrap();
        assert_eq!(seen, Some(n));
    }
    // The server takes it for a local client, as directly.
    let user: Option<String> = conn.query_first("SELECT USER()").await.unwrap();
    assert_eq!(user.as_deref(), Some("app@localhost"));
    conn.disconnect().await.unwrap();
    running.drain().await;
    assert!(!path.exists(), "the socket's file is left over");
}
