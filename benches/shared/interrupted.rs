//! Ctrl-C in the middle: what was started ends with what is dropped.

use tokio::signal::unix::{SignalKind, signal};

use crate::Error;

/// Returns an error once this process is told to end.
pub(crate) async fn interrupted() -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err("interrupted".into())
}
