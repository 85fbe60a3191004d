//! `tidegate explain`: asks a running Tidegate where a statement would run.

use std::path::PathBuf;

use clap::Args;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use crate::config::{self, Config};
use crate::net::Endpoint;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The configuration file of the running Tidegate: where it listens, and the monitor's account.
    #[arg(long)]
    config: PathBuf,
    /// The account to ask as; its level and scope count [default: the monitor's].
    #[arg(long)]
    user: Option<String>,
    /// The environment variable with that account's password.
    #[arg(long, default_value = "TIDEGATE_PASSWORD")]
    password_env: String,
    /// The schema in use.
    #[arg(long)]
    schema: Option<String>,
    /// The statement.
    sql: String,
}

/// Asks and prints the answer.
pub(super) async fn run(arguments: Explain) -> Result<(), String> {
    let config = super::report(config::load(&arguments.config))?;
    let opts = options(&arguments, &config)?;
    let mut conn = Conn::new(opts).await.map_err(|error| {
        let at = config.listen.addresses.first();
        let at = at.map_or_else(String::new, ToString::to_string);
        format!("no session at {at}: {error}\nis Tidegate running with this configuration, and may the account log in?")
    })?;
    // To anything but a Tidegate that explains, the hint is a comment, and the statement would run.
    ask(&mut conn, "SELECT 1").await?;
    let rows = ask(&mut conn, &arguments.sql).await?;
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (name, value) in rows {
        show(&format!("{name:<width$}  {value}"));
    }
    // Nobody is left whom a failure would interest.
    let _ = conn.disconnect().await;
    Ok(())
}

async fn ask(conn: &mut Conn, sql: &str) -> Result<Vec<(String, String)>, String> {
    let sql = format!("/* tidegate: explain */ {sql}");
    let mut result = conn
        .query_iter(sql)
        .await
        .map_err(|error| error.to_string())?;
    let columns = result.columns().unwrap_or_default();
    let names: Vec<_> = columns.iter().map(|column| column.name_str()).collect();
    if names != ["name", "value"] {
        return Err("what answers there is no Tidegate that explains statements".to_owned());
    }
    result.collect().await.map_err(|error| error.to_string())
}

#[expect(clippy::print_stdout, reason = "the answer to the user's question")]
fn show(line: &str) {
    println!("{line}");
}

fn options(arguments: &Explain, config: &Config) -> Result<OptsBuilder, String> {
    let address = config
        .listen
        .addresses
        .first()
        .ok_or("it listens nowhere")?;
    let monitor = &config.backend.monitor;
    let (user, password) = match &arguments.user {
        None => (monitor.user.clone(), monitor.password.expose().to_owned()),
        Some(user) => {
            let variable = &arguments.password_env;
            let password = std::env::var(variable).map_err(|_| {
                format!("{variable} is not set: put {user}'s password there, or name another one with --password-env")
            })?;
            (user.clone(), password)
        }
    };
    let opts = OptsBuilder::default()
        .user(Some(user))
        .pass(Some(password))
        .db_name(arguments.schema.clone())
        .prefer_socket(false);
    Ok(match address {
        Endpoint::Tcp { host, port } => {
            let host = match host.as_str() {
                "0.0.0.0" => "127.0.0.1",
                "::" => "::1",
                host => host,
            };
            opts.ip_or_hostname(host).tcp_port(*port)
        }
        Endpoint::Unix(path) => opts.socket(Some(path.to_string_lossy())),
    })
}
