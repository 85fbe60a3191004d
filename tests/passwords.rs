//! Who tries passwords: slowed down, and no trouble for the proxy's standing at the server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod support;
mod wire;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tidegate::error::Secret;
use tidegate::lab::{APP, Account, Cluster};
use tidegate::protocol::ErrPacket;
use tidegate::session::AuthMode;
use wire::{Client, MODERN};

const WRONG: Account = Account {
    user: APP.user,
    password: "guess",
};

async fn login(port: u16, account: Account) -> u16 {
    let packet = Client::connect(port, account, MODERN).await.login;
    match packet.first() {
        Some(0xff) => ErrPacket::parse(&packet).unwrap().code,
        _ => 0,
    }
}

/// How many logins the writer has refused so far.
async fn refused(lab: &Cluster) -> u64 {
    let status = "SHOW GLOBAL STATUS LIKE 'Aborted_connects'";
    let row = lab.writer().row(status).await.unwrap();
    row.and_then(|mut row| row.take::<String, _>(1))
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn p10_guesses_are_slowed_down_and_the_server_hears_of_few() {
    let lab = support::lab_alone().await;
    let mut config = wire::config(&lab);
    config.session.limits.login_failures = 3;
    let (running, port) = wire::proxy(config).await;
    assert_eq!(login(port, APP).await, 0);
    let before = refused(&lab).await;
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(login(port, WRONG).await, 1045);
    }
    let mut guesses = Vec::new();
    for _ in 0..20 {
        guesses.push(tokio::spawn(login(port, WRONG)));
    }
    // The one who knows the password is not held up.
    assert_eq!(login(port, APP).await, 0);
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), 1045);
    }
    let heard = refused(&lab).await - before;
    // One in each pause, of which there are as many as seconds at most.
    let pauses = began.elapsed().as_secs() + 1;
    assert!((3..=3 + pauses).contains(&heard), "{heard} in {pauses} s");
    let slowed = running.metrics.logins_slowed().get();
    assert!(slowed >= 20 - pauses, "{slowed}");
    running.drain().await;
}

#[tokio::test]
async fn p10_passwords_that_the_proxy_compares_are_guessed_slowly_too() {
    let lab = support::lab().await;
    let mut config = wire::config(&lab);
    config.session.limits.login_failures = 2;
    let users = [(APP.user.to_owned(), Secret::new(APP.password.to_owned()))];
    config.session.auth = AuthMode::Users(HashMap::from(users));
    let (running, port) = wire::proxy(config).await;
    assert_eq!(login(port, WRONG).await, 1045);
    // The pause counts from the second failure on, of which the client may hear late.
    let began = Instant::now();
    for _ in 0..2 {
        assert_eq!(login(port, WRONG).await, 1045);
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "the first pause");
    running.drain().await;
}
