//! A Tidegate with a console, and a connection to it.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use tidegate::admin::console;
use tidegate::error::Secret;
use tidegate::net::Endpoint;

use crate::stage::Stage;

/// The operator's password.
pub(crate) const PASSWORD: &str = "the operator's";

/// A stage whose proxy has a console.
pub(crate) async fn stage() -> Stage {
    Stage::with(|config| {
        config.console = Some(console::Config {
            address: "127.0.0.1:0".parse().unwrap(),
            user: "tidegate".to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
        });
    })
    .await
}

/// Where its console listens.
pub(crate) fn port(stage: &Stage) -> u16 {
    match &stage.running.console {
        Some(Endpoint::Tcp { port, .. }) => *port,
        other => panic!("{other:?}"),
    }
}

/// A console.
pub(crate) async fn open(port: u16, password: &str) -> mysql_async::Result<Conn> {
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("tidegate"))
        .pass(Some(password))
        .prefer_socket(false);
    Conn::new(opts).await
}

/// The rows of a table, each as name and value of its columns.
pub(crate) async fn rows(console: &mut Conn, command: &str) -> Vec<Vec<(String, String)>> {
    let rows: Vec<mysql_async::Row> = console.query(command).await.expect(command);
    let cells = |row: mysql_async::Row| {
        let columns = row.columns();
        let names = columns.iter().map(|it| it.name_str().into_owned());
        let values = row.unwrap().into_iter();
        let text = values.map(mysql_async::from_value::<String>);
        names.zip(text).collect()
    };
    rows.into_iter().map(cells).collect()
}

/// A cell of the row whose first cell is this.
pub(crate) async fn cell(console: &mut Conn, command: &str, row: &str, column: &str) -> String {
    let rows = rows(console, command).await;
    let found = rows.iter().find(|cells| cells[0].1 == row);
    let found = found.unwrap_or_else(|| panic!("no {row} in {rows:?}"));
    let cell = found.iter().find(|(name, _)| name == column);
    cell.unwrap_or_else(|| panic!("no {column} in {found:?}"))
        .1
        .clone()
}

/// The number and text of the error that a command gets.
pub(crate) async fn refused(console: &mut Conn, command: &str) -> (u16, String) {
    match console.query_drop(command).await {
        Err(Error::Server(error)) => (error.code, error.message),
        other => panic!("{command}: {other:?}"),
    }
}
