//! `tidegate demo`: a lab, Tidegate before it, and an application played by three roads, which
//! shows what each costs and what it gets wrong. It then stays up to be played with.

mod app;
mod road;
mod tally;

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{self, Write as _};

use tokio::signal::unix::{SignalKind, signal};

use self::app::{App, ROUND, ROUNDS};
use self::road::Road;
use self::tally::Tally;
use super::local::{Proxy, before_lab};
use crate::lab::{self, APP, APP_SCHEMA, Cluster};
use crate::routing::Scope;

/// How far the readers stay behind, in seconds.
const DELAYS_SECS: [u32; 2] = [1, 2];

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The lab did not start, or a statement failed on it.
    #[error(transparent)]
    Lab(#[from] lab::Error),
    /// Tidegate did not start.
    #[error(transparent)]
    Proxy(#[from] crate::app::StartError),
    /// The application could not connect.
    #[error("the played application can't connect: {0}")]
    Connect(#[from] mysql_async::Error),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The readers did not get what the demo begins with.
    #[error("the readers don't follow the writer")]
    NotSettled,
    /// The configuration that the demo makes for Tidegate has faults.
    #[error("{0}")]
    Config(String),
    /// A signal came before the results did.
    #[error("interrupted; nothing is left behind")]
    Interrupted,
}

/// Plays the demo and stays up until SIGINT or SIGTERM. Whenever they come, all that was started
/// is gone when this returns.
pub(super) async fn run() -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let played = Cell::new(false);
    // Dropping the demo ends its processes and removes their files, at whatever point it is.
    let failed = tokio::select! {
        result = demo(&played) => result.err(),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    match failed {
        Some(error) => Err(error),
        None if played.get() => {
            progress("ended; nothing is left behind");
            Ok(())
        }
        None => Err(Error::Interrupted),
    }
}

async fn demo(played: &Cell<bool>) -> Result<Infallible, Error> {
    progress("starting MySQL: a writer, and readers about 1 s and 2 s behind it");
    let cluster = Cluster::start(lab::Options::with_delays(DELAYS_SECS)).await?;
    progress(&format!(
        "{} is up; starting Tidegate before it, once for each scope",
        cluster.programs().product()
    ));
    let by_connection = start(&cluster, Scope::Connection).await?;
    let by_user = start(&cluster, Scope::User).await?;
    let roads = [
        Road::Splitter,
        Road::Tidegate(&by_connection, Scope::Connection),
        Road::Tidegate(&by_user, Scope::User),
    ];
    app::prepare(&cluster, roads.len()).await?;
    let tallies = play(&cluster, roads).await?;
    by_connection.stop().await;
    let text = format!(
        "\n{}\n{}",
        tally::table(&tallies),
        invitation(&cluster, &by_user)
    );
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()?;
    played.set(true);
    std::future::pending().await
}

/// A Tidegate with the defaults of the command line, but for its scope.
async fn start(cluster: &Cluster, scope: Scope) -> Result<Proxy, Error> {
    let mut config = before_lab(cluster).map_err(Error::Config)?;
    config.session.policy.scope = scope;
    Ok(Proxy::start(config).await?)
}

/// Plays the application by all roads at the same time, each on a table of its own.
async fn play<'p>(
    cluster: &Cluster,
    [one, two, three]: [Road<'p>; 3],
) -> Result<Vec<Tally>, Error> {
    progress(&format!(
        "playing {ROUNDS} rounds of {} s, each road with a pool of two connections: a write, read \
         back at once on both, then a read every {} ms",
        ROUND.as_secs(),
        app::THINK.as_millis(),
    ));
    let mut one = App::start(cluster, one, 0).await?;
    let mut two = App::start(cluster, two, 1).await?;
    let mut three = App::start(cluster, three, 2).await?;
    for round in 1..=ROUNDS {
        progress(&format!("round {round} of {ROUNDS}"));
        tokio::join!(one.round(round), two.round(round), three.round(round));
    }
    let mut tallies = Vec::new();
    for app in [one, two, three] {
        tallies.push(app.end().await?);
    }
    Ok(tallies)
}

/// What a person can do now.
fn invitation(cluster: &Cluster, proxy: &Proxy) -> String {
    let port = proxy.port();
    let mysql = cluster.mysql_line(port).unwrap_or_else(|| {
        let (user, password) = (APP.user, APP.password);
        format!(
            "mysql --protocol=tcp --host=127.0.0.1 --port={port} --user={user} \
             --password={password} {APP_SCHEMA}"
        )
    });
    format!(
        "Tidegate stays up (scope user) before this lab. Try it:\n  {mysql}\n\
         Which backend answered, and why:\n  \
         curl -s http://127.0.0.1:{}/metrics | grep '^tidegate_statements_total.* [1-9]'\n\
         Ctrl-C ends it all and leaves nothing behind.\n",
        proxy.metrics_port(),
    )
}

/// Tells the person who waits what is being waited for.
fn progress(text: &str) {
    // Nobody listening is no reason to stop.
    let _ = writeln!(io::stderr(), "demo: {text}");
}
