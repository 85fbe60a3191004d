//! Another program in place of this one, without a client being refused.
//!
//! ```text
//! this process                              the next one
//! SIGUSR2: starts it, with its listeners -> starts, learns what the backends are
//! reads "ready" from its output          <- accepts clients, too
//! accepts no more, drains                   serves
//! exits; its end of the pipe closes      -> knows that it is alone
//! ```

use std::env;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::listeners::Listeners;
use crate::net::HANDED_OVER;
use crate::session::Shared;

/// What the next process says once it takes clients.
const READY: &str = "ready";

/// A process that does not take clients by then is ended, and this one goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program that this process was started as, for when another one is put in its place.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// The process that took over.
#[derive(Debug)]
pub(super) struct Successor {
    pub(super) pid: u32,
    /// Closes when this process ends, which tells the other one.
    _lifeline: Option<ChildStdin>,
}

impl Program {
    /// As this process was started. A path by which it was found counts, so that a link may lead
    /// to another program by then.
    pub(super) fn of_process() -> Option<Self> {
        let mut arguments = env::args_os();
        let called = PathBuf::from(arguments.next()?);
        let path = match called.components().count() {
            0 | 1 => env::current_exe().ok()?,
            _ => env::current_dir().ok()?.join(called),
        };
        Some(Self {
            path,
            arguments: arguments.collect(),
        })
    }

    /// Starts the program that is there now, hands the listeners over, and waits until it takes
    /// clients.
    ///
    /// # Errors
    /// Why nothing came of it; this process goes on as before.
    pub(super) async fn start(&self, listeners: &Listeners) -> Result<Successor, String> {
        let heritage = listeners.heritage().map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.path);
        command.args(&self.arguments);
        for variable in HANDED_OVER {
            command.env_remove(variable);
        }
        command.envs(heritage.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let shown = self.path.display();
        let started = command.spawn();
        drop(heritage);
        let mut child = started.map_err(|error| format!("{shown} can't be started: {error}"))?;
        match timeout(PATIENCE, says_ready(&mut child)).await {
            Ok(true) => Ok(Successor {
                pid: child.id().unwrap_or_default(),
                _lifeline: child.stdin.take(),
            }),
            outcome => {
                // It may be gone already.
                let _ = child.kill().await;
                let how = match outcome {
                    Ok(_) => "has ended, and its log says why",
                    Err(_) => "took no clients in time",
                };
                Err(format!("{shown} {how}"))
            }
        }
    }
}

async fn says_ready(child: &mut Child) -> bool {
    let Some(output) = child.stdout.take() else {
        return false;
    };
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == READY {
            return true;
        }
    }
    false
}

/// Tells the process before that this one takes clients, and waits in the background until that
/// has ended. Until then what other connections of a scope have written may be known to it alone.
pub(super) fn take_over(shared: &Arc<Shared>) {
    let told = writeln!(std::io::stdout(), "{READY}").and_then(|()| std::io::stdout().flush());
    if let Err(error) = told {
        tracing::warn!(%error, "the process before could not be told");
    }
    let shared = Arc::clone(shared);
    // A thread of its own: nobody has to wait for it at the end.
    thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(std::io::stdin().read(&mut nothing), Ok(count) if count > 0) {}
        shared.scopes.set_alone(Instant::now());
        tracing::info!("the process before has ended");
    });
}
