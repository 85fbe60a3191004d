//! How many statements there may be, and what happens to commands that make no sense.

use tidegate::lab::Flavour;
use tidegate::protocol::{Capabilities, Command};
use tidegate::session::PreparedLimits;

use crate::binary::{Answer, Binary, Value};
use crate::stage::Stage;
use crate::support;
use crate::wire::MODERN;

#[tokio::test]
async fn p9_one_statement_more_than_a_client_may_have_gets_mysqls_error() {
    let limits = PreparedLimits {
        per_client: 3,
        total: 4,
        bytes: 1000,
    };
    let stage = Stage::with(|config| config.session.prepared = limits).await;
    let mut one = Binary::connect(stage.port).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(one.prepare("SELECT 1").await);
    }
    let Answer::Err(code, text) = one.try_prepare("SELECT 1").await else {
        panic!("a fourth one");
    };
    assert_eq!(code, 1461);
    assert!(text.contains("prepared_statements_per_client"), "{text}");
    let mut other = Binary::connect(stage.port).await;
    other.prepare("SELECT 1").await;
    let Answer::Err(1461, text) = other.try_prepare("SELECT 1").await else {
        panic!("a fifth one of all");
    };
    assert!(text.contains("[limits] prepared_statements)"), "{text}");
    one.close(ids[0]).await;
    // COM_STMT_CLOSE has no answer, so another command tells that it was done.
    one.text("SELECT 1").await;
    let long = format!("SELECT {}", "1 + ".repeat(300));
    let Answer::Err(1461, text) = other.try_prepare(&long).await else {
        panic!("too much SQL");
    };
    assert!(text.contains("prepared_mib"), "{text}");
    assert_eq!(other.try_prepare("SELECT 1").await, Answer::Ok);
    drop(one);
    stage.end().await;
}

#[tokio::test]
async fn p3_what_is_malformed_or_unknown_gets_mysqls_errors_and_the_session_goes_on() {
    if support::skips(
        Flavour::MySql,
        "the errors are MySQL's, and MariaDB takes some of it",
    ) {
        return;
    }
    let stage = Stage::new().await;
    // Which trackers stir is not the matter here.
    let plain = Capabilities(MODERN.0 & !Capabilities::SESSION_TRACK.0);
    let mut client = Binary::with(stage.port, plain).await;
    let id = client.prepare("SELECT ?").await;
    let whole = crate::binary::execution(id, &[Value::Text("text")], true, 0);
    let mut direct = Binary::with(stage.lab.writer().port(), plain).await;
    assert_eq!(direct.prepare("SELECT ?").await, id);
    for length in 0..whole.len() {
        let cut = &whole[..length];
        let through = client.client.ask(Command::StmtExecute, cut).await;
        let plain = direct.client.ask(Command::StmtExecute, cut).await;
        assert_eq!(through, plain, "{length} bytes");
    }
    for (command, argument) in [
        (Command::StmtExecute, vec![99, 0, 0, 0, 0, 1, 0, 0, 0]),
        (Command::StmtExecute, vec![99, 0, 0, 0]),
        (Command::StmtReset, vec![99, 0, 0, 0]),
        (Command::StmtReset, vec![1]),
        (Command::StmtFetch, vec![99, 0, 0, 0, 1, 0, 0, 0]),
        (Command::StmtFetch, vec![1, 0, 0, 0, 1, 0, 0, 0]),
        (Command::StmtFetch, vec![1, 0, 0, 0]),
        (Command::StmtPrepare, vec![]),
    ] {
        let through = client.client.ask(command, &argument).await;
        let plain = direct.client.ask(command, &argument).await;
        let names = (command.name(), &argument);
        let text = |packets: Vec<Vec<u8>>| packets[0].escape_ascii().to_string();
        assert_eq!(text(through), text(plain), "{names:?}");
    }
    for argument in [&[][..], &[1], &[9, 9, 9, 9], &[1, 0, 0, 0, 7, 0]] {
        client
            .client
            .send(Command::StmtSendLongData, argument)
            .await;
        client
            .client
            .send(Command::StmtClose, &argument[..argument.len().min(3)])
            .await;
    }
    assert_eq!(client.text("SELECT 'alive'").await.one(), "alive");
    stage.end().await;
}
